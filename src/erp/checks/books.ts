/**
 * Proofs over a company's books, read from the lines themselves: whatever we keep for speed must equal what
 * it was made from, and what we promise of every entry must be true of all.
 */
import { sql, type RawBuilder } from 'kysely'
import { tenantSql, type TenantRead } from '../../tenancy/handles.ts'

export interface Finding {
  readonly check: string
  readonly detail: string
}

interface Check {
  readonly name: string
  /** Rows that should not be: each one is a finding, told by its `detail`. */
  readonly wrong: RawBuilder<{ detail: string }>
}

const FINDINGS_MAXIMUM = 20

const kept = (grain: string, day: RawBuilder<unknown>): RawBuilder<{ detail: string }> => sql`
  SELECT format('%s of %s in account %s (%s): kept %s, lines %s', ${grain}::text, start_date, a.code,
    coalesce(k.currency, l.currency), coalesce(k.balance, 0), coalesce(l.balance, 0)) AS detail
  FROM (SELECT account_id, currency, start_date, sum(debit - credit) AS balance,
          sum(currency_debit - currency_credit) AS currency_balance, sum(debit) AS debit
        FROM finance.account_balance WHERE grain = ${grain} GROUP BY 1, 2, 3) k
  FULL JOIN (SELECT account_id, currency, ${day} AS start_date, sum(debit - credit) AS balance,
          sum(currency_debit - currency_credit) AS currency_balance, sum(debit) AS debit
        FROM finance.journal_line GROUP BY 1, 2, 3) l USING (account_id, currency, start_date)
  JOIN masters.gl_account a ON a.id = account_id
  WHERE coalesce(k.balance, 0) <> coalesce(l.balance, 0) OR coalesce(k.debit, 0) <> coalesce(l.debit, 0)
    OR coalesce(k.currency_balance, 0) <> coalesce(l.currency_balance, 0)`

const checks: readonly Check[] = [
  {
    name: 'every entry balances and has all its lines',
    wrong: sql`SELECT format('entry %s: debits %s, credits %s, total %s, %s of %s lines', e.number, sum(l.debit),
        sum(l.credit), e.total, count(l.id), e.line_count) AS detail
      FROM finance.journal_entry e LEFT JOIN finance.journal_line l ON l.entry_id = e.id
      GROUP BY e.id HAVING count(l.id) <> e.line_count OR coalesce(sum(l.debit), 0) <> e.total
        OR coalesce(sum(l.credit), 0) <> e.total`,
  },
  { name: 'daily balances equal the lines', wrong: kept('day', sql`posting_date`) },
  {
    name: 'monthly balances equal the lines',
    wrong: kept('month', sql`date_trunc('month', posting_date)::date`),
  },
  {
    name: 'numbers have no gaps',
    wrong: sql`SELECT format('journal %s, year %s: %s entries, numbers %s to %s, counter %s', j.code, y.name,
        count(e.id), min(e.sequence), max(e.sequence), s.last_number) AS detail
      FROM finance.number_series s JOIN finance.journal j ON j.id = s.journal_id
      JOIN finance.fiscal_year y ON y.id = s.fiscal_year_id
      LEFT JOIN finance.journal_entry e ON e.journal_id = s.journal_id AND e.fiscal_year_id = s.fiscal_year_id
      GROUP BY s.id, j.code, y.name
      HAVING count(e.id) <> s.last_number OR coalesce(max(e.sequence), 0) <> s.last_number
        OR (s.last_number > 0 AND min(e.sequence) <> 1)`,
  },
  {
    name: 'every entry is dated in its period',
    wrong: sql`SELECT format('entry %s of %s is in period %s', e.number, e.posting_date, p.name) AS detail
      FROM finance.journal_entry e JOIN finance.period p ON p.id = e.period_id
      WHERE e.posting_date NOT BETWEEN p.start_date AND p.end_date OR p.fiscal_year_id <> e.fiscal_year_id`,
  },
  {
    name: 'a reversal mirrors its entry',
    wrong: sql`SELECT format('entry %s does not mirror %s', r.number, e.number) AS detail
      FROM finance.journal_entry r JOIN finance.journal_entry e ON e.id = r.reverses_id
      WHERE EXISTS (
        SELECT account_id, currency FROM finance.journal_line WHERE entry_id IN (r.id, e.id)
        GROUP BY account_id, currency HAVING sum(debit - credit) <> 0 OR sum(currency_debit - currency_credit) <> 0)`,
  },
  {
    name: 'accounts are of the type of the account above',
    wrong: sql`SELECT format('account %s is of type %s below %s of type %s', a.code, a.type, p.code, p.type) AS detail
      FROM masters.gl_account a JOIN masters.gl_account p ON p.id = a.parent_id
      WHERE a.type <> p.type AND a.deleted_at IS NULL`,
  },
  {
    name: 'list totals equal the rows',
    wrong: sql`SELECT format('%s: kept %s, counted %s', entity, t.total, counted.total) AS detail
      FROM masters.entity_total t JOIN (
        SELECT 'gl_account' AS entity, count(*) AS total FROM masters.gl_account WHERE deleted_at IS NULL
        UNION ALL SELECT 'unit_of_measure', count(*) FROM masters.unit_of_measure WHERE deleted_at IS NULL
        UNION ALL SELECT 'currency', count(*) FROM masters.currency WHERE deleted_at IS NULL
        UNION ALL SELECT 'exchange_rate', count(*) FROM masters.exchange_rate WHERE deleted_at IS NULL
      ) counted USING (entity)
      WHERE t.total <> counted.total AND t.company_id IN (core.current_company(), '00000000-0000-0000-0000-000000000000')`,
  },
]

export const checkNames: readonly string[] = checks.map(({ name }) => name)

export async function checkBooks(tx: TenantRead): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { name, wrong } of checks) {
    const rows = await tx.rows(sql<{ detail: string }>`${wrong} LIMIT ${FINDINGS_MAXIMUM}`.compile(tenantSql))
    findings.push(...rows.map(({ detail }) => ({ check: name, detail })))
  }
  return findings
}
