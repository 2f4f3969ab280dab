/**
 * Provisioning dies or fails at every one of its moments, in real processes on a PostgreSQL of their own, so
 * that every database and role in it can be counted. A tenant ends usable or without a trace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { me, resetPassword } from '../../erp/identity/contract.ts'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../tenancy/embedded.ts'
import { Client } from '../../testing/client.ts'
import {
  eventually,
  spawnTestProgram,
  startProcess,
  whenReady,
  type ServerProcess,
} from '../../testing/process.ts'
import { ADMIN_PASSWORD, environmentOn, signIn, signInAsOperator, tenantBody } from '../../testing/product.ts'
import { createTenant, listTenants, retryProvisioning } from './contract.ts'
import { provisioningSteps } from './provisioning.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-provisioning-'))
let postgres: EmbeddedPostgres

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ directory, settings: ['fsync=off'] })
})
afterAll(async () => {
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A platform of its own on our PostgreSQL. */
function platform(readyDatabases = 0): Record<string, string> {
  const name = `platform_${randomBytes(4).toString('hex')}`
  return environmentOn(postgres.adminUrl, name, {
    DATA_DIR: join(directory, name),
    READY_DATABASES: String(readyDatabases),
    CONNECTION_WAIT_MS: '10000', // many processes at once keep the machine busy
  })
}

type Body = ReturnType<typeof tenantBody>

function startCrashing(
  environment: Record<string, string>,
  { tenantCode }: Body,
  how: Record<string, string>,
): Promise<ServerProcess> {
  const meant = { ...environment, ...how, OF_TENANT: tenantCode }
  return whenReady(spawnTestProgram('crashing-server.ts', [], meant))
}

/** Asks a server that is about to die; how it ended for the caller. */
async function create(server: ServerProcess, body: Body): Promise<number | 'cut off'> {
  const operator = await signInAsOperator(new Client(server.url))
  return operator.call(createTenant, { body }).then(
    ({ status }) => status,
    () => 'cut off' as const,
  )
}

async function provisionAgain(server: ServerProcess, body: Body): Promise<number> {
  const operator = await signInAsOperator(new Client(server.url))
  const query = { search: body.tenantCode, status: 'failed' } as const
  const { tenants } = (await operator.call(listTenants, { query })).ok()
  return (await operator.call(retryProvisioning, { params: { id: tenants[0]?.id ?? '' } })).status
}

async function statusOf(
  server: ServerProcess,
  code: string,
): Promise<{ status: string; reason: string | null } | undefined> {
  const operator = await signInAsOperator(new Client(server.url))
  const { tenants } = (await operator.call(listTenants, { query: { search: code } })).ok()
  const tenant = tenants.find(({ tenantCode }) => tenantCode === code)
  return tenant && { status: tenant.status, reason: tenant.statusReason }
}

async function canWork(server: ServerProcess, body: Body): Promise<void> {
  const { client } = await signIn(new Client(server.url).with({ tenant: body.tenantCode }), body.adminEmail)
  expect((await client.call(me)).ok()).toMatchObject({
    role: 'Administrator',
    companies: [{ name: body.companyName }],
  })
}

async function rowsOf(database: string, text: string): Promise<string[]> {
  return withClient({ ...addressOf(postgres.adminUrl, false), database }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text)
    return rows.map(({ name }) => name)
  })
}

const platforms = new Set<string>()

/** Databases and roles that no row of any platform of ours accounts for. */
async function orphans(): Promise<string[]> {
  const known = new Set<string>()
  for (const name of platforms) {
    const accounted = await rowsOf(
      name,
      `SELECT unnest(ARRAY[database_name, runtime_role]) AS name FROM platform.tenant
       UNION ALL SELECT unnest(ARRAY[database_name, runtime_role]) FROM platform.ready_database`,
    )
    for (const one of accounted) known.add(one)
  }
  const there = await rowsOf(
    'postgres',
    `SELECT datname AS name FROM pg_database WHERE datname ~ '^erp_(tenant|ready)_'
     UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^erp_runtime_'`,
  )
  return there.filter((name) => !known.has(name))
}

function newPlatform(readyDatabases = 0): Record<string, string> {
  const environment = platform(readyDatabases)
  platforms.add(new URL(environment['DATABASE_URL'] ?? '').pathname.slice(1))
  return environment
}

const moments = provisioningSteps.flatMap((step) => [`${step}:before`, `${step}:after`])

// Several at a time: most of each test is waiting for the others to notice that one is dead.
describe('at a step', () => {
  let environment: Record<string, string>
  let healthy: ServerProcess
  beforeAll(async () => {
    environment = newPlatform()
    healthy = await startProcess(environment)
  })
  afterAll(() => healthy.stop())

  test('every moment is tried', () => {
    expect(moments).toHaveLength(8)
  })

  test.concurrent.each(moments)(
    'killed %s: another process finishes the tenant within 30 seconds',
    { timeout: 90_000 },
    async (moment) => {
      const body = tenantBody({ tenantCode: `K_${moment.replace(':', '_')}` })
      const crashing = await startCrashing(environment, body, { CRASH_AT: moment })
      expect(await create(crashing, body)).toBe('cut off')
      await crashing.exited
      // Control: it was cut off before it was done, so that there is something to finish.
      expect((await statusOf(healthy, body.tenantCode))?.status).toMatch(
        moment === 'activation:after' ? /^active$/ : /^(provisioning|active)$/,
      )
      await eventually(
        async () => expect((await statusOf(healthy, body.tenantCode))?.status).toBe('active'),
        30_000,
      )
      await canWork(healthy, body)
    },
  )

  test.concurrent.each(['compensation:before', 'compensation:after'])(
    'killed %s: another process ends it, one way or the other',
    { timeout: 90_000 },
    async (moment) => {
      const body = tenantBody({ tenantCode: `C_${moment.replace(':', '_')}` })
      const crashing = await startCrashing(environment, body, { CRASH_AT: moment, FAIL_AT: 'company' })
      expect(await create(crashing, body)).toBe('cut off')
      // The failure may not have been written down yet when it died: then the step is tried again, and works.
      const ends = moment === 'compensation:after' ? /^failed$/ : /^(failed|active)$/
      await eventually(
        async () => expect((await statusOf(healthy, body.tenantCode))?.status).toMatch(ends),
        30_000,
      )
      // Nothing of a failed one is in the way of the next.
      const again = await create(healthy, body)
      expect([201, 409]).toContain(again)
      await canWork(healthy, body)
    },
  )

  test.concurrent.each(provisioningSteps)(
    'failing %s: the tenant is undone, its name is free again',
    { timeout: 90_000 },
    async (step) => {
      const body = tenantBody({ tenantCode: `F_${step}` })
      const failing = await startCrashing(environment, body, { FAIL_AT: step })
      expect([503, 202]).toContain(await create(failing, body)) // 202: not failed yet when the time to wait was up
      await eventually(async () =>
        expect(await statusOf(failing, body.tenantCode)).toEqual({
          status: 'failed',
          reason: expect.stringContaining(`step ${step} fails`),
        }),
      )
      await failing.stop()
      if (step === 'company') {
        // Nobody took its name: the same tenant is made again.
        expect(await provisionAgain(healthy, body)).toBe(201)
      } else {
        expect(await create(healthy, body)).toBe(201)
        await canWork(healthy, body)
        expect(await provisionAgain(healthy, body)).toBe(409) // its name is another one's now
      }
    },
  )

  test.concurrent(
    'failing, and not to be undone: it is failed, its remains are known, and tried again it works',
    { timeout: 90_000 },
    async () => {
      const body = tenantBody({ tenantCode: 'G_surrender' })
      const failing = await startCrashing(environment, body, { FAIL_AT: 'company,compensation' })
      expect([503, 202]).toContain(await create(failing, body))
      const reason: unknown = expect.stringMatching(/company fails.*undoing it failed too/s)
      await eventually(async () =>
        expect(await statusOf(failing, body.tenantCode)).toEqual({ status: 'failed', reason }),
      )
      await failing.stop()
      const operator = await signInAsOperator(new Client(healthy.url))
      const { tenants } = (await operator.call(listTenants, { query: { search: body.tenantCode } })).ok()
      const id = tenants[0]?.id ?? ''
      // Control: something is left, and is accounted for.
      expect(await rowsOf('postgres', `SELECT datname AS name FROM pg_database WHERE datname = 'erp_tenant_g_surrender'`)).toHaveLength(1) // prettier-ignore
      const again = await operator.call(retryProvisioning, { params: { id } })
      expect([again.status, again.ok().tenant.status]).toEqual([201, 'active'])
      const token = new URL(again.ok().setPasswordUrl ?? '').searchParams.get('token') ?? ''
      const at = new Client(healthy.url).with({ tenant: body.tenantCode })
      ;(await at.call(resetPassword, { body: { token, password: ADMIN_PASSWORD } })).ok()
      await canWork(healthy, body)
      expect((await operator.call(retryProvisioning, { params: { id } })).error.code).toBe('WRONG_STATE')
    },
  )

  test('nothing of all that is left: no database and no role without its tenant, no secret of a failed one', async () => {
    expect(await orphans()).toEqual([])
    const [database] = [...platforms]
    const left = await rowsOf(
      database ?? '',
      `SELECT coalesce(database_name, runtime_role, sealed_runtime_password, sealed_admin_password) AS name
       FROM platform.tenant WHERE status = 'failed'`,
    )
    expect(left.length).toBeGreaterThanOrEqual(provisioningSteps.length - 1) // one was made again
    expect(left.filter((secret) => secret !== null)).toEqual([])
    const unsettled = await rowsOf(
      database ?? '',
      'SELECT database_name AS name FROM platform.ready_database',
    )
    expect(unsettled).toEqual([])
  })
})

describe('killed, and nobody there', () => {
  test(
    'control: without another process the tenant stays unfinished; the next start finishes it',
    { timeout: 90_000 },
    async () => {
      const environment = newPlatform()
      const body = tenantBody()
      const crashing = await startCrashing(environment, body, { CRASH_AT: 'company:after' })
      expect(await create(crashing, body)).toBe('cut off')
      await crashing.exited
      await sleep(7_000) // longer than it takes to look for the dead
      const [database] = [...platforms].slice(-1)
      const status = (): Promise<string[]> =>
        rowsOf(database ?? '', 'SELECT status AS name FROM platform.tenant')
      expect(await status()).toEqual(['provisioning'])
      const next = await startProcess(environment)
      await eventually(async () => expect(await status()).toEqual(['active']), 30_000)
      await canWork(next, body)
      expect(await next.stop()).toBe(0)
    },
  )

  /** What a process leaves that dies between writing the row and starting the work. */
  async function writeDown(body: Body, database: string): Promise<void> {
    await withClient({ ...addressOf(postgres.adminUrl, false), database }, (client) =>
      client.query(
        `INSERT INTO platform.tenant (tenant_code, company_name, subdomain, plan_id, status, country, currency, chart_template,
           admin_name, admin_email, server_id, updated_at)
         SELECT $1, $2, $3, p.id, 'provisioning', 'US', 'USD', 'us', $4, $5, s.id, now() - interval '1 minute' FROM platform.plan p, platform.server s
         WHERE p.code = 'trial'`,
        [body.tenantCode, body.companyName, body.subdomain, body.adminName, body.adminEmail],
      ),
    )
  }

  test('before its work had even begun: the next start begins it', { timeout: 120_000 }, async () => {
    const environment = newPlatform()
    const server = await startProcess(environment)
    const body = tenantBody()
    await writeDown(body, [...platforms].at(-1) ?? '')
    // Control: a process that has just looked does not look again so soon.
    await sleep(2_000)
    expect((await statusOf(server, body.tenantCode))?.status).toBe('provisioning')
    const other = await startProcess(environment)
    await eventually(
      async () => expect((await statusOf(server, body.tenantCode))?.status).toBe('active'),
      20_000,
    )
    expect(await other.stop()).toBe(0)
    expect(await server.stop()).toBe(0)
  })

  test(
    'before its work had even begun: a running process begins it in its turn',
    { timeout: 60_000 },
    async () => {
      const body = tenantBody()
      const server = await startCrashing(newPlatform(), body, {})
      await writeDown(body, [...platforms].at(-1) ?? '')
      await eventually(
        async () => expect((await statusOf(server, body.tenantCode))?.status).toBe('active'),
        20_000,
      )
      expect(await server.stop()).toBe(0)
    },
  )
})

describe('two processes at once', () => {
  test('make exactly one tenant of one name, and one database', { timeout: 90_000 }, async () => {
    const environment = newPlatform(2)
    const servers = await Promise.all([startProcess(environment), startProcess(environment)])
    const body = tenantBody()
    const answers = await Promise.all(
      [...servers, ...servers].map((server, index) =>
        create(server, { ...body, subdomain: `${body.subdomain}-${index}` }),
      ),
    )
    expect(answers.toSorted()).toEqual([201, 409, 409, 409])
    for (const server of servers) await canWork(server, body)
    expect(
      await rowsOf(
        'postgres',
        `SELECT datname AS name FROM pg_database WHERE datname ~ '${body.tenantCode.toLowerCase()}'`,
      ),
    ).toHaveLength(1)
    await Promise.all(servers.map((server) => server.stop()))
    expect(await orphans()).toEqual([])
  })

  test('control: an orphan is noticed', async () => {
    await rowsOf('postgres', 'CREATE ROLE erp_runtime_orphan')
    await rowsOf('postgres', 'CREATE DATABASE erp_ready_orphan STRATEGY file_copy')
    expect((await orphans()).toSorted()).toEqual(['erp_ready_orphan', 'erp_runtime_orphan'])
    await rowsOf('postgres', 'DROP ROLE erp_runtime_orphan')
    await rowsOf('postgres', 'DROP DATABASE erp_ready_orphan')
  })
})
