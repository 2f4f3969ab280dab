/**
 * bcrypt at cost 12, off the event loop (the library works in libuv's threads). A hash takes a third of a second of
 * a core on purpose, so that their number at once is bounded: there are four threads, which also look up names
 * and read files, and the event loop and PostgreSQL want a core. What comes meanwhile waits its turn; what comes
 * when the queue is full is refused at once, which is better than an answer nobody waits for any more.
 */
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/bcrypt'
import { Problem, problems } from '../kernel/problem.ts'

const COST = 12
/** Compared with when there is no such user, so that the answer takes as long as for a known one. */
const NOBODYS_HASH = '$2b$12$Q1Cfy5x8BMsBRCyqfy4jt.cy1uIuDhlpnnm5/YgTbsjr.dj55KJmi'

const AT_ONCE_MAXIMUM = 3
/** A hundred at the same moment are answered, the last of them after half a minute on one core. */
const WAITING_MAXIMUM = 120
/** A new password comes from someone who has a right to set it: strangers who try to sign in do not crowd it out. */
const NEW_WAITING_MAXIMUM = 240
const RETRY_AFTER_SECONDS = 10

/** Work of which only so much is done at once, and only so much may wait. */
export class BoundedQueue {
  readonly #atOnce: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  async run<Result>(waitingMaximum: number, work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= waitingMaximum) {
        throw new Problem(problems.overloaded, { retryAfterSeconds: RETRY_AFTER_SECONDS })
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      // The place goes to the next one, who does not count it again.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}

const queue = new BoundedQueue(Math.max(1, Math.min(AT_ONCE_MAXIMUM, availableParallelism() - 1)))

export function hashPassword(password: string): Promise<string> {
  return queue.run(NEW_WAITING_MAXIMUM, () => hash(password, { cost: COST }))
}

export async function passwordMatches(
  password: string,
  passwordHash: string | null | undefined,
): Promise<boolean> {
  const matches = await queue.run(WAITING_MAXIMUM, () =>
    verify(password, passwordHash ?? NOBODYS_HASH).catch(() => false),
  )
  return matches && passwordHash != null
}

/** Whether a password is one of these; looks no further than the first that it is. */
export async function isOneOf(password: string, passwordHashes: readonly string[]): Promise<boolean> {
  for (const passwordHash of passwordHashes) if (await passwordMatches(password, passwordHash)) return true
  return false
}
