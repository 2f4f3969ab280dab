/**
 * Which server a tenant goes to, new or moved: the one that was asked for, or the shared one with the smallest share
 * of its room taken. Decided under a lock that is held until the tenant is written down, so that two that
 * come at once cannot both take the last place.
 */
import { sql } from 'kysely'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import { emptiest, whyNot, type Place } from './rules/places.ts'

/** Those who live on server `s`, and those who are on their way there. */
export const TENANTS = sql<number>`((SELECT count(*) FROM platform.tenant t
    WHERE t.server_id = s.id AND t.status NOT IN ('failed', 'archived', 'deleted'))
  + (SELECT count(*) FROM platform.tenant_move m
    WHERE m.to_server_id = s.id AND m.status = 'running' AND m.switched_at IS NULL))::int`
const PLACEMENT_LOCK = 7_241_860_004

/** The id of the server; the transaction must write the tenant down on it. */
export async function choosePlace(tx: PlatformTx, requestedId: string | undefined): Promise<string> {
  await tx.rows(sql`SELECT pg_advisory_xact_lock(${PLACEMENT_LOCK})`.compile(platformSql))
  const places = await tx.rows(
    sql<Place>`SELECT s.id, s.name, s.kind, s.state, s.is_reachable AS "isReachable",
        s.database_limit AS "databaseLimit", ${TENANTS} AS tenants
      FROM platform.server s WHERE s.deleted_at IS NULL ORDER BY s.created_at, s.id`.compile(platformSql),
  )
  if (requestedId === undefined) {
    const place = emptiest(places)
    if (place) return place.id
    throw new Problem(problems.unavailable, {
      message: 'No server has room for another tenant',
      retryAfterSeconds: 60,
    })
  }
  const requested = places.find(({ id }) => id === requestedId)
  const reason = requested ? whyNot(requested) : 'There is no such server'
  if (reason === undefined) return requestedId
  throw validationProblem([{ field: 'serverId', code: 'NO_ROOM', message: reason }])
}
