import { sql } from 'kysely'
import type { Static } from 'typebox'
import { auditFilter, auditRange, LOOKED_THROUGH_MAXIMUM, pageOfAudit } from '../../http/audit-page.ts'
import { implement, type Route } from '../../http/route.ts'
import { tenantSql } from '../../tenancy/handles.ts'
import { actorJoins, actorName } from './actors.ts'
import { listAuditLog, type AuditEntry } from './contract.ts'

export const auditRoutes: readonly Route[] = [
  implement(listAuditLog, async (tx, { query }) => {
    const limit = query.limit ?? 50
    const range = auditRange(query)
    const name = sql.raw(actorName)
    const texts = sql`r.action, r.entity, r.request_id, r.address, r.user_agent, actor_user.email,
      ${name}, r.old_values, r.new_values`
    const rows = await tx.rows(
      sql<Static<typeof AuditEntry>>`
        SELECT r.id, r.created_at AS at, r.actor_kind AS "actorKind", r.actor_id AS "actorId",
          ${name} AS "actorName", r.action, r.entity, r.entity_id AS "entityId", r.request_id AS "requestId",
          r.address, r.user_agent AS "userAgent", r.old_values AS "oldValues", r.new_values AS "newValues",
          r.company_id AS "companyId"
        FROM (SELECT * FROM audit.change r WHERE ${range} ORDER BY r.id DESC LIMIT ${LOOKED_THROUGH_MAXIMUM}) r
          ${sql.raw(actorJoins('r'))}
        WHERE ${auditFilter(query, texts)} ORDER BY r.id DESC LIMIT ${limit + 1}`.compile(tenantSql),
    )
    if (rows.length > limit) return pageOfAudit(rows, limit, null)
    const end = await tx.row(
      sql<{ id: string }>`SELECT r.id FROM audit.change r WHERE ${range}
        ORDER BY r.id DESC OFFSET ${LOOKED_THROUGH_MAXIMUM - 1} LIMIT 1`.compile(tenantSql),
    )
    return pageOfAudit(rows, limit, end?.id ?? null)
  }),
]
