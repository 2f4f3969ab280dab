/** From rows and entries to the shapes of the contract: amounts with the currency's places, as text. */
import type { Static } from 'typebox'
import { findCurrency, minorUnits } from '../../kernel/currency.ts'
import { Decimal } from '../../kernel/decimal.ts'
import type { JournalEntry, JournalEntrySummary } from './contract.ts'
import type { Entry } from './rules/entry.ts'

export type EntryData = Static<typeof JournalEntry>
export type SummaryData = Static<typeof JournalEntrySummary>

/**
 * With the places ISO 4217 gives the currency, and never fewer than the amount has: a tenant's own currency
 * is not in the standard, and one without places there (gold) has those the tenant chose.
 */
export function amountText(amount: Decimal | string, currency: string): string {
  const decimal = typeof amount === 'string' ? Decimal.of(amount) : amount
  const places = findCurrency(currency) ? minorUnits(currency) : 0
  return decimal.toFixed(decimal.scale <= places ? places : Math.max(places, decimal.decimalPlaces()))
}

export interface KeptEntry {
  readonly id: string
  readonly number: string | null
  readonly createdAt: string
  readonly updatedAt: string
  readonly lineIds: readonly string[]
  readonly reversesId?: string | undefined
}

/** The answer to a write, made from what was written: nothing is read back. */
export function presentWritten(entry: Entry, kept: KeptEntry): EntryData {
  const total = amountText(entry.total, entry.currency)
  return {
    id: kept.id,
    number: kept.number,
    status: kept.number === null ? 'draft' : 'posted',
    transactionDate: entry.transactionDate,
    postingDate: entry.postingDate,
    description: entry.description,
    reference: entry.reference,
    currency: entry.currency,
    totalDebit: total,
    totalCredit: total,
    reversesId: kept.reversesId ?? null,
    reversedById: null,
    createdAt: kept.createdAt,
    updatedAt: kept.updatedAt,
    postedAt: kept.number === null ? null : kept.createdAt,
    lines: entry.lines.map((line, index) => ({
      id: kept.lineIds[index] ?? '',
      lineNumber: index + 1,
      accountId: line.account.id,
      accountCode: line.account.code,
      accountName: line.account.name,
      debit: amountText(line.debit, entry.currency),
      credit: amountText(line.credit, entry.currency),
      description: line.description,
      currency: line.currency,
      currencyDebit: amountText(line.currencyDebit, line.currency),
      currencyCredit: amountText(line.currencyCredit, line.currency),
      exchangeRate: line.exchangeRate.toString(),
    })),
  }
}

export interface SummaryRow {
  readonly id: string
  readonly number: string | null
  readonly transaction_date: string
  readonly posting_date: string
  readonly description: string | null
  readonly reference: string | null
  readonly currency: string
  readonly total: string
  readonly reverses_id: string | null
  readonly reversed_by_id: string | null
  readonly created_at: string
  readonly updated_at: string
}

export function presentSummary(row: SummaryRow): SummaryData {
  const total = amountText(row.total, row.currency)
  return {
    id: row.id,
    number: row.number,
    status: row.number === null ? 'draft' : row.reversed_by_id === null ? 'posted' : 'reversed',
    transactionDate: row.transaction_date,
    postingDate: row.posting_date,
    description: row.description,
    reference: row.reference,
    currency: row.currency,
    totalDebit: total,
    totalCredit: total,
    reversesId: row.reverses_id,
    reversedById: row.reversed_by_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    postedAt: row.number === null ? null : row.created_at,
  }
}

export interface LineRow {
  readonly id: string
  readonly line_number: number
  readonly account_id: string
  readonly account_code: string
  readonly account_name: string
  readonly debit: string
  readonly credit: string
  readonly description: string | null
  readonly currency: string
  readonly currency_debit: string
  readonly currency_credit: string
  readonly exchange_rate: string
}

export function presentEntry(row: SummaryRow, lines: readonly LineRow[]): EntryData {
  return {
    ...presentSummary(row),
    lines: lines.map((line) => ({
      id: line.id,
      lineNumber: line.line_number,
      accountId: line.account_id,
      accountCode: line.account_code,
      accountName: line.account_name,
      debit: amountText(line.debit, row.currency),
      credit: amountText(line.credit, row.currency),
      description: line.description,
      currency: line.currency,
      currencyDebit: amountText(line.currency_debit, line.currency),
      currencyCredit: amountText(line.currency_credit, line.currency),
      exchangeRate: Decimal.of(line.exchange_rate).toString(),
    })),
  }
}
