/** Reports read the balances kept at posting; a day costs whole months plus the days of its own month. */
import { sql } from 'kysely'
import { dateOf, isDate } from '../../kernel/calendar.ts'
import { Decimal } from '../../kernel/decimal.ts'
import { isUuid } from '../../kernel/ids.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { implement, type Route } from '../../http/route.ts'
import { statement, tenantSql, type TenantRead } from '../../tenancy/handles.ts'
import { amountText } from '../ledger/presentation.ts'
import { generalLedger, trialBalance, type accountTypes } from './contract.ts'

type AccountType = (typeof accountTypes)[number]

const trialBalanceRoute = implement(trialBalance, async (tx, { query }, { now }) => {
  const asOf = query.asOf ?? dateOf(now)
  const [[company], rows] = await Promise.all([tx.prepared(CURRENCY, [tx.companyId]), tx.prepared(TRIAL_BALANCE, [asOf, query.includeZero ?? false])]) // prettier-ignore
  const currency = company?.base_currency ?? ''
  const [debits, credits]: Decimal[][] = [[], []]
  const presented = rows.map(({ balance, ...account }) => {
    const net = Decimal.of(balance)
    const debit = net.isPositive() ? net : Decimal.zero
    const credit = net.isNegative() ? net.negated() : Decimal.zero
    debits?.push(debit)
    credits?.push(credit)
    return { ...account, debit: amountText(debit, currency), credit: amountText(credit, currency) }
  })
  return {
    asOf,
    currency,
    rows: presented,
    totalDebit: amountText(Decimal.sum(debits ?? []), currency),
    totalCredit: amountText(Decimal.sum(credits ?? []), currency),
  }
})

const generalLedgerRoute = implement(generalLedger, async (tx, { query }, { now }) => {
  const to = query.to ?? dateOf(now)
  const from = query.from ?? `${to.slice(0, 4)}-01-01`
  if (from > to) throw validationProblem([{ field: 'from', code: 'AFTER_TO', message: 'from is after to' }])
  const limit = query.limit ?? 200
  const cursor = query.after === undefined ? undefined : readCursor(query.after)
  const [[company], [account], openingBalance, closingBalance, rows] = await Promise.all([
    tx.prepared(CURRENCY, [tx.companyId]),
    tx.prepared(ACCOUNT, [query.accountId]),
    balanceBefore(tx, query.accountId, from),
    balanceUntil(tx, query.accountId, to),
    tx.prepared(LEDGER_LINES, [query.accountId, cursor?.date ?? from, cursor?.lineId ?? null, to, limit + 1]),
  ])
  if (!company || !account) throw new Problem(problems.notFound, { message: 'There is no such account' })
  const { base_currency: currency } = company
  let running = cursor ? Decimal.of(cursor.balance) : openingBalance
  const lines = rows.slice(0, limit).map(({ debit, credit, ...line }) => {
    running = running.plus(Decimal.of(debit)).minus(Decimal.of(credit))
    return {
      ...line,
      debit: amountText(debit, currency),
      credit: amountText(credit, currency),
      balance: amountText(running, currency),
    }
  })
  const last = rows.length > limit ? lines.at(-1) : undefined
  return {
    account,
    currency,
    from,
    to,
    openingBalance: amountText(openingBalance, currency),
    closingBalance: amountText(closingBalance, currency),
    lines,
    nextAfter: last ? `${last.date}_${last.lineId}_${last.balance}` : null,
  }
})

export const reportRoutes: Route[] = [trialBalanceRoute, generalLedgerRoute]

interface Cursor {
  readonly date: string
  readonly lineId: string
  readonly balance: string
}

/** Where the page before ended, and the balance there, so that no page reads the ones before it again. */
function readCursor(after: string): Cursor {
  const match = /^(\d{4}-\d{2}-\d{2})_([0-9a-f-]{36})_(-?\d{1,20}(?:\.\d{1,4})?)$/.exec(after)
  const cursor = { date: match?.[1] ?? '', lineId: match?.[2] ?? '', balance: match?.[3] ?? '' }
  if (isDate(cursor.date) && isUuid(cursor.lineId) && Decimal.parse(cursor.balance)) return cursor
  throw validationProblem([
    { field: 'after', code: 'FORMAT', message: 'after must be the nextAfter of a page' },
  ])
}

async function balanceUntil(tx: TenantRead, accountId: string, date: string): Promise<Decimal> {
  const row = await tx.row(
    sql<{ balance: string }>`SELECT coalesce(sum(debit - credit), 0) AS balance FROM finance.account_balance
      WHERE account_id = ${accountId} AND ((grain = 'month' AND start_date < date_trunc('month', ${date}::date)::date)
        OR (grain = 'day' AND start_date BETWEEN date_trunc('month', ${date}::date)::date AND ${date}::date))`.compile(
      tenantSql,
    ),
  )
  return Decimal.of(row?.balance ?? '0')
}

async function balanceBefore(tx: TenantRead, accountId: string, date: string): Promise<Decimal> {
  const row = await tx.row(
    sql<{ balance: string }>`SELECT coalesce(sum(debit - credit), 0) AS balance FROM finance.account_balance
      WHERE account_id = ${accountId} AND ((grain = 'month' AND start_date < date_trunc('month', ${date}::date)::date)
        OR (grain = 'day' AND start_date >= date_trunc('month', ${date}::date)::date AND start_date < ${date}::date))`.compile(
      tenantSql,
    ),
  )
  return Decimal.of(row?.balance ?? '0')
}

const CURRENCY = statement<{ base_currency: string }>(
  'report-currency',
  'SELECT base_currency FROM core.company WHERE id = $1',
)

const ACCOUNT = statement<{ id: string; code: string; name: string; type: AccountType }>(
  'report-account',
  'SELECT id, code, name, type FROM masters.gl_account WHERE id = $1',
)

const TRIAL_BALANCE = statement<{
  accountId: string
  accountCode: string
  accountName: string
  type: AccountType
  balance: string
}>(
  'trial-balance',
  `WITH kept AS (
     SELECT account_id, sum(debit - credit) AS balance FROM finance.account_balance
     WHERE company_id = core.current_company() AND ((grain = 'month' AND start_date < date_trunc('month', $1::date)::date)
       OR (grain = 'day' AND start_date BETWEEN date_trunc('month', $1::date)::date AND $1::date))
     GROUP BY account_id
   )
   SELECT a.id AS "accountId", a.code AS "accountCode", a.name AS "accountName", a.type,
     coalesce(kept.balance, 0) AS balance
   FROM masters.gl_account a LEFT JOIN kept ON kept.account_id = a.id
   WHERE coalesce(kept.balance, 0) <> 0 OR ($2::boolean AND a.posting_allowed AND a.deleted_at IS NULL)
   ORDER BY a.code`,
)

const LEDGER_LINES = statement<{
  lineId: string
  entryId: string
  entryNumber: string
  date: string
  description: string | null
  reference: string | null
  debit: string
  credit: string
}>(
  'general-ledger-lines',
  `SELECT l.id AS "lineId", e.id AS "entryId", e.number AS "entryNumber", l.posting_date AS date,
     coalesce(l.description, e.description) AS description, e.reference, l.debit, l.credit
   FROM finance.journal_line l JOIN finance.journal_entry e ON e.id = l.entry_id
   WHERE l.company_id = core.current_company() AND l.account_id = $1 AND l.posting_date >= $2::date AND l.posting_date <= $4::date
     AND ($3::uuid IS NULL OR (l.posting_date, l.id) > ($2::date, $3::uuid))
   ORDER BY l.posting_date, l.id LIMIT $5`,
)
