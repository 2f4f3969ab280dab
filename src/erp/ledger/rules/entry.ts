/**
 * The rules of a journal entry: what a caller wrote becomes an entry ready to be kept, or the list of all
 * that is wrong with it. Pure: accounts, periods, currencies and rates are arguments.
 */
import { isDate } from '../../../kernel/calendar.ts'
import { Decimal } from '../../../kernel/decimal.ts'
import type { FieldProblem } from '../../../kernel/problem.ts'
import { readDecimal } from '../../masters/rules/decimal-input.ts'

export interface LineInput {
  readonly accountId?: string
  readonly accountCode?: string
  readonly debit?: string | number | null
  readonly credit?: string | number | null
  readonly description?: string | null
  readonly currency?: string
  readonly exchangeRate?: string | number
}

export interface EntryInput {
  readonly transactionDate: string
  readonly postingDate?: string
  readonly description?: string | null
  readonly reference?: string | null
  readonly lines: readonly LineInput[]
}

export interface AccountFacts {
  readonly id: string
  readonly code: string
  readonly name: string
  readonly isActive: boolean
  readonly postingAllowed: boolean
  readonly controlAccount: string
  readonly currency: string | null
}

export interface PeriodFacts {
  readonly id: string
  readonly fiscalYearId: string
  readonly name: string
  readonly startDate: string
  readonly endDate: string
  readonly status: string
}

/** Everything the rules look up; loaded once for any number of entries. */
export interface Books {
  readonly baseCurrency: string
  /** Decimal places of each known, active currency. */
  readonly minorUnits: ReadonlyMap<string, number>
  readonly accountsById: ReadonlyMap<string, AccountFacts>
  readonly accountsByCode: ReadonlyMap<string, AccountFacts>
  readonly periods: readonly PeriodFacts[]
  /** Base units per unit of the currency: the latest rate on or before the day. */
  readonly rateOn: (currency: string, date: string) => Decimal | undefined
}

export interface EntryLine {
  readonly account: AccountFacts
  readonly debit: Decimal
  readonly credit: Decimal
  readonly currency: string
  readonly currencyDebit: Decimal
  readonly currencyCredit: Decimal
  readonly exchangeRate: Decimal
  readonly description: string | null
}

export interface Entry {
  readonly transactionDate: string
  readonly postingDate: string
  readonly description: string | null
  readonly reference: string | null
  readonly currency: string
  readonly total: Decimal
  readonly lines: readonly EntryLine[]
}

export type Checked<Value> =
  { readonly value: Value; readonly problems?: undefined } | { readonly problems: readonly FieldProblem[] }

/** numeric(19, 4): fifteen digits before the point. */
const WHOLE_DIGITS_MAXIMUM = 15
/** numeric(28, 12) */
const RATE_PLACES_MAXIMUM = 12
const RATE_WHOLE_DIGITS_MAXIMUM = 16
const one = Decimal.of(1)

/** Who writes the entry: people and integrators may not touch control accounts, sub-ledgers must. */
export type EntryAuthor = 'manual' | 'sub-ledger'

export function checkEntry(input: EntryInput, books: Books, author: EntryAuthor, path = ''): Checked<Entry> {
  const problems: FieldProblem[] = checkDates(input, path)
  const postingDate = input.postingDate ?? input.transactionDate
  const lines: EntryLine[] = []
  for (const [index, line] of input.lines.entries()) {
    const checked = checkLine(line, books, author, postingDate, `${path}lines[${index}]`)
    if (checked.problems) problems.push(...checked.problems)
    else lines.push(checked.value)
  }
  if (lines.length === input.lines.length) problems.push(...checkBalance(lines, books, path))
  if (problems.length > 0) return { problems }
  return {
    value: {
      transactionDate: input.transactionDate,
      postingDate,
      description: input.description ?? null,
      reference: input.reference ?? null,
      currency: books.baseCurrency,
      total: Decimal.sum(lines.map(({ debit }) => debit)),
      lines,
    },
  }
}

function checkDates({ transactionDate, postingDate }: EntryInput, path: string): FieldProblem[] {
  const dates = Object.entries({ transactionDate, postingDate: postingDate ?? transactionDate })
  const wrong = dates.filter(
    ([name, date]) => !isDate(date) && !(name === 'postingDate' && postingDate === undefined),
  )
  return wrong.map(([name, date]) => ({
    field: `${path}${name}`,
    code: 'NO_SUCH_DATE',
    message: `"${date}" is no date that exists, as YYYY-MM-DD`,
  }))
}

/** The open period an entry may be posted in; where there is none, the date that decided it is named. */
export function checkPeriod(
  entry: Pick<EntryInput, 'transactionDate' | 'postingDate'>,
  books: Books,
  path = '',
): Checked<PeriodFacts> {
  const { transactionDate, postingDate = transactionDate } = entry
  const field = `${path}${postingDate === transactionDate ? 'transactionDate' : 'postingDate'}`
  if (!isDate(postingDate)) return { problems: [] } // checkEntry has told it
  const period = books.periods.find(
    ({ startDate, endDate }) => startDate <= postingDate && postingDate <= endDate,
  )
  if (!period) {
    const message = `${postingDate} is in no fiscal year; create the fiscal year first`
    return { problems: [{ field, code: 'NO_PERIOD', message }] }
  }
  if (period.status !== 'open') {
    const message = `Period ${period.name} is closed; choose a date in an open period`
    return { problems: [{ field, code: 'PERIOD_CLOSED', message }] }
  }
  return { value: period }
}

/** The mirrored entry that undoes another one. */
export function reversalOf(entry: Entry, transactionDate: string, description: string): Entry {
  return {
    ...entry,
    transactionDate,
    postingDate: transactionDate,
    description,
    lines: entry.lines.map((line) => ({
      ...line,
      debit: line.credit,
      credit: line.debit,
      currencyDebit: line.currencyCredit,
      currencyCredit: line.currencyDebit,
    })),
  }
}

function checkLine(
  line: LineInput,
  books: Books,
  author: EntryAuthor,
  date: string,
  path: string,
): Checked<EntryLine> {
  const account = checkAccount(line, books, author, path)
  const currency = checkCurrency(line, books, account.problems ? undefined : account.value, path)
  const amounts = checkAmounts(line, books, currency.problems ? undefined : currency.value, path)
  const rate = currency.problems ? undefined : checkRate(line, books, currency.value, date, path)
  const problems = [account, currency, amounts, rate].flatMap((part) => part?.problems ?? [])
  if (
    problems.length > 0 ||
    account.problems ||
    currency.problems ||
    amounts.problems ||
    !rate ||
    rate.problems
  ) {
    return { problems }
  }
  const places = books.minorUnits.get(books.baseCurrency) ?? 2
  const inBase = (amount: Decimal): Decimal => amount.times(rate.value).rounded(places)
  const { debit, credit } = amounts.value
  const isBase = currency.value === books.baseCurrency
  const base = isBase ? { debit, credit } : { debit: inBase(debit), credit: inBase(credit) }
  if (base.debit.isZero() && base.credit.isZero()) {
    const message = `${path} is worth nothing in ${books.baseCurrency} at this rate`
    return { problems: [{ field: path, code: 'ZERO', message }] }
  }
  return {
    value: {
      account: account.value,
      ...base,
      currency: currency.value,
      currencyDebit: debit,
      currencyCredit: credit,
      exchangeRate: rate.value,
      description: line.description ?? null,
    },
  }
}

function checkAccount(
  line: LineInput,
  books: Books,
  author: EntryAuthor,
  path: string,
): Checked<AccountFacts> {
  const field = line.accountId === undefined && line.accountCode !== undefined ? 'accountCode' : 'accountId'
  const refuse = (code: string, message: string): Checked<AccountFacts> => ({
    problems: [{ field: `${path}.${field}`, code, message }],
  })
  if (line.accountId === undefined && line.accountCode === undefined) {
    return refuse('REQUIRED', 'Name the account by accountId or accountCode')
  }
  const byId = line.accountId === undefined ? undefined : books.accountsById.get(line.accountId.toLowerCase())
  const byCode = line.accountCode === undefined ? undefined : books.accountsByCode.get(line.accountCode)
  const account = byId ?? byCode
  if (!account || (line.accountId !== undefined && !byId) || (line.accountCode !== undefined && !byCode)) {
    return refuse('UNKNOWN_ACCOUNT', `There is no account ${line.accountId ?? line.accountCode}`)
  }
  if (byId && byCode && byId.id !== byCode.id) {
    return refuse('UNKNOWN_ACCOUNT', 'accountId and accountCode name two different accounts')
  }
  const name = `Account ${account.code} ${account.name}`
  if (!account.isActive) return refuse('INACTIVE_ACCOUNT', `${name} is inactive`)
  if (!account.postingAllowed) return refuse('HEADING_ACCOUNT', `${name} is a heading; post to one below it`)
  if (author === 'manual' && account.controlAccount !== 'none') {
    const message = `${name} is a control account (${account.controlAccount}): only its sub-ledger posts to it`
    return refuse('CONTROL_ACCOUNT', message)
  }
  return { value: account }
}

function checkCurrency(
  line: LineInput,
  books: Books,
  account: AccountFacts | undefined,
  path: string,
): Checked<string> {
  const currency = line.currency ?? account?.currency ?? books.baseCurrency
  const refuse = (code: string, message: string): Checked<string> => ({
    problems: [{ field: `${path}.currency`, code, message }],
  })
  if (!books.minorUnits.has(currency)) {
    return refuse('UNKNOWN_CURRENCY', `Currency ${currency} is unknown or inactive here`)
  }
  if (account?.currency && account.currency !== currency) {
    return refuse('WRONG_CURRENCY', `Account ${account.code} is kept in ${account.currency}`)
  }
  return { value: currency }
}

function checkRate(
  line: LineInput,
  books: Books,
  currency: string,
  date: string,
  path: string,
): Checked<Decimal> {
  const refuse = (code: string, message: string): Checked<Decimal> => ({
    problems: [{ field: `${path}.exchangeRate`, code, message }],
  })
  if (currency === books.baseCurrency) {
    const given = line.exchangeRate === undefined ? one : readDecimal(line.exchangeRate)
    return given?.equals(one) ? { value: one } : refuse('WRONG_RATE', 'The base currency has the rate 1')
  }
  if (line.exchangeRate === undefined) {
    const rate = books.rateOn(currency, date)
    if (rate) return { value: rate }
    return refuse(
      'NO_RATE',
      `There is no exchange rate from ${currency} to ${books.baseCurrency} on or before ${date}`,
    )
  }
  const rate = readDecimal(line.exchangeRate)
  if (!rate?.isPositive()) return refuse('WRONG_RATE', 'The exchange rate must be a decimal above 0')
  if (rate.decimalPlaces() > RATE_PLACES_MAXIMUM) {
    return refuse('OVER_PRECISE', `The exchange rate has more than ${RATE_PLACES_MAXIMUM} decimal places`)
  }
  if (rate.wholeDigits() > RATE_WHOLE_DIGITS_MAXIMUM) {
    const message = `The exchange rate has more than ${RATE_WHOLE_DIGITS_MAXIMUM} digits before the point`
    return refuse('TOO_LARGE', message)
  }
  return { value: rate }
}

function checkAmounts(
  line: LineInput,
  books: Books,
  currency: string | undefined,
  path: string,
): Checked<{ debit: Decimal; credit: Decimal }> {
  const places = books.minorUnits.get(currency ?? books.baseCurrency) ?? 2
  const debit = checkAmount(line.debit, places, `${path}.debit`)
  const credit = checkAmount(line.credit, places, `${path}.credit`)
  if (debit.problems || credit.problems) {
    return { problems: [...(debit.problems ?? []), ...(credit.problems ?? [])] }
  }
  if (!debit.value.isZero() && !credit.value.isZero()) {
    const message = 'A line is debited or credited, never both'
    return { problems: [{ field: path, code: 'DEBIT_AND_CREDIT', message }] }
  }
  if (debit.value.isZero() && credit.value.isZero()) {
    return {
      problems: [{ field: path, code: 'NO_AMOUNT', message: 'The line has neither debit nor credit' }],
    }
  }
  return { value: { debit: debit.value, credit: credit.value } }
}

function checkAmount(
  given: string | number | null | undefined,
  places: number,
  field: string,
): Checked<Decimal> {
  if (given === null || given === undefined) return { value: Decimal.zero }
  const refuse = (code: string, message: string): Checked<Decimal> => ({
    problems: [{ field, code, message }],
  })
  const amount = readDecimal(given)
  if (!amount) return refuse('NOT_A_DECIMAL', `"${given}" is no exact decimal such as 1234.50`)
  if (amount.isNegative()) return refuse('NEGATIVE', 'The amount is negative; use the other side')
  if (amount.decimalPlaces() > places) {
    return refuse('OVER_PRECISE', `${given} has more than ${places} decimal places`)
  }
  if (amount.wholeDigits() > WHOLE_DIGITS_MAXIMUM) {
    return refuse('TOO_LARGE', `The amount has more than ${WHOLE_DIGITS_MAXIMUM} digits before the point`)
  }
  return { value: amount }
}

function checkBalance(lines: readonly EntryLine[], books: Books, path: string): FieldProblem[] {
  const debit = Decimal.sum(lines.map((line) => line.debit))
  const credit = Decimal.sum(lines.map((line) => line.credit))
  const field = `${path}lines`
  const places = books.minorUnits.get(books.baseCurrency) ?? 2
  if (debit.wholeDigits() > WHOLE_DIGITS_MAXIMUM) {
    return [{ field, code: 'TOO_LARGE', message: `The total has more than ${WHOLE_DIGITS_MAXIMUM} digits` }]
  }
  if (debit.equals(credit)) return []
  const difference = debit.minus(credit).absolute().toFixed(places)
  const message = `Debits ${debit.toFixed(places)} and credits ${credit.toFixed(places)} differ by ${difference}`
  return [{ field, code: 'UNBALANCED', message }]
}
