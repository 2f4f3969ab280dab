/**
 * The whole product for a test: its own platform database on the run's PostgreSQL, listening on a free port.
 * Tests act through HTTP and read back, like any user. One product a test file: DBOS is one a process; tests
 * of several processes start them with `startProcess`.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { inject } from 'vitest'
import { createTenant, type TenantBody } from '../platform/tenants/contract.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import { login } from '../erp/identity/contract.ts'
import { readConfiguration, type Configuration } from '../server/configuration.ts'
import { startProduct, SYSTEM, type Product, type ProductOptions } from '../server/product.ts'
import { platformSql, tenantSql } from '../tenancy/handles.ts'
import type { Static } from 'typebox'
import { Client } from './client.ts'

export const OPERATOR = { email: 'operator@example.com', password: 'Operator-pass-1' } as const
export const ADMIN_PASSWORD = 'Str0ng-pass!'
/** The cheapest hash there is: tests sign in often, and bcrypt takes its time by the cost in the hash. */
export const CHEAP_HASH_COST = 4
/** The cluster's shared roles have passwords derived from this, so every product of a run uses the same. */
export const SECRET_KEY = 'a-secret-key-for-tests-only-0123456789'

export interface TestTenant {
  readonly id: string
  readonly code: string
  readonly companyId: string
  /** Signed in as the tenant's administrator. */
  readonly admin: Client
}

export interface TestProduct extends Product {
  readonly url: string
  /** Nobody is signed in. */
  readonly anonymous: Client
  readonly operator: Client
  createTenant(options?: Partial<Static<typeof TenantBody>>): Promise<TestTenant>
}

/** Environment of a product on the run's PostgreSQL, also for processes of their own. */
export function testEnvironment(overrides: Record<string, string> = {}): Record<string, string> {
  const suffix = randomBytes(4).toString('hex')
  return environmentOn(inject('adminUrl'), `erp_platform_${suffix}`, {
    DATA_DIR: join(tmpdir(), `erp-test-data-${suffix}`),
    DB_POOLER_URL: inject('poolerUrl'),
    ...overrides,
  })
}

/** Environment of a product whose platform is one database of any PostgreSQL. */
export function environmentOn(
  adminUrl: string,
  platform: string,
  settings: Record<string, string> & { readonly DATA_DIR: string },
): Record<string, string> {
  const url = new URL(adminUrl)
  url.pathname = `/${platform}`
  return {
    ENVIRONMENT: 'test',
    DATABASE_URL: url.href,
    SECRET_KEY,
    HOST: '127.0.0.1',
    PORT: '0',
    OPERATOR_EMAIL: OPERATOR.email,
    OPERATOR_PASSWORD: OPERATOR.password,
    READY_DATABASES: '0',
    RATE_LIMIT_ENABLED: 'false', // tests of limits turn them on
    ...settings,
  }
}

export async function startTestProduct(
  overrides: Partial<Configuration> = {},
  options: ProductOptions = {},
  /** Given to `startProcess` too, there is another process of the same platform. */
  environment: Record<string, string> = testEnvironment(),
): Promise<TestProduct> {
  const configuration = { ...readConfiguration(environment), ...overrides }
  const product = await startProduct(configuration, options)
  await addFirstOperator(product)
  const port = await product.listen()
  const url = `http://127.0.0.1:${port}`
  const anonymous = new Client(url)
  const operator = await signInAsOperator(anonymous)
  return {
    ...product,
    url,
    anonymous,
    operator,
    createTenant: (body = {}) => createTestTenant(product, anonymous, operator, body),
  }
}

/** As `ensureFirstOperator` would, but for its hash. */
async function addFirstOperator(product: Product): Promise<void> {
  const passwordHash = await hash(OPERATOR.password, { cost: CHEAP_HASH_COST })
  await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.run(
      sql`INSERT INTO platform.operator (full_name, email, password_hash, role)
        SELECT 'First operator', ${OPERATOR.email}, ${passwordHash}, 'owner'
        WHERE NOT EXISTS (SELECT FROM platform.operator)`.compile(platformSql),
    ),
  )
}

export async function signInAsOperator(anonymous: Client): Promise<Client> {
  const { token } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  return anonymous.with({ token })
}

let tenantCount = 0

export function tenantBody(body: Partial<Static<typeof TenantBody>> = {}): Static<typeof TenantBody> {
  const code = body.tenantCode ?? `T${++tenantCount}_${randomUUID().slice(0, 6)}`
  return {
    tenantCode: code,
    companyName: `${code} Trading`,
    subdomain: code.toLowerCase().replaceAll('_', '-'),
    planCode: 'professional',
    country: 'US',
    currency: 'USD',
    chartTemplate: 'generic',
    adminName: 'Ann Keeper',
    adminEmail: `ann@${code.toLowerCase().replaceAll('_', '-')}.example`,
    adminPassword: ADMIN_PASSWORD,
    ...body,
  }
}

/** Its administrator has chosen no password yet, and is given one here, unless the test gives one. */
async function createTestTenant(
  product: Product,
  anonymous: Client,
  operator: Client,
  overrides: Partial<Static<typeof TenantBody>>,
): Promise<TestTenant> {
  const { adminPassword } = overrides
  const { adminPassword: _usual, ...others } = tenantBody(overrides)
  const body = adminPassword === undefined ? others : { ...others, adminPassword }
  const { tenant } = (await operator.call(createTenant, { body })).ok()
  if (adminPassword === undefined) await givePassword(product, tenant.id, body.adminEmail)
  const admin = await signIn(anonymous.with({ tenant: tenant.tenantCode }), body.adminEmail, adminPassword)
  return { id: tenant.id, code: tenant.tenantCode, companyId: admin.companyId, admin: admin.client }
}

async function givePassword(product: Product, tenantId: string, email: string): Promise<void> {
  const entry = await product.directory.byId(tenantId)
  if (!entry) throw new Error(`There is no tenant ${tenantId}`)
  const passwordHash = await hash(ADMIN_PASSWORD, { cost: CHEAP_HASH_COST })
  await product.gate.writeTenant(entry.location, null, SYSTEM, (tx) =>
    tx.run(
      sql`UPDATE core.app_user SET password_hash = ${passwordHash}, password_changed_at = now()
        WHERE lower(email) = lower(${email})`.compile(tenantSql),
    ),
  )
}

export async function signIn(
  anonymous: Client,
  email: string,
  password: string = ADMIN_PASSWORD,
): Promise<{ client: Client; companyId: string; refreshToken: string }> {
  const session = (await anonymous.call(login, { body: { email, password } })).ok()
  const client = anonymous.with({ token: session.token })
  return { client, companyId: session.user.companyId, refreshToken: session.refreshToken }
}
