/**
 * What an export consists of, one entry after the other: every table as CSV (for people), as JSON (for
 * programs) and as SQL (for a PostgreSQL of one's own), all of one moment; then a manifest with the checksum
 * of each entry. PostgreSQL writes the rows; nothing here holds more than a chunk of them.
 *
 * Left out: what lets somebody in (sessions, links, hashes of passwords) and what is sealed with our key.
 */
import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { FORMULA_PATTERN } from '../../kernel/spreadsheets.ts'
import type { DatabaseSnapshot } from '../../tenancy/copy.ts'
import { schemaScript } from '../../tenancy/migrations.ts'
import { identifier, identifierList, literal } from '../../tenancy/sql-text.ts'

export interface Entry {
  readonly name: string
  /** Called when its turn comes; read to its end before the next one's is called. */
  readonly open: () => Readable
}

export interface ExportSubject {
  readonly tenantCode: string
  readonly companyName: string
  readonly schemaVersion: string
  readonly productVersion: string
}

interface Column {
  readonly name: string
  readonly type: string
}

interface Table {
  /** `finance.journal_line`, for people. */
  readonly name: string
  /** The same for SQL. */
  readonly quoted: string
  readonly columns: readonly Column[]
}

interface Written {
  readonly name: string
  readonly sizeBytes: number
  readonly sha256: string
}

const LEFT_OUT_TABLES = new Set([
  'core.session',
  'core.second_factor',
  'core.password_token',
  'core.single_sign_on_attempt',
  'core.idempotency_key',
])
const SECRET_COLUMN = /^sealed_|_hash(?:es)?$/
const TEXT_TYPES = new Set(['text', 'character varying', 'jsonb', 'json', 'text[]'])
/** Exact numbers travel as text: many readers of JSON would bend them. */
const EXACT_TYPES = /^(numeric|bigint)/

export async function exportEntries(snapshot: DatabaseSnapshot, subject: ExportSubject): Promise<Entry[]> {
  const tables = await tablesOf(snapshot)
  const written: Written[] = []
  const copies = (name: string, open: () => AsyncIterable<Buffer | string>): Entry => ({
    name,
    open: () => Readable.from(summed(name, open(), written), { objectMode: false }),
  })
  return [
    copies('README.txt', () => once(readme(subject))),
    ...tables.map((table) => copies(`csv/${table.name}.csv`, () => snapshot.copyOut(csvStatement(table)))),
    ...tables.map((table) => copies(`json/${table.name}.json`, () => jsonArray(snapshot, table))),
    copies('sql/1-schema.sql', () => once(schemaScript('tenant'))),
    copies('sql/2-data.sql', () => sqlScript(snapshot, tables)),
    {
      name: 'manifest.json',
      open: () => Readable.from(once(manifest(snapshot, subject, tables, written)), { objectMode: false }),
    },
  ]
}

async function tablesOf(snapshot: DatabaseSnapshot): Promise<Table[]> {
  const found = await snapshot.row(
    `SELECT coalesce(jsonb_agg(jsonb_build_object('name', n.nspname || '.' || c.relname,
        'quoted', format('%I.%I', n.nspname, c.relname), 'columns', columns) ORDER BY n.nspname, c.relname), '[]') AS tables
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, NULL)) ORDER BY attnum) AS columns
       FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') a
     WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'migrations')`,
  )
  return (JSON.parse(found) as { tables: Table[] }).tables
    .filter(({ name }) => !LEFT_OUT_TABLES.has(name))
    .map((table) => ({ ...table, columns: table.columns.filter(({ name }) => !SECRET_COLUMN.test(name)) }))
}

// ---- the three forms -----------------------------------------------------------------------------------

function csvStatement(table: Table): string {
  const cells = table.columns.map(({ name, type }) => {
    const column = identifier(name)
    if (!TEXT_TYPES.has(type)) return column
    return `CASE WHEN ${column}::text ~ ${literal(FORMULA_PATTERN)} THEN '''' || ${column}::text ELSE ${column}::text END AS ${column}`
  })
  return `COPY (SELECT ${cells.join(', ')} FROM ${table.quoted}) TO STDOUT WITH (FORMAT csv, HEADER)`
}

/** One object a line within one array: read whole by a small program, line by line by a careful one. */
async function* jsonArray(snapshot: DatabaseSnapshot, table: Table): AsyncGenerator<Buffer | string> {
  const members = table.columns.map(({ name, type }) => {
    const column = identifier(name)
    return EXACT_TYPES.test(type) ? `${column}::text AS ${column}` : column
  })
  const row = `SELECT row_to_json(r)::text AS line FROM (SELECT ${members.join(', ')} FROM ${table.quoted}) r`
  // CSV that quotes with a character that JSON never contains is the line as it is; COPY's text would escape it.
  const statement = `COPY (SELECT ',' || line FROM (${row}) l) TO STDOUT WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')`
  yield '[\n'
  let isFirst = true
  for await (const chunk of snapshot.copyOut(statement)) {
    yield isFirst ? chunk.subarray(1) : chunk // no comma before the first one
    isFirst = false
  }
  yield ']\n'
}

async function* sqlScript(
  snapshot: DatabaseSnapshot,
  tables: readonly Table[],
): AsyncGenerator<Buffer | string> {
  yield '-- Into a database made by 1-schema.sql, as a superuser: triggers and foreign keys rest meanwhile.\n'
  yield "SET client_min_messages = warning;\nBEGIN;\nSET LOCAL session_replication_role = replica;\nSET LOCAL TimeZone = 'UTC';\nSET LOCAL client_encoding = 'UTF8';\n"
  yield `TRUNCATE ${tables.map(({ quoted }) => quoted).join(', ')} CASCADE;\n`
  for (const { quoted, columns } of tables) {
    const list = identifierList(columns.map(({ name }) => name))
    yield `\nCOPY ${quoted} (${list}) FROM stdin;\n`
    yield* snapshot.copyOut(`COPY (SELECT ${list} FROM ${quoted}) TO STDOUT`)
    yield '\\.\n'
  }
  yield '\nCOMMIT;\n'
}

// ---- what stands beside the tables ---------------------------------------------------------------------

async function* summed(
  name: string,
  parts: AsyncIterable<Buffer | string>,
  written: Written[],
): AsyncGenerator<Buffer> {
  const hash: Hash = createHash('sha256')
  let sizeBytes = 0
  for await (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    hash.update(bytes)
    sizeBytes += bytes.length
    yield bytes
  }
  written.push({ name, sizeBytes, sha256: hash.digest('hex') })
}

async function* once(text: string | Promise<string>): AsyncGenerator<string> {
  yield await text
}

async function manifest(
  snapshot: DatabaseSnapshot,
  subject: ExportSubject,
  tables: readonly Table[],
  written: readonly Written[],
): Promise<string> {
  const counts = tables.map(
    ({ name, quoted }) => `SELECT ${literal(name)} AS name, count(*) AS rows FROM ${quoted}`,
  )
  const counted = await snapshot.row(
    `SELECT jsonb_object_agg(name, rows) AS rows FROM (${counts.join(' UNION ALL ')}) c`,
  )
  const { rows } = JSON.parse(counted) as { rows: Record<string, number> | null }
  const described = tables.map(({ name, columns }) => ({ table: name, rows: rows?.[name] ?? 0, columns }))
  const content = { format: 1, ...subject, takenAt: snapshot.takenAt, tables: described, entries: written }
  return `${JSON.stringify(content, null, 2)}\n`
}

function readme({ companyName, tenantCode }: ExportSubject): string {
  return `Everything of ${companyName} (${tenantCode}), as of one moment.

csv/       every table for spreadsheets, UTF-8. Text that a spreadsheet would take for a formula has one ' more before it;
           numbers are as they are.
json/      the same for programs, exactly as it is stored; amounts are text, so that no reader rounds them.
sql/       the same for a PostgreSQL (15 or newer) of your own:
           createdb books && psql -d books -f sql/1-schema.sql && psql -d books -f sql/2-data.sql
manifest.json   every table with its rows and columns, every file with its size and SHA-256.

Left out, because it lets somebody in and is of no use elsewhere: passwords, sessions, links, access keys.
`
}
