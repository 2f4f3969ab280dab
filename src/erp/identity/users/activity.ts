/** What a user did, and where they are signed in. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { LOOKED_THROUGH_MAXIMUM } from '../../../http/audit-page.ts'
import { callerOf, implement, type Route } from '../../../http/route.ts'
import { Problem, problems } from '../../../kernel/problem.ts'
import { statement, tenantSql } from '../../../tenancy/handles.ts'
import { actorJoins, actorName } from '../../audit/actors.ts'
import { tellSessionEnd, type IdentityPorts } from '../ports.ts'
import {
  endUserSession,
  endUserSessions,
  listUserActivity,
  listUserSessions,
  type SessionData,
  type UserEvent,
} from './contract.ts'
import { assertOwnOrMayChange, readUser } from './records.ts'

const SESSIONS_SHOWN_MAXIMUM = 100
const END_REASON = 'ended by hand'

export function activityRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(listUserActivity, async (tx, { params, query }) => {
      await readUser(tx, params.id)
      const [limit, after] = [query.limit ?? 50, query.after ?? LAST_ID]
      const [end] = await tx.prepared(LOOK_ENDS_AT, [after])
      const found = await tx.prepared(ACTIVITY, [params.id, after, limit + 1, end?.id ?? FIRST_ID])
      const activity = found.slice(0, limit)
      const next = found.length > limit ? activity.at(-1)?.id : end?.id
      return { activity, next: next ?? null }
    }),
    implement(listUserSessions, async (tx, { params }, context) => {
      await readUser(tx, params.id)
      const values = [params.id, callerOf(context).sessionId, SESSIONS_SHOWN_MAXIMUM]
      return { sessions: await tx.prepared(SESSIONS, values) }
    }),
    implement(endUserSessions, async (door, { params }, context) => {
      await door.write(async (tx) => {
        await assertOwnOrMayChange(tx, params.id, context)
        await ports.sessions.endAllOf(tx, params.id, END_REASON)
      })
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(endUserSession, async (door, { params }, context) => {
      await door.write(async (tx) => {
        await assertOwnOrMayChange(tx, params.id, context)
        const live = await tx.row(
          sql`SELECT id FROM core.session WHERE id = ${params.sessionId} AND user_id = ${params.id}
            AND ended_at IS NULL`.compile(tenantSql),
        )
        if (!live) throw new Problem(problems.notFound, { message: 'There is no such session' })
        await ports.sessions.end(tx, params.sessionId, END_REASON)
      })
      await tellSessionEnd(ports, context.tenant.tenantId, params.sessionId)
      return {}
    }),
  ]
}

const SESSIONS = statement<Static<typeof SessionData>>(
  'identity-sessions',
  `SELECT id, created_at AS "startedAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt",
     company_id AS "companyId", is_remembered AS "isRemembered", id = $2 AS "isCurrent", address,
     user_agent AS "userAgent"
   FROM core.session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()
   ORDER BY last_used_at DESC LIMIT $3`,
)

const [FIRST_ID, LAST_ID] = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']

/**
 * Who did something has no index in the log, which is kept for ever: like a page of the log itself, one request looks
 * through so many rows at most, and says how far it came.
 */
const LOOK_ENDS_AT = statement<{ id: string }>(
  'identity-activity-end',
  `SELECT id FROM audit.change WHERE id < $1 ORDER BY id DESC OFFSET ${LOOKED_THROUGH_MAXIMUM - 1} LIMIT 1`,
)

/** Ids of version 7 are in the order of time, whatever table they are of. */
const ACTIVITY = statement<Static<typeof UserEvent>>(
  'identity-activity',
  `SELECT e.id, e.at, e.action, e.entity, e."entityId", e.fields, e.actor_id AS "actorId",
     e.actor_kind AS "actorKind", ${actorName} AS "actorName", e.address, e."userAgent", e."endedAt", e."endReason"
   FROM (
   (SELECT s.id, s.created_at AS at, 'sign-in' AS action, NULL AS entity, NULL::uuid AS "entityId",
      ARRAY[]::text[] AS fields, s.user_id AS actor_id, 'user' AS actor_kind, s.address,
      s.user_agent AS "userAgent", s.ended_at AS "endedAt", s.end_reason AS "endReason"
    FROM core.session s WHERE s.user_id = $1 AND s.id < $2 AND s.id >= $4 ORDER BY s.id DESC LIMIT $3)
   UNION ALL
   (SELECT c.id, c.created_at, c.action, c.entity, c.entity_id,
      CASE WHEN c.action = 'update' THEN ARRAY(
        SELECT n.key FROM jsonb_each(c.new_values) n
        WHERE n.key <> 'updated_at' AND n.value IS DISTINCT FROM c.old_values -> n.key ORDER BY 1)
      ELSE '{}' END, c.actor_id, c.actor_kind, c.address, c.user_agent, NULL, NULL
    FROM audit.change c WHERE (c.entity_id = $1 OR c.actor_id = $1) AND c.entity <> 'core.session' AND c.id < $2 AND c.id >= $4
    ORDER BY c.id DESC LIMIT $3)
   ORDER BY id DESC LIMIT $3) e ${actorJoins('e')}
   ORDER BY e.id DESC`,
)
