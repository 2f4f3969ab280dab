/**
 * A wholesaler's sales file, one row a document line, to one journal entry a document: an imports clearing
 * account against sales (there is no receivables sub-ledger), and what is no sale to an account of its own.
 *
 * Rounding: quantity × price is rounded half up to the cent row by row, so that an entry is the sum of amounts
 * that stand in the file. The year comes to exactly 9,747,747.934 and is posted as 9,747,747.93. The missing
 * 0.004 are the file's four prices below a cent, one piece at 0.001 each, which are posted as 0.00:
 *   550193 line 157197 and 561226 line 279047 and 568200 line 359873 (PADS), 568375 line 361743 (BANK CHARGES)
 * All four stand beside rows of value, so their documents are posted. (They are called the half-cent prices,
 * but none is half a cent: rounding half up, half even or down gives the same.) Rounding once per document and
 * role gives 9,747,747.93 too, as no document has two of them; rounding only the whole file would as well, but
 * then no document would add up.
 */
import { isDate } from '../../../kernel/calendar.ts'
import { Decimal } from '../../../kernel/decimal.ts'
import type { AccountRole } from '../../companies/rules/charts.ts'

export const SALES_COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const

/** The roles whose accounts a company needs before a sales file can be posted. */
export const SALES_ROLES = [
  'importsClearing',
  'productSales',
  'carriageIncome',
  'salesDiscount',
  'manualSales',
  'giftVouchers',
  'samples',
  'platformFees',
  'bankCharges',
  'charityCommission',
  'badDebt',
] as const satisfies readonly AccountRole[]

export const SOURCE_TYPE = 'online-retail'

export interface RowProblem {
  readonly line: number
  /** The column's name; '' for the whole line. */
  readonly column: string
  /** As it stands in the file, shortened, and safe to print. */
  readonly value: string
  readonly reason: string
}

export interface SalesRow {
  readonly line: number
  readonly documentNumber: string
  readonly role: AccountRole
  readonly date: string
  /** Quantity × price as it is. */
  readonly exactAmount: Decimal
  /** The same, rounded to the cent. */
  readonly amount: Decimal
  readonly customer: string
  readonly country: string
}

export interface SalesDocument {
  readonly number: string
  readonly firstLine: number
  /** Of the first row: 43 documents of the year run over a minute, none over midnight. */
  readonly date: string
  readonly customer: string
  readonly country: string
  readonly rowCount: number
  /** Net, positive where it is income. */
  readonly amounts: ReadonlyMap<AccountRole, Decimal>
  readonly total: Decimal
  readonly roundedRows: readonly SalesRow[]
}

export interface SalesEntryLine {
  accountCode: string
  debit?: string
  credit?: string
}

export interface SalesEntry {
  transactionDate: string
  description: string
  reference: string
  source: { type: typeof SOURCE_TYPE; id: string }
  lines: SalesEntryLine[]
}

/** What is wrong with the header: one problem for each column that is not in its place. */
export function headerProblems(values: readonly string[], line: number): RowProblem[] {
  const problems: RowProblem[] = []
  const count = Math.max(values.length, SALES_COLUMNS.length)
  for (let index = 0; index < count && problems.length < HEADER_PROBLEMS_MAXIMUM; index++) {
    const expected = SALES_COLUMNS[index]
    const found = values[index]
    if (found === expected) continue
    const column = expected ?? ''
    const value = printable(found ?? '')
    if (expected === undefined) {
      problems.push({ line, column, value, reason: `column ${index + 1} of the header is one too many` })
    } else if (found === undefined) {
      problems.push({ line, column, value, reason: 'the header lacks this column' })
    } else {
      const reason = `column ${index + 1} of the header must be ${expected}`
      problems.push({ line, column, value, reason })
    }
  }
  return problems
}

/** The row, or everything that is wrong with it. */
export function parseSalesRow(values: readonly string[], line: number): SalesRow | RowProblem[] {
  if (values.length !== SALES_COLUMNS.length) {
    const reason = `${values.length} columns instead of ${SALES_COLUMNS.length}`
    return [{ line, column: '', value: printable(values[0] ?? ''), reason }]
  }
  const [number, stockCode, description, quantityText, instant, priceText, customer, country] =
    values as EightTexts
  const problems: RowProblem[] = []
  for (let index = 0; index < columnChecks.length; index++) {
    const value = values[index]!
    const reason = unreadable(value) ?? columnChecks[index]!(value)
    if (reason !== null)
      problems.push({ line, column: SALES_COLUMNS[index]!, value: printable(value), reason })
  }
  const price = Decimal.parse(priceText)
  if (problems.length > 0 || !price) return problems

  const exactAmount = price.times(Decimal.of(Number(quantityText)))
  if (exactAmount.absolute().compare(AMOUNT_LIMIT) >= 0) {
    const reason = `quantity × price reaches ${AMOUNT_LIMIT.toString()}`
    return [{ line, column: 'UnitPrice', value: printable(priceText), reason }]
  }
  return {
    line,
    documentNumber: number,
    role: classify(stockCode, description),
    date: instant.slice(0, 10),
    exactAmount,
    amount: exactAmount.rounded(PLACES),
    customer,
    country,
  }
}

export function documentNumberProblem(text: string): string | null {
  if (text === '') return 'the document number is empty'
  return DOCUMENT_NUMBER_PATTERN.test(text)
    ? null
    : 'a document number is up to 40 letters, digits and . _ / -'
}

/** Codes are compared without case: the file has both M and m. */
export function classify(stockCode: string, description: string): AccountRole {
  // Nearly every code is an article's and begins with a digit.
  const first = stockCode.charCodeAt(0)
  if (first >= 48 && first <= 57) return 'productSales'
  const code = stockCode.trim().toUpperCase()
  if (code.startsWith('GIFT_')) return 'giftVouchers'
  // A single letter alone would be little to write off a debt by.
  if (code === 'B') return /\bbad debt\b/i.test(description) ? 'badDebt' : 'productSales'
  return rolesByStockCode.get(code) ?? 'productSales'
}

/** One document of its rows in the order of the file: at least one, all of the same number. */
export function documentOf(rows: readonly SalesRow[]): SalesDocument {
  const first = rows[0]
  if (!first) throw new RangeError('a document has at least one row')
  const amounts = new Map<AccountRole, Decimal>()
  let total = Decimal.zero
  const roundedRows: SalesRow[] = []
  for (const row of rows) {
    if (row.documentNumber !== first.documentNumber) throw new RangeError('rows of two documents')
    const before = amounts.get(row.role)
    amounts.set(row.role, before ? before.plus(row.amount) : row.amount)
    total = total.plus(row.amount)
    if (!row.amount.equals(row.exactAmount)) roundedRows.push(row)
  }
  return {
    number: first.documentNumber,
    firstLine: first.line,
    date: first.date,
    customer: first.customer,
    country: first.country,
    rowCount: rows.length,
    amounts,
    total,
    roundedRows,
  }
}

/**
 * The entry, or why there is none. A document without value (2,102 in the year, 140 in its first month: stock
 * corrections at price 0) leaves no trace in the books. Roles of different signs may cancel out: then they
 * balance each other and the clearing account has no line. A single role cannot, so an entry has two lines.
 */
export function entryOf(
  document: SalesDocument,
  accountCodeOf: (role: AccountRole) => string,
): { entry: SalesEntry } | { withoutValue: string } {
  const debits: SalesEntryLine[] = []
  const credits: SalesEntryLine[] = []
  const credit = (role: AccountRole, amount: Decimal) => {
    if (amount.isZero()) return
    const accountCode = accountCodeOf(role)
    if (amount.isPositive()) credits.push({ accountCode, credit: amount.toFixed(PLACES) })
    else debits.push({ accountCode, debit: amount.negated().toFixed(PLACES) })
  }
  credit('importsClearing', document.total.negated())
  for (const role of SALES_ROLES) credit(role, document.amounts.get(role) ?? Decimal.zero)
  const lines = [...debits, ...credits]
  if (lines.length === 0) return { withoutValue: `the ${document.rowCount} row(s) come to nothing` }
  return {
    entry: {
      transactionDate: document.date,
      description: descriptionOf(document),
      reference: document.number,
      source: { type: SOURCE_TYPE, id: document.number },
      lines,
    },
  }
}

/** Text from a file as it may be shown on a terminal: short, and with nothing in it that the terminal obeys. */
export function printable(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return short.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
}

function descriptionOf(document: SalesDocument): string {
  const kind = document.number.startsWith('C')
    ? 'Credit note'
    : document.number.startsWith('A')
      ? 'Adjustment'
      : 'Invoice'
  const parts = [`${kind} ${document.number}`]
  if (document.customer !== '') parts.push(`customer ${document.customer}`)
  if (document.country !== '') parts.push(document.country)
  return parts.join(', ')
}

function unreadable(value: string): string | null {
  if (value.includes('\0')) return 'contains a NUL character'
  // What the decoder puts for bytes it cannot read.
  return value.includes('\uFFFD') ? 'contains bytes that are not UTF-8 text' : null
}

function stockCodeProblem(text: string): string | null {
  return text.trim() === '' ? 'the stock code is empty' : longerThan(60, text)
}

function descriptionProblem(text: string): string | null {
  return longerThan(500, text)
}

/** Customer and country go into the entry's description. */
function wordProblem(text: string): string | null {
  return /\p{Cc}/u.test(text) ? 'contains a control character' : longerThan(100, text)
}

function longerThan(maximum: number, text: string): string | null {
  return text.length > maximum ? `longer than ${maximum} characters` : null
}

function quantityProblem(text: string): string | null {
  return QUANTITY_PATTERN.test(text) ? null : 'the quantity is not a whole number of at most 9 digits'
}

function priceProblem(text: string): string | null {
  const good = text.length <= 20 && Decimal.parse(text)
  return good ? null : 'the price is not a decimal number of at most 20 characters'
}

function instantProblem(text: string): string | null {
  const match = INSTANT_PATTERN.exec(text)
  if (!match) return 'the date is not written YYYY-MM-DD or YYYY-MM-DD HH:MM:SS'
  if (!isDate(match[1]!)) return 'there is no such date'
  const [, , hour = '0', minute = '0', second = '0'] = match
  return Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60 ? null : 'there is no such time'
}

/** One for each of SALES_COLUMNS, in their order. */
const columnChecks: readonly ((value: string) => string | null)[] = [
  documentNumberProblem,
  stockCodeProblem,
  descriptionProblem,
  quantityProblem,
  instantProblem,
  priceProblem,
  wordProblem,
  wordProblem,
]

type EightTexts = [string, string, string, string, string, string, string, string]

const PLACES = 2
const HEADER_PROBLEMS_MAXIMUM = 20
const DOCUMENT_NUMBER_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$/
const QUANTITY_PATTERN = /^-?(?:0|[1-9]\d{0,8})$/
const INSTANT_PATTERN = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?$/
// With at most 10,000 rows a document (salesGrouping.ts) a total stays within the ledger's numeric(19, 4).
const AMOUNT_LIMIT = Decimal.of('100000000000')

const rolesByStockCode: ReadonlyMap<string, AccountRole> = new Map([
  ['POST', 'carriageIncome'],
  ['DOT', 'carriageIncome'],
  ['C2', 'carriageIncome'],
  ['D', 'salesDiscount'],
  ['M', 'manualSales'],
  ['BANK CHARGES', 'bankCharges'],
  ['AMAZONFEE', 'platformFees'],
  ['CRUK', 'charityCommission'],
  ['S', 'samples'],
])
