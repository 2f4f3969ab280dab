/** What operators and the platform itself do, written in the same transaction as the deed, which knows who acts. */
import { platformSql, type PlatformTx } from '../tenancy/handles.ts'

export interface AuditEvent {
  readonly action: string
  readonly entity: string
  readonly entityId?: string
  readonly tenantId?: string
  readonly details?: Readonly<Record<string, unknown>>
}

export async function recordEvent(tx: PlatformTx, event: AuditEvent): Promise<void> {
  await tx.run(
    platformSql.insertInto('platform.audit_event').values({
      action: event.action,
      entity: event.entity,
      entity_id: event.entityId ?? null,
      tenant_id: event.tenantId ?? null,
      details: JSON.stringify(event.details ?? {}),
    }),
  )
}
