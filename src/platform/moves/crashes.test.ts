/**
 * Moves die or fail at every one of their moments, in real processes, on two PostgreSQL servers of their own,
 * so that every database and role on them can be counted. A move ends done or taken back; either way the
 * books are whole, people work, and nothing is left over.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJournalEntry } from '../../erp/ledger/contract.ts'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Client } from '../../testing/client.ts'
import { entryBody } from '../../testing/entries.ts'
import {
  eventually,
  spawnTestProgram,
  startProcess,
  whenReady,
  type ServerProcess,
} from '../../testing/process.ts'
import { environmentOn, signIn, signInAsOperator, tenantBody } from '../../testing/product.ts'
import { startSecondServer, type SecondServer } from '../../testing/servers.ts'
import { createTenant, listTenants } from '../tenants/contract.ts'
import { listMoves, moveTenant } from './contract.ts'
import { moveSteps } from './moving.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-moves-'))
let first: SecondServer
let second: SecondServer
let healthy: ServerProcess
let operator: Client
let secondId: string
let environment: Record<string, string>

beforeAll(async () => {
  ;[first, second] = await Promise.all([startSecondServer(['fsync=off']), startSecondServer(['fsync=off'])])
  const { host, port, user, password } = first.admin
  environment = environmentOn(`postgres://${user}:${password}@${host}:${port}`, 'platform_moves', {
    DATA_DIR: join(directory, 'data'),
    CONNECTION_WAIT_MS: '10000', // many processes at once keep the machine busy
  })
  healthy = await startProcess(environment)
  operator = await signInAsOperator(new Client(healthy.url))
  secondId = await second.register(operator)
})
afterAll(async () => {
  await healthy.stop()
  await Promise.all([first.stop(), second.stop()])
  rmSync(directory, { recursive: true, force: true })
})

interface Customer {
  readonly id: string
  readonly code: string
  readonly email: string
}

/** A tenant with three entries in its books. */
async function newCustomer(code: string): Promise<Customer> {
  const body = tenantBody({ tenantCode: code })
  const { tenant } = (await operator.call(createTenant, { body })).ok()
  const customer = { id: tenant.id, code, email: body.adminEmail }
  for (const name of ['one', 'two', 'three']) await post(customer, name)
  return customer
}

async function post({ code, email }: Customer, description: string): Promise<void> {
  const { client } = await signIn(new Client(healthy.url).with({ tenant: code }), email)
  ;(await client.call(createJournalEntry, { body: entryBody('12.50', description) })).ok()
}

/** Asks a server that is about to die; at most a few moves go on at a time, the others ask again. */
async function askToMove(server: ServerProcess, { id }: Customer): Promise<void> {
  // The same session: signing in anew would end the oldest one.
  const asking = new Client(server.url, operator.options)
  await eventually(async () => {
    const answer = await asking
      .call(moveTenant, { params: { id }, body: { serverId: secondId } })
      .catch(() => undefined)
    expect([202, 409, undefined]).toContain(answer?.status)
  }, 60_000)
}

/** `done`, `failed: why` … */
async function statusOfMove({ id }: Customer): Promise<string> {
  const { moves } = (await operator.call(listMoves, { params: { id }, query: {} })).ok()
  const { status, error } = moves[0] ?? { status: 'none', error: null }
  return error === null ? status : `${status}: ${error}`
}

async function namesOn(address: DatabaseAddress, text: string): Promise<string[]> {
  return withClient(address, async (client) =>
    (await client.query<{ name: string }>(text)).rows.map(({ name }) => name),
  )
}

/** The tenant is on the server its row says, on no other, with its books whole, and it can go on writing. */
async function isWhole(customer: Customer, expected: readonly string[]): Promise<void> {
  const { tenants } = (await operator.call(listTenants, { query: { search: customer.code } })).ok()
  const serverId = tenants.find(({ id }) => id === customer.id)?.serverId
  const database = `erp_tenant_${customer.code.toLowerCase()}`
  const query = `SELECT datname AS name FROM pg_database WHERE datname = '${database}'`
  const [here, there] = await Promise.all([namesOn(first.admin, query), namesOn(second.admin, query)])
  expect([here.length, there.length]).toEqual(serverId === secondId ? [0, 1] : [1, 0])
  await post(customer, 'afterwards')
  const at = { ...(serverId === secondId ? second : first).admin, database }
  const entries = await namesOn(at, 'SELECT description AS name FROM finance.journal_entry ORDER BY sequence')
  expect(entries).toEqual([...expected, 'afterwards'])
}

/** Databases and roles that no row accounts for, on both servers. */
async function orphans(): Promise<string[]> {
  const platform = addressOf(environment['DATABASE_URL'] ?? '', false)
  const left: string[] = []
  for (const [where, { admin }, isFirst] of [
    ['first', first, true],
    ['second', second, false],
  ] as const) {
    const known = new Set(
      await namesOn(
        platform,
        `SELECT unnest(ARRAY[t.database_name, t.runtime_role]) AS name FROM platform.tenant t
           JOIN platform.server s ON s.id = t.server_id WHERE (s.host IS NULL) = ${isFirst}
         UNION ALL SELECT unnest(ARRAY[m.kept_database, t.runtime_role]) FROM platform.tenant_move m
           JOIN platform.tenant t ON t.id = m.tenant_id JOIN platform.server s ON s.id = m.from_server_id
           WHERE m.kept_database IS NOT NULL AND m.dropped_at IS NULL AND (s.host IS NULL) = ${isFirst}`,
      ),
    )
    const there = await namesOn(
      admin,
      `SELECT datname AS name FROM pg_database WHERE datname ~ '^erp_(tenant|ready|moving|moved)_'
       UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^erp_runtime_'`,
    )
    left.push(...there.filter((name) => !known.has(name)).map((name) => `${where}: ${name}`))
  }
  return left
}

const ENTRIES = ['one', 'two', 'three']
const moments = moveSteps.flatMap((step) => [`move ${step}:before`, `move ${step}:after`])

describe('killed at a step', () => {
  test('every moment is tried', () => {
    expect(moments).toHaveLength(14)
  })

  test.concurrent.each(moments)(
    '%s: another process takes over within 30 seconds and brings it to its end',
    { timeout: 180_000 },
    async (moment) => {
      const customer = await newCustomer(`K_${moment.replaceAll(/\W/g, '_')}`)
      const crashing = await startCrashing({ CRASH_AT: moment, OF_TENANT: customer.code })
      await askToMove(crashing, customer)
      await crashing.exited
      const diedAt = Date.now()
      await eventually(async () => expect(await statusOfMove(customer)).toMatch(/^(done|failed)/), 60_000)
      expect(Date.now() - diedAt).toBeLessThan(30_000)
      expect(await statusOfMove(customer)).toBe('done')
      await isWhole(customer, ENTRIES)
    },
  )

  test.concurrent.each(['move compensation:before', 'move compensation:after'])(
    '%s: another process ends it, one way or the other',
    { timeout: 180_000 },
    async (moment) => {
      const customer = await newCustomer(`C_${moment.replaceAll(/\W/g, '_')}`)
      const crashing = await startCrashing({
        CRASH_AT: moment,
        FAIL_AT: 'move compare',
        OF_TENANT: customer.code,
      })
      await askToMove(crashing, customer)
      await crashing.exited
      await eventually(async () => expect(await statusOfMove(customer)).toMatch(/^(done|failed)/), 60_000)
      await eventually(async () => isWhole(customer, ENTRIES), 20_000, 20_000)
    },
  )

  test('nothing is left over: no database and no role without its row', async () => {
    await eventually(async () => expect(await orphans()).toEqual([]), 90_000, 1_000)
    // Control: an orphan would be noticed.
    await namesOn(second.admin, 'CREATE DATABASE erp_moving_orphan STRATEGY file_copy')
    expect(await orphans()).toEqual(['second: erp_moving_orphan'])
    await namesOn(second.admin, 'DROP DATABASE erp_moving_orphan')
  })
})

function startCrashing(how: Record<string, string>): Promise<ServerProcess> {
  return whenReady(spawnTestProgram('crashing-server.ts', [], { ...environment, ...how }))
}

describe('two processes at once', () => {
  test('do each step once, whoever does it', { timeout: 120_000 }, async () => {
    const workers = await Promise.all([
      startCrashing({ TELL_STEPS: '1' }),
      startCrashing({ TELL_STEPS: '1' }),
    ])
    const customer = await newCustomer('TWICE')
    await askToMove(workers[0]!, customer)
    await eventually(async () => expect(await statusOfMove(customer)).toBe('done'), 60_000)
    await sleep(7_000) // longer than it takes to look for the dead
    const told = workers.flatMap((worker) => [...worker.output().matchAll(/step move ([a-z ]+) of (\S+)/g)])
    const steps = told.filter(([, , id]) => id === customer.id).map(([, step]) => step)
    expect(steps).toEqual([...moveSteps])
    await Promise.all(workers.map((worker) => worker.stop()))
    await isWhole(customer, ENTRIES)
  })

  test(
    'control: without another process a killed move stays as it was, writes held; the next start ends it',
    { timeout: 180_000 },
    async () => {
      const customer = await newCustomer('ALONE')
      const crashing = await startCrashing({ CRASH_AT: 'move last rows:before', OF_TENANT: customer.code })
      await healthy.stop()
      const asking = new Client(crashing.url, operator.options)
      await asking
        .call(moveTenant, { params: { id: customer.id }, body: { serverId: secondId } })
        .catch(() => {})
      await crashing.exited
      await sleep(7_000)
      const running = `SELECT m.status AS name FROM platform.tenant_move m JOIN platform.tenant t ON t.id = m.tenant_id WHERE tenant_code = 'ALONE'`
      expect(await namesOn(addressOf(environment['DATABASE_URL'] ?? '', false), running)).toEqual(['running'])
      const held = `SELECT unnest(setconfig) AS name FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'erp_tenant_alone'`
      expect(await namesOn(first.admin, held)).toEqual(['default_transaction_read_only=on'])
      healthy = await startProcess(environment)
      operator = await signInAsOperator(new Client(healthy.url))
      await eventually(async () => expect(await statusOfMove(customer)).toMatch(/^(done|failed)/), 60_000)
      await isWhole(customer, ENTRIES)
      await eventually(async () => expect(await orphans()).toEqual([]), 60_000, 1_000)
    },
  )
})
