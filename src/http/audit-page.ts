/**
 * A page of an audit log. Logs grow for ever, and most of what is asked has no index: one request looks through so
 * many rows at most, from the newest or from where the page before ended, and says how far it came.
 */
import { sql } from 'kysely'
import type { Static, TObject } from 'typebox'
import { firstIdAt, isUuid } from '../kernel/ids.ts'
import { validationProblem } from '../kernel/problem.ts'
import { likePattern } from '../tenancy/sql-text.ts'
import type { auditQuery } from './contract.ts'
import { momentOf } from './validation.ts'

export type AuditQuery = Static<TObject<typeof auditQuery>>

type Sql = ReturnType<typeof sql>

export const LOOKED_THROUGH_MAXIMUM = 20_000

/** Conditions of the rows `r` to be looked through: found by keys alone. Ids begin with their time. */
export function auditRange({ after, from, to, entityId }: AuditQuery): Sql {
  if (after !== undefined && !isUuid(after))
    throw validationProblem([{ field: 'after', code: 'UUID', message: 'after is the `next` of an answer' }])
  return allOf([
    after === undefined ? undefined : sql`r.id < ${after}`,
    from === undefined ? undefined : sql`r.id >= ${firstIdAt(momentOf('from', from))}`,
    to === undefined ? undefined : sql`r.id < ${firstIdAt(momentOf('to', to))}`,
    entityId === undefined ? undefined : sql`r.entity_id = ${entityId}`,
  ])
}

/** Conditions that each of them is looked at for; `texts`: what is searched. */
export function auditFilter(
  { actorKind, actorId, action, entity, requestId, search }: AuditQuery,
  texts: Sql,
): Sql {
  return allOf([
    actorKind === undefined ? undefined : sql`r.actor_kind = ${actorKind}`,
    actorId === undefined ? undefined : sql`r.actor_id = ${actorId}`,
    action === undefined ? undefined : sql`r.action = ${action}`,
    entity === undefined ? undefined : sql`r.entity = ${entity}`,
    requestId === undefined ? undefined : sql`r.request_id = ${requestId}`,
    search === undefined || search === ''
      ? undefined
      : sql`concat_ws(' ', ${texts}) ILIKE ${likePattern(search)}`,
  ])
}

export function allOf(conditions: readonly (Sql | undefined)[]): Sql {
  const given = conditions.filter((condition) => condition !== undefined)
  return given.length === 0 ? sql`TRUE` : sql.join(given, sql` AND `)
}

/** `lastLookedAt`: the row at which the look ended because it had been at enough rows; null: there are no more. */
export function pageOfAudit<Entry extends { readonly id: string }>(
  found: readonly Entry[],
  limit: number,
  lastLookedAt: string | null,
): { auditEntries: Entry[]; next: string | null } {
  const auditEntries = found.slice(0, limit)
  const next = found.length > limit ? (auditEntries.at(-1)?.id ?? null) : lastLookedAt
  return { auditEntries, next }
}
