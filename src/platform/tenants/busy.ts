/** Long work that must have a tenant to itself writes its name into the tenant's row, and takes it out again. */
import { sql } from 'kysely'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'

/** Whether the tenant is ours now, or was already (the name is unique to this piece of work, e.g. `move:<id>`). */
export async function claimTenant(tx: PlatformTx, tenantId: string, work: string): Promise<boolean> {
  const claimed = await tx.run(
    sql`UPDATE platform.tenant SET busy_with = ${work}
      WHERE id = ${tenantId} AND (busy_with IS NULL OR busy_with = ${work})`.compile(platformSql),
  )
  return claimed === 1
}

/**
 * Whether the tenant was still ours. If not, the work has ended before, and a step of it is repeated late, because
 * its process died before its outcome was kept: whatever else it would write belongs to the past by now.
 */
export async function releaseTenant(tx: PlatformTx, tenantId: string, work: string): Promise<boolean> {
  const released = await tx.run(
    sql`UPDATE platform.tenant SET busy_with = NULL WHERE id = ${tenantId} AND busy_with = ${work}`.compile(
      platformSql,
    ),
  )
  return released === 1
}

/** The same question without letting go; for work outside of the platform's database. */
export async function isHeldFor(tx: PlatformRead, tenantId: string, work: string): Promise<boolean> {
  const held = sql`SELECT 1 FROM platform.tenant WHERE id = ${tenantId} AND busy_with = ${work}`
  return (await tx.row(held.compile(platformSql))) !== undefined
}
