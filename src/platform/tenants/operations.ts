import { sql } from 'kysely'
import type { Static } from 'typebox'
import { countries } from '../../kernel/country.ts'
import { currencies } from '../../kernel/currency.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { chartTemplates } from '../../erp/onboarding.ts'
import { newestFirst, type Pagination } from '../../http/contract.ts'
import { pageOfRows } from '../../http/pages.ts'
import { isCommonPassword } from '../../http/common-passwords.ts'
import { implement, type PlatformDoor, type RequestContext, type Route } from '../../http/route.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import type { Backups } from '../backups/backups.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import {
  activateTenant,
  changeDatabasePassword,
  changeDatabasePasswords,
  createTenant,
  getTenant,
  getTenantOptions,
  listTenants,
  retryProvisioning,
  suspendTenant,
  type CreatedTenant,
  type Tenant,
  type TenantBody,
} from './contract.ts'
import { choosePlace } from '../servers/placement.ts'
import type { DatabasePasswords } from './passwords.ts'
import { operationIdOf, type Provisioning } from './provisioning.ts'
import { chartTemplateFor, checkSignUp } from './rules/sign-up.ts'
import { tenantProblems } from './problems.ts'

export interface TenantPorts {
  readonly provisioning: Provisioning
  readonly backups: Backups
  readonly passwords: DatabasePasswords
  readonly secrets: Secrets
  /** `http://acme.localhost:3000` */
  readonly addressOf: (subdomain: string) => string
  /** Ends all sessions of the tenant's users. */
  readonly endSessions: (tenantId: string, reason: string) => Promise<void>
}

type TenantData = Static<typeof Tenant>
type Body = Static<typeof TenantBody>

/** A ready tenant answers 201; one that takes longer than this answers 202. */
const PATIENCE_MS = 20_000

export function tenantRoutes(ports: TenantPorts): Route[] {
  return [
    implement(createTenant, (door, { body }, context) => create(ports, door, body, context)),
    implement(retryProvisioning, (door, { params }, context) => retry(ports, door, params.id, context)),
    implement(listTenants, (tx, { query }) => list(ports, tx, query)),
    implement(getTenant, (tx, { params }) => read(ports, tx, params.id)),
    implement(suspendTenant, async (door, { params, body }) => {
      const { tenant, backupId } = await door.write(async (tx) => ({
        tenant: await changeStatus(ports, tx, params.id, {
          status: 'suspended',
          from: ['active', 'read_only'],
          reason: body.reason,
          cause: body.cause ?? 'other',
        }),
        // Of the data as they are when the door is shut: written down with the suspension, never without it.
        backupId: await ports.backups.plan(tx, params.id, 'suspension'),
      }))
      await ports.endSessions(params.id, `tenant suspended: ${body.reason}`)
      await ports.backups.begin(backupId)
      return tenant
    }),
    implement(activateTenant, (tx, { params, body }) =>
      changeStatus(ports, tx, params.id, {
        status: 'active',
        from: ['suspended', 'read_only'],
        reason: body?.reason ?? null,
        cause: null,
      }),
    ),
    implement(changeDatabasePassword, async (door, { params }, context) => {
      const tenant = await door.read((tx) => read(ports, tx, params.id))
      if (tenant.databaseName === null || tenant.status === 'provisioning') throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${tenant.status}` }) // prettier-ignore
      return { operationId: await ports.passwords.start(context.newId(), params.id) }
    }),
    implement(changeDatabasePasswords, async (_door, _input, context) => ({
      operationId: await ports.passwords.start(context.newId(), null),
    })),
    implement(getTenantOptions, async (tx) => {
      const plans = await tx.rows(
        platformSql
          .selectFrom('platform.plan')
          .select(['code', 'name'])
          .where('is_active', '=', true)
          .orderBy('monthly_price'),
      )
      return {
        plans,
        countries: countries.map(({ code, name }) => ({ code, name })),
        currencies: currencies
          .filter(({ minorUnits }) => minorUnits !== null)
          .map(({ code, name }) => ({ code, name })),
        chartTemplates: chartTemplates.map(({ code, name, description }) => ({ code, name, description })),
      }
    }),
  ]
}

async function create(
  ports: TenantPorts,
  door: PlatformDoor,
  body: Body,
  context: RequestContext,
): Promise<Static<typeof CreatedTenant>> {
  const wrong = checkSignUp(body, isCommonPassword)
  const id = context.newId()
  const plan = await door.read((tx) =>
    tx.row(
      platformSql
        .selectFrom('platform.plan')
        .select('id')
        .where('code', '=', body.planCode)
        .where('is_active', '=', true),
    ),
  )
  if (!plan)
    wrong.push({ field: 'planCode', code: 'UNKNOWN_PLAN', message: `There is no plan ${body.planCode}` })
  if (wrong.length > 0 || !plan) throw validationProblem(wrong)
  await door.write((tx) => reserve(ports, tx, id, plan.id, body))
  const hasPassword = body.adminPassword !== undefined
  return provisioned(ports, door, { id, attempt: 1, hasPassword }, context)
}

/** Waits for it as long as a caller may; after that the operation tells how far it is. */
async function provisioned(
  ports: TenantPorts,
  door: PlatformDoor,
  { id, attempt, hasPassword }: { id: string; attempt: number; hasPassword: boolean },
  context: RequestContext,
): Promise<Static<typeof CreatedTenant>> {
  const { finished } = await ports.provisioning.start(id, attempt)
  const outcome = await Promise.race([
    finished.then(
      () => 'ready' as const,
      () => 'failed' as const,
    ),
    patience(),
  ])
  if (outcome === 'failed') throw new Problem(tenantProblems.provisioningFailed, { retryAfterSeconds: 5 })
  if (outcome === 'not yet') context.answer.status = 202
  const tenant = await door.read((tx) => read(ports, tx, id))
  const setPasswordUrl = hasPassword
    ? null
    : `${tenant.address}/set-password?token=${ports.provisioning.linkSecret(id)}`
  return { tenant, operationId: operationIdOf(id, attempt), setPasswordUrl }
}

/** Another attempt at a tenant that failed. Its password is forgotten by now: a link sets a new one. */
async function retry(
  ports: TenantPorts,
  door: PlatformDoor,
  id: string,
  context: RequestContext,
): Promise<Static<typeof CreatedTenant>> {
  const attempt = await door.write(async (tx) => {
    const failed = await tx.row(
      platformSql
        .selectFrom('platform.tenant as t')
        .leftJoin('platform.ready_database as r', 'r.claimed_by', 't.id')
        .select(['t.status', 't.server_id', 't.provisioning_attempt', 'r.server_id as left_on'])
        .where('t.id', '=', id)
        .forUpdate('t'),
    )
    if (!failed) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
    if (failed.status !== 'failed') {
      throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${failed.status}` })
    }
    const next = failed.provisioning_attempt + 1
    // Where something is left, it is cleared first: the tenant stays there.
    const server_id = failed.left_on ?? (await choosePlace(tx, undefined))
    await tx.run(
      platformSql
        .updateTable('platform.tenant')
        .set({ status: 'provisioning', status_reason: null, provisioning_attempt: next, server_id })
        .where('id', '=', id),
    )
    const details = { attempt: next }
    await recordEvent(tx, {
      action: 'provision again',
      entity: 'tenant',
      entityId: id,
      tenantId: id,
      details,
    })
    return next
  })
  return provisioned(ports, door, { id, attempt, hasPassword: false }, context)
}

async function reserve(
  ports: TenantPorts,
  tx: PlatformTx,
  id: string,
  planId: string,
  body: Body,
): Promise<void> {
  const { adminPassword } = body
  const serverId = await choosePlace(tx, body.serverId)
  await tx.run(
    platformSql.insertInto('platform.tenant').values({
      id,
      tenant_code: body.tenantCode,
      company_name: body.companyName,
      subdomain: body.subdomain,
      plan_id: planId,
      status: 'provisioning',
      country: body.country,
      currency: body.currency,
      chart_template: body.chartTemplate ?? chartTemplateFor(body.country),
      admin_name: body.adminName,
      admin_email: body.adminEmail,
      sealed_admin_password: adminPassword === undefined ? null : ports.secrets.seal(adminPassword, id),
      server_id: serverId,
    }),
  )
  const details = { tenantCode: body.tenantCode, planCode: body.planCode, serverId }
  await recordEvent(tx, { action: 'create', entity: 'tenant', entityId: id, tenantId: id, details })
}

function patience(): Promise<'not yet'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('not yet'), PATIENCE_MS).unref()
  })
}

interface StatusChange {
  readonly status: 'suspended' | 'active'
  readonly from: readonly string[]
  readonly reason: string | null
  readonly cause: 'payment' | 'other' | null
}

async function changeStatus(
  ports: TenantPorts,
  tx: PlatformTx,
  id: string,
  { status, from, reason, cause }: StatusChange,
): Promise<TenantData> {
  const changed = await tx.run(
    platformSql
      .updateTable('platform.tenant')
      .set({ status, status_reason: reason, suspension_cause: cause })
      .where('id', '=', id)
      // What is being archived is not let in again: its database is about to go.
      .where((eb) => eb.or([eb('busy_with', 'is', null), eb('busy_with', 'not like', 'archive-tenant:%')]))
      .where('status', 'in', [...from]),
  )
  const tenant = await read(ports, tx, id)
  if (changed === 0)
    throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${tenant.status}` })
  const action = status === 'suspended' ? 'suspend' : 'activate'
  await recordEvent(tx, { action, entity: 'tenant', entityId: id, tenantId: id, details: { reason } })
  await announce(tx, { kind: 'tenant', tenantId: id })
  return tenant
}

const SORT_COLUMNS = {
  createdAt: 't.created_at',
  tenantCode: 't.tenant_code',
  companyName: sql`t.company_name COLLATE "und-x-icu"`, // as words, not by bytes
  status: 't.status',
  planCode: 'p.code',
} as const

function tenants() {
  return platformSql.selectFrom('platform.tenant as t').innerJoin('platform.plan as p', 'p.id', 't.plan_id')
}

async function list(
  ports: TenantPorts,
  tx: PlatformRead,
  query: Static<NonNullable<typeof listTenants.query>>,
): Promise<{ tenants: TenantData[]; pagination: Static<typeof Pagination> }> {
  let filtered = tenants()
  if (query.status) filtered = filtered.where('t.status', '=', query.status)
  if (query.planCode) filtered = filtered.where('p.code', '=', query.planCode)
  if (query.search) {
    const pattern = likePattern(query.search)
    filtered = filtered.where((eb) =>
      eb.or(
        (['t.tenant_code', 't.company_name', 't.subdomain', 't.admin_email'] as const).map((column) =>
          eb(column, 'ilike', pattern),
        ),
      ),
    )
  }
  const order = newestFirst(query)
  const found = filtered
    .select(COLUMNS)
    .orderBy(SORT_COLUMNS[query.sort ?? 'createdAt'], order)
    .orderBy('t.id', order)
  const { rows, pagination } = await pageOfRows(tx, found, query)
  return { tenants: rows.map((row) => present(ports, row)), pagination }
}

async function read(ports: TenantPorts, tx: PlatformRead, id: string): Promise<TenantData> {
  const row = await tx.row(tenants().select(COLUMNS).where('t.id', '=', id))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
  return present(ports, row)
}

const COLUMNS = [
  't.id',
  't.tenant_code as tenantCode',
  't.company_name as companyName',
  't.subdomain',
  'p.code as planCode',
  't.status',
  't.status_reason as statusReason',
  't.country',
  't.currency',
  't.chart_template as chartTemplate',
  't.admin_name as adminName',
  't.admin_email as adminEmail',
  't.server_id as serverId',
  't.database_name as databaseName',
  't.schema_version as schemaVersion',
  't.status_changed_at as statusChangedAt',
  't.suspension_cause as suspensionCause',
  't.archive_backup_id as archiveBackupId',
  't.is_neutralised as isNeutralised',
  't.last_proven_restore_at as lastProvenRestoreAt',
  't.busy_with as busyWith',
  't.is_canary as isCanary',
  't.created_at as createdAt',
  't.updated_at as updatedAt',
] as const

type Row = Omit<TenantData, 'address' | 'status' | 'chartTemplate' | 'suspensionCause'> & {
  status: string
  suspensionCause: string | null
  chartTemplate: string
}

function present(ports: TenantPorts, row: Row): TenantData {
  return { ...row, address: ports.addressOf(row.subdomain) } as TenantData
}
