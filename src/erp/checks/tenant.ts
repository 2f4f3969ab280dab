/** The proofs of books.ts over every company of a tenant. */
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { tenantSql, type Actor } from '../../tenancy/handles.ts'
import { checkBooks, type Finding } from './books.ts'

export interface CheckedCompany {
  readonly code: string
  readonly findings: readonly Finding[]
}

export async function checkTenant(
  gate: Gate,
  location: TenantLocation,
  actor: Actor,
): Promise<CheckedCompany[]> {
  const companies = await gate.readTenant(location, null, actor, (tx) =>
    tx.rows(
      tenantSql
        .selectFrom('core.company')
        .select(['id', 'code'])
        .where('deleted_at', 'is', null)
        .orderBy('code'),
    ),
  )
  const checked: CheckedCompany[] = []
  for (const { id, code } of companies) {
    checked.push({ code, findings: await gate.readTenant(location, id, actor, checkBooks) })
  }
  return checked
}
