/**
 * Provisioning: a durable workflow that makes a tenant, step by step. Each step may be repeated; a process
 * that dies leaves the rest to the next one; what cannot be finished is undone without a trace.
 */
import { createHash, createHmac } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql, type Selectable } from 'kysely'
import { dateOf } from '../../kernel/calendar.ts'
import { isTakenOver, startWorkflow } from '../../jobs/workflows.ts'
import { newId } from '../../tenancy/new-id.ts'
import { createAdministrator, createCompany, type ChartTemplateCode } from '../../erp/onboarding.ts'
import { hashPassword } from '../../http/password-hashes.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { languageOfCountry } from '../../mail/templates.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import type { PlatformTenant } from '../../tenancy/schema/platform.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import type { TenantDatabases } from './databases.ts'
import type { DatabaseServers } from '../servers/registry.ts'

export const provisioningSteps = ['database', 'password', 'company', 'activation'] as const
type Step = (typeof provisioningSteps)[number]

/** Whoever has just written a tenant down is about to begin its workflow. */
const FORGOTTEN_AFTER = '5 seconds'
export const PROVISION_TENANT = 'provision-tenant'
const SET_PASSWORD_LINK_HOURS = 72
const STEP_ATTEMPTS = 3
/** Undoing is not given up lightly: over three minutes, each try waiting twice as long as the one before. */
const COMPENSATION_ATTEMPTS = 11

const FORGOTTEN_MAXIMUM = 1_000
const ENDED_WITHOUT_SUCCESS = new Set(['ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'])

export interface ProvisioningPorts {
  readonly gate: Gate
  readonly databases: TenantDatabases
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly mails: Outbox<PlatformTx>
  /** `http://acme.localhost:3000` */
  readonly addressOf: (subdomain: string) => string
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop the process or fail here; nothing else does. */
  readonly atStep?:
    ((step: string, moment: 'before' | 'after', tenantId?: string) => void | Promise<void>) | undefined
  /** Tests do not wait for minutes. */
  readonly compensationAttempts?: number | undefined
}

export class Provisioning {
  readonly #ports: ProvisioningPorts
  readonly #workflow: (tenantId: string, attempt?: number) => Promise<void>
  readonly #actor: Actor = { kind: 'system', id: null, requestId: PROVISION_TENANT, address: null }

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: ProvisioningPorts) {
    this.#ports = ports
    this.#workflow = DBOS.registerWorkflow(
      (tenantId: string, attempt?: number) => this.#provision(tenantId, attempt ?? 1),
      { name: PROVISION_TENANT },
    )
  }

  /** Starts making the tenant, once however often it is called; resolves when it is made or given up. */
  start(tenantId: string, attempt: number): Promise<{ finished: Promise<void> }> {
    return startWorkflow(this.#workflow, operationIdOf(tenantId, attempt), tenantId, attempt)
  }

  /**
   * Tenants that nobody works on: their process died between writing their row and starting their workflow,
   * which begins now; or their workflow ended without being able to say so, and they are given up.
   */
  async tendForgotten(): Promise<void> {
    const rows = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        platformSql
          .selectFrom('platform.tenant')
          .select(['id', 'provisioning_attempt'])
          .where('status', '=', 'provisioning')
          .where('updated_at', '<', sql<string>`now() - ${FORGOTTEN_AFTER}::interval`)
          // A clone is made by a restore, which is started again by itself.
          .where('made_by_restore_id', 'is', null)
          .orderBy('created_at')
          .limit(FORGOTTEN_MAXIMUM),
      ),
    )
    for (const { id, provisioning_attempt: attempt } of rows) {
      const workflow = await DBOS.getWorkflowStatus(operationIdOf(id, attempt))
      if (!workflow) {
        await this.start(id, attempt)
      } else if (ENDED_WITHOUT_SUCCESS.has(workflow.status)) {
        await this.#giveUp(id, attempt, `its workflow ended as ${workflow.status}`)
      }
    }
  }

  /** The secret of the set-password link: derived, so that it is kept nowhere. */
  linkSecret(tenantId: string): string {
    return createHmac('sha256', this.#ports.secrets.derive('set-password-link'))
      .update(tenantId)
      .digest('base64url')
  }

  async #provision(tenantId: string, attempt: number): Promise<void> {
    try {
      if (attempt > 1) await this.#step(tenantId, 'clearing', () => this.#clear(tenantId))
      // Hashing takes a third of a second of one core: it goes on beside the copying of the database. Both have
      // ended before anything is undone: what is still at work would leave something behind.
      const both = await Promise.allSettled([
        this.#step(tenantId, 'database', () => this.#giveDatabase(tenantId)),
        this.#step(tenantId, 'password', () => this.#hashPassword(tenantId)),
      ])
      for (const outcome of both) if (outcome.status === 'rejected') throw outcome.reason
      await this.#step(tenantId, 'company', () => this.#openCompany(tenantId))
      await this.#step(tenantId, 'activation', () => this.#activate(tenantId))
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = messageOf(error)
      this.#ports.log('error', `Provisioning of tenant ${tenantId} failed and is undone: ${reason}`)
      try {
        await this.#step(tenantId, 'compensation', () => this.#undo(tenantId, reason))
      } catch (undoing) {
        const both = `${reason}; undoing it failed too: ${messageOf(undoing)}`
        await this.#step(tenantId, 'surrender', () => this.#giveUp(tenantId, attempt, both))
      }
      throw error
    }
  }

  async #step(
    tenantId: string,
    name: Step | 'clearing' | 'compensation' | 'surrender',
    work: () => Promise<void>,
  ): Promise<void> {
    const retries =
      name === 'compensation'
        ? { maxAttempts: this.#ports.compensationAttempts ?? COMPENSATION_ATTEMPTS, backoffRate: 2 }
        : { maxAttempts: STEP_ATTEMPTS, backoffRate: 3 }
    await DBOS.runStep(
      async () => {
        await this.#ports.atStep?.(name, 'before', tenantId)
        await work()
        await this.#ports.atStep?.(name, 'after', tenantId)
      },
      { name, retriesAllowed: true, intervalSeconds: 0.2, ...retries },
    )
  }

  // ---- steps -------------------------------------------------------------------------------------------

  /** What an earlier attempt could not undo. */
  async #clear(tenantId: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    await this.#ports.databases.takeBack(tenantId, tenant.tenant_code)
  }

  async #giveDatabase(tenantId: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    await this.#ports.databases.give(tenantId, tenant.tenant_code)
    await this.#bringUpToDate(tenantId)
  }

  /** The password lies sealed in the tenant's row until here; from here on only its hash is kept. */
  async #hashPassword(tenantId: string): Promise<void> {
    const { sealed_admin_password: sealed } = await this.#tenant(tenantId)
    if (sealed === null || sealed.startsWith('$2')) return
    const passwordHash = await hashPassword(this.#ports.secrets.open(sealed, tenantId))
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({ sealed_admin_password: passwordHash })
          .where('id', '=', tenantId),
      ),
    )
  }

  async #bringUpToDate(tenantId: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    if (tenant.schema_version === newestVersion('tenant')) return // cloned from the template of this code
    const version = await this.#ports.databases.migrateTenant(tenant.server_id, tenant.database_name ?? '')
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({ schema_version: version })
          .where('id', '=', tenantId),
      ),
    )
  }

  /** The first company and its administrator, in one transaction. */
  async #openCompany(tenantId: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    const id = derivedId(tenantId, 'company')
    const passwordHash = tenant.sealed_admin_password
    const company = {
      id,
      code: 'MAIN',
      name: tenant.company_name,
      country: tenant.country,
      currency: tenant.currency,
      chartTemplate: tenant.chart_template as ChartTemplateCode,
      today: dateOf(new Date()),
    }
    const administrator = {
      id: derivedId(tenantId, 'administrator'),
      fullName: tenant.admin_name,
      email: tenant.admin_email,
      passwordHash,
      linkSecret: passwordHash === null ? this.linkSecret(tenantId) : null,
      linkExpiresAt: new Date(Date.now() + SET_PASSWORD_LINK_HOURS * 3_600_000).toISOString(),
    }
    await this.#ports.gate.writeTenant(this.#location(tenant), id, this.#actor, async (tx) => {
      await createCompany(tx, company, newId)
      await createAdministrator(tx, administrator)
    })
  }

  async #activate(tenantId: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      const activated = await tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({ status: 'active', sealed_admin_password: null })
          .where('id', '=', tenantId)
          .where('status', '=', 'provisioning'),
      )
      await this.#ports.databases.settle(tx, tenantId)
      if (activated === 1) {
        await recordEvent(tx, { action: 'provisioned', entity: 'tenant', entityId: tenantId, tenantId })
        await this.#welcome(tx, tenant)
      }
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }

  async #welcome(tx: PlatformTx, tenant: TenantRow): Promise<void> {
    const address = this.#ports.addressOf(tenant.subdomain)
    // A password that was given at sign-up is a hash by now; without one the link sets the first.
    const hasPassword = tenant.sealed_admin_password !== null
    const link = hasPassword ? null : `${address}/set-password?token=${this.linkSecret(tenant.id)}`
    await this.#ports.mails.enqueue(tx, {
      template: 'welcome',
      values: {
        fullName: tenant.admin_name,
        companyName: tenant.company_name,
        address,
        link,
        hours: SET_PASSWORD_LINK_HOURS,
      },
      language: languageOfCountry(tenant.country),
      to: tenant.admin_email,
    })
  }

  async #undo(tenantId: string, reason: string): Promise<void> {
    const tenant = await this.#tenant(tenantId)
    if (tenant.status !== 'provisioning') return
    await this.#ports.databases.takeBack(tenantId, tenant.tenant_code)
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      await tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({
            status: 'failed',
            status_reason: reason.slice(0, 500),
            sealed_admin_password: null,
            database_name: null,
            runtime_role: null,
            sealed_runtime_password: null,
          })
          .where('id', '=', tenantId),
      )
      await recordEvent(tx, {
        action: 'provisioning failed',
        entity: 'tenant',
        entityId: tenantId,
        tenantId,
        details: { reason },
      })
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }

  /**
   * Something of the tenant may be left, on a server that cannot be reached perhaps. What was given to it stays
   * written down, so that an operator's next attempt finds and clears it.
   */
  async #giveUp(tenantId: string, attempt: number, reason: string): Promise<void> {
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      const given = await tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({ status: 'failed', status_reason: reason.slice(0, 500), sealed_admin_password: null })
          .where('id', '=', tenantId)
          .where('status', '=', 'provisioning')
          .where('provisioning_attempt', '=', attempt),
      )
      if (given === 0) return
      const details = { reason, attempt }
      await recordEvent(tx, { action: 'provisioning given up', entity: 'tenant', entityId: tenantId, tenantId, details }) // prettier-ignore
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }

  async #tenant(tenantId: string): Promise<TenantRow> {
    const tenant = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.row(platformSql.selectFrom('platform.tenant').selectAll().where('id', '=', tenantId)),
    )
    if (!tenant) throw new Error(`There is no tenant ${tenantId}`)
    return tenant
  }

  #location(tenant: TenantRow): TenantLocation {
    const { servers, secrets } = this.#ports
    const { database_name: database, runtime_role: role, sealed_runtime_password: sealed } = tenant
    if (database === null || role === null || sealed === null)
      throw new Error('The tenant has no database yet')
    return {
      tenantId: tenant.id,
      tenantCode: tenant.tenant_code,
      address: async () =>
        (await servers.locate(tenant.server_id)).runtimeAddress(database, role, secrets.open(sealed, role)),
    }
  }
}

type TenantRow = Selectable<PlatformTenant>

export function operationIdOf(tenantId: string, attempt: number): string {
  return attempt === 1 ? `${PROVISION_TENANT}:${tenantId}` : `${PROVISION_TENANT}:${tenantId}:${attempt}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The same id for the same tenant and purpose, so that a repeated step finds what it made (UUID version 8). */
function derivedId(tenantId: string, purpose: string): string {
  const bytes = createHash('sha256').update(`${tenantId}/${purpose}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
