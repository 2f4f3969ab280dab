/**
 * Rate limits (SPEC 6), as the contracts declare them. Two kinds of counters:
 *
 * - what guards passwords is counted in the platform's database: by all processes together, over restarts,
 *   whatever becomes of Redis. When it cannot be counted, nobody signs in (it fails closed).
 * - everything else is counted in Redis or memory (counters.ts), and goes on when Redis is away.
 */
import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { sql } from 'kysely'
import { BoundedCache } from '../kernel/bounded-cache.ts'
import { foldedEmail } from '../kernel/email.ts'
import { Problem, problems } from '../kernel/problem.ts'
import type { Gate } from '../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../tenancy/handles.ts'
import type { Operation, RateLimit } from './contract.ts'
import type { Counters } from './counters.ts'

export interface RateLimitOptions {
  readonly isEnabled: boolean
  readonly anonymousPerMinute: number
  readonly counters: Counters
  readonly gate: Gate
}

/** What an answer says about its limit; Fastify's reply. */
interface Headers {
  header(name: string, value: string | number): unknown
}

interface Figure {
  readonly limit: number
  readonly remaining: number
  readonly resetMs: number
}

/** Whose tries these are: of one account in a tenant (or the platform), from one address. */
export interface Attempt {
  readonly scope: string
  readonly account: string
  readonly address: string
}

const MINUTE_SECONDS = 60
const HOUR_SECONDS = 3_600
const BLOCKED_MAXIMUM = 10_000
/** Not longer, so that an operator who lifts a limit is heard. */
const BLOCKED_UNASKED_MS = 5_000
const ACTOR: Actor = { kind: 'system', id: null, requestId: 'rate-limits', address: null }

export class RateLimits {
  readonly #options: RateLimitOptions
  /** Keys known to be over their limit: a flood costs the database next to nothing. */
  readonly #blocked = new BoundedCache<string, { resetAtMs: number; askAtMs: number }>(BLOCKED_MAXIMUM)

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** A request of nobody we know. */
  async anonymous(headers: Headers, address: string): Promise<void> {
    if (!this.#options.isEnabled) return
    const limit = this.#options.anonymousPerMinute
    this.#tell(headers, [await this.#count(`anonymous:${clientOf(address)}`, limit, MINUTE_SECONDS)])
  }

  /** A request of somebody who has signed in: by what the operation says, and by the tenant's plan. */
  async known(
    headers: Headers,
    operation: Operation,
    callerId: string,
    tenant: { readonly id: string; readonly requestsPerHour: number | null } | undefined,
  ): Promise<void> {
    if (!this.#options.isEnabled) return
    const counting: Promise<Figure>[] = []
    const { rateLimit } = operation
    if (rateLimit && !guardsSecret(rateLimit)) {
      const { maximum, windowSeconds } = rateLimit
      counting.push(this.#count(`${operation.name}:${callerId}`, maximum, windowSeconds))
    }
    if (tenant && tenant.requestsPerHour !== null) {
      counting.push(this.#count(`tenant:${tenant.id}`, tenant.requestsPerHour, HOUR_SECONDS))
    }
    this.#tell(headers, counting.length === 1 ? [await counting[0]!] : await Promise.all(counting))
  }

  /** Carries out what guards a password, if it may still be tried. */
  async guarded<Result>(
    headers: Headers,
    operation: Operation,
    attempt: Attempt,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { rateLimit } = operation
    if (!this.#options.isEnabled || !rateLimit || !guardsSecret(rateLimit)) return work()
    const keys = keysOf(operation.name, attempt, rateLimit)
    this.#tell(headers, await this.#countTries(keys, rateLimit.windowSeconds))
    if (rateLimit.counts !== 'failures') return work()
    const giveBack = (isProven: boolean): Promise<void> => this.#giveBack(keys, isProven)
    try {
      const result = await work()
      await giveBack(true)
      return result
    } catch (error) {
      // What failed for another reason than the password was no try; nor does it prove anything. That a code is
      // asked for says that the password was right: the try that counts is the code's.
      const isFailure = error instanceof Problem && error.status === 401 && error.code !== problems.totpRequired.code // prettier-ignore
      if (!isFailure) await giveBack(false)
      throw error
    }
  }

  async #count(key: string, limit: number, windowSeconds: number): Promise<Figure> {
    const { count, resetMs } = await this.#options.counters.add(key, windowSeconds)
    return { limit, remaining: limit - count, resetMs }
  }

  // ---- tries, in the database --------------------------------------------------------------------------

  async #countTries(keys: readonly TriesKey[], windowSeconds: number): Promise<Figure[]> {
    const nowMs = Date.now()
    const blocked = keys.flatMap(({ key, maximum }) => {
      const known = this.#blocked.get(key)
      if (!known || known.askAtMs <= nowMs) return []
      return [{ limit: maximum, remaining: -1, resetMs: known.resetAtMs - nowMs }]
    })
    if (blocked.length > 0) return blocked
    const rows = await this.#options.gate.writePlatform(ACTOR, (tx) =>
      tx.rows(
        // In one order always, so that two processes do not wait for each other.
        sql<{ key: string; count: number; reset_ms: number }>`
          INSERT INTO platform.rate_count AS known (key, count, window_ends_at)
          SELECT key, 1, clock_timestamp() + ${windowSeconds} * interval '1 second'
          FROM unnest(${keys.map(({ key }) => key).toSorted()}::text[]) AS key ORDER BY key
          ON CONFLICT (key) DO UPDATE SET updated_at = now(),
            count = CASE WHEN known.window_ends_at <= clock_timestamp() THEN 1 ELSE known.count + 1 END,
            window_ends_at = CASE WHEN known.window_ends_at <= clock_timestamp() THEN excluded.window_ends_at
              ELSE known.window_ends_at END
          RETURNING key, count, (extract(epoch FROM window_ends_at - clock_timestamp()) * 1000)::float8 AS reset_ms`.compile(
          platformSql,
        ),
      ),
    )
    return keys.map(({ key, maximum }) => {
      const row = rows.find((one) => one.key === key)
      const count = row?.count ?? 0
      const resetMs = Math.max(0, row?.reset_ms ?? 0)
      if (count > maximum) this.#blocked.set(key, { resetAtMs: nowMs + resetMs, askAtMs: nowMs + Math.min(resetMs, BLOCKED_UNASKED_MS) }) // prettier-ignore
      return { limit: maximum, remaining: maximum - count, resetMs }
    })
  }

  /** Who has proven who they are begins anew from where they are; others lose only what this try took. */
  async #giveBack(keys: readonly TriesKey[], isProven: boolean): Promise<void> {
    const reset = keys.filter(({ isOfOne }) => isOfOne && isProven).map(({ key }) => key)
    await this.#options.gate.writePlatform(ACTOR, (tx) =>
      tx.run(
        sql`UPDATE platform.rate_count SET updated_at = now(),
            count = CASE WHEN key = ANY (${reset}::text[]) THEN 0 ELSE greatest(count - 1, 0) END
          WHERE id IN (SELECT id FROM platform.rate_count
            WHERE key = ANY (${keys.map(({ key }) => key)}::text[]) ORDER BY key FOR UPDATE)`.compile(
          platformSql,
        ),
      ),
    )
  }

  /** The narrowest of the limits is told; past it the request goes no further. */
  #tell(headers: Headers, figures: readonly Figure[]): void {
    const [narrowest] = figures.toSorted((a, b) => a.remaining / a.limit - b.remaining / b.limit)
    if (!narrowest) return
    const { limit, remaining, resetMs } = narrowest
    const seconds = Math.max(1, Math.ceil(resetMs / 1000))
    headers.header('x-ratelimit-limit', limit)
    headers.header('x-ratelimit-remaining', Math.max(0, remaining))
    headers.header('x-ratelimit-reset', Math.ceil((Date.now() + resetMs) / 1000))
    headers.header('x-ratelimit-reset-after', seconds)
    if (remaining >= 0) return
    throw new Problem(problems.rateLimitExceeded, {
      details: { limit, retryAfterSeconds: seconds },
      retryAfterSeconds: seconds,
    })
  }
}

/** Deletes counts whose window is over, so many at most. */
export function purgeRateCounts(tx: PlatformTx, maximum: number): Promise<number> {
  return tx.run(
    sql`DELETE FROM platform.rate_count WHERE id IN (
      SELECT id FROM platform.rate_count WHERE window_ends_at < now() ORDER BY window_ends_at LIMIT ${maximum})`.compile(
      platformSql,
    ),
  )
}

/** Limits whose count must not be lost, nor be each process's own. */
function guardsSecret({ account, ofCaller }: RateLimit): boolean {
  return account !== undefined || ofCaller === true
}

interface TriesKey {
  readonly key: string
  readonly maximum: number
  /** Of one account from one address: proof that it is its owner's lifts the count. */
  readonly isOfOne: boolean
}

/**
 * Hashed: an address somebody typed is nothing to be kept, and keys have one length. The account as it is looked up by:
 * another spelling that reached it would have tries of its own.
 */
function keysOf(name: string, { scope, account, address }: Attempt, limit: RateLimit): TriesKey[] {
  const who = foldedEmail(account)
  const from = clientOf(address)
  const key = (...parts: readonly string[]): string =>
    createHash('sha256').update(JSON.stringify([name, ...parts])).digest('base64url') // prettier-ignore
  return [
    { key: key('pair', scope, who, from), maximum: limit.maximum, isOfOne: true },
    { key: key('account', scope, who), maximum: limit.perAccount ?? limit.maximum, isOfOne: false },
    { key: key('address', from), maximum: limit.perAddress ?? limit.maximum, isOfOne: false },
  ]
}

/** Whoever has one IPv6 address has 2⁶⁴ of them: the network counts. */
export function clientOf(address: string): string {
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0')
  const groups = [...front, ...zeros, ...back].map((group) => Number.parseInt(group, 16).toString(16))
  return `${groups.slice(0, 4).join(':')}::/64`
}
