/**
 * What two databases of one schema say differently, table by table and row by row. Tables whose checksums
 * agree are not looked into; of the others both sides are read in the order of their ids, side by side, so
 * that no more than a row of each is held.
 */
import { DatabaseSnapshot } from './copy.ts'
import type { DatabaseAddress } from './pools.ts'

export interface TableDifference {
  readonly table: string
  readonly onlyLive: number
  readonly onlyRestored: number
  readonly changed: number
  readonly examples: readonly string[]
}

const EXAMPLES_MAXIMUM = 20
/** What the schema's own administration keeps is told by the schema's version. */
const NOT_COMPARED = /^migrations\./

export async function compareDatabases(
  live: DatabaseAddress,
  restored: DatabaseAddress,
): Promise<TableDifference[]> {
  const one = await DatabaseSnapshot.open(live)
  try {
    const other = await DatabaseSnapshot.open(restored)
    try {
      return await compareSnapshots(one, other)
    } finally {
      await other.close()
    }
  } finally {
    await one.close()
  }
}

async function compareSnapshots(
  live: DatabaseSnapshot,
  restored: DatabaseSnapshot,
): Promise<TableDifference[]> {
  const [ours, theirs] = await Promise.all([live.figures(), restored.figures()])
  const found = new Map(theirs.map((figures) => [figures.table, figures]))
  const differences: TableDifference[] = []
  for (const { table, rows, checksum } of ours) {
    const other = found.get(table)
    if (!other) throw new Error(`The restored database has no table ${table}`)
    if (NOT_COMPARED.test(table) || (other.rows === rows && other.checksum === checksum)) continue
    const difference = await compareTable(table, live, restored)
    if (difference.onlyLive + difference.onlyRestored + difference.changed > 0) differences.push(difference)
  }
  return differences
}

async function compareTable(
  table: string,
  live: DatabaseSnapshot,
  restored: DatabaseSnapshot,
): Promise<TableDifference> {
  // A row by its id and what it says; the text form of a uuid sorts as the uuid does.
  const statement = `COPY (SELECT id, md5(t::text) FROM ${table} t ORDER BY id) TO STDOUT`
  const [ours, theirs] = [lines(live.copyOut(statement)), lines(restored.copyOut(statement))]
  const count = { onlyLive: 0, onlyRestored: 0, changed: 0 }
  const examples: string[] = []
  try {
    let [mine, other] = [await ours.next(), await theirs.next()]
    while (!mine.done || !other.done) {
      const [id = '', sum] = mine.done ? [] : mine.value.split('\t')
      const [otherId = '', otherSum] = other.done ? [] : other.value.split('\t')
      const isMineOnly = other.done === true || (mine.done !== true && id < otherId)
      const isOthersOnly = mine.done === true || (other.done !== true && otherId < id)
      if (isMineOnly) count.onlyLive++
      else if (isOthersOnly) count.onlyRestored++
      else if (sum !== otherSum) count.changed++
      const differs = isMineOnly || isOthersOnly || sum !== otherSum
      if (differs && examples.length < EXAMPLES_MAXIMUM) examples.push(isOthersOnly ? otherId : id)
      if (!isOthersOnly) mine = await ours.next()
      if (!isMineOnly) other = await theirs.next()
    }
  } finally {
    await Promise.all([ours.return(), theirs.return()])
  }
  return { table, ...count, examples }
}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + chunk.toString('latin1')).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
}
