/**
 * Behind a real PgBouncer in transaction mode (vitest's project of that name; the important suites run there
 * too): a transaction's connection is shared with strangers before and after it, and what would hang on a
 * session breaks. Both are shown first with what we do not do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { SYSTEM } from '../server/product.ts'
import { startPgbouncer } from '../testing/pgbouncer.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { withClient } from './databases.ts'
import { Gate, type TenantLocation } from './gate.ts'
import { statement, tenantSql } from './handles.ts'
import { connect, ConnectionPools, type DatabaseAddress } from './pools.ts'

const CLIENTS = 20
/** default_pool_size of deploy/pgbouncer/pgbouncer.ini */
const SERVER_CONNECTIONS = 4

let product: TestProduct
let tenant: TestTenant
let location: TenantLocation
let address: DatabaseAddress
let pools: ConnectionPools

beforeAll(async () => {
  product = await startTestProduct({ connectionsPerTenantMaximum: CLIENTS })
  tenant = await product.createTenant()
  location = (await product.directory.byId(tenant.id))!.location
  address = await location.address()
  pools = new ConnectionPools({
    connectionsMaximum: CLIENTS,
    connectionsPerDatabaseMaximum: CLIENTS,
    waitMs: 10_000,
  })
})
afterAll(async () => {
  await pools.closeAll()
  await product.stop()
})

const gate = (usePreparedStatements: boolean): Gate =>
  new Gate({
    tenantPools: pools,
    platformPools: pools,
    platformAddress: product.server.admin,
    usePreparedStatements,
  })
const manyAtOnce = <Result>(work: (index: number) => Promise<Result>): Promise<Result[]> =>
  Promise.all(Array.from({ length: CLIENTS * 5 }, (_, index) => work(index)))

describe('behind a pooler', () => {
  test('tenants go through it, and many of them share few connections', async () => {
    expect(address.port).toBe(Number(new URL(inject('poolerUrl')).port))
    const own = gate(false)
    const seen = await manyAtOnce(() =>
      own.writeTenant(location, null, SYSTEM, (tx) =>
        tx.row(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid, pg_sleep(0.005)`.compile(tenantSql)),
      ),
    )
    expect(pools.figures().connections).toBeGreaterThan(SERVER_CONNECTIONS)
    expect(new Set(seen.map((row) => row?.pid)).size).toBeLessThanOrEqual(SERVER_CONNECTIONS)
  })

  test('the platform, workflows and administration do not', () => {
    const pooler = Number(new URL(inject('poolerUrl')).port)
    expect(product.server.admin.port).not.toBe(pooler)
    expect(product.server.migratorAddress('any').port).not.toBe(pooler)
  })

  const prepared = statement<{ name: string }>(
    'pooler_test',
    'SELECT name FROM core.company WHERE name <> $1',
  )
  const askPrepared = (usePreparedStatements: boolean): Promise<unknown> =>
    manyAtOnce(() =>
      gate(usePreparedStatements).readTenant(location, null, SYSTEM, (tx) => tx.prepared(prepared, [''])),
    )

  test('control: named prepared statements are lost there', async () => {
    await expect(askPrepared(true)).rejects.toMatchObject({ code: expect.stringMatching(/^(26000|42P05)$/) })
    await pools.close(tenant.id)
  })

  test('without names the same statements work', async () => {
    await askPrepared(false)
  })

  const leftBehind = async (): Promise<string[]> => {
    const seen = await manyAtOnce(() =>
      withClient(address, async (client) => {
        const { rows } = await client.query<{ company: string | null }>(
          `SELECT current_setting('erp.company_id', true) AS company, pg_sleep(0.002)`,
        )
        return rows[0]?.company ?? ''
      }),
    )
    return seen.filter((company) => company !== '')
  }

  test('what a transaction says of itself is gone with it, on every connection', async () => {
    await manyAtOnce(() =>
      gate(false).writeTenant(location, tenant.companyId, SYSTEM, (tx) =>
        tx.rows(sql`SELECT pg_sleep(0.002)`.compile(tenantSql)),
      ),
    )
    expect(await leftBehind()).toEqual([])
  })

  test('control: what is said of a session is found by strangers', async () => {
    await withClient(address, (client) => client.query(`SET erp.company_id = '${tenant.companyId}'`))
    expect((await leftBehind()).length).toBeGreaterThan(0)
    await withClient(product.server.admin, (client) =>
      client.query('SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = $1', [
        address.database,
      ]),
    )
  })
})

describe('just after a change of password', () => {
  /** PgBouncer opens a connection for somebody who came with the old one; then one comes with the new. */
  async function answersToNewcomer(poolerUrl: string): Promise<string[]> {
    const other = await product.createTenant()
    const { renewed: _, ...own } = await (await product.directory.byId(other.id))!.location.address()
    const old = { ...own, port: Number(new URL(poolerUrl).port) }
    const before = await connect(old, 2_000)
    await before.query('SELECT 1')
    await product.server.changeRuntimePassword(old.user, 'a-new-one')
    await withClient(product.server.admin, (client) =>
      client.query('SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = $1', [
        old.user,
      ]),
    )
    const failing = before.query('SELECT 1').catch(() => {})
    await sleep(50)
    const answers: string[] = []
    for (let time = 0; time < 4; time++) {
      const client = await connect({ ...old, password: 'a-new-one' }, 5_000)
      answers.push(
        await client.query('SELECT 1').then(
          () => 'in',
          (error: Error) => error.message,
        ),
      )
      await client.end().catch(() => {})
      await sleep(150)
    }
    await before.end().catch(() => {})
    await failing
    return answers
  }

  test('whoever comes with the new one is soon let in', async () => {
    expect((await answersToNewcomer(inject('poolerUrl'))).slice(-2)).toEqual(['in', 'in'])
  })

  test('control: as PgBouncer is by default, everybody is turned away', async () => {
    const slow = await startPgbouncer(inject('adminUrl'), { server_login_retry: '15' })
    try {
      const answers = await answersToNewcomer(slow.url)
      expect(answers.at(-1)).toContain('server login has been failing')
    } finally {
      await slow.stop()
    }
  })
})

describe('through the pooler', () => {
  /** As somebody would who asks nobody for a newer password. */
  const enter = (change: Partial<DatabaseAddress>): Promise<unknown> => {
    const { host, port, database, user, password, ssl } = { ...address, ...change }
    return withClient(
      { host, port, database, user, password, ssl },
      async (client) => (await client.query('SELECT user AS me')).rows,
    )
  }
  const refused = { code: '08P01', message: expect.stringMatching(/authentication failed|no such user/) }

  test("a tenant's role enters its own database only", async () => {
    expect(await enter({})).toEqual([{ me: address.user }])
    const other = await product.createTenant()
    const { database } = await (await product.directory.byId(other.id))!.location.address()
    await expect(enter({ database })).rejects.toMatchObject(refused)
    // Not even the one that looks passwords up gets in there.
    await expect(connect({ ...address, database: 'postgres' }, 500)).rejects.toMatchObject({ status: 503 })
  })

  test('a wrong password, a stranger and a superuser are refused', async () => {
    await expect(enter({ password: 'wrong' })).rejects.toMatchObject(refused)
    await expect(enter({ user: 'nobody_known' })).rejects.toMatchObject(refused)
    const { user, password } = product.server.admin
    await expect(enter({ user, password })).rejects.toMatchObject(refused)
  })

  test('the role that looks passwords up can do nothing else, and no tenant can do what it does', async () => {
    const { username, password } = new URL(inject('poolerUrl'))
    const lookUp = `SELECT username FROM pooler.login('${address.user}')`
    const asPooler = (text: string): Promise<unknown> =>
      withClient(
        { ...product.server.admin, database: address.database, user: username, password },
        (client) => client.query(text).then(({ rows }) => rows),
      )
    expect(await asPooler(lookUp)).toEqual([{ username: address.user }]) // control
    for (const other of ['erp_migrator', 'postgres', username]) {
      expect(await asPooler(`SELECT username FROM pooler.login('${other}')`)).toEqual([])
    }
    for (const text of ['SELECT * FROM core.company', 'SELECT * FROM pg_authid', 'CREATE SCHEMA mine']) {
      await expect(asPooler(text)).rejects.toMatchObject({ code: '42501' })
    }
    await expect(withClient(address, (client) => client.query(lookUp))).rejects.toMatchObject({
      code: '42501',
    })
  })
})
