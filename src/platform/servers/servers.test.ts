/** Several database servers: two real ones at once, one of them behind a way that can be cut. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Static } from 'typebox'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { addressOf, DatabaseServer, withClient } from '../../tenancy/databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../tenancy/embedded.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { Network } from '../../testing/network.ts'
import { eventually } from '../../testing/process.ts'
import { SECRET_KEY, startTestProduct, tenantBody, type TestProduct } from '../../testing/product.ts'
import { createTenant, type TenantBody } from '../tenants/contract.ts'
import {
  changeServer,
  checkServer,
  getServer,
  listServers,
  registerServer,
  removeServer,
  type Server,
  type ServerBody,
} from './contract.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-servers-'))
let postgres: EmbeddedPostgres
let product: TestProduct
let admin: DatabaseAddress
let way: Network
/** The second one, asked past the product. */
let second: DatabaseServer
let server: Static<typeof Server>

beforeAll(async () => {
  ;[postgres, product] = await Promise.all([startEmbeddedPostgres({ directory }), startTestProduct()])
  admin = addressOf(postgres.adminUrl, false)
  second = new DatabaseServer(admin, new Secrets(SECRET_KEY))
  way = new Network(admin)
  await way.open()
})
afterAll(async () => {
  await product.stop()
  await way.close()
  await second.close()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

function serverBody(change: Partial<Static<typeof ServerBody>> = {}): Static<typeof ServerBody> {
  return {
    name: 'second',
    kind: 'dedicated',
    host: '127.0.0.1',
    port: way.port,
    sslMode: 'disable',
    adminUser: admin.user,
    adminPassword: admin.password,
    adminDatabase: 'postgres',
    ...change,
  }
}

async function refusedServer(change: Partial<Static<typeof ServerBody>>): Promise<readonly string[]> {
  return (await product.operator.call(registerServer, { body: serverBody(change) })).refusals
}

/** On the run's own PostgreSQL other tests may have left a database of theirs open. */
function ofTheServer(refusals: readonly string[]): readonly string[] {
  return refusals.filter((refusal) => refusal !== 'host OPEN_DATABASE')
}

async function newTenant(body: Partial<Static<typeof TenantBody>> = {}): Promise<Static<typeof TenantBody>> {
  const whole = tenantBody(body)
  ;(await product.operator.call(createTenant, { body: whole })).ok()
  return whole
}

async function livesOn(code: string): Promise<string[]> {
  const database = `erp_tenant_${code.toLowerCase()}`
  const [here, there] = await Promise.all([product.server.exists(database), second.exists(database)])
  return [...(here ? ['main'] : []), ...(there ? ['second'] : [])]
}

const asAdmin = (text: string): Promise<unknown> => withClient(admin, (client) => client.query(text))

describe('registering tells what is wrong', () => {
  test.each([
    ['nobody there', { port: 1 }, ['host UNREACHABLE']],
    ['no such name', { host: 'no-such-host.invalid' }, ['host UNREACHABLE']],
    ['another password', { adminPassword: 'wrong' }, ['adminUser REFUSED']],
    ['another user', { adminUser: 'nobody' }, ['adminUser REFUSED']],
    ['no such database', { adminDatabase: 'nowhere' }, ['adminDatabase NOT_THERE']],
    ['no TLS', { sslMode: 'require' }, ['sslMode NO_TLS']],
  ] as const)('%s', async (_name, change, expected) => {
    expect(await refusedServer(change)).toEqual(expected)
  })

  test('something else that listens there: within seconds, and without a word of what it said', async () => {
    const { port } = new URL(product.url)
    const startedAt = performance.now()
    const answer = await product.operator.call(registerServer, { body: serverBody({ port: Number(port) }) })
    expect(answer.refusals).toEqual(['host UNREACHABLE'])
    expect(JSON.stringify(answer.error)).not.toMatch(/HTTP|400|ECONN|Bad Request/)
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  test('missing rights, all at once', async () => {
    await asAdmin(`CREATE ROLE weak LOGIN PASSWORD 'weak'`)
    const weak = { adminUser: 'weak', adminPassword: 'weak' }
    expect(await refusedServer(weak)).toEqual([
      'adminUser NO_CREATEDB',
      'adminUser NO_CREATEROLE',
      'host OPEN_DATABASE',
    ])
    await asAdmin('ALTER ROLE weak CREATEDB')
    expect(await refusedServer(weak)).toEqual(['adminUser NO_CREATEROLE', 'host OPEN_DATABASE'])
    await asAdmin('DROP ROLE weak')
  })

  test('the server that is configured already', async () => {
    const main = product.server.admin
    const body = { host: main.host, port: main.port, adminUser: main.user, adminPassword: main.password }
    expect(ofTheServer(await refusedServer(body))).toEqual(['host KNOWN'])
  })

  test('a server of another installation', async () => {
    const foreign = `COMMENT ON ROLE erp_migrator IS 'solution-erp key deadbeef'`
    await asAdmin(`CREATE ROLE erp_migrator; ${foreign}`)
    expect(await refusedServer({})).toEqual(['host FOREIGN'])
    await asAdmin('CREATE DATABASE being_made') // open until its maker has shut it
    const refused = refusedServer({})
    await sleep(150)
    await asAdmin('REVOKE CONNECT ON DATABASE being_made FROM PUBLIC')
    expect(await refused).toEqual(['host FOREIGN'])
    await asAdmin('DROP DATABASE being_made')
    await asAdmin('DROP ROLE erp_migrator')
  })

  test('a database that every tenant could enter', async () => {
    await asAdmin('CREATE DATABASE open_to_all')
    expect(await refusedServer({})).toEqual(['host OPEN_DATABASE'])
    await asAdmin('DROP DATABASE open_to_all')
  })

  test('shapes that are none', async () => {
    const host = 'a b; rm'
    expect(await refusedServer({ host, port: 70_000 })).toEqual(
      expect.arrayContaining([expect.stringMatching(/^host /), expect.stringMatching(/^port /)]),
    )
  })

  test('control: with everything right it is registered, prepared and shown without its password', async () => {
    const answer = await product.operator.call(registerServer, { body: serverBody() })
    server = answer.ok()
    expect(server).toMatchObject({
      name: 'second',
      kind: 'dedicated',
      state: 'active',
      tenants: 0,
      health: { isReachable: true, version: expect.stringMatching(/^1[5-9]/), lastError: null },
    })
    expect(JSON.stringify(server)).not.toContain(admin.password)
    expect(await refusedServer({ name: 'Second', port: admin.port })).toEqual([
      'host KNOWN',
      'name DUPLICATE',
    ])
    const { servers } = (await product.operator.call(listServers, {})).ok()
    expect(servers.map(({ name }) => name)).toEqual(['main', 'second'])
  })

  test('the password is kept sealed', async () => {
    const text = await withClient(
      { ...product.server.admin, database: new URL(product.configuration.databaseUrl!).pathname.slice(1) },
      async (client) => JSON.stringify((await client.query('SELECT * FROM platform.server')).rows),
    )
    expect(text).toContain(way.port.toString()) // control: it is the row that we mean
    expect(text).not.toContain(admin.password)
    expect(text).not.toContain('"postgres"}') // nor is the user
  })
})

describe('a tenant', () => {
  test('on a server of its own has its database there, and only there', async () => {
    const tenant = await product.createTenant({ serverId: server.id })
    expect((await tenant.admin.call(me)).ok()).toMatchObject({ role: 'Administrator' })
    expect(await livesOn(tenant.code)).toEqual(['second'])
    expect(await second.exists(product.databases.template)).toBe(true)
  })

  test('control: one for which no server was asked stays off the dedicated one', async () => {
    expect(await livesOn((await product.createTenant()).code)).toEqual(['main'])
  })

  test('is refused a server that is not there', async () => {
    const body = tenantBody({ serverId: newId() })
    expect((await product.operator.call(createTenant, { body })).refusals).toEqual(['serverId NO_ROOM'])
  })

  test('goes to the emptiest shared server, with a ready database of that server', async () => {
    const params = { id: server.id }
    await product.operator.call(changeServer, { params, body: { kind: 'shared', databaseLimit: 1_000 } })
    const [main] = (await product.operator.call(listServers, {})).ok().servers
    await product.operator.call(changeServer, { params: { id: main!.id }, body: { databaseLimit: 3 } })
    const { tenantCode } = await newTenant()
    expect(await livesOn(tenantCode)).toEqual(['second'])
  })

  test('gets no place on a full or draining one, nor when two take the last at once', async () => {
    const params = { id: server.id }
    const { tenants } = (await product.operator.call(getServer, { params })).ok()
    const [main] = (await product.operator.call(listServers, {})).ok().servers
    await product.operator.call(changeServer, { params: { id: main!.id }, body: { state: 'full' } })
    await product.operator.call(changeServer, { params, body: { databaseLimit: tenants + 1 } })
    const bodies = [tenantBody(), tenantBody(), tenantBody()]
    const answers = await Promise.all(bodies.map((body) => product.operator.call(createTenant, { body })))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 503, 503])
    const full = await product.operator.call(createTenant, { body: tenantBody({ serverId: server.id }) })
    expect(full.error.message).toBe(`Server second is full: ${tenants + 1} of ${tenants + 1} databases`)

    await product.operator.call(changeServer, { params, body: { databaseLimit: null, state: 'draining' } })
    const drained = await product.operator.call(createTenant, { body: tenantBody({ serverId: server.id }) })
    expect(drained.error.message).toBe('Server second is being drained and takes no tenants')
    expect((await product.operator.call(createTenant, { body: tenantBody() })).status).toBe(503)
    // Control: with the state given back there is room.
    await product.operator.call(changeServer, { params, body: { state: 'active' } })
    expect((await product.operator.call(createTenant, { body: tenantBody() })).status).toBe(201)
    const open = { state: 'active', databaseLimit: null } as const
    await product.operator.call(changeServer, { params: { id: main!.id }, body: open })
  })
})

describe('a server that is away', () => {
  test(
    'its tenants get 503 with Retry-After, others go on, and within 5 s of its return all is well',
    { timeout: 60_000 },
    async () => {
      const there = await product.createTenant({ serverId: server.id })
      const here = await product.createTenant({ serverId: (await product.servers.list())[0]!.id })
      way.shut()
      const startedAt = performance.now()
      const answer = await there.admin.call(me)
      expect(performance.now() - startedAt).toBeLessThan(5_000)
      expect(answer.status).toBe(503)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.error.code).toBe('UNAVAILABLE')
      expect(JSON.stringify(answer.error)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/)
      expect((await here.admin.call(me)).status).toBe(200) // control: it is that server, not the product

      const params = { id: server.id }
      const health = (await product.operator.call(checkServer, { params })).ok().health
      expect(health).toMatchObject({ isReachable: false, lastError: 'No PostgreSQL server answers there' })
      const asked = tenantBody({ serverId: server.id })
      const refused = await product.operator.call(createTenant, { body: asked })
      expect(refused.error.message).toBe('Server second does not answer')
      expect(await livesOn((await newTenant()).tenantCode)).toEqual(['main'])
      const metrics = await (await fetch(`${product.url}/metrics`)).text()
      expect(metrics).toContain('erp_server_up{server="second"} 0')
      expect(metrics).toContain('erp_server_up{server="main"} 1')

      way.mend()
      await eventually(async () => expect((await there.admin.call(me)).status).toBe(200), 5_000)
      expect((await product.operator.call(checkServer, { params })).ok().health.isReachable).toBe(true)
    },
  )
})

describe('changing', () => {
  test('the address: not to a server without its tenants, nor to one that does not answer', async () => {
    const params = { id: server.id }
    const main = product.server.admin
    const elsewhere = { host: main.host, port: main.port, adminUser: main.user, adminPassword: main.password }
    const refused = await product.operator.call(changeServer, { params, body: elsewhere })
    expect(ofTheServer(refused.refusals)).toEqual(['host ANOTHER_SERVER', 'host KNOWN'])
    const adminPassword = admin.password
    const nowhere = await product.operator.call(changeServer, { params, body: { port: 1, adminPassword } })
    expect(nowhere.refusals).toEqual(['host UNREACHABLE'])
    // Control: another way to the same server is taken, and its tenants follow.
    const body = { port: admin.port, adminPassword }
    const direct = await product.operator.call(changeServer, { params, body })
    expect(direct.ok().port).toBe(admin.port)
    const before = way.count
    const tenant = await product.createTenant({ serverId: server.id })
    expect((await tenant.admin.call(me)).status).toBe(200)
    expect(way.count).toBe(before)
  })

  test('of the address takes the password again: what we keep is told to no server that somebody names', async () => {
    const params = { id: server.id }
    const heard: string[] = []
    const listener = createServer((socket) => {
      heard.push('a connection')
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const { port } = listener.address() as AddressInfo
    for (const elsewhere of [{ port }, { host: '127.0.0.2' }, { sslMode: 'require' as const }]) {
      const answer = await product.operator.call(changeServer, { params, body: elsewhere })
      expect(answer.refusals).toEqual(['adminPassword REQUIRED'])
    }
    expect(heard).toEqual([])
    // Control: with one, which is the caller's to give away, it is gone to; the same address needs none.
    await product.operator.call(changeServer, { params, body: { port, adminPassword: 'theirs' } })
    expect(heard.length).toBeGreaterThan(0)
    listener.close()
    const { port: known } = (await product.operator.call(getServer, { params })).ok()
    ;(await product.operator.call(changeServer, { params, body: { port: known! } })).ok()
  })

  test('of an address that the configuration names is refused', async () => {
    const [main] = (await product.operator.call(listServers, {})).ok().servers
    const answer = await product.operator.call(changeServer, {
      params: { id: main!.id },
      body: { host: 'elsewhere' },
    })
    expect(answer.refusals).toEqual(['host CONFIGURED'])
  })

  test('what somebody else has changed meanwhile is refused', async () => {
    const params = { id: server.id }
    const { updatedAt } = (await product.operator.call(getServer, { params })).ok()
    const headers = { 'if-match': `"${updatedAt}"` }
    expect(
      (await product.operator.call(changeServer, { params, body: { region: 'eu' } }, headers)).status,
    ).toBe(200)
    expect(
      (await product.operator.call(changeServer, { params, body: { region: 'us' } }, headers)).status,
    ).toBe(412)
  })
})

describe('a template that a process of another version drops before it is copied', () => {
  async function makeBlank(drops: number): Promise<void> {
    const there = await product.servers.get(server.id)
    const create = there.create.bind(there)
    let left = drops
    const dropping = vi.spyOn(there, 'create').mockImplementation(async (database, template, owner) => {
      if (template !== undefined && left-- > 0) await there.drop(template)
      return create(database, template, owner)
    })
    try {
      await product.databases.makeBlank(server.id, 'blank')
      expect(await there.exists('blank')).toBe(true)
    } finally {
      dropping.mockRestore()
      await there.drop('blank')
    }
  }

  test('is made again', () => makeBlank(2))
  test('control: not for ever', async () => {
    await expect(makeBlank(9)).rejects.toThrow('does not exist')
    await makeBlank(0)
  })
})

describe('taking away', () => {
  test('is refused while tenants live there, and for the configured one', async () => {
    const used = await product.operator.call(removeServer, { params: { id: server.id } })
    expect(used.status).toBe(409)
    expect(used.error.message).toMatch(/^\d+ tenant\(s\) live on this server/)
    const [main] = (await product.operator.call(listServers, {})).ok().servers
    expect((await product.operator.call(removeServer, { params: { id: main!.id } })).status).toBe(409)
  })

  test('leaves nothing of ours behind, and the name is free', { timeout: 120_000 }, async () => {
    const third = mkdtempSync(join(tmpdir(), 'erp-servers-'))
    const other = await startEmbeddedPostgres({ directory: third })
    const { port } = addressOf(other.adminUrl, false)
    // Its administrator is no superuser: what the README asks for must be enough.
    const owner = addressOf(other.adminUrl, false)
    await withClient(owner, (c) => c.query(`CREATE ROLE keeper LOGIN CREATEDB CREATEROLE PASSWORD 'keeper'`))
    const rights = { adminUser: 'keeper', adminPassword: 'keeper' }
    const body = serverBody({ name: 'third', kind: 'dedicated', port, ...rights })
    expect((await product.operator.call(registerServer, { body })).refusals).toEqual(['host OPEN_DATABASE'])
    await withClient(owner, (c) =>
      c.query(
        'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO keeper',
      ),
    )
    const added = (await product.operator.call(registerServer, { body })).ok()
    const asked = tenantBody({ serverId: added.id })
    // One that could not be made has left only its row, which must not be in the way.
    const client = addressOf(other.adminUrl, false)
    await withClient(client, (c) => c.query(`CREATE DATABASE erp_tenant_${asked.tenantCode.toLowerCase()}`))
    expect((await product.operator.call(createTenant, { body: asked })).status).toBe(503)
    await withClient(client, (c) => c.query(`DROP DATABASE erp_tenant_${asked.tenantCode.toLowerCase()}`))
    expect((await product.operator.call(removeServer, { params: { id: added.id } })).status).toBe(200)
    const left = await withClient(client, async (c) => {
      const { rows } = await c.query<{ name: string }>(
        `SELECT datname AS name FROM pg_database WHERE datname LIKE 'erp%'
         UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'erp_runtime%'`,
      )
      return rows
    })
    expect(left).toEqual([])
    expect((await product.operator.call(getServer, { params: { id: added.id } })).status).toBe(404)
    expect((await product.operator.call(registerServer, { body })).status).toBe(201)
    await other.stop()
    rmSync(third, { recursive: true, force: true })
  })
})
