/** Users of a tenant for tests, put in by SQL as long as there is no operation that makes them. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { hash } from '@node-rs/bcrypt'
import type { Product } from '../server/product.ts'
import { SYSTEM } from '../server/product.ts'
import { tenantSql } from '../tenancy/handles.ts'
import type { Client } from './client.ts'
import { ADMIN_PASSWORD, CHEAP_HASH_COST, signIn, type TestTenant } from './product.ts'

export interface TestUser {
  readonly id: string
  readonly email: string
  readonly client: Client
  readonly refreshToken: string
}

/** A user of a built-in role with ADMIN_PASSWORD, signed in. */
export async function addUser(
  product: Product & { anonymous: Client },
  tenant: Pick<TestTenant, 'id' | 'code' | 'companyId'>,
  role: string,
  {
    fullName = `${role} Person`,
    cost = CHEAP_HASH_COST,
    allCompanies = false,
  }: { fullName?: string; cost?: number; allCompanies?: boolean } = {},
): Promise<TestUser> {
  const email = `${role.toLowerCase()}-${randomUUID().slice(0, 8)}@users.example`
  const passwordHash = await hash(ADMIN_PASSWORD, { cost })
  const entry = await product.directory.byId(tenant.id)
  if (!entry) throw new Error(`There is no tenant ${tenant.code}`)
  const id = randomUUID()
  await product.gate.writeTenant(entry.location, null, SYSTEM, async (tx) => {
    await tx.run(
      sql`INSERT INTO core.app_user (id, full_name, email, password_hash, password_changed_at, role_id, all_companies)
        SELECT ${id}, ${fullName}, ${email}, ${passwordHash}, now(), id, ${allCompanies}::boolean FROM core.role WHERE name = ${role}`.compile(
        tenantSql,
      ),
    )
    await tx.run(
      sql`INSERT INTO core.user_company (user_id, company_id) VALUES (${id}, ${tenant.companyId})`.compile(
        tenantSql,
      ),
    )
  })
  const session = await signIn(product.anonymous.with({ tenant: tenant.code }), email)
  return { id, email, client: session.client, refreshToken: session.refreshToken }
}
