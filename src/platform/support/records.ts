/** Support sessions in the platform's database: their states, written beside the audit events they are. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { newestFirst, type InputOf } from '../../http/contract.ts'
import { pageOfRows } from '../../http/pages.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import type { SupportAccessKind } from '../../erp/onboarding.ts'
import { recordEvent } from '../audit.ts'
import type { listSupportSessions, SupportSession } from './contract.ts'
import { RUNNING_MAXIMUM, supportProblems } from './problems.ts'

export type SupportData = Static<typeof SupportSession>

const ENTITY = 'support session'
const FORGOTTEN_AT_ONCE = 100

export interface SupportRequest {
  readonly id: string
  readonly tenantId: string
  readonly operatorId: string
  readonly operatorSessionId: string
  readonly reason: string
  readonly access: SupportAccessKind
  readonly expiresAt: Date
  readonly address: string | null
  readonly userAgent: string | null
}

export interface SupportOperator {
  readonly id: string
  readonly fullName: string
  readonly email: string
}

/** Written before anything is asked of the tenant. */
export async function insertRequest(tx: PlatformTx, request: SupportRequest): Promise<SupportOperator> {
  const { id, tenantId, operatorId, reason, access, expiresAt } = request
  // Locked: two requests of one operator are counted one after the other.
  const operator = await tx.row(
    sql<SupportOperator>`SELECT id, full_name AS "fullName", email FROM platform.operator
      WHERE id = ${operatorId} AND is_active FOR UPDATE`.compile(platformSql),
  )
  if (!operator) throw new Problem(problems.tokenInvalid)
  const running = await tx.rows(
    sql<{ tenantId: string }>`SELECT tenant_id AS "tenantId" FROM platform.support_session
      WHERE operator_id = ${operatorId} AND state IN ('requested', 'active') AND expires_at > now()`.compile(
      platformSql,
    ),
  )
  if (running.some((one) => one.tenantId === tenantId)) throw new Problem(supportProblems.isThere)
  if (running.length >= RUNNING_MAXIMUM) throw new Problem(supportProblems.tooMany)
  await tx.run(
    sql`INSERT INTO platform.support_session (id, tenant_id, operator_id, operator_session_id, reason, access, state,
        address, user_agent, expires_at)
      VALUES (${id}, ${tenantId}, ${operatorId}, ${request.operatorSessionId}, ${reason}, ${access}, 'requested',
        ${request.address}, ${request.userAgent}, ${expiresAt.toISOString()})`.compile(platformSql),
  )
  const details = { reason, access, until: expiresAt.toISOString() }
  await recordEvent(tx, { action: 'request', entity: ENTITY, entityId: id, tenantId, details })
  return operator
}

export async function markRefused(tx: PlatformTx, id: string, tenantId: string, why: string): Promise<void> {
  await tx.run(
    sql`UPDATE platform.support_session SET state = 'refused', ended_at = now(), end_reason = ${why}
      WHERE id = ${id} AND state = 'requested'`.compile(platformSql),
  )
  await recordEvent(tx, { action: 'refuse', entity: ENTITY, entityId: id, tenantId, details: { why } })
}

/** The tenant has let them in and written it down: from here on there may be a token. */
export async function activate(
  tx: PlatformTx,
  { id, tenantId, expiresAt }: Pick<SupportRequest, 'id' | 'tenantId' | 'expiresAt'>,
): Promise<void> {
  const activated = await tx.run(
    sql`UPDATE platform.support_session SET state = 'active', expires_at = ${expiresAt.toISOString()}
      WHERE id = ${id} AND state = 'requested'`.compile(platformSql),
  )
  if (activated === 0)
    throw new Problem(problems.conflict, { message: 'This request was given up meanwhile' })
  await recordEvent(tx, { action: 'begin', entity: ENTITY, entityId: id, tenantId })
}

export async function setCode(tx: PlatformTx, id: string, hash: Buffer, expiresAt: Date): Promise<void> {
  await tx.run(
    sql`UPDATE platform.support_session SET code_hash = ${hash}, code_expires_at = ${expiresAt.toISOString()}
      WHERE id = ${id}`.compile(platformSql),
  )
}

/** The session of a code; it works once. */
export function takeCode(
  tx: PlatformTx,
  tenantId: string,
  hash: Buffer,
): Promise<{ id: string; expiresAt: string } | undefined> {
  return tx.row(
    sql<{ id: string; expiresAt: string }>`UPDATE platform.support_session
      SET code_hash = NULL, code_expires_at = NULL
      WHERE tenant_id = ${tenantId} AND code_hash = ${hash} AND code_expires_at > now()
        AND state = 'active' AND expires_at > now()
      RETURNING id, expires_at AS "expiresAt"`.compile(platformSql),
  )
}

/** Whether the platform lets it go on: begun, not over, and its operator still signed in and allowed. */
export function liveOperatorRole(
  tx: PlatformRead,
  id: string,
  tenantId: string,
): Promise<{ role: string; operatorId: string } | undefined> {
  return tx.row(
    sql<{ role: string; operatorId: string }>`SELECT o.role, o.id AS "operatorId"
      FROM platform.support_session s JOIN platform.operator o ON o.id = s.operator_id AND o.is_active
      JOIN platform.operator_session p ON p.id = s.operator_session_id AND p.operator_id = o.id
        AND p.ended_at IS NULL AND p.expires_at > now()
      WHERE s.id = ${id} AND s.tenant_id = ${tenantId} AND s.state = 'active' AND s.expires_at > now()`.compile(
      platformSql,
    ),
  )
}

export interface Ending {
  readonly id: string
  readonly tenantId: string
  readonly reason: string
  /** Its database is gone with it. */
  readonly isTenantGone: boolean
}

/** From here on it is over; `finished` follows when the tenant has written it down too. */
export function markEnding(
  tx: PlatformTx,
  id: string,
  tenantId: string,
  reason: string,
): Promise<Ending | undefined> {
  return tx.row(
    sql<Ending>`UPDATE platform.support_session s
      SET state = 'ending', ended_at = coalesce(s.ended_at, now()), end_reason = coalesce(s.end_reason, ${reason}),
        code_hash = NULL, code_expires_at = NULL
      FROM platform.tenant t
      WHERE s.id = ${id} AND s.tenant_id = ${tenantId} AND t.id = s.tenant_id
        AND s.state IN ('requested', 'active', 'ending')
      RETURNING s.id, s.tenant_id AS "tenantId", s.end_reason AS reason,
        t.database_name IS NULL AS "isTenantGone"`.compile(platformSql),
  )
}

export async function markEnded(
  tx: PlatformTx,
  { id, tenantId }: Ending,
  written: { readonly endReason: string; readonly requestCount: number },
): Promise<void> {
  const { endReason, requestCount } = written
  const ended = await tx.run(
    sql`UPDATE platform.support_session SET state = 'ended', end_reason = ${endReason},
        request_count = ${requestCount} WHERE id = ${id} AND state = 'ending'`.compile(platformSql),
  )
  if (ended === 0) return // another process was faster
  const details = { reason: endReason, requests: requestCount }
  await recordEvent(tx, { action: 'end', entity: ENTITY, entityId: id, tenantId, details })
}

export function runningIn(tx: PlatformRead, tenantId: string): Promise<{ id: string }[]> {
  return tx.rows(
    sql<{ id: string }>`SELECT id FROM platform.support_session
      WHERE tenant_id = ${tenantId} AND state IN ('requested', 'active')`.compile(platformSql),
  )
}

/** What is over and was not ended: by its time, with its operator or their role, or in a process that died on the way. */
export function forgotten(
  tx: PlatformRead,
  rolesOfSupport: readonly string[],
): Promise<{ id: string; tenantId: string; reason: string }[]> {
  return tx.rows(
    sql<{ id: string; tenantId: string; reason: string }>`SELECT * FROM (
      SELECT s.id, s.tenant_id AS "tenantId", CASE
        WHEN s.state = 'ending' THEN CASE WHEN s.updated_at < now() - interval '30 seconds' THEN 'ended' END
        WHEN s.state = 'requested' THEN CASE WHEN s.created_at < now() - interval '2 minutes' THEN 'never begun' END
        WHEN s.expires_at <= now() THEN 'its time was over'
        WHEN NOT o.is_active THEN 'the operator was deactivated'
        WHEN o.role <> ALL (${[...rolesOfSupport]}::text[]) THEN 'the operator was given another role'
        WHEN p.id IS NULL OR p.ended_at IS NOT NULL OR p.expires_at <= now() THEN 'the operator signed out'
        END AS reason
      FROM platform.support_session s JOIN platform.operator o ON o.id = s.operator_id
      LEFT JOIN platform.operator_session p ON p.id = s.operator_session_id
      WHERE s.state IN ('requested', 'active', 'ending')) over
    WHERE reason IS NOT NULL ORDER BY id LIMIT ${FORGOTTEN_AT_ONCE}`.compile(platformSql),
  )
}

// ---- shown ---------------------------------------------------------------------------------------------

function sessions() {
  return platformSql
    .selectFrom('platform.support_session as s')
    .innerJoin('platform.tenant as t', 't.id', 's.tenant_id')
    .innerJoin('platform.operator as o', 'o.id', 's.operator_id')
}

const COLUMNS = [
  's.id',
  's.tenant_id as tenantId',
  't.tenant_code as tenantCode',
  's.operator_id as operatorId',
  'o.full_name as operatorName',
  's.reason',
  's.access',
  's.state',
  's.expires_at as expiresAt',
  's.ended_at as endedAt',
  's.end_reason as endReason',
  's.request_count as requestCount',
  's.created_at as createdAt',
] as const

export async function readSession(tx: PlatformRead, id: string): Promise<SupportData> {
  const row = await tx.row(sessions().select(COLUMNS).where('s.id', '=', id))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such support session' })
  return row as SupportData
}

const SEARCHED = ['t.tenant_code', 'o.full_name', 's.reason'] as const

const SORTED = {
  createdAt: 's.created_at',
  tenantCode: 't.tenant_code',
  operatorName: 'o.full_name',
  state: 's.state',
  expiresAt: 's.expires_at',
  endedAt: 's.ended_at',
} as const

export async function listSessions(
  tx: PlatformRead,
  tenantId: string | undefined,
  query: InputOf<typeof listSupportSessions>['query'],
) {
  let filtered = sessions()
  if (tenantId !== undefined) filtered = filtered.where('s.tenant_id', '=', tenantId)
  const running = sql<boolean>`s.state = 'active' AND s.expires_at > now()`
  if (query.status === 'running') filtered = filtered.where(running)
  if (query.status === 'over') filtered = filtered.where(sql<boolean>`NOT (${running})`)
  if (query.search) {
    const pattern = likePattern(query.search)
    filtered = filtered.where((eb) => eb.or(SEARCHED.map((column) => eb(column, 'ilike', pattern))))
  }
  const order = newestFirst(query)
  const found = filtered
    .select(COLUMNS)
    .orderBy(SORTED[query.sort ?? 'createdAt'], (by) => by[order]().nullsLast())
    .orderBy('s.id', order)
  const { rows, pagination } = await pageOfRows(tx, found, query)
  return { supportSessions: rows as SupportData[], pagination }
}
