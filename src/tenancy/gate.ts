/**
 * The gate: sole minter of handles. It finds the tenant's database, opens a transaction that knows who
 * acts and in which company, and commits or rolls back. Nothing else in the house opens a transaction.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { Problem, problems } from '../kernel/problem.ts'
import { isElsewhere, isHeld, UNLESS_HELD } from './hold.ts'
import { literal } from './sql-text.ts'
import { isConnectionLoss, pauseBeforeTryMs, type ConnectionPools, type DatabaseAddress } from './pools.ts'
import {
  Transaction,
  type Actor,
  type PlatformRead,
  type PlatformTx,
  type TenantRead,
  type TenantScope,
  type TenantTx,
} from './handles.ts'

/** Where a tenant's data lies; resolved by the platform, cached there. */
export interface TenantLocation {
  readonly tenantId: string
  readonly tenantCode: string
  /** As of now, whenever it is asked; `anew`: what is cached has turned out to be wrong. */
  readonly address: (anew?: boolean) => Promise<DatabaseAddress>
}

/**
 * What transactions leave in a tenant's database (mails, rows of the audit log to be sealed) is fetched by
 * someone who cannot ask thousands of databases: the platform is told of it before the tenant commits.
 */
export interface Visits {
  /** Resolves when the mark is written; undefined: there is a fresh one. */
  mark(tenantId: string, isUrgent: boolean): Promise<void> | undefined
  /** A transaction that called for a visit has committed; null: one of the platform's own. */
  committed(tenantId: string | null): void
}

export interface GateOptions {
  readonly tenantPools: ConnectionPools
  readonly platformPools: ConnectionPools
  readonly platformAddress: DatabaseAddress
  /** Off behind poolers older than PgBouncer 1.21, which lose named statements between transactions. */
  readonly usePreparedStatements?: boolean
  /** How long a request waits while its tenant's writes are held or its database changes its place. */
  readonly holdWaitMs?: number
  readonly visits?: Visits
}

type Mode = 'READ ONLY' | 'READ WRITE'

const PLATFORM = 'platform'
const OPENING_ANSWER_MS = 5_000
const HOLD_WAIT_MS = 10_000
/** Requests of one tenant that wait at the same time for its writes to be let go. */
const HELD_MAXIMUM = 500
/**
 * Writers plan a statement once a connection (their statements look rows up by key; planning each anew took
 * a tenth of a posting) and never scan a table from end to end: a plan made while a new tenant's tables were
 * almost empty would do so, and be kept while they grow, until autovacuum looks by.
 */
const WRITERS_PLANNING = `set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

/**
 * Nothing hangs on the end of a transaction that only read. Its COMMIT travels with the opening of the next
 * one on its connection, which saves a round trip, or alone after this pause.
 */
const READ_LINGERS_MS = 2

export class Gate {
  readonly #options: GateOptions
  /** Connections whose last reader is still to be committed. */
  readonly #lingering = new WeakMap<pg.Client, NodeJS.Timeout>()
  readonly #usePreparedStatements: boolean
  /** By tenant, how many requests wait for its writes to be let go. */
  readonly #held = new Map<string, number>()

  constructor(options: GateOptions) {
    this.#options = options
    this.#usePreparedStatements = options.usePreparedStatements ?? true
  }

  readTenant<Result>(
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantRead) => Promise<Result>,
  ): Promise<Result> {
    return this.#inTenant('READ ONLY', location, companyId, actor, work)
  }

  writeTenant<Result>(
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantTx) => Promise<Result>,
  ): Promise<Result> {
    return this.#inTenant('READ WRITE', location, companyId, actor, work)
  }

  readPlatform<Result>(actor: Actor, work: (tx: PlatformRead) => Promise<Result>): Promise<Result> {
    return this.#inPlatform('READ ONLY', actor, work)
  }

  writePlatform<Result>(actor: Actor, work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    return this.#inPlatform('READ WRITE', actor, work)
  }

  /** Forgets the tenant's connections, e.g. before its database is dropped or moved. */
  closeTenant(tenantId: string): Promise<void> {
    return this.#options.tenantPools.close(tenantId)
  }

  /** Opens the tenant's connections anew, e.g. because its password was changed; nobody notices. */
  renewTenant(tenantId: string): Promise<void> {
    return this.#options.tenantPools.renew(tenantId)
  }

  #inTenant<Result>(
    mode: Mode,
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantTx) => Promise<Result>,
  ): Promise<Result> {
    const scope = { tenantId: location.tenantId, tenantCode: location.tenantCode, companyId }
    const { tenantPools } = this.#options
    return this.#transact(
      mode,
      tenantPools,
      location.tenantId,
      location.address,
      actor,
      scope,
      work as Work<Result>,
    )
  }

  #inPlatform<Result>(mode: Mode, actor: Actor, work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    const { platformPools, platformAddress } = this.#options
    const address = (): Promise<DatabaseAddress> => Promise.resolve(platformAddress)
    return this.#transact(
      mode,
      platformPools,
      PLATFORM,
      address,
      actor,
      null,
      work as unknown as Work<Result>,
    )
  }

  /**
   * A transaction that could not be opened, because the connection it was given was dead, is tried again on
   * another one until the time to wait for a connection is up. Nothing of it can have happened: its first
   * statement failed, and everything else travelled behind that one. Where writes are held, or the database
   * is changing its place, the wait is a longer one.
   */
  async #transact<Result>(
    mode: Mode,
    pools: ConnectionPools,
    key: string,
    address: (anew?: boolean) => Promise<DatabaseAddress>,
    actor: Actor,
    scope: TenantScope | null,
    work: Work<Result>,
  ): Promise<Result> {
    const startedAtMs = Date.now()
    const { holdWaitMs = HOLD_WAIT_MS } = this.#options
    let isAskedAnew = false
    for (let attempt = 1; ; attempt++) {
      try {
        const client = await pools
          .acquire(key, () => address())
          .catch((error: unknown) => {
            throw scope !== null && isElsewhere(error) ? new NotOpened(error) : error
          })
        const transaction = new Transaction(client, actor, scope, this.#usePreparedStatements)
        return await this.#carryOut(mode, pools, client, transaction, work)
      } catch (error) {
        if (!(error instanceof NotOpened)) throw translated(error)
        const isChangingPlace = isElsewhere(error.cause)
        const isHeldBack = isChangingPlace || isHeld(error.cause)
        const pauseMs = pauseBeforeTryMs(attempt)
        if (Date.now() + pauseMs - startedAtMs >= (isHeldBack ? holdWaitMs : pools.waitMs))
          throw translated(error)
        if (isHeldBack) await this.#waitUntilLetGo(key, pauseMs)
        else await sleep(pauseMs)
        // What is cached may be wrong, though nobody told us; later the cache is renewed by its age.
        if (isChangingPlace && !isAskedAnew) await address(true)
        isAskedAnew ||= isChangingPlace
      }
    }
  }

  async #waitUntilLetGo(tenantId: string, pauseMs: number): Promise<void> {
    const waiting = this.#held.get(tenantId) ?? 0
    if (waiting >= HELD_MAXIMUM) throw new Problem(problems.unavailable, { retryAfterSeconds: 2 })
    this.#held.set(tenantId, waiting + 1)
    await sleep(pauseMs)
    const left = (this.#held.get(tenantId) ?? 1) - 1
    if (left > 0) this.#held.set(tenantId, left)
    else this.#held.delete(tenantId)
  }

  async #carryOut<Result>(
    mode: Mode,
    pools: ConnectionPools,
    client: pg.Client,
    transaction: Transaction,
    work: Work<Result>,
  ): Promise<Result> {
    let isBroken = false
    const tenantId = transaction.scope?.tenantId ?? null
    const { visits } = this.#options
    const marked = mode === 'READ WRITE' && tenantId !== null ? visits?.mark(tenantId, false) : undefined
    marked?.catch(() => {}) // told when it is awaited
    // Not awaited: the first statements of the work travel behind this one in the same packet.
    const opened = transaction.begin(
      `${this.#endOfLast(client)}${opening(mode, transaction.actor, transaction.scope)}`,
      OPENING_ANSWER_MS,
    )
    try {
      const result = await work(transaction as Transaction & TenantTx)
      await opened
      if (mode === 'READ WRITE') {
        await marked
        const { callsForVisit } = transaction
        // Asked again: the work may have taken longer than a mark is fresh, or left something urgent.
        if (tenantId !== null) await visits?.mark(tenantId, callsForVisit)
        await transaction.commit()
        if (callsForVisit) visits?.committed(tenantId)
      } else this.#letLinger(client, transaction)
      return result
    } catch (error) {
      const notOpened = await opened.then(() => undefined, whyNotOpened)
      // A session that may not write now never may: the database's word counts for those that begin later.
      const isLost = isConnectionLoss(error)
      isBroken = notOpened !== undefined || isLost || (await transaction.rollBack())
      throw notOpened ?? (isLost ? new TransactionLost(transaction.isCommitting, error) : error)
    } finally {
      pools.release(client, isBroken)
    }
  }

  #letLinger(client: pg.Client, transaction: Transaction): void {
    transaction.leave()
    const timer = setTimeout(() => {
      this.#lingering.delete(client)
      client.query('COMMIT').catch(() => {}) // a connection that was lost is told to its pool
    }, READ_LINGERS_MS)
    this.#lingering.set(client, timer)
  }

  #endOfLast(client: pg.Client): string {
    const timer = this.#lingering.get(client)
    if (!timer) return ''
    clearTimeout(timer)
    this.#lingering.delete(client)
    return 'COMMIT; '
  }
}

function whyNotOpened(reason: unknown): NotOpened | undefined {
  return isConnectionLoss(reason) || isHeld(reason) ? new NotOpened(reason) : undefined
}

/** The connection was lost in the middle of a transaction: 503, try again. */
export class TransactionLost extends Problem {
  /** Its COMMIT was under way: nobody knows whether it stands. Otherwise it does not, and may be done again. */
  readonly mayStand: boolean

  constructor(mayStand: boolean, cause: unknown) {
    super(problems.unavailable, { retryAfterSeconds: 1, cause })
    this.mayStand = mayStand
  }
}

/** The connection was lost before the transaction began on it, writes are held, or the database is elsewhere. */
class NotOpened extends Error {
  constructor(cause: unknown) {
    super('The transaction could not be opened', { cause })
  }
}

/**
 * One statement opens the transaction and says who acts, and where. A transaction that reads needs only the
 * company, for row-level security; what a writer leaves is also signed (see audit.record_change).
 */
function opening(mode: Mode, actor: Actor, scope: TenantScope | null): string {
  const company = literal(scope?.companyId ?? '')
  if (mode === 'READ ONLY') return `BEGIN READ ONLY; SET LOCAL erp.company_id = ${company}`
  const settings = {
    actor_kind: actor.kind,
    actor_id: actor.id,
    request_id: actor.requestId,
    address: actor.address,
    user_agent: actor.userAgent ?? null,
  }
  const signed = Object.entries(settings).map(
    ([name, value]) => `set_config('erp.${name}', ${literal(value ?? '')}, true)`,
  )
  const unlessHeld = scope === null ? '' : `${UNLESS_HELD}, `
  return `BEGIN; SELECT ${unlessHeld}set_config('erp.company_id', ${company}, true), ${signed.join(', ')}, ${WRITERS_PLANNING}`
}

type Work<Result> = (tx: Transaction & TenantTx) => Promise<Result>

/** Lost connections and overload are the database's weather, not our failure: 503, try again. */
function translated(failure: unknown): unknown {
  const isOpened = !(failure instanceof NotOpened)
  const error = isOpened ? failure : failure.cause
  if (error instanceof Problem) return error
  const { code } = error as { code?: string }
  const passing =
    isConnectionLoss(error) || code === '57014' || code === '55P03' || code === '40P01' || code === '53100'
  if (isOpened && !passing) return error
  return new Problem(problems.unavailable, { retryAfterSeconds: 1, cause: error })
}
