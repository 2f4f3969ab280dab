/** Asking for a restore: what is checked and written down before its workflow begins. */
import { sql } from 'kysely'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { recordEvent } from '../audit.ts'
import { choosePlace } from '../servers/placement.ts'
import { RESTORE_TENANT } from './restoring.ts'
import { planSide } from './side.ts'
import { restoreProblems } from './problems.ts'

export interface RestoreRequest {
  readonly id: string
  readonly tenantId: string
  readonly backupId: string
  readonly mode: 'side' | 'swap' | 'clone' | 'drill'
  readonly newTenantCode?: string | undefined
}

interface Subject {
  readonly code: string
  readonly status: string
  readonly serverId: string
  readonly database: string | null
  readonly backupState: string | null
  readonly keeping: number
}

/** Side databases of one tenant at the same time. */
const KEPT_MAXIMUM = 3

export async function writeRequest(
  tx: PlatformTx,
  request: RestoreRequest,
  secrets: Secrets,
): Promise<{ id: string; operationId: string }> {
  const { id, tenantId, backupId, mode } = request
  const subject = await subjectOf(tx, tenantId, backupId)
  check(subject, request)
  // An archived tenant has no place any more, and a clone none yet.
  const hasPlace = subject.database !== null && mode !== 'clone'
  const serverId = hasPlace ? subject.serverId : await choosePlace(tx, undefined)
  const cloneId = mode === 'clone' ? await reserveClone(tx, request, subject, serverId) : null
  const side = planSide(id, secrets)
  const operationId = `${RESTORE_TENANT}:${mode}:${id}`
  await tx.run(
    platformSql.insertInto('platform.restore').values({
      id,
      tenant_id: tenantId,
      backup_id: backupId,
      mode,
      state: 'restoring',
      operation_id: operationId,
      new_tenant_id: cloneId,
      server_id: serverId,
      side_database: side.database,
      side_role: side.role,
      sealed_side_password: side.sealedPassword,
      requested_by: tx.actor.id,
    }),
  )
  const details = { mode, backupId, cloneId }
  await recordEvent(tx, { action: 'request restore', entity: 'restore', entityId: id, tenantId, details })
  return { id, operationId }
}

async function subjectOf(tx: PlatformTx, tenantId: string, backupId: string): Promise<Subject> {
  const subject = await tx.row(
    sql<Subject>`SELECT t.tenant_code AS code, t.status, t.server_id AS "serverId", t.database_name AS database,
        (SELECT b.state FROM platform.backup b WHERE b.id = ${backupId} AND b.tenant_id = t.id) AS "backupState",
        (SELECT count(*)::int FROM platform.restore r WHERE r.tenant_id = t.id AND r.mode <> 'drill'
          AND (r.side_database IS NOT NULL OR r.state IN ('restoring', 'swapping'))) AS keeping
      FROM platform.tenant t WHERE t.id = ${tenantId} FOR UPDATE OF t`.compile(platformSql),
  )
  if (!subject) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
  return subject
}

const RESTORABLE: ReadonlySet<string> = new Set(['active', 'read_only', 'suspended', 'cancelled', 'archived'])

function check(subject: Subject, { mode }: RestoreRequest): void {
  if (!RESTORABLE.has(subject.status))
    throw new Problem(restoreProblems.wrongState, { message: `The tenant is ${subject.status}` })
  // Another tenant's backup is as unknown here as one that never was.
  if (subject.backupState === null)
    throw validationProblem([
      { field: 'backupId', code: 'UNKNOWN_BACKUP', message: 'This tenant has no such backup' },
    ])
  if (subject.backupState !== 'good')
    throw new Problem(restoreProblems.backupUnusable, { message: `The backup is ${subject.backupState}` })
  if (mode !== 'drill' && subject.keeping >= KEPT_MAXIMUM) throw new Problem(restoreProblems.tooMany)
}

/** The new tenant's names are taken from now on; a clone that fails gives them back. */
async function reserveClone(
  tx: PlatformTx,
  { id, tenantId, newTenantCode }: RestoreRequest,
  { code }: Subject,
  serverId: string,
): Promise<string> {
  const cloneCode = newTenantCode ?? `${code}_COPY`
  const subdomain = cloneCode.toLowerCase().replaceAll('_', '-').replace(/-+$/, '')
  const made = await tx.row(
    sql<{
      id: string
    }>`INSERT INTO platform.tenant (tenant_code, company_name, subdomain, plan_id, status, country, currency,
        chart_template, admin_name, admin_email, server_id, is_neutralised, made_by_restore_id)
      SELECT ${cloneCode}, company_name, ${subdomain}, plan_id, 'provisioning', country, currency, chart_template,
        admin_name, admin_email, ${serverId}, true, ${id} FROM platform.tenant WHERE id = ${tenantId}
      RETURNING id`.compile(platformSql),
  )
  if (!made) throw new Problem(problems.notFound)
  return made.id
}
