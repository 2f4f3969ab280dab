/** The rows of an audit log and its seals, as the chain reads and writes them. */
import { sql } from 'kysely'
import { platformSql, type PlatformTx } from '../tenancy/handles.ts'

type Read = Pick<PlatformTx, 'rows' | 'row'>
type Write = Pick<PlatformTx, 'rows' | 'row' | 'run'>

/** One audit log and where it lies. What is read in it must be the rows of all companies. */
export interface ChainPlace {
  readonly kind: 'tenant' | 'platform'
  read<Result>(work: (tx: Read) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: Write) => Promise<Result>): Promise<Result>
}

export interface Seal {
  readonly number: number
  /** It covers the rows behind this one … */
  readonly afterRow: number
  /** … up to this one. */
  readonly lastRow: number
  /** How many rows were there before rows had numbers. */
  readonly unnumbered: number
  readonly rowNumbers: readonly number[]
  /** The first bytes of each row's hash: they only help to name the row that was changed. */
  readonly rowHashes: Buffer
  readonly previousDigest: Buffer
  readonly digest: Buffer
  readonly keyId: string
  readonly signature: Buffer
  readonly createdAt: Date
}

export interface Row {
  readonly id: string
  readonly number: number
  readonly hash: Buffer
  readonly createdAtMs: number
  readonly entity: string
  readonly action: string
}

const BATCH_MAXIMUM = 1_000
const HINT_BYTES = 8
export const SEALS_AT_ONCE = 50

/** Column by column: a column added later must not change what was hashed. Moments as numbers, whatever the time zone. */
const tables = {
  tenant: {
    log: 'audit.change',
    seals: 'audit.seal',
    numbers: 'audit.change_number',
    canonical: sql`id, number, company_id, actor_kind, actor_id, request_id, address, user_agent, action, entity,
      entity_id, old_values, new_values, extract(epoch FROM created_at)`,
  },
  platform: {
    log: 'platform.audit_event',
    seals: 'platform.audit_seal',
    numbers: 'platform.audit_event_number',
    canonical: sql`id, number, actor_kind, actor_id, request_id, address, user_agent, action, entity, entity_id,
      tenant_id, details, old_values, new_values, extract(epoch FROM created_at)`,
  },
} as const

/** Hashed by the database, row by row, by the text given here: nothing that is stored there is trusted. */
function rowsWhere({ kind }: ChainPlace, condition: ReturnType<typeof sql>, maximum: number) {
  const { log, canonical } = tables[kind]
  return sql<Row>`SELECT id, number::float8 AS number, entity, action,
      extract(epoch FROM created_at)::float8 * 1000 AS "createdAtMs",
      sha256(convert_to(jsonb_build_array(${canonical})::text, 'UTF8')) AS hash
    FROM ${sql.table(log)} WHERE ${condition} ORDER BY number LIMIT ${maximum}`.compile(platformSql)
}

export function nextRows(place: ChainPlace, after: number, until: number): Promise<Row[]> {
  const condition = sql`number > ${after} AND number <= ${until}`
  return place.read((tx) => tx.rows(rowsWhere(place, condition, BATCH_MAXIMUM)))
}

/** All that so many seals can cover, and one more, so that too many are seen. */
export function rowsOfSeals(place: ChainPlace, after: number, until: number): Promise<Row[]> {
  const condition = sql`number > ${after} AND number <= ${until}`
  return place.read((tx) => tx.rows(rowsWhere(place, condition, BATCH_MAXIMUM * SEALS_AT_ONCE + 1)))
}

export function hintsOf(rows: readonly Row[]): Buffer {
  return Buffer.concat(rows.map(({ hash }) => hash.subarray(0, HINT_BYTES)))
}

export function hintAt(hints: Buffer, index: number): Buffer {
  return hints.subarray(index * HINT_BYTES, (index + 1) * HINT_BYTES)
}

/** The newest number that was given, whether or not its row came to be; and the database's time, which rows have too. */
export async function newestNumber(place: ChainPlace): Promise<{ newest: number; now: Date }> {
  const row = await place.read((tx) =>
    tx.row(
      sql<{ newest: number; nowMs: number }>`
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END::float8 AS newest,
          floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs"
        FROM ${sql.table(tables[place.kind].numbers)}`.compile(platformSql),
    ),
  )
  return { newest: row?.newest ?? 0, now: new Date(row?.nowMs ?? 0) }
}

/** Transactions that have written into the log, or are about to, and have not ended. */
export async function writers(place: ChainPlace): Promise<string[]> {
  const found = await place.read((tx) =>
    tx.rows(
      sql<{ writer: string }>`SELECT DISTINCT virtualtransaction AS writer FROM pg_locks
        WHERE relation = ${tables[place.kind].log}::regclass AND mode = 'RowExclusiveLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`.compile(
        platformSql,
      ),
    ),
  )
  return found.map(({ writer }) => writer)
}

export function unnumbered(place: ChainPlace): Promise<number> {
  return count(place, sql`number IS NULL`)
}

export function unsealed(place: ChainPlace, after: number): Promise<number> {
  return count(place, sql`number > ${after}`)
}

/** Rows are counted first: whatever has a number by then had been given one. */
export async function neverNumbered(place: ChainPlace): Promise<boolean> {
  const { log } = tables[place.kind]
  const ends = await place.read((tx) =>
    tx.row(
      sql<{ least: number | null; most: number | null }>`SELECT min(number)::float8 AS least,
        max(number)::float8 AS most FROM ${sql.table(log)}`.compile(platformSql),
    ),
  )
  const { newest } = await newestNumber(place)
  return (ends?.least ?? 1) < 1 || (ends?.most ?? 0) > newest
}

async function count(place: ChainPlace, condition: ReturnType<typeof sql>): Promise<number> {
  const { log } = tables[place.kind]
  const row = await place.read((tx) =>
    tx.row(
      sql<{ count: number }>`SELECT count(*)::float8 AS count FROM ${sql.table(log)}
        WHERE ${condition}`.compile(platformSql),
    ),
  )
  return row?.count ?? 0
}

// ---- seals ---------------------------------------------------------------------------------------------

type SealRow = Omit<Seal, 'createdAt'> & { readonly createdAtMs: number }

function sealsWhere(
  place: ChainPlace,
  condition: ReturnType<typeof sql>,
  order: 'ASC' | 'DESC',
  maximum: number,
) {
  return place.read(async (tx) => {
    const found = await tx.rows(
      sql<SealRow>`SELECT number::float8 AS number, after_row::float8 AS "afterRow", last_row::float8 AS "lastRow",
          unnumbered::float8 AS unnumbered, row_numbers::float8[] AS "rowNumbers", row_hashes AS "rowHashes",
          previous_digest AS "previousDigest", digest, key_id AS "keyId", signature,
          extract(epoch FROM created_at)::float8 * 1000 AS "createdAtMs"
        FROM ${sql.table(tables[place.kind].seals)} WHERE ${condition}
        ORDER BY number ${sql.raw(order)} LIMIT ${maximum}`.compile(platformSql),
    )
    return found.map(({ createdAtMs, ...seal }): Seal => ({ ...seal, createdAt: new Date(createdAtMs) }))
  })
}

export async function newestSeal(place: ChainPlace): Promise<Seal | undefined> {
  const [seal] = await sealsWhere(place, sql`TRUE`, 'DESC', 1)
  return seal
}

export async function sealNumbered(place: ChainPlace, number: number): Promise<Seal | undefined> {
  const [seal] = await sealsWhere(place, sql`number = ${number}`, 'ASC', 1)
  return seal
}

export function sealsAfter(place: ChainPlace, number: number): Promise<Seal[]> {
  return sealsWhere(place, sql`number > ${number}`, 'ASC', SEALS_AT_ONCE)
}

/** false: another process has made the one with this number. */
export async function insertSeal(place: ChainPlace, seal: Seal): Promise<boolean> {
  const inserted = await place.write((tx) =>
    tx.run(
      sql`INSERT INTO ${sql.table(tables[place.kind].seals)} (number, after_row, last_row, unnumbered, row_numbers,
          row_hashes, previous_digest, digest, key_id, signature, created_at)
        VALUES (${seal.number}, ${seal.afterRow}, ${seal.lastRow}, ${seal.unnumbered},
          ${seal.rowNumbers}::bigint[], ${seal.rowHashes}, ${seal.previousDigest}, ${seal.digest}, ${seal.keyId},
          ${seal.signature}, ${seal.createdAt.toISOString()})
        ON CONFLICT (number) DO NOTHING`.compile(platformSql),
    ),
  )
  return inserted === 1
}
