import { sql } from 'kysely'
import type { Static } from 'typebox'
import { allOf, auditFilter, auditRange, LOOKED_THROUGH_MAXIMUM, pageOfAudit } from '../../http/audit-page.ts'
import { implement, type Route } from '../../http/route.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { listPlatformAuditLog, type PlatformAuditEntry } from './contract.ts'

export const platformAuditRoutes: readonly Route[] = [
  implement(listPlatformAuditLog, async (tx, { query }) => {
    const limit = query.limit ?? 50
    const { tenantId } = query
    const range = allOf([
      auditRange(query),
      tenantId === undefined ? undefined : sql`r.tenant_id = ${tenantId}`,
    ])
    const texts = sql`r.action, r.entity, r.request_id, r.address, r.user_agent, o.full_name, o.email,
      t.tenant_code, r.details, r.old_values, r.new_values`
    const rows = await tx.rows(
      sql<Static<typeof PlatformAuditEntry>>`
        SELECT r.id, r.created_at AS at, r.actor_kind AS "actorKind", r.actor_id AS "actorId",
          o.full_name AS "actorName", r.action, r.entity, r.entity_id AS "entityId", r.request_id AS "requestId",
          r.address, r.user_agent AS "userAgent", r.old_values AS "oldValues", r.new_values AS "newValues",
          r.tenant_id AS "tenantId", t.tenant_code AS "tenantCode", r.details
        FROM (SELECT * FROM platform.audit_event r WHERE ${range}
            ORDER BY r.id DESC LIMIT ${LOOKED_THROUGH_MAXIMUM}) r
          LEFT JOIN platform.operator o ON o.id = r.actor_id
          LEFT JOIN platform.tenant t ON t.id = r.tenant_id
        WHERE ${auditFilter(query, texts)} ORDER BY r.id DESC LIMIT ${limit + 1}`.compile(platformSql),
    )
    if (rows.length > limit) return pageOfAudit(rows, limit, null)
    const end = await tx.row(
      sql<{ id: string }>`SELECT r.id FROM platform.audit_event r WHERE ${range}
        ORDER BY r.id DESC OFFSET ${LOOKED_THROUGH_MAXIMUM - 1} LIMIT 1`.compile(platformSql),
    )
    return pageOfAudit(rows, limit, end?.id ?? null)
  }),
]
