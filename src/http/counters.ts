/**
 * Counters that run out with their window, by rate-limiter-flexible: in Redis, so that all processes count
 * together, or in this process's memory where there is none. While Redis is away each process counts by
 * itself; it is asked again every second, so that a request waits for a dead one at most once a second.
 */
import { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'

export interface Count {
  readonly count: number
  readonly resetMs: number
}

interface Pair {
  readonly memory: RateLimiterMemory
  readonly redis: RateLimiterRedis | undefined
}

const REDIS_TIMEOUT_MS = 500
const RECONNECT_MAXIMUM_MS = 1_000
const REDIS_AGAIN_AFTER_MS = 1_000
/** The library is to count; what is too much is the caller's to say, since plans differ. */
const POINTS = Number.MAX_SAFE_INTEGER

export class Counters {
  readonly #redis: Redis | undefined
  readonly #log: (level: 'info' | 'warn', message: string) => void
  /** By the length of their window, of which contracts and plans know a handful. */
  readonly #pairs = new Map<number, Pair>()
  #redisAgainAtMs = 0
  #isAway = false

  constructor(redisUrl: string | undefined, log: (level: 'info' | 'warn', message: string) => void) {
    this.#log = log
    if (redisUrl === undefined) return
    this.#redis = new Redis(redisUrl, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: REDIS_TIMEOUT_MS,
      connectTimeout: 2_000,
      enableAutoPipelining: true,
      retryStrategy: (attempt) => Math.min(attempt * 100, RECONNECT_MAXIMUM_MS),
    })
    this.#redis.on('error', (error) => this.#away(error))
    this.#redis.on('ready', () => this.#back())
  }

  /** Whether all processes count together: undefined where they are not meant to. */
  get isShared(): boolean | undefined {
    return this.#redis && !this.#isAway && this.#redis.status === 'ready'
  }

  async add(key: string, windowSeconds: number): Promise<Count> {
    const { memory, redis } = this.#pairOf(windowSeconds)
    if (redis && performance.now() >= this.#redisAgainAtMs) {
      try {
        const count = countOf(await redis.consume(key))
        if (this.#isAway) this.#back() // it hung and goes on, over the same connection
        return count
      } catch (error) {
        this.#away(error)
      }
    }
    return countOf(await memory.consume(key))
  }

  async stop(): Promise<void> {
    this.#redis?.disconnect()
  }

  #pairOf(windowSeconds: number): Pair {
    const known = this.#pairs.get(windowSeconds)
    if (known) return known
    const options = { points: POINTS, duration: windowSeconds, keyPrefix: `erp:rate:${windowSeconds}` }
    const pair = {
      memory: new RateLimiterMemory(options),
      redis: this.#redis && new RateLimiterRedis({ ...options, storeClient: this.#redis, rejectIfRedisNotReady: true }), // prettier-ignore
    }
    this.#pairs.set(windowSeconds, pair)
    return pair
  }

  #away(error: unknown): void {
    this.#redisAgainAtMs = performance.now() + REDIS_AGAIN_AFTER_MS
    if (this.#isAway) return
    this.#isAway = true
    this.#log('warn', `Redis is away; each process counts rate limits by itself: ${String(error)}`)
  }

  #back(): void {
    this.#redisAgainAtMs = 0
    if (this.#isAway) this.#log('info', 'Redis is back')
    this.#isAway = false
  }
}

function countOf({ consumedPoints, msBeforeNext }: RateLimiterRes): Count {
  return { count: consumedPoints, resetMs: Math.max(0, msBeforeNext) }
}
