/**
 * Many tenants at once, for scenarios about the fleet. One is made as every tenant is made, through the API;
 * the others are its databases cloned under their own names, each with a role and a password of its own: what
 * provisioning leaves behind, without a thousand workflows. Their administrator's session is cloned too, so
 * that everybody is signed in without a thousand password hashes.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { Tokens, type TokenClaims } from '../src/http/tokens.ts'
import { addressOf, DatabaseServer } from '../src/tenancy/databases.ts'
import type { DatabaseAddress } from '../src/tenancy/pools.ts'
import { Secrets } from '../src/tenancy/secrets.ts'
import { PASSWORD, type Bench } from './harness.ts'

export interface FleetTenant {
  readonly id: string
  readonly code: string
  readonly address: DatabaseAddress
  /** Of its signed-in administrator. */
  readonly headers: Readonly<Record<string, string>>
}

const MODEL = 'FLEETMODEL'
const CONNECTION_LIMIT = 50
/** Copying is the disk's work: more at once do not make it shorter. */
const AT_ONCE = 3

const made = new WeakMap<Bench, Promise<FleetTenant[]>>()

/** Made once a bench, for all scenarios that want one. */
export function makeFleet(bench: Bench, count: number): Promise<FleetTenant[]> {
  const known = made.get(bench) ?? cloneFleet(bench, count)
  made.set(bench, known)
  return known
}

/** The product must not be running: a database that is copied has no visitors. */
async function cloneFleet(bench: Bench, count: number): Promise<FleetTenant[]> {
  const model = await makeModel(bench)
  const secrets = new Secrets(bench.environment()['SECRET_KEY'] ?? '')
  const server = new DatabaseServer(addressOf(bench.adminUrl, false), secrets)
  const tokens = new Tokens({
    keys: () => [secrets.derive('access-tokens', 64)],
    algorithm: 'HS256',
    accessTokenSeconds: 86_400,
  })
  const platform = await bench.connect('erp_platform')
  const fleet: FleetTenant[] = []
  try {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count) {
        const code = `FLEET${String(next++).padStart(5, '0')}`
        fleet.push(await cloneModel({ server, secrets, tokens, platform, model }, code))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    await platform.query('ANALYZE platform.tenant')
  } finally {
    await platform.end()
    await server.close()
  }
  return fleet.toSorted((a, b) => (a.code < b.code ? -1 : 1))
}

interface Model {
  readonly id: string
  readonly database: string
  readonly claims: TokenClaims
}

async function makeModel(bench: Bench): Promise<Model> {
  const product = await bench.serve()
  await product.createTenant(MODEL, PASSWORD)
  const { authorization } = await product.signIn(MODEL)
  const claims = JSON.parse(
    Buffer.from(authorization?.split('.')[1] ?? '', 'base64url').toString(),
  ) as TokenClaims
  await product.stop()
  return { id: claims.tenantId, database: `erp_tenant_${MODEL.toLowerCase()}`, claims }
}

interface Workshop {
  readonly server: DatabaseServer
  readonly secrets: Secrets
  readonly tokens: Tokens
  readonly platform: pg.Client
  readonly model: Model
}

async function cloneModel(workshop: Workshop, code: string): Promise<FleetTenant> {
  const { server, secrets, tokens, platform, model } = workshop
  const id = randomUUID()
  const database = `erp_tenant_${code.toLowerCase()}`
  const role = `erp_runtime_${randomBytes(8).toString('hex')}`
  const password = randomBytes(24).toString('base64url')
  await server.createRuntimeRole(role, password, CONNECTION_LIMIT)
  await server.create(database, model.database)
  await server.grantConnect(database, role)
  await platform.query(
    `INSERT INTO platform.tenant (id, tenant_code, company_name, subdomain, plan_id, status, country, currency,
       chart_template, admin_name, admin_email, server_id, database_name, runtime_role, sealed_runtime_password, schema_version)
     SELECT $1, $2, $2, $3, plan_id, status, country, currency, chart_template, admin_name, admin_email, server_id,
       $4, $5, $6, schema_version FROM platform.tenant WHERE id = $7`,
    [id, code, code.toLowerCase(), database, role, secrets.seal(password, role), model.id],
  )
  const { userId, email, roleId, companyId, sessionId } = model.claims
  const claims = { userId, email, roleId, companyId, sessionId, tenantId: id }
  const token = await tokens.sign('tenant', claims, new Date())
  return {
    id,
    code,
    address: server.runtimeAddress(database, role, password),
    headers: { 'x-tenant-id': code, authorization: `Bearer ${token}` },
  }
}
