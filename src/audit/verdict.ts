/** What is wrong with an audit log's chain, told batch by batch and row by row. */
import * as log from './rows.ts'
import type { ChainPlace, Row, Seal } from './rows.ts'

export interface Verdict {
  readonly batches: number
  readonly rows: number
  /** Written since the last seal: nothing vouches for them yet. */
  readonly unsealedRows: number
  readonly newest: Seal | undefined
  /** What is broken, the first first; empty: nothing. */
  readonly findings: readonly string[]
}

export interface Proofs {
  digestOf(seal: Seal, rows: readonly Row[]): Buffer
  isSigned(seal: Seal): Promise<boolean>
}

const FINDINGS_MAXIMUM = 20
/** A transaction may begin so long before the batch before its own is sealed; its rows have its beginning's time. */
const LONGEST_TRANSACTION_MS = 3_600_000

export async function findingsOf(place: ChainPlace, proofs: Proofs): Promise<Verdict> {
  const findings: string[] = []
  let [batches, rows] = [0, 0]
  let last: Seal | undefined
  for (;;) {
    const seals = await log.sealsAfter(place, last?.number ?? 0)
    const until = Math.max(...seals.map(({ lastRow }) => lastRow), 0)
    const left = seals.length === 0 ? [] : await log.rowsOfSeals(place, last?.lastRow ?? 0, until)
    for (const seal of seals) {
      // Rows of a batch whose seal is gone belong to none: that it is gone is told.
      const end = left.findIndex(({ number }) => number > seal.lastRow)
      const own = left
        .splice(0, end === -1 ? left.length : end)
        .filter(({ number }) => number > seal.afterRow)
      findings.push(...(await broken(proofs, seal, last, own)))
      batches++
      rows += own.length
      last = seal
    }
    if (seals.length < log.SEALS_AT_ONCE || findings.length >= FINDINGS_MAXIMUM) break
  }
  if (findings.length < FINDINGS_MAXIMUM) findings.push(...(await strays(place, last)))
  return {
    batches,
    rows,
    unsealedRows: await log.unsealed(place, last?.lastRow ?? 0),
    newest: last,
    findings: findings.slice(0, FINDINGS_MAXIMUM),
  }
}

async function broken(
  { digestOf, isSigned }: Proofs,
  seal: Seal,
  last: Seal | undefined,
  rows: readonly Row[],
): Promise<string[]> {
  const batch = `batch ${seal.number}`
  const found: string[] = []
  const missing = seal.number - (last?.number ?? 0) - 1
  if (missing > 0) {
    const which = missing === 1 ? `batch ${seal.number - 1} is` : `batches ${seal.number - missing} to ${seal.number - 1} are` // prettier-ignore
    found.push(`${which} missing before ${batch}`)
  } else if (seal.afterRow !== (last?.lastRow ?? 0) || (last && !seal.previousDigest.equals(last.digest)))
    found.push(`${batch} does not follow the one before it`)
  if (!digestOf(seal, rows).equals(seal.digest)) {
    const named = brokenRows(seal, rows)
    found.push(...(named.length > 0 ? named : ['what it says of itself was changed']).map((what) => `${batch}: ${what}`)) // prettier-ignore
  }
  if (!(await isSigned(seal))) found.push(`${batch}: its signature is none of ours`)
  const earliestMs = last ? last.createdAt.getTime() - LONGEST_TRANSACTION_MS : 0
  for (const row of rows) {
    if (row.createdAtMs >= earliestMs) continue
    found.push(
      `${batch}: ${nameOf(row)} is dated ${new Date(row.createdAtMs).toISOString()}, long before it was written`,
    )
  }
  return found
}

/** Which rows are not as they were sealed, by the help of what the seal remembers of each. */
function brokenRows(seal: Seal, rows: readonly Row[]): string[] {
  const found: string[] = []
  const byNumber = new Map<number, Row>()
  for (const row of rows) {
    const known = byNumber.get(row.number)
    if (known) found.push(`of ${nameOf(known)} and ${nameOf(row)} one was put in later`)
    byNumber.set(row.number, row)
  }
  for (const [index, number] of seal.rowNumbers.entries()) {
    const row = byNumber.get(number)
    byNumber.delete(number)
    if (!row) found.push(`row ${number} was deleted`)
    else if (!log.hintsOf([row]).equals(log.hintAt(seal.rowHashes, index)))
      found.push(`${nameOf(row)} was changed`)
  }
  for (const row of byNumber.values()) found.push(`${nameOf(row)} was put in later`)
  return found
}

/** Rows that no batch covers, and whether that is right. */
async function strays(place: ChainPlace, last: Seal | undefined): Promise<string[]> {
  const findings: string[] = []
  if (await log.neverNumbered(place)) findings.push('there are rows with numbers that were never given')
  if (last) {
    const unnumbered = await log.unnumbered(place)
    if (unnumbered !== last.unnumbered)
      findings.push(
        `${unnumbered} row(s) have no number, where ${last.unnumbered} had none when the chain began`,
      )
  }
  return findings
}

function nameOf({ number, id, action, entity }: Row): string {
  return `row ${number} (${id}: ${action} ${entity})`
}
