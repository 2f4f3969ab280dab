/** What a user did, and where they are signed in. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { implement, type Route, type TenantContext } from '../../../http/route.ts'
import { Problem, problems } from '../../../kernel/problem.ts'
import { statement, tenantSql, type TenantTx } from '../../../tenancy/handles.ts'
import { Administration } from '../administration.ts'
import { callerOf, tellSessionEnd, type IdentityPorts } from '../ports.ts'
import {
  endUserSession,
  endUserSessions,
  listUserActivity,
  listUserSessions,
  type SessionData,
  type UserEvent,
} from './contract.ts'
import { assertMayChange, readUser } from './records.ts'

const SESSIONS_SHOWN_MAXIMUM = 100
const END_REASON = 'ended by hand'

export function activityRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(listUserActivity, async (tx, { params, query }) => {
      await readUser(tx, params.id)
      const limit = query.limit ?? 50
      const found = await tx.prepared(ACTIVITY, [params.id, query.after ?? null, limit + 1])
      return { activity: found.slice(0, limit), hasMore: found.length > limit }
    }),
    implement(listUserSessions, async (tx, { params }, context) => {
      await readUser(tx, params.id)
      const values = [params.id, callerOf(context).sessionId, SESSIONS_SHOWN_MAXIMUM]
      return { sessions: await tx.prepared(SESSIONS, values) }
    }),
    implement(endUserSessions, async (door, { params }, context) => {
      await door.write(async (tx) => {
        await assertMayEnd(tx, params.id, context)
        await ports.sessions.endAllOf(tx, params.id, END_REASON)
      })
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(endUserSession, async (door, { params }, context) => {
      await door.write(async (tx) => {
        await assertMayEnd(tx, params.id, context)
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

async function assertMayEnd(tx: TenantTx, userId: string, context: TenantContext): Promise<void> {
  const user = await readUser(tx, userId)
  const caller = callerOf(context)
  if (caller.id !== user.id) await assertMayChange(tx, await Administration.begin(tx, caller.id), user)
}

const SESSIONS = statement<Static<typeof SessionData>>(
  'identity-sessions',
  `SELECT id, created_at AS "startedAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt",
     company_id AS "companyId", is_remembered AS "isRemembered", id = $2 AS "isCurrent", address,
     user_agent AS "userAgent"
   FROM core.session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > now()
   ORDER BY last_used_at DESC LIMIT $3`,
)

/** Ids of version 7 are in the order of time, whatever table they are of. */
const ACTIVITY = statement<Static<typeof UserEvent>>(
  'identity-activity',
  `(SELECT s.id, s.created_at AS at, 'sign-in' AS action, NULL AS entity, NULL::uuid AS "entityId",
      ARRAY[]::text[] AS fields, s.user_id AS "actorId", 'user' AS "actorKind", s.address,
      s.user_agent AS "userAgent", s.ended_at AS "endedAt", s.end_reason AS "endReason"
    FROM core.session s WHERE s.user_id = $1 AND ($2::uuid IS NULL OR s.id < $2) ORDER BY s.id DESC LIMIT $3)
   UNION ALL
   (SELECT c.id, c.created_at, c.action, c.entity, c.entity_id,
      CASE WHEN c.action = 'update' THEN ARRAY(
        SELECT n.key FROM jsonb_each(c.new_values) n
        WHERE n.key <> 'updated_at' AND n.value IS DISTINCT FROM c.old_values -> n.key ORDER BY 1)
      ELSE '{}' END, c.actor_id, c.actor_kind, c.address, NULL, NULL, NULL
    FROM audit.change c WHERE (c.entity_id = $1 OR c.actor_id = $1) AND ($2::uuid IS NULL OR c.id < $2)
    ORDER BY c.id DESC LIMIT $3)
   ORDER BY id DESC LIMIT $3`,
)
