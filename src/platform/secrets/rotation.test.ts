/**
 * The master key is changed while processes of the old and the new configuration run side by side, on a
 * PostgreSQL of its own: the key belongs to the server. Everything is asked of real processes.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { beginSecondFactor, confirmSecondFactor, login } from '../../erp/identity/contract.ts'
import { listCompanies } from '../../erp/companies/contract.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../tenancy/embedded.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { codeOf } from '../../testing/authenticator.ts'
import { Client } from '../../testing/client.ts'
import { ADMIN_PASSWORD, environmentOn, signIn, signInAsOperator, tenantBody } from '../../testing/product.ts'
import {
  ERP,
  eventually,
  runErp,
  spawnProcess,
  startProcess,
  type ServerProcess,
} from '../../testing/process.ts'
import { createTenant } from '../tenants/contract.ts'
import { sealedColumns, sealedTenantColumns } from './rotation.ts'

const OLD = 'the-old-key-of-the-rotation-test-0123456789'
const NEW = 'the-new-key-of-the-rotation-test-9876543210'
const [oldId, newId] = [new Secrets(OLD).keyId, new Secrets(NEW).keyId]
const MANY = 3_000

const directory = mkdtempSync(join(tmpdir(), 'erp-rotation-'))
let postgres: EmbeddedPostgres
let environment: Record<string, string>
let platform: pg.Client
let before: ServerProcess
let between: ServerProcess

const withKeys = (key: string, previous = ''): Record<string, string> => ({
  ...environment,
  SECRET_KEY: key,
  SECRET_KEY_PREVIOUS: previous,
})

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ directory })
  environment = environmentOn(postgres.adminUrl, 'erp_platform', { DATA_DIR: join(directory, 'data') })
  before = await startProcess(withKeys(OLD))
  platform = new pg.Client(environment['DATABASE_URL'])
  await platform.connect()
})
afterAll(async () => {
  await Promise.all([before.stop(), between?.stop()])
  await platform.end()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A tenant made by one process, its administrator signed in there. */
async function tenantMadeBy(server: ServerProcess): Promise<Client> {
  const body = tenantBody({ tenantCode: `KEY_${randomBytes(3).toString('hex')}` })
  ;(await (await signInAsOperator(new Client(server.url))).call(createTenant, { body })).ok()
  return (await signIn(new Client(server.url).with({ tenant: body.tenantCode }), body.adminEmail)).client
}
const ask = async (client: Client, server: ServerProcess): Promise<number> =>
  (await new Client(server.url).with(client.options).call(listCompanies, {})).status

async function inTenant<Row extends object>(code: string, text: string): Promise<Row[]> {
  const url = new URL(postgres.adminUrl)
  url.pathname = `/erp_tenant_${code.toLowerCase()}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const sealedWith = async (keyId: string): Promise<number> => {
  const { rows } = await platform.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT sealed_runtime_password AS s FROM platform.tenant
       UNION ALL SELECT sealed_runtime_password FROM platform.ready_database) AS all_of_them
     WHERE split_part(s, '.', 2) = $1`,
    [keyId],
  )
  return rows[0]?.count ?? 0
}

test('every column of sealed texts is known', async () => {
  const { rows } = await platform.query<{ name: string }>(
    `SELECT format('%s.%s.%s', table_schema, table_name, column_name) AS name FROM information_schema.columns
     WHERE table_schema = 'platform' AND column_name LIKE 'sealed\\_%' ORDER BY 1`,
  )
  const known = sealedColumns.map(({ table, column }) => `${table}.${column}`)
  expect(rows.map(({ name }) => name)).toEqual(known.toSorted())
  expect(known.length).toBeGreaterThan(4) // control: there is something to compare
})

describe('the master key', { timeout: 300_000 }, () => {
  let ofOld: Client
  let ofNew: Client
  /** Of the authenticator app of the old tenant's administrator. */
  let secret = ''
  let recoveryCodes: string[] = []
  const factorOf = async (client: Client): Promise<{ sealed: string; userId: string }> => {
    const [row] = await inTenant<{ sealed: string; userId: string }>(
      client.options.tenant ?? '',
      'SELECT sealed_secret AS sealed, user_id AS "userId" FROM core.second_factor',
    )
    return row!
  }

  test('of another server is refused, and changes nothing', async () => {
    ofOld = await tenantMadeBy(before)
    secret = (await ofOld.call(beginSecondFactor)).ok().secret
    const body = { code: codeOf(secret, -1) }
    recoveryCodes = (await ofOld.call(confirmSecondFactor, { body })).ok().recoveryCodes
    expect((await factorOf(ofOld)).sealed.split('.')[1]).toBe(oldId) // control
    const { code, stderr } = await runErp(['secrets', 'status'], withKeys(NEW), 120_000)
    expect([code, stderr]).toEqual([1, expect.stringContaining('SECRET_KEY is not the one')])
    expect(await ask(ofOld, before)).toBe(200)
  })

  test('every column of sealed texts in a tenant is known', async () => {
    const rows = await inTenant<{ name: string }>(
      ofOld.options.tenant ?? '',
      `SELECT format('%s.%s.%s', table_schema, table_name, column_name) AS name FROM information_schema.columns
     WHERE column_name LIKE 'sealed\\_%' ORDER BY 1`,
    )
    const known = sealedTenantColumns.map(({ table, column }) => `${table}.${column}`)
    expect(rows.map(({ name }) => name)).toEqual(known.toSorted())
  })

  test('may be given beside the old one: processes of before and after serve the same tenants', async () => {
    between = await startProcess(withKeys(NEW, OLD))
    ofNew = await tenantMadeBy(between)
    for (const server of [before, between]) {
      expect([await ask(ofOld, server), await ask(ofNew, server)]).toEqual([200, 200])
    }
    // A tenant that only the new process has made must open for the old one too: it is sealed with the old key.
    expect(await sealedWith(newId)).toBe(0)
  })

  test('is not changed while a process runs that does not know the new one', async () => {
    const { code, stderr } = await runErp(['secrets', 'rotate'], withKeys(NEW, OLD), 120_000)
    expect([code, stderr]).toEqual([1, expect.stringContaining('1 running process(es) do not know')])
    expect(await ask(ofNew, before)).toBe(200)
    await before.stop()
  })

  test('killed in the middle: what is sealed with either key serves, and the next one finishes', async () => {
    const old = new Secrets(OLD)
    const sealed = Array.from({ length: MANY }, (_, index) => old.seal('a password', `role_${index}`))
    await platform.query(
      `INSERT INTO platform.ready_database (server_id, database_name, runtime_role, sealed_runtime_password, template_fingerprint, state)
       SELECT s.id, 'none_' || n, 'role_' || (n - 1), sealed, 'none', 'building'
       FROM platform.server s, unnest($1::text[]) WITH ORDINALITY AS x (sealed, n)`,
      [sealed],
    )
    // One that nothing opens keeps none of the others from their key, and is named.
    await platform.query(
      `UPDATE platform.ready_database SET runtime_role = 'not its role' WHERE runtime_role = 'role_7'`,
    )
    const killed = spawnProcess(ERP, ['secrets', 'rotate'], withKeys(NEW, OLD))
    while ((await sealedWith(newId)) === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    await killed.kill()
    const left = await sealedWith(oldId)
    expect(left).toBeGreaterThan(0) // control: it was in the middle
    // Signed by the old key, and verified by a process that was told of the new one meanwhile.
    expect([await ask(ofOld, between), await ask(ofNew, between)]).toEqual([200, 200])

    const { code, stdout, stderr } = await runErp(['secrets', 'rotate'], withKeys(NEW, OLD), 120_000)
    expect([code, stderr]).toEqual([1, expect.stringContaining('opened by none of the keys')])
    expect(stdout).toContain(`key ${newId} is in use`)
    expect([await sealedWith(oldId), await sealedWith(newId)]).toEqual([1, MANY - 1 + 2])
    const { rows: auditKeys } = await platform.query<{ keyId: string }>(
      `SELECT split_part(sealed_key, '.', 2) AS "keyId" FROM platform.audit_key`,
    )
    expect(new Set(auditKeys.map(({ keyId }) => keyId))).toEqual(new Set([newId]))
    await platform.query(
      `UPDATE platform.ready_database SET runtime_role = 'role_7' WHERE runtime_role = 'not its role'`,
    )
    expect((await runErp(['secrets', 'rotate'], withKeys(NEW, OLD), 120_000)).code).toBe(0)
    expect(await sealedWith(oldId)).toBe(0)
    const { rows } = await platform.query<{ role: string; sealed: string }>(
      `SELECT runtime_role AS role, sealed_runtime_password AS sealed FROM platform.ready_database`,
    )
    const only = new Secrets(NEW)
    expect(new Set(rows.map(({ role, sealed: text }) => only.open(text, role)))).toEqual(
      new Set(['a password']),
    )
    await platform.query(`DELETE FROM platform.ready_database WHERE template_fingerprint = 'none'`)
    // In tenants' databases too: the administrator's app is known by the new key alone.
    const factor = await factorOf(ofOld)
    expect(only.open(factor.sealed, `second-factor/${factor.userId}`)).toBe(secret)
    const status = await runErp(['secrets', 'status'], withKeys(NEW, OLD), 120_000)
    expect(status.stdout).toContain(`${newId}\tcore.second_factor.sealed_secret\t1`)
    expect(status.stdout).not.toContain(`${oldId}\t`)
  })

  test('afterwards the running process serves on, and makes tenants', async () => {
    expect([await ask(ofOld, between), await ask(ofNew, between)]).toEqual([200, 200])
    expect(await ask(await tenantMadeBy(between), between)).toBe(200)
  })

  test('the old one is of no use any more: a process with the new key alone does everything', async () => {
    await between.stop()
    between = await startProcess(withKeys(NEW))
    // Its tokens were signed by the old key: they end with it, and signing in gives new ones.
    expect(await ask(ofOld, between)).toBe(401)
    const made = await eventually(() => tenantMadeBy(between), 120_000, 1_000) // places are given out when it has looked at its server
    expect(await ask(made, between)).toBe(200)
    const { code, stderr } = await runErp(['secrets', 'status'], withKeys(OLD), 120_000)
    expect([code, stderr]).toEqual([1, expect.stringContaining('SECRET_KEY is not the one')])
  })

  test('lost for good: with another one and new passwords, as the guide says, tenants are served again', async () => {
    const credentials = {
      tenant: ofOld.options.tenant ?? '',
      email: `ann@${ofOld.options.tenant?.toLowerCase().replaceAll('_', '-')}.example`,
    }
    await between.stop()
    await platform.query('COMMENT ON ROLE erp_migrator IS NULL')
    await platform.query('UPDATE platform.tenant SET sealed_next_runtime_password = NULL')
    const third = withKeys('a-third-key-of-the-rotation-test-5555555555')
    between = await startProcess(third)
    const atHome = new Client(between.url).with({ tenant: credentials.tenant })
    await expect(signIn(atHome, credentials.email)).rejects.toThrow(/SERVER_ERROR|UNAVAILABLE/) // control
    const { code, stderr } = await runErp(['tenants', 'rotate-password', '--all'], third, 120_000)
    expect([code, stderr]).toEqual([0, expect.any(String)])
    // What was sealed is lost: an app's codes cannot be checked, but a recovery code lets in, and then the app is set up anew.
    const body = { email: credentials.email, password: ADMIN_PASSWORD, totp: recoveryCodes[0]! }
    ;(await atHome.call(login, { body })).ok()
  })
})
