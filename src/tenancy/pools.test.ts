import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { Problem } from '../kernel/problem.ts'
import { freePort, Network } from '../testing/network.ts'
import { eventually } from '../testing/process.ts'
import { addressOf, withClient } from './databases.ts'
import { ConnectionPools, isConnectionLoss, type DatabaseAddress, type PoolLimits } from './pools.ts'

const admin = addressOf(inject('adminUrl'), false)
const names = Array.from({ length: 8 }, (_, index) => `pools_test_${process.pid}_${index}`)
let opened: ConnectionPools[] = []
let held: pg.Client[] = []

beforeAll(() =>
  withClient(admin, async (client) => {
    for (const name of names) await client.query(`CREATE DATABASE ${name} STRATEGY file_copy`)
  }),
)
afterEach(async () => {
  await Promise.all(opened.map((pools) => pools.closeAll()))
  await Promise.all(held.map((client) => client.end().catch(() => {})))
  opened = []
  held = []
  await eventually(async () => expect(await serverCount()).toBe(0), 5_000, 10)
})
afterAll(() =>
  withClient(admin, async (client) => {
    for (const name of names) await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
  }),
)

function makePools(limits: Partial<PoolLimits> = {}): ConnectionPools {
  const pools = new ConnectionPools({
    connectionsMaximum: 4,
    connectionsPerDatabaseMaximum: 3,
    waitMs: 1_000,
    ...limits,
  })
  opened.push(pools)
  return pools
}

function addressOfDatabase(index: number): () => Promise<DatabaseAddress> {
  return () => Promise.resolve({ ...admin, database: names[index] ?? '' })
}

async function acquire(pools: ConnectionPools, index: number): Promise<pg.Client> {
  const client = await pools.acquire(`db${index}`, addressOfDatabase(index))
  if (!held.includes(client)) held.push(client)
  return client
}

async function nameOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name')
  return rows[0]?.name ?? ''
}

async function processOf(client: pg.Client): Promise<number> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0
}

/** What PostgreSQL itself counts, so that a wrong figure of ours is not believed. */
function serverCount(): Promise<number> {
  return withClient(admin, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = ANY($1)`,
      [names],
    )
    return rows[0]?.count ?? 0
  })
}

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Problem) return error
  throw new Error(`Expected a Problem, got ${String(error)}`)
}

describe('the ceiling', () => {
  test('holds with many databases under load, and nobody is turned away who can be served', async () => {
    const pools = makePools({ waitMs: 20_000 })
    let highest = 0
    let watching = true
    const watcher = (async () => {
      while (watching) {
        highest = Math.max(highest, await serverCount())
        await sleep(5)
      }
    })()
    const seen = await Promise.all(
      Array.from({ length: 160 }, async (_, index) => {
        const database = index % names.length
        const client = await acquire(pools, database)
        const name = await nameOf(client)
        expect(pools.figures().connections).toBeLessThanOrEqual(4)
        pools.release(client, false)
        return name === names[database]
      }),
    )
    watching = false
    await watcher
    expect(seen.filter(Boolean)).toHaveLength(160) // every one on its own database
    // A connection that is being closed is still counted by the server for a moment.
    expect(highest).toBeLessThanOrEqual(4 + 4)
    expect(highest).toBeGreaterThan(0)
  })

  test('one database gets no more than its share', async () => {
    const pools = makePools()
    const three = await Promise.all([acquire(pools, 0), acquire(pools, 0), acquire(pools, 0)])
    const fourth = acquire(pools, 0)
    await sleep(100)
    expect(pools.figures()).toMatchObject({ connections: 3, waiting: 1 })
    pools.release(three[0], false)
    expect(await fourth).toBe(three[0])
  })

  test('control: with a higher ceiling the same watching sees more', async () => {
    const pools = makePools({ connectionsMaximum: 16, connectionsPerDatabaseMaximum: 2 })
    await Promise.all(names.map((_, index) => acquire(pools, index)))
    expect(pools.figures().connections).toBe(8)
    expect(await serverCount()).toBe(8)
  })
})

describe('waiting', () => {
  test('ends with 503 and Retry-After when no connection becomes free in time', async () => {
    const pools = makePools({ waitMs: 200 })
    await Promise.all([acquire(pools, 0), acquire(pools, 0), acquire(pools, 0)])
    const startedAt = Date.now()
    const problem = await refusal(acquire(pools, 0))
    expect(problem).toMatchObject({ status: 503, code: 'UNAVAILABLE', retryAfterSeconds: 1 })
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(190)
    expect(Date.now() - startedAt).toBeLessThan(1_500)
    expect(pools.figures().waiting).toBe(0)
  })

  test('has a bound: the one too many is refused at once', async () => {
    const pools = makePools({ waitersPerDatabaseMaximum: 2, connectionsPerDatabaseMaximum: 1 })
    await acquire(pools, 0)
    const waiting = [refusal(acquire(pools, 0)), refusal(acquire(pools, 0))]
    expect((await refusal(acquire(pools, 0))).message).toContain('too many are waiting')
    await Promise.all(waiting)
  })

  test('first come, first served', async () => {
    const pools = makePools({ connectionsPerDatabaseMaximum: 1 })
    const client = await acquire(pools, 0)
    const order: number[] = []
    const waiting = [1, 2, 3, 4].map(async (position) => {
      const got = await acquire(pools, 0)
      order.push(position)
      pools.release(got, false)
    })
    pools.release(client, false)
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3, 4])
  })

  test('a modest database is served soon however greedy another one is', async () => {
    const pools = makePools({ connectionsMaximum: 3, waitMs: 5_000 })
    let busy = true
    const greedy = Array.from({ length: 20 }, async () => {
      while (busy) {
        const client = await acquire(pools, 0)
        await client.query('SELECT pg_sleep(0.005)')
        pools.release(client, false)
      }
    })
    await sleep(50)
    const waitsMs: number[] = []
    for (let round = 0; round < 10; round++) {
      const startedAt = Date.now()
      const client = await acquire(pools, 1)
      waitsMs.push(Date.now() - startedAt)
      pools.release(client, false)
      await sleep(10)
    }
    busy = false
    await Promise.all(greedy)
    // Twenty wait before it in the greedy one's queue; fairly shared it waits for one turn and an opening.
    expect(Math.max(...waitsMs)).toBeLessThan(1_000)
  })

  test('a connection that becomes idle makes room for another database that waits', async () => {
    // Both hold one; neither is greedier than the other. The second wants one more while the first goes idle.
    const pools = makePools({ connectionsMaximum: 2, waitMs: 1_000 })
    const [first] = await Promise.all([acquire(pools, 0), acquire(pools, 1)])
    const waiting = acquire(pools, 1)
    await sleep(20)
    pools.release(first, false)
    expect(await nameOf(await waiting)).toBe(names[1])
  })
})

describe('idle connections', () => {
  test('are used again', async () => {
    const pools = makePools()
    const client = await acquire(pools, 0)
    pools.release(client, false)
    expect(await acquire(pools, 0)).toBe(client)
  })

  test('are closed after a while', { timeout: 15_000 }, async () => {
    const pools = makePools({ idleMs: 50 })
    const client = await acquire(pools, 0)
    pools.release(client, false)
    await sleep(5_500) // the sweeper comes every five seconds
    expect(pools.figures()).toEqual({ databases: 0, connections: 0, idle: 0, waiting: 0 })
    expect(await serverCount()).toBe(0)
  })

  test('the least recently used one gives way when room is needed', async () => {
    const pools = makePools()
    const clients = await Promise.all([0, 1, 2, 3].map((index) => acquire(pools, index)))
    for (const index of [0, 1, 2, 3]) pools.release(clients[index]!, false)
    pools.release(await acquire(pools, 0), false) // 0 was used again: 1 is the oldest now
    const fifth = await acquire(pools, 4)
    expect(await nameOf(fifth)).toBe(names[4])
    expect(pools.figures()).toMatchObject({ connections: 4, databases: 4 })
    expect(await acquire(pools, 0)).toBe(clients[0])
    pools.release(fifth, false)
    expect(await acquire(pools, 1)).not.toBe(clients[1])
  })

  test('one that the server has closed is not handed out', async () => {
    const pools = makePools()
    const client = await acquire(pools, 0)
    const pid = await processOf(client)
    pools.release(client, false)
    await withClient(admin, (other) => other.query('SELECT pg_terminate_backend($1, 2000)', [pid]))
    await sleep(50)
    expect(await nameOf(await acquire(pools, 0))).toBe(names[0])
  })
})

describe('broken connections', () => {
  test('are closed, not given to the next one; the room they held is free again', async () => {
    const pools = makePools({ connectionsPerDatabaseMaximum: 1 })
    const client = await acquire(pools, 0)
    const waiting = acquire(pools, 0)
    pools.release(client, true)
    const next = await waiting
    expect(next).not.toBe(client)
    expect(await nameOf(next)).toBe(names[0])
    expect(pools.figures()).toMatchObject({ connections: 1 })
  })

  test('control: an unbroken one is given on as it is', async () => {
    const pools = makePools({ connectionsPerDatabaseMaximum: 1 })
    const client = await acquire(pools, 0)
    const waiting = acquire(pools, 0)
    pools.release(client, false)
    expect(await waiting).toBe(client)
  })

  test('a server that does not answer is 503, and holds no room afterwards', async () => {
    const pools = makePools({ waitMs: 300 })
    const nobody = { ...admin, port: 1 }
    const problem = await refusal(pools.acquire('gone', () => Promise.resolve(nobody)))
    expect(problem).toMatchObject({ status: 503, retryAfterSeconds: 1 })
    expect(pools.figures()).toEqual({ databases: 0, connections: 0, idle: 0, waiting: 0 })
  })

  test('an address that cannot be found out leaves no room taken', async () => {
    const pools = makePools()
    await expect(pools.acquire('bad', () => Promise.reject(new Error('no address')))).rejects.toThrow(
      'no address',
    )
    expect(pools.figures()).toEqual({ databases: 0, connections: 0, idle: 0, waiting: 0 })
  })

  test.each([
    ['ECONNREFUSED', true],
    ['57P01', true],
    ['53300', true],
    ['23505', false],
    ['42501', false],
  ])('error %s is a lost connection: %s', (code, expected) => {
    expect(isConnectionLoss(Object.assign(new Error('x'), { code }))).toBe(expected)
  })
})

describe('opening', () => {
  test('is tried again until the server is there', async () => {
    const port = await freePort()
    const pools = makePools({ waitMs: 5_000 })
    const address = { ...admin, database: names[0] ?? '', port }
    const waiting = pools.acquire('late', () => Promise.resolve(address))
    await sleep(300)
    const network = new Network(admin)
    await network.open(port)
    const client = await waiting
    held.push(client)
    expect(await nameOf(client)).toBe(names[0])
    await network.close()
  })

  test('control: of a server that stays away ends within the time to wait', async () => {
    const pools = makePools({ waitMs: 400 })
    const startedAt = Date.now()
    await refusal(pools.acquire('gone', () => Promise.resolve({ ...admin, port: 1 })))
    expect(Date.now() - startedAt).toBeGreaterThan(100)
    expect(Date.now() - startedAt).toBeLessThan(1_500)
  })

  test('of a server that says nothing holds up one request at a time, and no room of others', async () => {
    const network = new Network(admin)
    await network.open()
    network.silence()
    const pools = makePools({ waitMs: 500 })
    const silent = { ...admin, database: names[0] ?? '', port: network.port }
    const ask = (key: string): Promise<Problem> => refusal(pools.acquire(key, () => Promise.resolve(silent)))
    await ask('first') // finds out
    const startedAt = Date.now()
    const second = ask('second')
    await Promise.all(['third', 'fourth', 'fifth', 'sixth'].map(ask))
    expect(Date.now() - startedAt).toBeLessThan(300)
    expect(pools.figures().connections).toBe(1)
    const other = await acquire(pools, 1)
    expect(await nameOf(other)).toBe(names[1])
    await second
    await network.close()
  })

  test('asks again for an address whose password is refused, once', async () => {
    let asked = 0
    const renewed = async (): Promise<DatabaseAddress> => {
      asked++
      return { ...admin, database: names[0] ?? '' }
    }
    const stale = { ...admin, database: names[0] ?? '', password: 'of-yesterday' }
    const pools = makePools()
    const client = await pools.acquire('stale', () => Promise.resolve({ ...stale, renewed }))
    held.push(client)
    expect([await nameOf(client), asked]).toEqual([names[0], 1])
    const still = async (): Promise<DatabaseAddress> => {
      asked++
      return { ...stale, renewed: still }
    }
    await expect(pools.acquire('wrong', () => Promise.resolve({ ...stale, renewed: still }))).rejects.toMatchObject({ code: '28P01' }) // prettier-ignore
    expect(asked).toBe(2)
    // Control: an address that nobody can renew is refused as it is.
    await expect(pools.acquire('plain', () => Promise.resolve(stale))).rejects.toMatchObject({
      code: '28P01',
    })
  })
})

describe('opening anew', () => {
  test('gives everybody fresh connections and turns nobody away', async () => {
    const pools = makePools({ connectionsPerDatabaseMaximum: 2 })
    const [busy, idle] = await Promise.all([acquire(pools, 0), acquire(pools, 0)])
    const waiting = [acquire(pools, 0), acquire(pools, 0)]
    const before = await Promise.all([processOf(busy), processOf(idle)])
    pools.release(idle, false) // one of the two who wait gets the connection of before
    const first = await waiting[0]!
    expect(first).toBe(idle)
    await pools.renew('db0')
    const second = await waiting[1]!
    expect(before).not.toContain(await processOf(second))
    for (const client of [busy, first, second]) pools.release(client, false)
    const after = await Promise.all([acquire(pools, 0), acquire(pools, 0)])
    for (const client of after) expect(before).not.toContain(await processOf(client))
    expect(pools.figures().connections).toBe(2)
  })

  test('with the ceiling reached serves those who wait when the old ones come back', async () => {
    const pools = makePools({ connectionsMaximum: 1 })
    const old = await acquire(pools, 0)
    const waiting = acquire(pools, 0)
    await pools.renew('db0')
    pools.release(old, false)
    expect(await waiting).not.toBe(old)
    expect(await nameOf(await waiting)).toBe(names[0])
  })
})

describe('whatever happens in whatever order', () => {
  /** Requests for databases by chance, some broken, some ended by the server, pools closed and renewed between. */
  async function strangers(steps: readonly Step[], keyOf: (database: number) => string): Promise<number> {
    const pools = makePools({ waitMs: 20_000 })
    let wrong = 0
    await Promise.all(
      steps.map(async ({ afterMs, what, database }) => {
        await sleep(afterMs)
        const key = keyOf(database)
        if (what === 'close') return pools.close(key)
        if (what === 'renew') return pools.renew(key)
        const client = await pools.acquire(key, addressOfDatabase(database)).catch(() => undefined) // closed meanwhile
        if (!client) return
        held.push(client)
        try {
          if ((await nameOf(client)) !== names[database]) wrong++
          if (what === 'end') await client.query('SELECT pg_terminate_backend(pg_backend_pid())')
          if (what === 'hold') await client.query('SELECT pg_sleep(0.003)')
          pools.release(client, what === 'break')
        } catch {
          pools.release(client, true)
        }
      }),
    )
    await pools.closeAll()
    expect(pools.figures()).toEqual({ databases: 0, connections: 0, idle: 0, waiting: 0 })
    return wrong
  }

  interface Step {
    afterMs: number
    what: string
    database: number
  }
  const steps = fc.array(
    fc.record({
      afterMs: fc.nat(40),
      what: fc.constantFrom('use', 'use', 'use', 'hold', 'break', 'end', 'close', 'renew'),
      database: fc.nat(5),
    }),
    { minLength: 10, maxLength: 60 },
  )

  test('nobody is given the connection of another database', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (chosen) => {
        expect(await strangers(chosen, (database) => `db${database}`)).toBe(0)
      }),
      { numRuns: 25 },
    )
  })

  test('control: two databases under one key are found out', async () => {
    const chosen = Array.from({ length: 20 }, (_, index) => ({ afterMs: index, what: 'use', database: index % 2 })) // prettier-ignore
    expect(await strangers(chosen, () => 'one key')).toBeGreaterThan(0)
  })
})

describe('closing', () => {
  test('a forgotten database closes its idle connections now and its busy ones when they come back', async () => {
    const pools = makePools()
    const [busy, idle] = await Promise.all([acquire(pools, 0), acquire(pools, 0)])
    pools.release(idle, false)
    await pools.close('db0')
    expect(pools.figures()).toEqual({ databases: 0, connections: 1, idle: 0, waiting: 0 })
    pools.release(busy, false)
    expect(pools.figures().connections).toBe(0)
    await expect(nameOf(busy)).rejects.toThrow()
  })

  test('a busy connection of before never serves what was opened under the name since', async () => {
    // A tenant that was moved: the same key, another database.
    const pools = makePools()
    const before = await pools.acquire('moved', addressOfDatabase(0))
    await pools.close('moved')
    const after = await pools.acquire('moved', addressOfDatabase(1))
    held.push(before, after)
    pools.release(before, false)
    pools.release(after, false)
    const served = await Promise.all([
      pools.acquire('moved', addressOfDatabase(1)),
      pools.acquire('moved', addressOfDatabase(1)),
    ])
    held.push(...served)
    expect(await Promise.all(served.map(nameOf))).toEqual([names[1], names[1]])
  })

  test('those who wait are told, and nothing is given out afterwards', async () => {
    const pools = makePools({ connectionsPerDatabaseMaximum: 1 })
    await acquire(pools, 0)
    const waiting = refusal(acquire(pools, 0))
    await pools.closeAll()
    expect(await waiting).toMatchObject({ status: 503 })
    expect(await refusal(acquire(pools, 1))).toMatchObject({ status: 503 })
  })
})
