/**
 * Copying the rows of one database into another whose schema is there already: from a consistent snapshot,
 * streamed (COPY in text, which every version understands), without holding more than a few chunks. The
 * two halves are used alone by archives: `DatabaseSnapshot` reads, `DatabaseLoad` writes.
 *
 * While a database is loaded its triggers are off and its foreign keys and larger indexes gone; they are put
 * back by their definitions in the catalogue. Its owner may do all of this; no superuser is needed. A load
 * that was broken off leaves a database of no use: drop it and begin with a new one.
 */
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { Lanes } from './lanes.ts'
import { connect, type DatabaseAddress } from './pools.ts'
import { RowChecksum, type TableFigures } from './row-checksum.ts'
import { identifierList, literal } from './sql-text.ts'

export interface TableDescription {
  /** `schema.name`, quoted where it must be. */
  readonly table: string
  readonly columns: readonly string[]
  /** With their types, to compare two databases by. */
  readonly shape: string
  readonly sizeBytes: number
  readonly pages: number
}

export interface SequenceState {
  readonly sequence: string
  readonly lastValue: string
  readonly isCalled: boolean
}

/** What is read and loaded in one go: a table, or a range of a large one's pages. */
export interface TablePart {
  readonly table: TableDescription
  readonly firstPage: number
  /** null: to the end, and all of a small table. */
  readonly endPage: number | null
}

export interface CopiedTable extends TableFigures {
  readonly table: string
}

export interface CopyOptions {
  /** Connections on each side. */
  readonly connections?: number
  readonly signal?: AbortSignal
}

const CONNECT_TIMEOUT_MS = 10_000
/** The largest table of the largest tenant, on a slow disk. */
const STATEMENT_TIMEOUT_MS = 4 * 3_600_000
const LOCK_TIMEOUT_MS = 10_000
export const DEFAULT_CONNECTIONS = 2
/** 8 MB: from here on several connections share a table's rows. */
const PART_PAGES_MINIMUM = 1_024
/** Below this an index is kept up while loading: making it anew costs more (a file, catalogue rows). */
const KEEP_INDEXES_BELOW_BYTES = 1_048_576
/** Bytes handed to the database in one piece. */
const CHUNK_BYTES = 65_536

/** What text COPY writes must not depend on whose session it is. */
const PLAIN_SESSION = `SET search_path = ''; SET client_encoding = 'UTF8'; SET TimeZone = 'UTC';
  SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';
  SET statement_timeout = ${STATEMENT_TIMEOUT_MS}; SET lock_timeout = ${LOCK_TIMEOUT_MS};
  SET idle_in_transaction_session_timeout = 0`

const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = c.oid AND e.classid = 'pg_class'::regclass AND e.deptype = 'e')`

// ---- reading -------------------------------------------------------------------------------------------

/** One moment of a database, seen by several connections. */
export class DatabaseSnapshot {
  readonly tables: readonly TableDescription[]
  readonly sequences: readonly SequenceState[]
  /** For others who want to see the same moment: SET TRANSACTION SNAPSHOT. Good until this is closed. */
  readonly id: string
  /** Which transactions it sees (pg_current_snapshot). */
  readonly transactions: string
  readonly takenAt: string
  readonly serverVersion: number
  readonly #lanes: Lanes<pg.Client>

  private constructor(lanes: Lanes<pg.Client>, moment: Moment) {
    this.#lanes = lanes
    this.tables = moment.tables
    this.sequences = moment.sequences
    this.id = moment.id
    this.transactions = moment.transactions
    this.takenAt = moment.takenAt
    this.serverVersion = moment.serverVersion
  }

  static async open(
    address: DatabaseAddress,
    connections: number = DEFAULT_CONNECTIONS,
  ): Promise<DatabaseSnapshot> {
    const clients: pg.Client[] = []
    try {
      const first = await openSession(address)
      clients.push(first)
      const moment = await momentOf(first)
      for (let count = 1; count < connections; count++) {
        const client = await openSession(address)
        clients.push(client)
        await client.query(
          `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${literal(moment.id)}`,
        )
      }
      return new DatabaseSnapshot(new Lanes(clients), moment)
    } catch (error) {
      await endAll(clients)
      throw error
    }
  }

  /** How many parts can be read at the same time. */
  get connections(): number {
    return this.#lanes.count
  }

  /** The parts to read, larger tables first and torn into as many parts as there are connections. */
  parts(): TablePart[] {
    const bySize = this.tables.toSorted((one, other) => other.sizeBytes - one.sizeBytes)
    return bySize.flatMap((table) => partsOf(table, this.#lanes.count))
  }

  /** Gives the part's rows to `use`, which must read them to their end. */
  read<Result>(part: TablePart, use: (rows: Readable) => Promise<Result>): Promise<Result> {
    return this.#lanes.run(async (client) => {
      const rows = client.query(copyTo(copyOutStatement(part), { highWaterMark: 4 * CHUNK_BYTES }))
      rows.on('error', () => {}) // whoever reads is told, but may not have begun to
      try {
        return await use(rows)
      } finally {
        // Not read to the end: the connection is in the middle of an answer nobody wants.
        if (!rows.readableEnded) await client.end().catch(() => {})
      }
    })
  }

  /** Rows and checksum of every table. */
  async figures(): Promise<CopiedTable[]> {
    const tally = new Tally(this.tables)
    await Promise.all(
      this.parts().map((part) =>
        this.read(part, async (rows) => {
          const sum = tally.begin(part)
          for await (const chunk of rows) sum.update(chunk as Buffer)
        }),
      ),
    )
    return tally.copied()
  }

  /** What a COPY … TO STDOUT of one's own writes. */
  async *copyOut(statement: string): AsyncGenerator<Buffer, void, void> {
    // A generator cannot wait within `run`: it takes the lane for as long as it is read.
    let giveBack = (): void => {}
    const client = await new Promise<pg.Client>((resolve, reject) => {
      this.#lanes
        .run((taken) => {
          resolve(taken)
          return new Promise<void>((over) => (giveBack = over))
        })
        .catch(reject)
    })
    const rows = client.query(copyTo(statement, { highWaterMark: 4 * CHUNK_BYTES }))
    try {
      for await (const chunk of rows) yield chunk as Buffer
    } finally {
      if (!rows.readableEnded) await client.end().catch(() => {})
      giveBack()
    }
  }

  /** The one row of a query, as text. */
  async row(text: string): Promise<string> {
    return this.#lanes.run(async (client) => {
      const { rows } = await client.query<object>(text)
      return JSON.stringify(rows[0] ?? null)
    })
  }

  close(): Promise<void> {
    return endAll(this.#lanes.all)
  }
}

interface Moment {
  readonly id: string
  readonly transactions: string
  readonly takenAt: string
  readonly serverVersion: number
  readonly tables: readonly TableDescription[]
  readonly sequences: readonly SequenceState[]
}

async function momentOf(client: pg.Client): Promise<Moment> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const { rows } = await client.query<Pick<Moment, 'id' | 'transactions' | 'takenAt' | 'serverVersion'>>(
    `SELECT pg_export_snapshot() AS id, pg_current_snapshot()::text AS transactions, now() AS "takenAt",
      current_setting('server_version_num')::int AS "serverVersion"`,
  )
  const [moment] = rows
  if (!moment) throw new Error('PostgreSQL exported no snapshot')
  const tables = await tablesOf(client)
  // Held to the end: nobody may change a table's shape between what we say of it and what we read.
  if (tables.length > 0)
    await client.query(`LOCK TABLE ${tables.map(({ table }) => table).join(', ')} IN ACCESS SHARE MODE`)
  return { ...moment, tables, sequences: await sequencesOf(client) }
}

export async function tablesOf(client: pg.Client): Promise<TableDescription[]> {
  await refuseWhatCannotBeCopied(client)
  const { rows } = await client.query<TableDescription>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, columns, shape,
       pg_table_size(c.oid) AS "sizeBytes", (pg_relation_size(c.oid) / current_setting('block_size')::int)::int AS pages
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(attname::text ORDER BY attnum) FILTER (WHERE attgenerated = ''), '{}') AS columns,
         string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attname) AS shape
       FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a
     WHERE c.relkind = 'r' AND ${OURS} ORDER BY 1`,
  )
  return rows
}

/** Better no copy than one that silently lacks something. */
async function refuseWhatCannotBeCopied(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ what: string }>(
    `SELECT format('%s (%s)', c.oid::regclass, c.relkind) AS what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('m', 'f') AND ${OURS}
     UNION ALL SELECT 'large objects' FROM pg_largeobject_metadata LIMIT 5`,
  )
  if (rows.length > 0) {
    throw new Error(
      `Copying knows tables and sequences only, and found ${rows.map(({ what }) => what).join(', ')}`,
    )
  }
}

export async function sequencesOf(client: pg.Client): Promise<SequenceState[]> {
  const { rows } = await client.query<{ sequence: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS sequence FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S' AND ${OURS} ORDER BY 1`,
  )
  const states: SequenceState[] = []
  for (const { sequence } of rows) {
    const { rows: state } = await client.query<Omit<SequenceState, 'sequence'>>(
      `SELECT last_value::text AS "lastValue", is_called AS "isCalled" FROM ${sequence}`,
    )
    if (state[0]) states.push({ sequence, ...state[0] })
  }
  return states
}

function partsOf(table: TableDescription, connections: number): TablePart[] {
  const count = Math.min(connections, Math.floor(table.pages / PART_PAGES_MINIMUM))
  if (count < 2) return [{ table, firstPage: 0, endPage: null }]
  return Array.from({ length: count }, (_, index) => ({
    table,
    firstPage: Math.floor((table.pages * index) / count),
    endPage: index === count - 1 ? null : Math.floor((table.pages * (index + 1)) / count),
  }))
}

function copyOutStatement({ table, firstPage, endPage }: TablePart): string {
  const columns = identifierList(table.columns)
  if (firstPage === 0 && endPage === null) return `COPY ${table.table} (${columns}) TO STDOUT`
  const bounds = [`ctid >= '(${firstPage},0)'`, ...(endPage === null ? [] : [`ctid < '(${endPage},0)'`])]
  return `COPY (SELECT ${columns} FROM ONLY ${table.table} WHERE ${bounds.join(' AND ')}) TO STDOUT`
}

/** The sums of parts that are read at the same time, by table. */
export class Tally {
  readonly #sums: ReadonlyMap<string, RowChecksum[]>

  constructor(tables: readonly TableDescription[]) {
    this.#sums = new Map(tables.map(({ table }) => [table, []]))
  }

  /** A sum of its own for each part: a row may be cut between two chunks. */
  begin({ table }: TablePart): RowChecksum {
    const sum = new RowChecksum()
    this.#sums.get(table.table)?.push(sum)
    return sum
  }

  of(table: string): TableFigures {
    const total = new RowChecksum()
    for (const sum of this.#sums.get(table) ?? []) total.add(sum)
    return total.figures()
  }

  copied(): CopiedTable[] {
    return [...this.#sums.keys()].map((table) => ({ table, ...this.of(table) }))
  }
}

// ---- loading -------------------------------------------------------------------------------------------

/** What was taken away before the load, each with the statements that put it back. */
interface Stripped {
  /** By table: built once all its rows are there, side by side. */
  readonly indexes: ReadonlyMap<string, readonly IndexOfTable[]>
  /** By table: foreign keys are added unchecked (short, but for one at a time) and then checked. */
  readonly foreignKeys: readonly { table: string; add: string; validate: string }[]
  readonly triggers: readonly string[]
}

interface IndexOfTable {
  readonly create: string
  /** Makes a constraint of the index; null: it is none. */
  readonly constrain: string | null
}

/** Rows coming into a database whose schema fits and which nobody else uses. */
export class DatabaseLoad {
  readonly #loaders: Lanes<pg.Client>
  readonly #builders: Lanes<pg.Client>
  readonly #stripped: Stripped
  readonly #partsLeft = new Map<string, number>()
  readonly #building: Promise<unknown>[] = []

  private constructor(loaders: pg.Client[], builders: pg.Client[], stripped: Stripped, parts: TablePart[]) {
    this.#loaders = new Lanes(loaders)
    this.#builders = new Lanes(builders)
    this.#stripped = stripped
    for (const { table } of parts)
      this.#partsLeft.set(table.table, (this.#partsLeft.get(table.table) ?? 0) + 1)
  }

  /** Empties the database and makes it ready. `connections`: how many parts may come at the same time. */
  static async begin(
    address: DatabaseAddress,
    parts: readonly TablePart[],
    connections: number = DEFAULT_CONNECTIONS,
  ): Promise<DatabaseLoad> {
    const clients: pg.Client[] = []
    try {
      for (let count = 0; count < 2 * connections; count++) clients.push(await openSession(address))
      for (const client of clients)
        await client.query(`SET synchronous_commit = off; SET maintenance_work_mem = '128MB'`)
      const [control] = clients
      if (!control) throw new RangeError('A load needs a connection')
      const tables = new Map(parts.map(({ table }) => [table.table, table]))
      const stripped = await strip(control, tables)
      return new DatabaseLoad(clients.slice(0, connections), clients.slice(connections), stripped, [...parts])
    } catch (error) {
      await endAll(clients)
      throw error
    }
  }

  async write({ table }: TablePart, rows: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#loaders.run(async (client) => {
      const into = client.query(
        copyFrom(`COPY ${table.table} (${identifierList(table.columns)}) FROM STDIN`, {
          highWaterMark: 4 * CHUNK_BYTES,
        }),
      )
      await pipeline(rows, into)
    })
    const left = (this.#partsLeft.get(table.table) ?? 0) - 1
    this.#partsLeft.set(table.table, left)
    if (left === 0) this.#build(table.table)
  }

  /** While other tables still come in. */
  #build(table: string): void {
    const indexes = this.#stripped.indexes.get(table) ?? []
    const built = Promise.all(
      indexes.map(({ create }) => this.#builders.run((client) => client.query(create))),
    ).then(() =>
      this.#builders.run(async (client) => {
        for (const { constrain } of indexes) if (constrain !== null) await client.query(constrain)
        await client.query(`ANALYZE ${table}`)
      }),
    )
    built.catch(() => {}) // told by finish
    this.#building.push(built)
  }

  /** All that was taken away is put back. When this resolves, everything is on disk. */
  async finish(sequences: readonly SequenceState[]): Promise<void> {
    const missing = [...this.#partsLeft].filter(([, left]) => left !== 0).map(([table]) => table)
    if (missing.length > 0) throw new Error(`Not all rows have come: ${missing.slice(0, 5).join(', ')}`)
    await Promise.all(this.#building)
    const { foreignKeys, triggers } = this.#stripped
    await this.#builders.run(async (client) => {
      for (const { add } of foreignKeys) await client.query(add)
      for (const { sequence, lastValue, isCalled } of sequences) {
        await client.query(`SELECT setval(${literal(sequence)}, ${literal(lastValue)}::bigint, ${isCalled})`)
      }
    })
    const tables = new Set(foreignKeys.map(({ table }) => table))
    await Promise.all(
      [...tables].map((table) =>
        this.#builders.run(async (client) => {
          for (const key of foreignKeys) if (key.table === table) await client.query(key.validate)
        }),
      ),
    )
    await this.#builders.run(async (client) => {
      // The last commit waits for the disk, and everything before it is there then.
      await client.query('SET synchronous_commit = on')
      await inTransaction(client, async () => {
        for (const trigger of triggers) await client.query(trigger)
      })
    })
    await this.abandon()
  }

  /** Ends the connections; what is there is whole only after `finish`. */
  async abandon(): Promise<void> {
    await endAll([...this.#loaders.all, ...this.#builders.all])
  }
}

async function strip(client: pg.Client, tables: ReadonlyMap<string, TableDescription>): Promise<Stripped> {
  const there = await tablesOf(client)
  checkSameTables([...tables.values()], there)
  const large = [...tables.values()].filter(({ sizeBytes }) => sizeBytes >= KEEP_INDEXES_BELOW_BYTES)
  return inTransaction(client, async () => {
    const foreignKeys = await dropForeignKeys(client)
    const triggers = await disableTriggers(client)
    const filled = there.filter(({ pages }) => pages > 0).map(({ table }) => table)
    if (filled.length > 0) await client.query(`TRUNCATE ${filled.join(', ')}`)
    const indexes = await dropIndexes(client, large.map(({ table }) => table)) // prettier-ignore
    return { foreignKeys, triggers, indexes }
  })
}

export function checkSameTables(
  wanted: readonly TableDescription[],
  there: readonly TableDescription[],
): void {
  const differences = differencesOfTables(wanted, there)
  if (differences.length > 0) {
    throw new Error(`The database to load is of another shape: ${differences.slice(0, 5).join('; ')}`)
  }
}

/** `tables`: only keys from or to one of these. */
export async function dropForeignKeys(
  client: pg.Client,
  tables: readonly string[] | null = null,
): Promise<Stripped['foreignKeys']> {
  const { rows } = await client.query<{ table: string; name: string; definition: string; isValid: boolean }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, quote_ident(conname) AS name,
       pg_get_constraintdef(k.oid) AS definition, convalidated AS "isValid"
     FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE contype = 'f' AND conparentid = 0 AND ${OURS}
       AND ($1::text[] IS NULL OR format('%I.%I', n.nspname, c.relname) = ANY ($1)
         OR confrelid = ANY (SELECT to_regclass(t) FROM unnest($1) t)) ORDER BY 1, 2`,
    [tables],
  )
  for (const { table, name } of rows) await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`)
  return rows.map(({ table, name, definition, isValid }) => ({
    table,
    // The definition of one that was never checked says NOT VALID itself, and it stays so.
    add: `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}${isValid ? ' NOT VALID' : ''}`,
    validate: isValid ? `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}` : 'SELECT 1',
  }))
}

const ENABLE = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const

/** Of these tables, else of all; returns what puts them back. */
export async function disableTriggers(
  client: pg.Client,
  tables: readonly string[] | null = null,
): Promise<string[]> {
  const { rows } = await client.query<{ table: string; name: string; enabled: keyof typeof ENABLE }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, quote_ident(tgname) AS name, tgenabled AS enabled
     FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT tgisinternal AND tgparentid = 0 AND tgenabled <> 'D' AND ${OURS}
       AND ($1::text[] IS NULL OR format('%I.%I', n.nspname, c.relname) = ANY ($1)) ORDER BY 1, 2`,
    [tables],
  )
  for (const table of new Set(rows.map(({ table }) => table)))
    await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`)
  return rows.map(({ table, name, enabled }) => `ALTER TABLE ${table} ${ENABLE[enabled]} TRIGGER ${name}`)
}

async function dropIndexes(
  client: pg.Client,
  tables: readonly string[],
): Promise<ReadonlyMap<string, IndexOfTable[]>> {
  const { rows } = await client.query<{
    table: string
    name: string
    create: string
    constraint: string | null
    kind: string | null
    definition: string | null
    deferral: string
    canUseIndex: boolean
  }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS table, format('%I.%I', n.nspname, i.relname) AS name,
       pg_get_indexdef(x.indexrelid) AS create, quote_ident(k.conname) AS constraint, k.contype AS kind,
       pg_get_constraintdef(k.oid) AS definition, x.indisunique AND a.amname = 'btree' AS "canUseIndex",
       CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
         || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferral
     FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
     JOIN pg_am a ON a.oid = i.relam JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
     WHERE NOT c.relispartition AND format('%I.%I', n.nspname, c.relname) = ANY ($1) ORDER BY 1, 2`,
    [tables],
  )
  const indexes = new Map<string, IndexOfTable[]>()
  for (const { table, name, create, constraint, kind, definition, deferral, canUseIndex } of rows) {
    const known = indexes.get(table) ?? []
    indexes.set(table, known)
    if (constraint === null) {
      await client.query(`DROP INDEX ${name}`)
      known.push({ create, constrain: null })
      continue
    }
    const add = `ALTER TABLE ${table} ADD CONSTRAINT ${constraint}`
    await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`)
    const constrain = `${add} ${kind === 'p' ? 'PRIMARY KEY' : 'UNIQUE'} USING INDEX ${constraint}${deferral}`
    known.push(canUseIndex ? { create, constrain } : { create: `${add} ${definition}`, constrain: null })
  }
  return indexes
}

/** Leaves nothing of ours, for a dump that brings its schema with it. */
export async function emptyDatabase(address: DatabaseAddress): Promise<void> {
  const client = await openSession(address)
  try {
    const { rows } = await client.query<{ schema: string }>(
      `SELECT quote_ident(nspname) AS schema FROM pg_namespace
       WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND nspname !~ '^pg_(toast|temp)'`,
    )
    if (rows.length > 0) {
      await client.query(`DROP SCHEMA ${rows.map(({ schema }) => schema).join(', ')} CASCADE`)
    }
  } finally {
    await client.end()
  }
}

// ---- both ----------------------------------------------------------------------------------------------

/** All rows of `source`, as they are at one moment, replace those of `target`, which has the same schema. */
export async function copyDatabase(
  source: DatabaseAddress,
  target: DatabaseAddress,
  options: CopyOptions = {},
): Promise<CopiedTable[]> {
  const snapshot = await DatabaseSnapshot.open(source, options.connections)
  try {
    return await copySnapshot(snapshot, target, options)
  } finally {
    await snapshot.close()
  }
}

/** The same from a snapshot that others look at too. */
export async function copySnapshot(
  snapshot: DatabaseSnapshot,
  target: DatabaseAddress,
  { connections = DEFAULT_CONNECTIONS, signal }: CopyOptions = {},
): Promise<CopiedTable[]> {
  const parts = snapshot.parts()
  const load = await DatabaseLoad.begin(target, parts, connections)
  const stop = (): void => void load.abandon()
  signal?.addEventListener('abort', stop, { once: true })
  const tally = new Tally(snapshot.tables)
  try {
    await untilFirstFailure(
      parts,
      () => load.abandon(),
      (part) =>
        snapshot.read(part, async (rows) => {
          signal?.throwIfAborted()
          await load.write(part, counted(rows, tally.begin(part)))
        }),
    )
    await load.finish(snapshot.sequences)
    return tally.copied()
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    await load.abandon()
  }
}

async function* counted(rows: AsyncIterable<Uint8Array>, sum: RowChecksum): AsyncGenerator<Uint8Array> {
  for await (const chunk of rows) {
    sum.update(chunk)
    yield chunk
  }
}

// ---- comparing -----------------------------------------------------------------------------------------

/** A question both databases must answer alike, e.g. the sums of the ledger. Its SQL gives one row. */
export interface Proof {
  readonly name: string
  readonly text: string
}

export interface Comparison {
  readonly isEqual: boolean
  /** What is not alike, in words, the first hundred. */
  readonly differences: readonly string[]
  readonly tables: readonly CopiedTable[]
  readonly proofs: readonly { name: string; answer: string }[]
}

const DIFFERENCES_MAXIMUM = 100

/** Whether a copy is whole: tables, rows, checksums, keys, indexes, triggers, sequences, and the proofs. */
export async function verifyCopy(
  source: DatabaseAddress,
  target: DatabaseAddress,
  proofs: readonly Proof[] = [],
): Promise<Comparison> {
  const [one, other] = await openBoth(source, target)
  try {
    const [ours, theirs] = await Promise.all([portraitOf(one, proofs), portraitOf(other, proofs)])
    const differences = differencesOf(ours, theirs)
    return {
      isEqual: differences.length === 0,
      differences: differences.slice(0, DIFFERENCES_MAXIMUM),
      tables: theirs.tables,
      proofs: theirs.proofs,
    }
  } finally {
    await Promise.all([one.close(), other.close()])
  }
}

async function openBoth(
  source: DatabaseAddress,
  target: DatabaseAddress,
): Promise<[DatabaseSnapshot, DatabaseSnapshot]> {
  const one = await DatabaseSnapshot.open(source)
  try {
    return [one, await DatabaseSnapshot.open(target)]
  } catch (error) {
    await one.close()
    throw error
  }
}

interface Portrait {
  readonly shapes: readonly TableDescription[]
  readonly tables: readonly CopiedTable[]
  readonly sequences: readonly SequenceState[]
  readonly structure: readonly string[]
  readonly proofs: readonly { name: string; answer: string }[]
}

async function portraitOf(snapshot: DatabaseSnapshot, proofs: readonly Proof[]): Promise<Portrait> {
  const structure = JSON.parse(await snapshot.row(STRUCTURE)) as { parts: string[] | null }
  return {
    shapes: snapshot.tables,
    tables: await snapshot.figures(),
    sequences: snapshot.sequences,
    structure: structure.parts ?? [],
    proofs: await Promise.all(
      proofs.map(async ({ name, text }) => ({ name, answer: await snapshot.row(text) })),
    ),
  }
}

/** What a load takes away and must have put back. */
const STRUCTURE = `SELECT array_agg(part ORDER BY part) AS parts FROM (
  SELECT format('constraint %I of %s: %s%s', conname, c.oid::regclass, pg_get_constraintdef(k.oid),
      CASE WHEN convalidated THEN '' ELSE ' (never checked)' END) AS part
    FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE contype <> 'n' AND ${OURS}
  UNION ALL SELECT format('index %s%s', pg_get_indexdef(x.indexrelid), CASE WHEN indisvalid THEN '' ELSE ' (not valid)' END)
    FROM pg_index x JOIN pg_class c ON c.oid = indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}
  UNION ALL SELECT format('trigger %s (%s)', pg_get_triggerdef(t.oid), tgenabled)
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT tgisinternal AND ${OURS}) parts`

function differencesOf(ours: Portrait, theirs: Portrait): string[] {
  const differences = differencesOfTables(ours.shapes, theirs.shapes)
  const found = new Map(theirs.tables.map((table) => [table.table, table]))
  for (const { table, rows, checksum } of ours.tables) {
    const other = found.get(table)
    if (!other) continue // told already
    if (other.rows !== rows) differences.push(`${table} has ${other.rows} rows instead of ${rows}`)
    else if (other.checksum !== checksum) differences.push(`${table} has other rows (${rows} of them)`)
  }
  differences.push(
    ...missingFrom(ours.structure, theirs.structure).map((part) => `missing: ${part}`),
    ...missingFrom(theirs.structure, ours.structure).map((part) => `too much: ${part}`),
    ...missingFrom(ours.sequences.map(told), theirs.sequences.map(told)).map((one) => `not at: ${one}`),
  )
  ours.proofs.forEach(({ name, answer }, index) => {
    const other = theirs.proofs[index]?.answer
    if (other !== answer) differences.push(`${name}: ${other} instead of ${answer}`)
  })
  return differences
}

function differencesOfTables(
  wanted: readonly TableDescription[],
  there: readonly TableDescription[],
): string[] {
  const shapes = new Map(there.map(({ table, shape }) => [table, shape]))
  const known = new Set(wanted.map(({ table }) => table))
  return [
    ...wanted.flatMap(({ table, shape }) => {
      const other = shapes.get(table)
      if (other === undefined) return [`there is no table ${table}`]
      return other === shape ? [] : [`${table} has other columns (${other}) than (${shape})`]
    }),
    ...there
      .filter(({ table }) => !known.has(table))
      .map(({ table }) => `there is a table ${table} too much`),
  ]
}

function missingFrom(wanted: readonly string[], there: readonly string[]): string[] {
  const known = new Set(there)
  return wanted.filter((one) => !known.has(one))
}

function told({ sequence, lastValue, isCalled }: SequenceState): string {
  return `sequence ${sequence} ${lastValue}${isCalled ? '' : ' (not used yet)'}`
}

// ---- connections ---------------------------------------------------------------------------------------

export async function openSession(address: DatabaseAddress): Promise<pg.Client> {
  const client = await connect(address, CONNECT_TIMEOUT_MS, { isPipelined: false })
  await client.query(PLAIN_SESSION)
  return client
}

export async function endAll(clients: readonly pg.Client[]): Promise<void> {
  await Promise.all(clients.map((client) => client.end().catch(() => {})))
}

export async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('BEGIN')
  try {
    const result = await work()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/**
 * All of it at once; at the first failure `stop` makes the others fail too. Resolves or rejects when all have
 * ended: nothing goes on behind the back of whoever clears up.
 */
async function untilFirstFailure<Item>(
  items: readonly Item[],
  stop: () => Promise<void>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  await Promise.all(
    items.map((item) =>
      work(item).catch(async (error: unknown) => {
        failures.push(error)
        if (failures.length === 1) await stop()
      }),
    ),
  )
  if (failures.length > 0) throw failures[0]
}
