/**
 * Brings a copy of a database up to date with what was written since the copy was made, without reading all
 * of it across again.
 *
 * What was written since: each row says which transaction wrote it (xmin), and whatever that was it is not
 * older than the oldest transaction that was under way when the copy's snapshot was taken. That is more than
 * what the snapshot did not see, on purpose: a row written in a subtransaction bears that one's number, which
 * the snapshot's list of unfinished transactions does not hold. Rows too many do no harm: they replace
 * themselves. What was deleted leaves no row; it is found by its absence, but looked for only where there are
 * fewer rows than there should be.
 */
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import {
  checkSameTables,
  disableTriggers,
  dropForeignKeys,
  endAll,
  inTransaction,
  openSession,
  sequencesOf,
  tablesOf,
  type TableDescription,
} from './copy.ts'
import type { DatabaseAddress } from './pools.ts'
import { identifierList, literal } from './sql-text.ts'

export interface CaughtUp {
  /** Where the next catching up begins: number of the oldest transaction under way at this one's moment. */
  readonly since: string
  readonly changedRows: number
  readonly deletedRows: number
}

/** Further back than this a row's transaction number, which has 32 bits, may mean another round of them. */
const DISTANCE_MAXIMUM = 1_000_000_000

/** Where catching up with a copy begins whose snapshot saw these transactions (pg_current_snapshot). */
export function sinceOf(transactions: string): string {
  return transactions.split(':')[0] ?? ''
}

/** The same as of now; for a copy that nobody writes to. */
export async function sinceNow(address: DatabaseAddress): Promise<string> {
  const client = await openSession(address)
  try {
    const { rows } = await client.query<{ now: string }>('SELECT pg_current_snapshot()::text AS now')
    return sinceOf(rows[0]?.now ?? '')
  } finally {
    await endAll([client])
  }
}

/** Nobody else writes to `target`. May be repeated; when it fails, the target is as it was before. */
export async function catchUp(
  source: DatabaseAddress,
  target: DatabaseAddress,
  since: string,
): Promise<CaughtUp> {
  const clients: pg.Client[] = []
  try {
    const from = await openSession(source)
    clients.push(from)
    const to = await openSession(target)
    clients.push(to)
    await from.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows } = await from.query<{ now: string; distance: number }>(
      `SELECT pg_current_snapshot()::text AS now,
         (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - $1::bigint)::float8 AS distance`,
      [since],
    )
    const { now = '', distance = Number.POSITIVE_INFINITY } = rows[0] ?? {}
    const wasWritten =
      distance > DISTANCE_MAXIMUM ? 'true' : `age(xmin) <= age(${literal(lowBits(since))}::xid)`
    const tables = await tablesOf(from)
    checkSameTables(tables, await tablesOf(to))
    const behind = await tablesBehind(from, to, tables, wasWritten)
    const counts = await apply(from, to, behind, wasWritten)
    await validateForeignKeys(from, to)
    return { since: sinceOf(now), ...counts }
  } finally {
    await endAll(clients)
  }
}

function lowBits(transaction: string): string {
  return String(BigInt(transaction) & 0xffff_ffffn)
}

interface Behind {
  readonly table: TableDescription
  /** Empty: the table has no key, and is copied whole. */
  readonly key: readonly string[]
  readonly rows: number
}

/** Tables with rows written since, or with another number of rows than there should be. */
async function tablesBehind(
  from: pg.Client,
  to: pg.Client,
  tables: readonly TableDescription[],
  wasWritten: string,
): Promise<Behind[]> {
  const keys = await primaryKeys(from)
  const behind: Behind[] = []
  for (const table of tables) {
    const { rows } = await from.query<{ rows: number; written: number }>(
      `SELECT count(*) AS rows, count(*) FILTER (WHERE ${wasWritten}) AS written FROM ONLY ${table.table}`,
    )
    const { rows: there } = await to.query<{ rows: number }>(
      `SELECT count(*) AS rows FROM ONLY ${table.table}`,
    )
    const counted = { rows: Number(rows[0]?.rows), written: Number(rows[0]?.written) }
    if (counted.written === 0 && counted.rows === Number(there[0]?.rows)) continue
    behind.push({ table, key: keys.get(table.table) ?? [], rows: counted.rows })
  }
  return behind
}

async function primaryKeys(client: pg.Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ table: string; columns: string[] }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS table,
       (SELECT array_agg(attname::text ORDER BY position) FROM unnest(conkey) WITH ORDINALITY k (number, position)
          JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.number) AS columns
     FROM pg_constraint JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE contype = 'p'`,
  )
  return new Map(rows.map(({ table, columns }) => [table, columns]))
}

/** In one transaction, with keys to other tables gone and triggers off: rows come in no particular order. */
async function apply(
  from: pg.Client,
  to: pg.Client,
  behind: readonly Behind[],
  wasWritten: string,
): Promise<{ changedRows: number; deletedRows: number }> {
  const sequences = await sequencesOf(from)
  const total = { changedRows: 0, deletedRows: 0 }
  await inTransaction(to, async () => {
    const names = behind.map(({ table }) => table.table)
    const foreignKeys = await dropForeignKeys(to, names)
    const triggers = await disableTriggers(to, names)
    for (const one of behind) {
      const { changed, deleted } =
        one.key.length === 0
          ? await replaceAll(from, to, one)
          : await replaceChanged(from, to, one, wasWritten)
      total.changedRows += changed
      total.deletedRows += deleted
    }
    for (const { sequence, lastValue, isCalled } of sequences) {
      await to.query(`SELECT setval(${literal(sequence)}, ${literal(lastValue)}::bigint, ${isCalled})`)
    }
    await to.query('SET CONSTRAINTS ALL IMMEDIATE')
    for (const { add } of foreignKeys) await to.query(add)
    for (const trigger of triggers) await to.query(trigger)
  })
  return total
}

async function replaceAll(
  from: pg.Client,
  to: pg.Client,
  { table, rows }: Behind,
): Promise<{ changed: number; deleted: number }> {
  const columns = identifierList(table.columns)
  await to.query(`TRUNCATE ${table.table}`)
  await stream(
    from,
    `COPY (SELECT ${columns} FROM ONLY ${table.table}) TO STDOUT`,
    to,
    `COPY ${table.table} (${columns}) FROM STDIN`,
  )
  return { changed: rows, deleted: 0 }
}

async function replaceChanged(
  from: pg.Client,
  to: pg.Client,
  { table: { table, columns: all }, key, rows }: Behind,
  wasWritten: string,
): Promise<{ changed: number; deleted: number }> {
  const columns = identifierList(all)
  const keyColumns = identifierList(key)
  const isSame = (one: string, other: string): string =>
    key
      .map((column) => `${one}.${identifierList([column])} = ${other}.${identifierList([column])}`)
      .join(' AND ')
  await to.query(`DROP TABLE IF EXISTS pg_temp.incoming, pg_temp.living;
    CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT ${columns} FROM ONLY ${table} WITH NO DATA`)
  await stream(
    from,
    `COPY (SELECT ${columns} FROM ONLY ${table} WHERE ${wasWritten}) TO STDOUT`,
    to,
    `COPY pg_temp.incoming (${columns}) FROM STDIN`,
  )
  await to.query(`CREATE UNIQUE INDEX ON pg_temp.incoming (${keyColumns}); ANALYZE pg_temp.incoming`)
  await to.query(`DELETE FROM ONLY ${table} t USING pg_temp.incoming i WHERE ${isSame('t', 'i')}`)
  const { rows: counted } = await to.query<{ incoming: number; left: number }>(
    `SELECT (SELECT count(*) FROM pg_temp.incoming) AS incoming, (SELECT count(*) FROM ONLY ${table}) AS left`,
  )
  const incoming = Number(counted[0]?.incoming)
  const surplus = Number(counted[0]?.left) + incoming - rows
  if (surplus < 0) throw new Error(`${table} lacks ${-surplus} rows that were not written since the copy`)
  let deleted = 0
  if (surplus > 0) {
    await to.query(
      `CREATE TEMP TABLE living ON COMMIT DROP AS SELECT ${keyColumns} FROM ONLY ${table} WITH NO DATA`,
    )
    await stream(
      from,
      `COPY (SELECT ${keyColumns} FROM ONLY ${table}) TO STDOUT`,
      to,
      `COPY pg_temp.living (${keyColumns}) FROM STDIN`,
    )
    await to.query(`CREATE UNIQUE INDEX ON pg_temp.living (${keyColumns}); ANALYZE pg_temp.living`)
    const gone = await to.query(
      `DELETE FROM ONLY ${table} t WHERE NOT EXISTS (SELECT FROM pg_temp.living l WHERE ${isSame('t', 'l')})`,
    )
    deleted = gone.rowCount ?? 0
  }
  await to.query(
    `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM pg_temp.incoming`,
  )
  return { changed: incoming, deleted }
}

async function stream(from: pg.Client, read: string, to: pg.Client, write: string): Promise<void> {
  await pipeline(from.query(copyTo(read)), to.query(copyFrom(write)))
}

/** Whatever is checked in the source is checked here too, also what a process that died has left unchecked. */
async function validateForeignKeys(from: pg.Client, to: pg.Client): Promise<void> {
  const keys = async (client: pg.Client, isValid: boolean): Promise<string[]> => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, conname) AS name
       FROM pg_constraint JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE contype = 'f' AND conparentid = 0 AND convalidated = $1 ORDER BY 1`,
      [isValid],
    )
    return rows.map(({ name }) => name)
  }
  const checked = new Set(await keys(from, true))
  for (const name of await keys(to, false)) if (checked.has(name)) await to.query(`ALTER TABLE ${name}`)
}
