/**
 * Connections, bounded on every side: a ceiling for the process, one per database, a bounded queue with a
 * time limit, and the least recently used idle connection of another database closed when room is
 * needed. A connection never changes hands between databases: it is closed and another one opened.
 *
 * Connections are pipelined: statements that do not wait for each other's rows travel together.
 */
import pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, problems } from '../kernel/problem.ts'

/**
 * Days and exact numbers stay text: a Date or a float would bend them. Instants become ISO 8601 in UTC with
 * their microseconds, which is also what a row's version (ETag) is made of.
 */
const parsers = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.DATE, String],
  [pg.types.builtins.NUMERIC, String],
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.TIMESTAMPTZ, instantOf],
])
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    parsers.get(oid) ?? (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format),
} as pg.CustomTypesConfig

function instantOf(text: string): string {
  if (text.endsWith('+00')) return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`
  return new Date(text).toISOString()
}

export interface DatabaseAddress {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
  readonly ssl: pg.ClientConfig['ssl']
}

export interface PoolLimits {
  readonly connectionsMaximum: number
  readonly connectionsPerDatabaseMaximum: number
  readonly waitMs: number
  readonly waitersPerDatabaseMaximum?: number
  readonly idleMs?: number
}

export interface PoolFigures {
  readonly databases: number
  readonly connections: number
  readonly idle: number
  readonly waiting: number
}

interface Waiter {
  readonly resolve: (client: pg.Client) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
}

interface Pool {
  readonly key: string
  address: () => Promise<DatabaseAddress>
  readonly idle: { client: pg.Client; since: number }[]
  readonly waiters: Waiter[]
  connections: number
}

const OPENING_ATTEMPTS = 3

export class ConnectionPools {
  readonly #limits: Required<PoolLimits>
  readonly #pools = new Map<string, Pool>()
  /** Which pool a connection counts for; a pool that was closed is not the one opened under its name since. */
  readonly #owners = new Map<pg.Client, Pool>()
  readonly #sweeper: NodeJS.Timeout
  #connections = 0
  #closed = false

  constructor(limits: PoolLimits) {
    this.#limits = { waitersPerDatabaseMaximum: 500, idleMs: 30_000, ...limits }
    this.#sweeper = setInterval(() => this.#closeIdle(), 5_000)
    this.#sweeper.unref()
  }

  async acquire(key: string, address: () => Promise<DatabaseAddress>): Promise<pg.Client> {
    if (this.#closed) throw unavailable('shutting down')
    const pool = this.#pool(key, address)
    const ready = pool.idle.pop()
    if (ready) return ready.client
    if (this.#claimRoom(pool)) return this.#open(pool)
    if (pool.waiters.length >= this.#limits.waitersPerDatabaseMaximum)
      throw unavailable('too many are waiting')
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        pool.waiters.splice(pool.waiters.indexOf(waiter), 1)
        reject(unavailable('no connection became free in time'))
      }, this.#limits.waitMs)
      const waiter: Waiter = { resolve, reject, timer }
      pool.waiters.push(waiter)
    })
  }

  /** `broken`: the connection's state is unknown; it is closed rather than given to the next one. */
  release(client: pg.Client, broken: boolean): void {
    const pool = this.#owners.get(client)
    if (!pool) return // closed by the server while it was out; what it counted for was given back then
    const isForgotten = this.#pools.get(pool.key) !== pool
    if (broken || this.#closed || isForgotten) {
      void this.#discard(pool, client)
      this.#serveWaiters()
      return
    }
    const starving = this.#starvingElsewhere(pool)
    if (starving) {
      void this.#discard(pool, client)
      this.#serveWaiters(starving)
      return
    }
    const waiter = pool.waiters.shift()
    if (waiter) {
      clearTimeout(waiter.timer)
      waiter.resolve(client)
    } else {
      pool.idle.push({ client, since: Date.now() })
      this.#touch(pool)
    }
  }

  /** Forgets a database: its idle connections close now, busy ones when they come back. */
  async close(key: string): Promise<void> {
    const pool = this.#pools.get(key)
    if (!pool) return
    this.#pools.delete(key)
    for (const waiter of pool.waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.reject(unavailable('the database was closed'))
    }
    const idle = pool.idle.splice(0)
    await Promise.all(idle.map(({ client }) => this.#discard(pool, client)))
  }

  async closeAll(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweeper)
    await Promise.all([...this.#pools.keys()].map((key) => this.close(key)))
  }

  figures(): PoolFigures {
    const pools = [...this.#pools.values()]
    return {
      databases: pools.length,
      connections: this.#connections,
      idle: pools.reduce((sum, pool) => sum + pool.idle.length, 0),
      waiting: pools.reduce((sum, pool) => sum + pool.waiters.length, 0),
    }
  }

  #pool(key: string, address: () => Promise<DatabaseAddress>): Pool {
    const known = this.#pools.get(key)
    if (known) {
      known.address = address
      this.#touch(known)
      return known
    }
    const pool: Pool = { key, address, idle: [], waiters: [], connections: 0 }
    this.#pools.set(key, pool)
    return pool
  }

  /** A Map keeps insertion order: the first pool is the least recently used one. */
  #touch(pool: Pool): void {
    this.#pools.delete(pool.key)
    this.#pools.set(pool.key, pool)
  }

  #claimRoom(pool: Pool): boolean {
    if (pool.connections >= this.#limits.connectionsPerDatabaseMaximum) return false
    if (this.#connections >= this.#limits.connectionsMaximum && !this.#closeOneIdle(pool)) return false
    this.#connections++
    pool.connections++
    return true
  }

  #closeOneIdle(except: Pool): boolean {
    for (const pool of this.#pools.values()) {
      const oldest = pool === except ? undefined : pool.idle.shift()
      if (!oldest) continue
      void this.#discard(pool, oldest.client)
      return true
    }
    return false
  }

  #discard(pool: Pool, client: pg.Client): Promise<void> {
    this.#giveBack(pool, client)
    return client.end().catch(() => {})
  }

  #giveBack(pool: Pool, client: pg.Client): void {
    if (!this.#owners.delete(client)) return
    this.#connections--
    pool.connections--
    this.#forgetEmpty(pool)
  }

  /** The server or the network ended it: it is neither handed out again nor counted any more. */
  #lost(pool: Pool, client: pg.Client): void {
    const index = pool.idle.findIndex((idle) => idle.client === client)
    if (index >= 0) pool.idle.splice(index, 1)
    this.#giveBack(pool, client)
    if (!this.#closed) this.#serveWaiters()
  }

  #forgetEmpty(pool: Pool): void {
    const empty = pool.connections === 0 && pool.waiters.length === 0
    if (empty && this.#pools.get(pool.key) === pool) this.#pools.delete(pool.key)
  }

  /**
   * Another database waits and only we can make room: it comes first when nobody waits here, or when it has
   * the smaller share.
   */
  #starvingElsewhere(pool: Pool): Pool | undefined {
    if (this.#connections < this.#limits.connectionsMaximum) return undefined
    for (const other of this.#pools.values()) {
      const hasFewer = pool.waiters.length === 0 || other.connections < pool.connections
      const mayOpen = other.connections < this.#limits.connectionsPerDatabaseMaximum
      if (other !== pool && other.waiters.length > 0 && hasFewer && mayOpen) return other
    }
    return undefined
  }

  #serveWaiters(first?: Pool): void {
    const pools = first ? [first, ...this.#pools.values()] : [...this.#pools.values()]
    for (const pool of pools) {
      if (pool.waiters.length === 0 || !this.#claimRoom(pool)) continue
      const waiter = pool.waiters.shift()
      if (!waiter) return
      clearTimeout(waiter.timer)
      this.#open(pool).then(waiter.resolve, waiter.reject)
      return
    }
  }

  async #open(pool: Pool): Promise<pg.Client> {
    try {
      const client = await connect(await pool.address(), this.#limits.waitMs)
      this.#owners.set(client, pool)
      client.once('end', () => this.#lost(pool, client))
      return client
    } catch (error) {
      this.#connections--
      pool.connections--
      this.#forgetEmpty(pool)
      this.#serveWaiters()
      throw error
    }
  }

  #closeIdle(): void {
    const before = Date.now() - this.#limits.idleMs
    for (const pool of this.#pools.values()) {
      while (pool.idle[0] && pool.idle[0].since < before) {
        const oldest = pool.idle.shift()
        if (oldest) void this.#discard(pool, oldest.client)
      }
    }
  }
}

/**
 * A server that is starting or briefly away is tried again with growing pauses, then answered 503. Streams
 * (COPY) need a connection that is not pipelined.
 */
export async function connect(
  address: DatabaseAddress,
  timeoutMs: number,
  isPipelined = true,
): Promise<pg.Client> {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({
      ...address,
      types,
      pipeline: isPipelined,
      connectionTimeoutMillis: timeoutMs,
      keepAlive: true,
    } as pg.ClientConfig)
    // A connection lost while idle must not end the process; its pool hears of it by 'end'.
    client.on('error', () => client.end().catch(() => {}))
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      if (!isConnectionLoss(error)) throw error
      if (attempt >= OPENING_ATTEMPTS) throw unavailable('the database does not answer', error)
      await sleep(50 * 4 ** (attempt - 1))
    }
  }
}

const CONNECTION_LOSS_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH',
  '57P01', '57P02', '57P03', '08000', '08001', '08003', '08004', '08006', '53300',
]) // prettier-ignore

export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined && CONNECTION_LOSS_CODES.has(code)) return true
  return /Connection terminated|timeout expired|not queryable|Connection ended/.test(error.message)
}

function unavailable(reason: string, cause?: unknown): Problem {
  return new Problem(problems.unavailable, {
    message: `${problems.unavailable.message} (${reason})`,
    retryAfterSeconds: 1,
    cause,
  })
}
