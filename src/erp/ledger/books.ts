/** Loads what the rules of an entry look up, for any number of entries at once, in one round trip. */
import { isDate } from '../../kernel/calendar.ts'
import { minorUnits as isoMinorUnits } from '../../kernel/currency.ts'
import { Decimal } from '../../kernel/decimal.ts'
import { statement, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import type { AccountFacts, Books, EntryInput, PeriodFacts } from './rules/entry.ts'

export async function loadBooks(tx: TenantTx, entries: readonly EntryInput[]): Promise<Books> {
  const lines = entries.flatMap((entry) => entry.lines)
  const ids = [...new Set(lines.flatMap(({ accountId }) => (accountId === undefined ? [] : [accountId])))]
  const codes = [
    ...new Set(lines.flatMap(({ accountCode }) => (accountCode === undefined ? [] : [accountCode]))),
  ]
  const dates = entries
    .map(({ postingDate, transactionDate }) => postingDate ?? transactionDate)
    .filter(isDate)
    .toSorted()
  const named = lines.flatMap(({ currency }) => (currency === undefined ? [] : [currency]))
  const [accounts, periods, companies] = await Promise.all([
    tx.prepared(ACCOUNTS, [ids, codes]),
    tx.prepared(PERIODS, [dates[0] ?? null, dates.at(-1) ?? null]),
    tx.prepared(BASE_CURRENCY, [tx.companyId]),
  ])
  const baseCurrency = companies[0]?.base_currency
  if (baseCurrency === undefined) throw new Error('The ledger works inside a company')
  const foreign = new Set([...named, ...accounts.flatMap(({ currency }) => currency ?? [])])
  foreign.delete(baseCurrency)
  const minorUnits = new Map([[baseCurrency, isoMinorUnits(baseCurrency)]])
  const rates =
    foreign.size === 0
      ? []
      : await foreignCurrencies(tx, [...foreign], baseCurrency, dates.at(-1), minorUnits)
  return {
    baseCurrency,
    minorUnits,
    accountsById: new Map(accounts.map((account) => [account.id, account])),
    accountsByCode: new Map(accounts.map((account) => [account.code, account])),
    periods,
    rateOn: (currency, date) => {
      const rate = rates.find((candidate) => candidate.currency === currency && candidate.rateDate <= date)
      return rate && Decimal.of(rate.rate)
    },
  }
}

interface Rate {
  readonly currency: string
  readonly rateDate: string
  readonly rate: string
}

async function foreignCurrencies(
  tx: TenantRead,
  currencies: readonly string[],
  baseCurrency: string,
  until: string | undefined,
  minorUnits: Map<string, number>,
): Promise<Rate[]> {
  const [known, rates] = await Promise.all([
    tx.prepared(CURRENCIES, [currencies]),
    tx.prepared(RATES, [currencies, baseCurrency, until ?? null]),
  ])
  for (const { code, minor_units } of known) {
    minorUnits.set(code, minor_units)
  }
  return rates
}

/**
 * Locked as the foreign keys of the lines will lock them: who deletes or changes an account waits for the
 * postings that have read it, and finds them.
 */
const ACCOUNTS = statement<AccountFacts>(
  'ledger-accounts',
  `SELECT id, code, name, is_active AS "isActive", posting_allowed AS "postingAllowed",
     control_account AS "controlAccount", currency
   FROM masters.gl_account WHERE deleted_at IS NULL AND (id = ANY($1::uuid[]) OR code = ANY($2::text[]))
   FOR KEY SHARE`,
)

const PERIODS = statement<PeriodFacts>(
  'ledger-periods',
  `SELECT id, fiscal_year_id AS "fiscalYearId", name, start_date AS "startDate", end_date AS "endDate", status
   FROM finance.period WHERE start_date <= $2::date AND end_date >= $1::date`,
)

const BASE_CURRENCY = statement<{ base_currency: string }>(
  'ledger-base-currency',
  'SELECT base_currency FROM core.company WHERE id = $1::uuid',
)

const CURRENCIES = statement<{ code: string; minor_units: number }>(
  'ledger-currencies',
  'SELECT code, minor_units FROM masters.currency WHERE code = ANY($1::text[]) AND is_active AND deleted_at IS NULL',
)

/** Newest first, so that the first one on or before a day is the day's. */
const RATES = statement<Rate>(
  'ledger-rates',
  `SELECT from_currency AS currency, rate_date AS "rateDate", mid AS rate FROM masters.exchange_rate
   WHERE from_currency = ANY($1::text[]) AND to_currency = $2 AND rate_date <= $3::date
     AND is_active AND deleted_at IS NULL
   ORDER BY rate_date DESC`,
)
