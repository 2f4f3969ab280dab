/**
 * The audit log's chain. Rows get a number as they are written; behind the writers, batches of them are sealed:
 * a digest over the rows and the digest before, signed with a key that no database has in clear. Whoever
 * changes, deletes or slips in a row, with whatever rights in the database, breaks its batch. Writers never
 * wait for it: nothing of it happens in their transactions but one number taken from a sequence.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { findingsOf, type Verdict } from './verdict.ts'
import * as rows from './rows.ts'
import type { ChainPlace, Row, Seal } from './rows.ts'

/** Keys that seals are signed with; an earlier one is kept for the seals it made. */
export interface SealKeys {
  newest(): Promise<{ readonly id: string; readonly key: Buffer }>
  byId(id: string): Promise<Buffer | undefined>
}

export interface Sealing {
  readonly newest: Seal | undefined
  /** false: somebody was writing and has not ended; what they write is sealed the next time. */
  readonly isSettled: boolean
}

const WRITERS_WAIT_MS = 500
const WRITERS_ASK_EVERY_MS = 20
const BEGINNING = Buffer.alloc(32)

export class AuditChain {
  readonly #keys: SealKeys

  constructor(keys: SealKeys) {
    this.#keys = keys
  }

  /** Seals what is settled. A look alone writes nothing. */
  async seal(place: ChainPlace): Promise<Sealing> {
    let newest = await rows.newestSeal(place)
    const settled = await settledUntil(place, newest?.lastRow ?? 0)
    if (settled === 'nothing new') return { newest, isSettled: true }
    if (settled === 'being written') return { newest, isSettled: false }
    const { until, now } = settled
    for (;;) {
      const batch = await rows.nextRows(place, newest?.lastRow ?? 0, until)
      const last = batch.at(-1)
      if (!last) return { newest, isSettled: true }
      const seal = await this.#sealOf(newest, batch, last.number, now, () => rows.unnumbered(place))
      // Another process was quicker: what it has sealed is as good.
      if (!(await rows.insertSeal(place, seal)))
        return { newest: await rows.newestSeal(place), isSettled: true }
      newest = seal
    }
  }

  verify(place: ChainPlace): Promise<Verdict> {
    return findingsOf(place, {
      digestOf,
      isSigned: async ({ keyId, digest, signature }) => {
        const key = await this.#keys.byId(keyId)
        if (!key) return false
        const expected = signatureOf(key, digest)
        return signature.length === expected.length && timingSafeEqual(signature, expected)
      },
    })
  }

  async #sealOf(
    last: Seal | undefined,
    batch: readonly Row[],
    lastRow: number,
    now: Date,
    countUnnumbered: () => Promise<number>,
  ): Promise<Seal> {
    const { id, key } = await this.#keys.newest()
    const seal = {
      number: (last?.number ?? 0) + 1,
      afterRow: last?.lastRow ?? 0,
      lastRow,
      unnumbered: last?.unnumbered ?? (await countUnnumbered()),
      rowNumbers: batch.map((row) => row.number),
      rowHashes: rows.hintsOf(batch),
      previousDigest: last?.digest ?? BEGINNING,
      createdAt: now,
    }
    const digest = digestOf(seal, batch)
    return { ...seal, digest, keyId: id, signature: signatureOf(key, digest) }
  }
}

/** Of everything the seal says and every row it covers. */
function digestOf(seal: Omit<Seal, 'digest' | 'keyId' | 'signature'>, batch: readonly Row[]): Buffer {
  const { number, afterRow, lastRow, unnumbered, createdAt } = seal
  const hash = createHash('sha256')
    .update(seal.previousDigest)
    .update(`${number}/${afterRow}/${lastRow}/${unnumbered}/${createdAt.getTime()}`)
  for (const row of batch) hash.update(`/${row.number}:`).update(row.hash)
  return hash.digest()
}

function signatureOf(key: Buffer, digest: Buffer): Buffer {
  return createHmac('sha256', key).update(digest).digest()
}

/**
 * Up to which number every row is there that ever will be. A number is taken under the lock that every writer
 * of the table holds until it ends: first the newest number is read, then who holds that lock; when those have
 * ended, no row up to that number can still come.
 */
async function settledUntil(
  place: ChainPlace,
  sealed: number,
): Promise<{ until: number; now: Date } | 'nothing new' | 'being written'> {
  const { newest, now } = await rows.newestNumber(place)
  if (newest <= sealed) return 'nothing new'
  const startedAtMs = performance.now()
  for (let waitedFor = await rows.writers(place); waitedFor.length > 0;) {
    if (performance.now() - startedAtMs > WRITERS_WAIT_MS) return 'being written'
    await sleep(WRITERS_ASK_EVERY_MS)
    const still = new Set(await rows.writers(place))
    waitedFor = waitedFor.filter((writer) => still.has(writer))
  }
  return { until: newest, now }
}
