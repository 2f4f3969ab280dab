/** Holding a tenant's writes: nobody writes, nobody is broken off, everybody reads, and all go on after. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { announce } from '../platform/announcements.ts'
import { SYSTEM } from '../server/product.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { withClient } from './databases.ts'
import type { TenantLocation } from './gate.ts'
import { tenantSql, type TenantTx } from './handles.ts'
import { holdWrites, letWrite, openDatabase, shutDatabase, WritesGoOn, type HeldDatabase } from './hold.ts'

let product: TestProduct
let tenant: TestTenant
let location: TenantLocation
let held: HeldDatabase

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  location = (await product.directory.byId(tenant.id))!.location
  const { database, user } = await location.address()
  held = { server: product.server, database, role: user }
})
afterAll(() => product.stop())

const reconnect = (): Promise<void> =>
  product.gate.writePlatform(SYSTEM, (tx) => announce(tx, { kind: 'tenant', tenantId: tenant.id, reconnect: true })) // prettier-ignore
const write = <Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result> =>
  product.gate.writeTenant(location, null, SYSTEM, work)
const insert = (key: string) => (tx: TenantTx) =>
  tx.run(
    sql`INSERT INTO core.idempotency_key (scope, key, operation, request_hash, status, response)
      VALUES ('hold', ${key}, 'o', '\\x01', 200, 'r')`.compile(tenantSql),
  )
const keys = (): Promise<string[]> =>
  product.gate.readTenant(location, null, SYSTEM, async (tx) => {
    const query = sql<{ key: string }>`SELECT key FROM core.idempotency_key WHERE scope = 'hold' ORDER BY key`
    return (await tx.rows(query.compile(tenantSql))).map(({ key }) => key)
  })
/** As the owner, past the gate and whatever it lets wait. */
const keysThere = (): Promise<number> =>
  withClient(product.server.migratorAddress(held.database), async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM core.idempotency_key WHERE scope = 'hold'`,
    )
    return rows[0]?.count ?? -1
  })

beforeEach(() => write((tx) => tx.run(sql`DELETE FROM core.idempotency_key WHERE scope = 'hold'`.compile(tenantSql)))) // prettier-ignore

// Whatever a failing test has left held or shut is let go.
afterEach(async () => {
  await openDatabase(held)
  await letWrite(held)
})

describe('while writes are held', () => {
  test('writers wait, readers do not; let go, every writer has written once', async () => {
    await write(insert('0')) // control: and a connection that was good a moment ago
    await holdWrites(held, reconnect)
    let ended = 0
    const writers = ['1', '2', '3', '4'].map((key) => write(insert(key)).finally(() => ended++))
    await sleep(500)
    expect(ended).toBe(0)
    expect(await keys()).toEqual(['0'])
    await letWrite(held)
    await Promise.all(writers)
    expect(await keys()).toEqual(['0', '1', '2', '3', '4'])
  })

  test('one that is writing is waited for, not broken off', async () => {
    let letGo: () => void = () => {}
    const goOn = new Promise<void>((resolve) => (letGo = resolve))
    const writing = write(async (tx) => {
      await insert('before')(tx)
      await goOn
      await insert('after')(tx)
    })
    await sleep(200)
    let isHeld = false
    const holding = holdWrites(held, reconnect).then(() => (isHeld = true))
    await sleep(300)
    expect(isHeld).toBe(false)
    letGo()
    await writing
    await holding
    expect(await keysThere()).toBe(2)
    await letWrite(held)
  })

  test('one that does not end makes holding fail, and nothing is held', { timeout: 30_000 }, async () => {
    let letGo: () => void = () => {}
    const goOn = new Promise<void>((resolve) => (letGo = resolve))
    const writing = write(async (tx) => {
      await insert('slow')(tx)
      await goOn
    })
    await sleep(100)
    await expect(holdWrites(held, reconnect)).rejects.toThrow(WritesGoOn)
    await write(insert('other')) // others write on
    letGo()
    await writing
    expect(await keys()).toEqual(['other', 'slow'])
  })

  test('it holds also for a session that knows nothing of the gate', async () => {
    const address = await location.address()
    const statement = `INSERT INTO core.idempotency_key (scope, key, operation, request_hash, status, response)
      VALUES ('hold', 'past', 'o', '\\x01', 200, 'r')`
    const client = new pg.Client(address as pg.ClientConfig)
    client.on('error', () => {})
    await client.connect()
    await client.query(statement) // control: it may
    await holdWrites(held, reconnect)
    await expect(client.query(statement)).rejects.toThrow() // its session is gone
    await expect(withClient(address, (fresh) => fresh.query(statement))).rejects.toMatchObject({
      code: '25006',
    })
    await letWrite(held)
    expect(await keysThere()).toBe(1)
  })

  test(
    'under a stream of writers and readers: none fails, and none writes while held',
    { timeout: 60_000 },
    async () => {
      const failures: unknown[] = []
      let isRunning = true
      onTestFinished(() => void (isRunning = false))
      let written = 0
      const writer = async (name: string): Promise<void> => {
        for (let n = 0; isRunning && failures.length === 0; n++)
          await write(insert(`${name}-${n}`)).then(
            () => written++,
            (error: unknown) => failures.push(error),
          )
      }
      const reader = async (): Promise<void> => {
        while (isRunning && failures.length === 0)
          await keys().catch((error: unknown) => failures.push(error))
      }
      const all = [writer('a'), writer('b'), writer('c'), reader(), reader()]
      for (let round = 1; round <= 4; round++) {
        await sleep(300)
        await holdWrites(held, reconnect)
        const before = await keysThere()
        await sleep(300)
        expect(await keysThere()).toBe(before)
        await letWrite(held)
        // Control: they do write when they may.
        await expect.poll(keysThere, { timeout: 5_000 }).toBeGreaterThan(before)
      }
      isRunning = false
      await Promise.all(all)
      expect(failures).toEqual([])
      expect(await keysThere()).toBe(written)
    },
  )

  test('a request waits no longer than it may: then 503 with Retry-After', { timeout: 30_000 }, async () => {
    await holdWrites(held, reconnect)
    const startedAt = performance.now()
    await expect(write(insert('late'))).rejects.toMatchObject({ status: 503, retryAfterSeconds: 1 })
    expect(performance.now() - startedAt).toBeGreaterThan(8_000)
    expect(performance.now() - startedAt).toBeLessThan(13_000)
    await letWrite(held)
    expect(await keys()).toEqual([])
  })
})

describe('a database that is shut for a moment', () => {
  test('readers and writers wait, and none fails', async () => {
    await write(insert('0'))
    await shutDatabase(held, reconnect)
    let ended = 0
    const waiting = [write(insert('1')), keys(), keys()].map((one) => one.finally(() => ended++))
    await sleep(400)
    expect(ended).toBe(0)
    await openDatabase(held)
    await Promise.all(waiting)
    expect(await keys()).toEqual(['0', '1'])
  })
})
