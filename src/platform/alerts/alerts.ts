import { sql } from 'kysely'
import { pageOfRows } from '../../http/pages.ts'
import { implement, type Route } from '../../http/route.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import { listAlerts } from './contract.ts'

export interface AlertSubject {
  readonly kind: string
  /** null: it concerns no one tenant. */
  readonly tenantId: string | null
}

/** Opened once: while it is open, another notice of the same only brings its message up to date. */
export async function openAlert(
  tx: PlatformTx,
  { kind, tenantId, message }: AlertSubject & { message: string },
): Promise<void> {
  await tx.run(
    sql`INSERT INTO platform.alert (kind, tenant_id, message) VALUES (${kind}, ${tenantId}, ${message.slice(0, 1_000)})
      ON CONFLICT (kind, tenant_id) WHERE resolved_at IS NULL DO UPDATE SET message = excluded.message`.compile(
      platformSql,
    ),
  )
}

/** It is over; one that was not open is none. */
export async function resolveAlert(tx: PlatformTx, { kind, tenantId }: AlertSubject): Promise<void> {
  await tx.run(
    sql`UPDATE platform.alert SET resolved_at = now()
      WHERE kind = ${kind} AND tenant_id IS NOT DISTINCT FROM ${tenantId} AND resolved_at IS NULL`.compile(
      platformSql,
    ),
  )
}

export const alertRoutes: Route[] = [
  implement(listAlerts, async (tx, { query }) => {
    let filtered = platformSql
      .selectFrom('platform.alert as a')
      .leftJoin('platform.tenant as t', 't.id', 'a.tenant_id')
    if (query.kind !== undefined) filtered = filtered.where('a.kind', '=', query.kind)
    if (query.tenantId !== undefined) filtered = filtered.where('a.tenant_id', '=', query.tenantId)
    if (query.includeResolved !== true) filtered = filtered.where('a.resolved_at', 'is', null)
    const found = filtered
      .select([
        'a.id',
        'a.kind',
        'a.tenant_id as tenantId',
        't.tenant_code as tenantCode',
        'a.message',
        'a.opened_at as openedAt',
        'a.resolved_at as resolvedAt',
      ])
      .orderBy('a.opened_at', 'desc')
      .orderBy('a.id', 'desc')
    const { rows: alerts, pagination } = await pageOfRows(tx, found, query)
    return { alerts, pagination }
  }),
]
