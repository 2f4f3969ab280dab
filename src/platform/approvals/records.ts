/** Approval requests in the database: each step of their life is one conditional statement, so that it is taken once. */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import type { ApprovalData } from '../../http/approvals/contract.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'

export const ENTITY = 'approval request'
export const WAITS_HOURS = 24
/** A process that approved and has not begun within this has died. */
const LEFT_AFTER = '30 seconds'
/** What takes longer works on by itself (a workflow): whoever has not come back by then has died. */
const LOST_AFTER = '10 minutes'
const LOST = 'The process that carried it out ended meanwhile: look whether it was done before asking again'
const AT_ONCE = 100

export type Row = Omit<ApprovalData, 'summary' | 'path'>

export interface Held {
  readonly id: string
  readonly operation: string
  readonly input: string
  readonly ifMatch: string | null
  readonly requestedById: string | null
  readonly decidedById: string | null
  readonly tenantId: string | null
  readonly address: string | null
  readonly userAgent: string | null
}

const HELD = sql.raw(`id, operation, input, if_match AS "ifMatch", requested_by AS "requestedById",
  decided_by AS "decidedById", tenant_id AS "tenantId", address, user_agent AS "userAgent"`)

/** Approved by another than who asked, in time, once: the first of two approvals gets it. */
export function takeApproval(
  tx: PlatformTx,
  id: string,
  operatorId: string,
  reason: string,
): Promise<number> {
  return tx.run(
    sql`UPDATE platform.approval_request
      SET state = 'approved', decided_by = ${operatorId}, decision_reason = ${reason}, decided_at = now()
      WHERE id = ${id} AND state = 'pending' AND expires_at > now()
        AND requested_by IS DISTINCT FROM ${operatorId}`.compile(platformSql),
  )
}

export function takeRejection(
  tx: PlatformTx,
  id: string,
  operatorId: string,
  reason: string,
): Promise<number> {
  return tx.run(
    sql`UPDATE platform.approval_request
      SET state = 'rejected', decided_by = ${operatorId}, decision_reason = ${reason}, decided_at = now(),
        finished_at = now()
      WHERE id = ${id} AND state = 'pending' AND expires_at > now()`.compile(platformSql),
  )
}

/** The one process that carries it out. */
export function takeExecution(tx: PlatformTx, id: string): Promise<Held | undefined> {
  return tx.row(
    sql<Held>`UPDATE platform.approval_request SET state = 'executing', execution_began_at = now()
      WHERE id = ${id} AND state = 'approved' RETURNING ${HELD}`.compile(platformSql),
  )
}

export interface Outcome {
  readonly operationId: string | null
  /** null: it was done. */
  readonly error: string | null
}

export async function finish(tx: PlatformTx, held: Held, { operationId, error }: Outcome): Promise<void> {
  const finished = await tx.run(
    sql`UPDATE platform.approval_request SET state = ${error === null ? 'executed' : 'failed'}, finished_at = now(),
        operation_id = ${operationId}, error = ${error?.slice(0, 1_000) ?? null}
      WHERE id = ${held.id} AND state = 'executing'`.compile(platformSql),
  )
  if (finished === 0) return
  await recordEvent(tx, {
    action: error === null ? 'carry out' : 'fail to carry out',
    entity: ENTITY,
    entityId: held.id,
    ...(held.tenantId === null ? {} : { tenantId: held.tenantId }),
    details: {
      operation: held.operation,
      requestedBy: held.requestedById,
      approvedBy: held.decidedById,
      ...(error === null ? {} : { error }),
    },
  })
}

/** Approved, and begun by nobody: whoever was to begin has died. */
export async function leftBehind(tx: PlatformRead): Promise<string[]> {
  const rows = await tx.rows(
    sql<{ id: string }>`SELECT id FROM platform.approval_request WHERE state = 'approved'
      AND updated_at < now() - ${LEFT_AFTER}::interval ORDER BY id LIMIT ${AT_ONCE}`.compile(platformSql),
  )
  return rows.map(({ id }) => id)
}

/** Begun, and nobody knows how far it came: shown as failed, and never begun again. */
export async function giveUpLost(tx: PlatformTx): Promise<void> {
  const lost = await tx.rows(
    sql<Held>`SELECT ${HELD} FROM platform.approval_request WHERE state = 'executing'
      AND execution_began_at < now() - ${LOST_AFTER}::interval ORDER BY id LIMIT ${AT_ONCE}
      FOR UPDATE SKIP LOCKED`.compile(platformSql),
  )
  for (const held of lost) await finish(tx, held, { operationId: null, error: LOST })
}

export async function expireOld(tx: PlatformTx): Promise<void> {
  const expired = await tx.rows(
    sql<{ id: string; operation: string }>`UPDATE platform.approval_request
      SET state = 'expired', finished_at = now() WHERE id IN (
        SELECT id FROM platform.approval_request WHERE state = 'pending' AND expires_at <= now()
        ORDER BY id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED) RETURNING id, operation`.compile(platformSql),
  )
  for (const { id, operation } of expired) {
    await recordEvent(tx, { action: 'expire', entity: ENTITY, entityId: id, details: { operation } })
  }
}

// ---- shown ---------------------------------------------------------------------------------------------

export function requests() {
  return platformSql
    .selectFrom('platform.approval_request as a')
    .leftJoin('platform.tenant as t', 't.id', 'a.tenant_id')
    .leftJoin('platform.operator as r', 'r.id', 'a.requested_by')
    .leftJoin('platform.operator as d', 'd.id', 'a.decided_by')
}

/** One that nobody has decided in time is shown as what it is, before `tend` comes by. */
const STATE = sql<
  ApprovalData['state']
>`CASE WHEN a.state = 'pending' AND a.expires_at <= now() THEN 'expired'
  ELSE a.state END`.as('state')

export const COLUMNS = [
  'a.id',
  'a.operation',
  'a.input',
  'a.tenant_id as tenantId',
  't.tenant_code as tenantCode',
  STATE,
  'a.requested_by as requestedById',
  'r.full_name as requestedBy',
  'd.full_name as decidedBy',
  'a.decision_reason as decisionReason',
  'a.decided_at as decidedAt',
  'a.expires_at as expiresAt',
  'a.finished_at as finishedAt',
  'a.operation_id as operationId',
  'a.error',
  'a.created_at as createdAt',
] as const

export const SEARCHED = ['a.operation', 't.tenant_code', 'r.full_name', 'd.full_name'] as const

export const SORTED = {
  createdAt: 'a.created_at',
  operation: 'a.operation',
  tenantCode: 't.tenant_code',
  requestedBy: 'r.full_name',
  state: 'a.state',
  expiresAt: 'a.expires_at',
  decidedAt: 'a.decided_at',
} as const

export async function readRow(tx: PlatformRead, id: string): Promise<Row> {
  const row = await tx.row(requests().select(COLUMNS).where('a.id', '=', id))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such approval request' })
  return row
}
