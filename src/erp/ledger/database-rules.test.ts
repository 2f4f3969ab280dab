/**
 * The database's own word: what it refuses when the program does not. Each rule is broken once with its
 * trigger or policy taken away, so that it is seen to be that rule which refused.
 */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addCompany,
  asRuntime,
  asSuperuser,
  CLEARING,
  closeUntil,
  findings,
  newId,
  postEntry,
  query,
  SALES,
} from '../../testing/books.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'

let product: TestProduct
let tenant: TestTenant
let posted: { id: string; number: string | null }
let otherCompanyId: string

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  posted = await postEntry(tenant.admin, '10.00')
  otherCompanyId = await addCompany(product, tenant, 'OTHER')
  await closeUntil(tenant.admin, '2026-01')
})
afterAll(() => product.stop())

const roles = [
  ['the runtime role', asRuntime],
  ['a superuser', asSuperuser],
] as const
type Connected = (typeof roles)[number][1]

/** Runs in a transaction of the company that is rolled back; what was refused, or 'done'. */
async function attempt(
  connected: Connected,
  work: (client: pg.Client) => Promise<unknown>,
  companyId: string | null = tenant.companyId,
): Promise<string> {
  return connected(product, tenant, async (client) => {
    await client.query('BEGIN')
    await client.query("SELECT set_config('erp.company_id', $1, true)", [companyId ?? ''])
    try {
      await work(client)
      return 'done'
    } catch (error) {
      const { code, constraint, message } = error as { code?: string; constraint?: string; message: string }
      return `${code} ${constraint ?? message}`
    } finally {
      await client.query('ROLLBACK')
    }
  })
}

const run = (connected: Connected, text: string, companyId?: string | null): Promise<string> =>
  attempt(connected, (client) => client.query(text), companyId)

/** The same, as superuser, after a rule was taken away within the transaction. */
const without = (rule: string, text: string): Promise<string> =>
  attempt(asSuperuser, async (client) => {
    await client.query(rule)
    await client.query(text)
  })

/** A year of the company, not yet there; names are unique too. */
const insertYear = (from: string, to: string, companyId = tenant.companyId): string =>
  `INSERT INTO finance.fiscal_year (company_id, name, start_date, end_date)
   VALUES ('${companyId}', 'another', '${from}', '${to}')`

const uuid = (): string => `'${newId()}'::uuid`

interface Wanted {
  readonly amounts?: readonly [debit: string, credit: string]
  readonly date?: string
  readonly period?: string
  readonly lineDate?: string
  readonly lineCount?: number
  readonly total?: string
}

/** One statement with header and lines, like the program's own; sequence 900 is free. */
function insertEntry(wanted: Wanted = {}): string {
  const { amounts = ['5', '5'], date = '2026-03-01', total = '5', lineCount = 2 } = wanted
  const { period = date.slice(0, 7), lineDate = date } = wanted
  const line = (number: number, code: string, debit: string, credit: string): string =>
    `SELECT company_id, id, ${number}, (SELECT a.id FROM masters.gl_account a WHERE a.code = '${code}'
       AND a.company_id = entry.company_id), '${lineDate}'::date, ${debit}, ${credit}, 'USD', ${debit}, ${credit}, 1
     FROM entry`
  return `WITH entry AS (
      INSERT INTO finance.journal_entry (id, company_id, journal_id, fiscal_year_id, period_id, sequence, number,
        transaction_date, posting_date, currency, total, line_count)
      SELECT ${uuid()}, p.company_id, j.id, p.fiscal_year_id, p.id, 900, 'JE/2026/000900', '${date}', '${date}',
        'USD', ${total}, ${lineCount}
      FROM finance.period p JOIN finance.journal j USING (company_id)
      WHERE p.company_id = '${tenant.companyId}' AND p.name = '${period}' RETURNING id, company_id)
    INSERT INTO finance.journal_line (company_id, entry_id, line_number, account_id, posting_date, debit, credit,
      currency, currency_debit, currency_credit, exchange_rate)
    ${line(1, CLEARING, amounts[0], '0')} UNION ALL ${line(2, SALES, '0', amounts[1])}`
}

const insertHeader = (): string =>
  `INSERT INTO finance.journal_entry (company_id, journal_id, fiscal_year_id, period_id, sequence, number,
     transaction_date, posting_date, currency, total, line_count)
   SELECT company_id, journal_id, fiscal_year_id, period_id, 900, 'JE/2026/000900', transaction_date, posting_date,
     currency, total, line_count FROM finance.journal_entry WHERE id = '${posted.id}'`

/** Two more lines of an entry, which balance. */
const insertLines = (entryId: string): string =>
  `INSERT INTO finance.journal_line (company_id, entry_id, line_number, account_id, posting_date, debit, credit,
     currency, currency_debit, currency_credit, exchange_rate)
   SELECT company_id, '${entryId}', line_number + 10, account_id, posting_date, debit, credit, currency,
     currency_debit, currency_credit, exchange_rate FROM finance.journal_line WHERE entry_id = '${posted.id}'`

const BALANCED = '23514 journal_entry_balanced'
const PERIOD_OPEN = '23514 journal_entry_period_open'
const YEARS_APART = '23P01 fiscal_year_overlap'
const COMPLETE = '23514 journal_line_complete'
const DISABLE_ENTRY_CHECK = 'ALTER TABLE finance.journal_entry DISABLE TRIGGER journal_entry_check'
const DISABLE_LINE_CHECK = 'ALTER TABLE finance.journal_line DISABLE TRIGGER journal_line_check'

describe.each(roles)('as %s', (_name, connected) => {
  test('control: a whole, balanced entry in an open period is taken', async () => {
    expect(await run(connected, insertEntry())).toBe('done')
  })

  test.each<[string, () => string, string]>([
    ['an unbalanced entry', () => insertEntry({ amounts: ['5', '4'] }), BALANCED],
    ['both sides unlike the total', () => insertEntry({ total: '6' }), BALANCED],
    ['fewer lines than it says', () => insertEntry({ lineCount: 3 }), BALANCED],
    ['lines of another day', () => insertEntry({ lineDate: '2026-03-02' }), BALANCED],
    ['a header without lines', insertHeader, BALANCED],
    ['a closed period', () => insertEntry({ date: '2026-01-05' }), PERIOD_OPEN],
    ['a day outside its period', () => insertEntry({ period: '2026-04' }), PERIOD_OPEN],
    ['lines added later, which balance', () => insertLines(posted.id), COMPLETE],
    ['a line without an entry', () => insertLines(newId()), '23503 journal_line_entry_id_fkey'],
    ['a negative amount', () => insertEntry({ amounts: ['-5', '-5'], total: '-5' }), '23514 journal_entry_total_check'], // prettier-ignore
    ['a line of nothing', () => insertEntry({ amounts: ['5', '0'] }), '23514 journal_line_check'],
    ['one line', () => insertEntry({ lineCount: 1 }), '23514 journal_entry_line_count_check'],
    ['a fiscal year within another', () => insertYear('2026-03-01', '2026-04-30'), YEARS_APART],
    ['a fiscal year around another', () => insertYear('2025-01-01', '2027-12-31'), YEARS_APART],
    ['a fiscal year that begins on the last day of another', () => insertYear('2026-12-31', '2027-12-30'), YEARS_APART], // prettier-ignore
  ])('refuses %s', async (_what, text, expected) => {
    expect(await run(connected, text())).toBe(expected)
  })

  test('control: a fiscal year that begins the day after is taken, and the same days of another company', async () => {
    expect(await run(connected, insertYear('2027-01-01', '2027-12-31'))).toBe('done')
    expect(await run(connected, insertYear('2025-01-01', '2025-12-31'))).toBe('done')
    const both = `${insertYear('2030-01-01', '2030-12-31')}; SET LOCAL erp.company_id = '${otherCompanyId}';
      ${insertYear('2030-01-01', '2030-12-31', otherCompanyId)}`
    expect(await run(connected, both)).toBe('done')
  })

  test.each([
    'UPDATE finance.journal_entry SET description = $$changed$$',
    'UPDATE finance.journal_line SET debit = debit + 1 WHERE debit > 0',
    'DELETE FROM finance.journal_line',
    'DELETE FROM finance.journal_entry',
    'TRUNCATE finance.journal_entry CASCADE',
    'TRUNCATE finance.journal_line',
    'TRUNCATE core.company CASCADE',
    "UPDATE audit.change SET actor_kind = 'nobody'",
    'DELETE FROM audit.change',
    'TRUNCATE audit.change',
  ])('refuses %s', async (text) => {
    const expected = connected === asRuntime ? /^42501 permission denied/ : /^23000 .*is append-only/
    expect(await run(connected, text)).toMatch(expected)
  })
})

describe('controls: it is the rule that refuses', () => {
  test.each<[string, string, () => string]>([
    ['an unbalanced entry', DISABLE_ENTRY_CHECK, () => insertEntry({ amounts: ['5', '4'] })],
    ['a closed period', DISABLE_ENTRY_CHECK, () => insertEntry({ date: '2026-01-05' })],
    ['a header without lines', DISABLE_ENTRY_CHECK, insertHeader],
    ['a fiscal year within another', 'ALTER TABLE finance.fiscal_year DROP CONSTRAINT fiscal_year_overlap', () => insertYear('2026-03-01', '2026-04-30')], // prettier-ignore
    ['lines added later', DISABLE_LINE_CHECK, () => insertLines(posted.id)],
    ['a change', 'ALTER TABLE finance.journal_entry DISABLE TRIGGER journal_entry_is_append_only', () => "UPDATE finance.journal_entry SET description = 'changed'"], // prettier-ignore
    ['a deletion', 'ALTER TABLE finance.journal_line DISABLE TRIGGER journal_line_is_append_only', () => 'DELETE FROM finance.journal_line'], // prettier-ignore
  ])('without it %s gets through', async (_what, rule, text) => {
    expect(await without(rule, text())).toBe('done')
  })
})

describe('the runtime role', () => {
  test.each([
    'CREATE TABLE finance.mine (id int)',
    'CREATE TABLE public.mine (id int)',
    'CREATE SCHEMA mine',
    'ALTER TABLE finance.journal_entry ADD COLUMN mine int',
    'ALTER TABLE finance.journal_entry DISABLE TRIGGER ALL',
    'ALTER TABLE finance.journal_line DISABLE ROW LEVEL SECURITY',
    'DROP TRIGGER journal_entry_check ON finance.journal_entry',
    'DROP TABLE finance.journal_line',
    'CREATE OR REPLACE FUNCTION core.current_company() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$',
    'SET session_replication_role = replica',
    'SET ROLE erp_migrator',
    'SET SESSION AUTHORIZATION postgres',
    'DELETE FROM finance.account_balance',
    'DELETE FROM finance.number_series',
    'DELETE FROM finance.period',
    'DELETE FROM masters.gl_account',
    "SELECT masters.keep('masters.currency')",
    "COPY finance.journal_line TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
  ])('may not %s', async (text) => {
    expect(await run(asRuntime, text)).toMatch(/^42501 /)
    if (!text.startsWith('SET') && !text.startsWith('COPY')) expect(await run(asSuperuser, text)).not.toMatch(/^42501 /) // prettier-ignore
  })

  const tables = [
    'finance.journal_entry',
    'finance.journal_line',
    'finance.account_balance',
    'finance.number_series',
    'finance.period',
    'finance.fiscal_year',
    'masters.gl_account',
    'masters.unit_of_measure',
  ]
  const count = async (table: string, companyId: string | null): Promise<number> => {
    let rows = -1
    await attempt(asRuntime, async (client) => {
      const { rows: [row] } = await client.query(`SELECT count(*)::int AS count FROM ${table}`) // prettier-ignore
      rows = (row as { count: number }).count
    }, companyId) // prettier-ignore
    return rows
  }

  test.each(tables)('sees nothing of %s without a company, and its own with it', async (table) => {
    expect(await count(table, null)).toBe(0)
    expect(await count(table, newId())).toBe(0)
    const [row] = await query<{ count: number }>(product, tenant, `SELECT count(*)::int AS count FROM ${table} WHERE company_id = $1`, [tenant.companyId]) // prettier-ignore
    expect(row?.count).toBeGreaterThan(0)
    expect(await count(table, tenant.companyId)).toBe(row?.count)
  })

  test('writes nothing for another company', async () => {
    const insert = `INSERT INTO masters.unit_of_measure (company_id, code, name, category, factor)
      VALUES ('${otherCompanyId}', 'XX', 'x', 'x', 1)`
    expect(await run(asRuntime, insert)).toMatch(/^42501 new row violates row-level security/)
    expect(await run(asRuntime, insert, otherCompanyId)).toBe('done')
  })

  test("adds no lines of its own to another company's entry", async () => {
    const lines = `INSERT INTO finance.journal_line (company_id, entry_id, line_number, account_id, posting_date,
        debit, credit, currency, currency_debit, currency_credit, exchange_rate)
      SELECT company_id, '${posted.id}', 10 + row_number() OVER (), id, '2026-03-15', side, 5 - side, 'USD', side, 5 - side, 1
      FROM masters.gl_account, (VALUES (0), (5)) AS sides (side) WHERE code = '${CLEARING}'`
    expect(await run(asRuntime, lines, otherCompanyId)).toBe(COMPLETE)
  })

  test('reaches no other database', async () => {
    const other = await product.createTenant()
    const [row] = await query<{ database: string }>(product, other, 'SELECT current_database() AS database')
    const allowed = await asRuntime(product, tenant, async (client) => {
      const { rows } = await client.query(
        `SELECT datname FROM pg_database WHERE datallowconn AND has_database_privilege(current_user, datname, 'CONNECT')`,
      )
      return (rows as { datname: string }[]).map(({ datname }) => datname)
    })
    expect(allowed).toHaveLength(1)
    expect(allowed).not.toContain(row?.database)
  })
})

test('after all that the books are as they were', async () => {
  expect(await findings(product, tenant)).toEqual([])
})
