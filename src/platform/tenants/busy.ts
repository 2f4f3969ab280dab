/** Long work that must have a tenant to itself writes its name into the tenant's row, and takes it out again. */
import { sql } from 'kysely'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'

/** Whether the tenant is ours now, or was already (the name is unique to this piece of work, e.g. `move:<id>`). */
export async function claimTenant(tx: PlatformTx, tenantId: string, work: string): Promise<boolean> {
  const claimed = await tx.run(
    sql`UPDATE platform.tenant SET busy_with = ${work}
      WHERE id = ${tenantId} AND (busy_with IS NULL OR busy_with = ${work})`.compile(platformSql),
  )
  return claimed === 1
}

/** May be repeated; what other work has taken meanwhile stays taken. */
export async function releaseTenant(tx: PlatformTx, tenantId: string, work: string): Promise<void> {
  await tx.run(
    sql`UPDATE platform.tenant SET busy_with = NULL WHERE id = ${tenantId} AND busy_with = ${work}`.compile(
      platformSql,
    ),
  )
}
