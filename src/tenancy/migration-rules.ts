/**
 * What a migration may do while the code of the release before it is running: add. What breaks that code
 * (a dropped column, a new NOT NULL …) waits for a later release, and says so: `-- contract: <name>` before the up part
 * names the migration of an earlier release since when no code needs it any more. What would hold a lock for
 * long on a table that can be large is refused in any case.
 */
import { createHash } from 'node:crypto'
import type { LandedMigration } from './migrations.ts'
import { statementsOf } from './sql-statements.ts'

export interface Sample {
  readonly set: string
  readonly name: string
  readonly head: string
  readonly up: string
  readonly down: string
}

/** The release that has not been made yet. */
export const NEXT = 'next'

/** Documents, their lines and whatever grows with every day; the others hold what people have typed in. */
const LARGE = /^(?:finance|inventory|sales|purchasing|audit)\.|^core\.(?:session|idempotency_key)$/
/** Of the large rooms, what grows with the years only. */
const SMALL = new Set(['finance.fiscal_year', 'finance.period', 'finance.journal', 'finance.number_series'])

interface Breach {
  /** `breaks`: a contract step may; `locks`: nobody may. */
  readonly kind: 'breaks' | 'locks'
  readonly what: string
}

interface Made {
  readonly tables: Set<string>
  /** `table.column` */
  readonly columns: Set<string>
}

/** In words, each beginning with the migration's name; none for those of the first release: no code ran before it. */
export function breaches(sample: Sample, landed: readonly LandedMigration[]): string[] {
  const ofSet = landed.filter(({ set }) => set === sample.set)
  const own = ofSet.find(({ name }) => name === sample.name)?.release ?? NEXT
  const first = ofSet.toSorted((a, b) => (a.name < b.name ? -1 : 1))[0]
  const found = [...outsideBreaches(sample), ...orderBreaches(sample, ofSet)]
  if (first !== undefined && own !== first.release) {
    const contract = /^--\s*contract:\s*(\S+)/im.exec(sample.head)?.[1]
    const wrong = contract === undefined ? undefined : whyNoContract(contract, sample.name, own, ofSet)
    if (wrong !== undefined) found.push(wrong)
    const isContract = contract !== undefined && wrong === undefined
    for (const { kind, what } of statementBreaches(sample)) {
      if (kind === 'breaks' && isContract) continue
      const advice =
        kind === 'breaks'
          ? 'breaks the code that runs meanwhile: do it in a later release, declared as `-- contract: <migration>`'
          : 'holds a lock for as long as a large table takes'
      found.push(`${what}: ${advice}`)
    }
  }
  return found.map((line) => `${sample.name}: ${line}`)
}

/** Of what runs; the declarations before it may be mended. */
export function checksumOf({ up, down }: Sample): string {
  return createHash('sha256').update(`${up}\n${down}`).digest('hex').slice(0, 16)
}

/** A database that has a migration has it as it was: what has landed stays as it is. */
export function editedMigrations(samples: readonly Sample[], landed: readonly LandedMigration[]): string[] {
  return landed.flatMap(({ set, name, checksum }) => {
    const sample = samples.find((one) => one.set === set && one.name === name)
    if (!sample) return [`${name} has landed and is gone: databases that have it could not go down`]
    if (checksumOf(sample) === checksum) return []
    return [
      `${name} has landed and was edited since: put it back, and mend it with another migration. (If it never ` +
        `left your branch: take its line out of src/tenancy/landed-migrations.txt, then npm run generate.)`,
    ]
  })
}

function whyNoContract(
  expand: string,
  name: string,
  release: string,
  landed: readonly LandedMigration[],
): string | undefined {
  const step = landed.find((one) => one.name === expand)
  if (!step || expand >= name) return `its contract names ${expand}, which has not landed before it`
  if (step.release === release)
    return `its contract names ${expand}, which is of the same release (${release})`
  return undefined
}

/** A tenant's version is its newest name: what sorts before it would never be looked for. */
function orderBreaches({ set, name }: Sample, landed: readonly LandedMigration[]): string[] {
  if (set !== 'tenant' || landed.some((one) => one.name === name)) return []
  const newest =
    landed
      .map((one) => one.name)
      .toSorted()
      .at(-1) ?? ''
  return name > newest ? [] : [`must sort after ${newest}, which has landed`]
}

const CONCURRENT_INDEX = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (\S+) ON /i

/** Outside a transaction a kill leaves half of it done: it must be made so that it can be done again. */
function outsideBreaches({ head, up }: Sample): string[] {
  const statements = plain(up)
  if (!/^--\s*outside a transaction/im.test(head)) {
    return statements.some((statement) => CONCURRENT_INDEX.test(statement))
      ? ['CONCURRENTLY needs `-- outside a transaction` before the up part']
      : []
  }
  return statements.flatMap((statement, index) => {
    if (/^DROP INDEX CONCURRENTLY IF EXISTS /i.test(statement)) return []
    const index_ = CONCURRENT_INDEX.exec(statement)?.[1]
    const before = statements[index - 1]?.toLowerCase() ?? ''
    if (
      index_ !== undefined &&
      before.startsWith('drop index concurrently if exists') &&
      before.endsWith(index_.toLowerCase())
    )
      return []
    return [
      `${short(statement)}: outside a transaction only DROP INDEX CONCURRENTLY IF EXISTS, and CREATE INDEX CONCURRENTLY of the same behind it`,
    ]
  })
}

// ---- statement by statement ----------------------------------------------------------------------------

function plain(script: string): string[] {
  return statementsOf(script).map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
}

function short(statement: string): string {
  return statement.length > 90 ? `${statement.slice(0, 87)}…` : statement
}

function statementBreaches({ up }: Sample): Breach[] {
  const made: Made = { tables: new Set(), columns: new Set() }
  return plain(up).flatMap((statement) => {
    const created = /^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?([\w.]+)/i.exec(statement)?.[1]
    if (created !== undefined) made.tables.add(created.toLowerCase())
    return [...statementKinds(statement, made)].map(({ kind, what }) => ({
      kind,
      what: `${what} (${short(statement)})`,
    }))
  })
}

function statementKinds(statement: string, made: Made): Breach[] {
  const breaks = (what: string): Breach[] => [{ kind: 'breaks', what }]
  const dropped =
    /^DROP (TABLE|VIEW|MATERIALIZED VIEW|SCHEMA|FUNCTION|PROCEDURE|TYPE|DOMAIN|SEQUENCE) (?:IF EXISTS )?([\w.]+)/i.exec(
      statement,
    )
  if (dropped)
    return made.tables.has(dropped[2]?.toLowerCase() ?? '')
      ? []
      : breaks(`drops a ${dropped[1]?.toLowerCase()}`)
  if (/^TRUNCATE /i.test(statement)) return breaks('empties a table')
  if (/^REVOKE /i.test(statement)) return breaks('takes a right away')
  if (/^DO /i.test(statement) && /\b(?:DROP|RENAME|TRUNCATE|SET NOT NULL)\b/i.test(statement))
    return breaks('changes things in a DO block')
  const altered = /^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?([\w.]+) (.*)$/i.exec(statement)
  if (altered) return alterations(altered[1]?.toLowerCase() ?? '', altered[2] ?? '', made)
  const indexed =
    /^CREATE (UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?(?:[\w.]+ )?ON (?:ONLY )?([\w.]+) (?:USING \w+ )?(.*)$/i.exec(
      statement,
    )
  if (indexed) return indexBreaches(indexed, made)
  const changed = /^(?:UPDATE|DELETE FROM) (?:ONLY )?([\w.]+)/i.exec(statement)?.[1]?.toLowerCase()
  if (changed !== undefined && isLarge(changed, made))
    return [{ kind: 'locks', what: 'changes the rows of a large table at once' }]
  return []
}

function indexBreaches(
  [, unique, concurrently, table = '', rest = '']: RegExpExecArray,
  made: Made,
): Breach[] {
  const name = table.toLowerCase()
  if (made.tables.has(name)) return []
  // The code that runs leaves a new column null, and nulls are never alike.
  const isNewRule =
    unique !== undefined &&
    !columnsIn(firstGroup(rest)).some((column) => made.columns.has(`${name}.${column}`))
  const isLocking = concurrently === undefined && isLarge(name, made)
  return [
    ...(isNewRule ? [{ kind: 'breaks' as const, what: 'forbids values that were allowed' }] : []),
    ...(isLocking ? [{ kind: 'locks' as const, what: 'builds an index without CONCURRENTLY' }] : []),
  ]
}

function alterations(table: string, text: string, made: Made): Breach[] {
  if (made.tables.has(table)) return []
  const actions = topLevelParts(text)
  for (const action of actions) {
    const column = addedColumn(action)
    if (column !== undefined) made.columns.add(`${table}.${column}`)
  }
  return actions.flatMap((action) => alteration(table, action, made))
}

const NO_COLUMN = /^(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)$/i

function addedColumn(action: string): string | undefined {
  const name = /^ADD (?:COLUMN )?(?:IF NOT EXISTS )?(\w+)/i.exec(action)?.[1]
  return name === undefined || NO_COLUMN.test(name) ? undefined : name.toLowerCase()
}

function alteration(table: string, action: string, made: Made): Breach[] {
  const breaks = (what: string): Breach[] => [{ kind: 'breaks', what }]
  if (/^DROP (?!CONSTRAINT|EXPRESSION)/i.test(action)) return breaks('drops a column')
  if (/^(?:RENAME|SET SCHEMA) /i.test(action)) return breaks('renames what the code calls by name')
  if (/^ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE /i.test(action)) return breaks("changes a column's type")
  if (/^ALTER (?:COLUMN )?\w+ SET NOT NULL/i.test(action))
    return breaks('forbids null where the code may write it')
  if (/^ALTER (?:COLUMN )?\w+ DROP DEFAULT/i.test(action)) return breaks('takes a default away')
  if (/^(?:ENABLE|FORCE) ROW LEVEL SECURITY/i.test(action)) return breaks('hides rows from the code')
  if (addedColumn(action) !== undefined) return columnBreaches(table, action, made)
  if (!/^ADD /i.test(action) || /NOT VALID$/i.test(action) || / USING INDEX /i.test(action)) return []
  const words = action.replace(/^ADD (?:CONSTRAINT \w+ )?/i, '').replace(/^\w+(?: KEY)?/i, '')
  return onlyNewColumns(table, words, made) ? [] : breaks('adds a constraint without NOT VALID')
}

function columnBreaches(table: string, action: string, made: Made): Breach[] {
  const found: Breach[] = []
  const hasDefault = / (?:DEFAULT|GENERATED) /i.test(action)
  if (/ NOT NULL/i.test(action) && !hasDefault) {
    found.push({
      kind: 'breaks',
      what: 'adds a column that the code does not fill, NOT NULL without a default',
    })
  }
  const isRewriting =
    / DEFAULT (?!now\(\)|current_\w+)[\w.]+\(/i.test(action) || / GENERATED .*STORED/i.test(action)
  if (isRewriting && isLarge(table, made))
    found.push({ kind: 'locks', what: 'adds a column that rewrites every row' })
  return found
}

function isLarge(table: string, made: Made): boolean {
  return LARGE.test(table) && !SMALL.has(table) && !made.tables.has(table)
}

const SQL_WORDS = new Set(
  `and or not null is in case when then else end between like ilike similar any all true false desc asc nulls first last
   include where with key references on delete update cascade restrict set default text integer bigint numeric date uuid
   boolean timestamptz jsonb`.split(/\s+/),
)

/** Whether an expression names no column but those that this migration adds: nothing written so far can break it. */
function onlyNewColumns(table: string, expression: string, made: Made): boolean {
  const columns = columnsIn(expression)
  return columns.length > 0 && columns.every((name) => made.columns.has(`${table}.${name}`))
}

function columnsIn(expression: string): string[] {
  const words = expression
    .replaceAll(/'(?:[^']|'')*'/g, ' ')
    .replaceAll(/\bREFERENCES [\w.]+(?: ?\([^)]*\))?/gi, ' ')
  const names = [...words.matchAll(/(?<![\w.:])([A-Za-z_]\w*)\b(?!\s*\()/g)].map(([, word = '']) =>
    word.toLowerCase(),
  )
  return names.filter((name) => !SQL_WORDS.has(name))
}

function firstGroup(text: string): string {
  let depth = 0
  for (const [index, character] of [...text].entries()) {
    if (character === '(') depth++
    if (character === ')' && --depth === 0) return text.slice(0, index + 1)
  }
  return text
}

function topLevelParts(text: string): string[] {
  const parts: string[] = []
  let [depth, current] = [0, '']
  for (const [token] of text.matchAll(/'(?:[^']|'')*'|[(),]|[^'(),]+/g)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if (token === ',' && depth === 0) {
      parts.push(current.trim())
      current = ''
    } else current += token
  }
  return [...parts, current.trim()].filter((part) => part !== '')
}
