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
  /** Asked once when the password is refused: it may have been changed since the address was found out. */
  readonly renewed?: () => Promise<DatabaseAddress>
}

export interface PoolLimits {
  readonly connectionsMaximum: number
  readonly connectionsPerDatabaseMaximum: number
  readonly waitMs: number
  readonly waitersPerDatabaseMaximum?: number
  readonly idleMs?: number
  /** A statement that is not answered by then is on a connection that is dead, and takes it along. */
  readonly answerMs?: number
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

const OPENING_PAUSE_MS = 25
const OPENING_PAUSE_MAXIMUM_MS = 400
/** A little longer than a tenant's statement may take (see createRuntimeRole): the server's own limit speaks first. */
const ANSWER_MS = 35_000

export class ConnectionPools {
  readonly #limits: Required<PoolLimits>
  readonly #pools = new Map<string, Pool>()
  /** Which pool a connection counts for; a pool that was closed is not the one opened under its name since. */
  readonly #owners = new Map<pg.Client, Pool>()
  /** Servers that did not answer in time, and how many are trying them again; cleared by the first answer. */
  readonly #away = new Map<string, number>()
  readonly #sweeper: NodeJS.Timeout
  #connections = 0
  #closed = false

  constructor(limits: PoolLimits) {
    this.#limits = { waitersPerDatabaseMaximum: 500, idleMs: 30_000, answerMs: ANSWER_MS, ...limits }
    this.#sweeper = setInterval(() => this.#closeIdle(), 5_000)
    this.#sweeper.unref()
  }

  get waitMs(): number {
    return this.#limits.waitMs
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
    await this.#closeIdleOf(pool)
  }

  /**
   * Connections opened so far serve nobody new; those who wait get fresh ones. For a tenant whose password was
   * changed: nothing that was let in with the old one stays for long, and nobody is turned away.
   */
  async renew(key: string): Promise<void> {
    const pool = this.#pools.get(key)
    if (!pool) return
    this.#pools.set(key, { ...pool, idle: [], waiters: pool.waiters.splice(0), connections: 0 })
    await this.#closeIdleOf(pool)
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

  async #closeIdleOf(pool: Pool): Promise<void> {
    const closing = pool.idle.splice(0).map(({ client }) => this.#discard(pool, client))
    for (let freed = 0; freed < Math.max(closing.length, 1); freed++) this.#serveWaiters()
    await Promise.all(closing)
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
      const client = await this.#reach(await pool.address())
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

  /**
   * A server that is away is tried by one at a time, the others are told at once: waiting for it they would
   * hold the room that tenants of other servers need.
   */
  async #reach(address: DatabaseAddress): Promise<pg.Client> {
    const server = `${address.host}:${address.port}`
    const triedBy = this.#away.get(server)
    if (triedBy !== undefined) {
      if (triedBy > 0) throw unavailable('the database does not answer')
      this.#away.set(server, triedBy + 1)
    }
    try {
      const client = await connect(address, this.#limits.waitMs, { answerMs: this.#limits.answerMs })
      this.#away.delete(server)
      return client
    } catch (error) {
      if (error instanceof Problem && isAway(error.cause)) this.#away.set(server, 0)
      else this.#away.delete(server) // it answered, if only to refuse
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
 * A server that is starting or briefly away is tried again with growing pauses until the time is up, then
 * answered 503. `answerMs`: see PoolLimits. Streams (COPY) need a connection that is not pipelined.
 */
export async function connect(
  address: DatabaseAddress,
  timeoutMs: number,
  options: { answerMs?: number; isPipelined?: boolean } = {},
): Promise<pg.Client> {
  const deadline = Date.now() + timeoutMs
  let current = address
  let isRenewed = false
  for (let attempt = 1; ; attempt++) {
    const { renewed, ...where } = current
    const client = new pg.Client({
      ...where,
      types,
      pipeline: options.isPipelined ?? true,
      connectionTimeoutMillis: Math.max(deadline - Date.now(), 1),
      ...(options.answerMs === undefined ? {} : { query_timeout: options.answerMs }),
      keepAlive: true,
    } as pg.ClientConfig)
    // A connection lost while idle must not end the process; its pool hears of it by 'end'.
    client.on('error', () => client.end().catch(() => {}))
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      if (renewed && !isRenewed && isPasswordRefused(error)) {
        isRenewed = true
        current = await renewed()
        continue
      }
      if (isPasswordRefused(error) || !isConnectionLoss(error)) throw error
      const pauseMs = pauseBeforeTryMs(attempt)
      if (Date.now() + pauseMs >= deadline) throw unavailable('the database does not answer', error)
      await sleep(pauseMs)
    }
  }
}

/** Doubled each time, up to a bound; by chance up to half shorter, so that those who wait do not come all at once. */
export function pauseBeforeTryMs(attempt: number): number {
  const longest = Math.min(OPENING_PAUSE_MS * 2 ** attempt, OPENING_PAUSE_MAXIMUM_MS)
  return longest * (1 - Math.random() / 2)
}

/** For what makes its own connections with `pg`: asks for the password each time one is opened. */
export function clientConfig({ renewed, ...address }: DatabaseAddress): pg.ClientConfig {
  const password = renewed ? async () => (await renewed()).password : address.password
  return { ...address, password, keepAlive: true } as pg.ClientConfig
}

const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN',
]) // prettier-ignore
const CONNECTION_LOSS_CODES = new Set([
  // 08P01: a pooler's word for whatever keeps it from serving.
  '57P01', '57P02', '57P03', '08000', '08001', '08003', '08004', '08006', '08P01', '53300',
]) // prettier-ignore

export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  return isAway(error) || (code !== undefined && CONNECTION_LOSS_CODES.has(code))
}

/** Nobody answers there: no word came back from a PostgreSQL, other than that it is starting or stopping. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined && (UNREACHABLE_CODES.has(code) || code === '57P03')) return true
  return /Connection terminated|timeout expired|read timeout|not queryable|Connection ended/.test(
    error.message,
  )
}

/** By PostgreSQL, or by a pooler in its own words. */
function isPasswordRefused(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  if (code === '28P01' || code === '28000') return true
  return code === '08P01' && /authentication failed|no such user/.test(message ?? '')
}

function unavailable(reason: string, cause?: unknown): Problem {
  return new Problem(problems.unavailable, {
    message: `${problems.unavailable.message} (${reason})`,
    retryAfterSeconds: 1,
    cause,
  })
}
