/**
 * The lines of an entry while they are typed: what is in the cells, what they add up to, and what will be
 * sent. The only arithmetic is the running difference; the server decides what balances.
 */
import { Decimal } from '../../../kernel/decimal.ts'
import type { NewJournalEntry } from '../../shared/model.ts'
import { readAmount } from './amounts.ts'

export interface AccountChoice {
  id: string
  code: string
  name: string
}

export const columns = ['account', 'debit', 'credit', 'description'] as const
export type Column = (typeof columns)[number]

export interface Line {
  /** Stays with the line while others come and go around it. */
  key: number
  accountText: string
  account: AccountChoice | null
  debit: string
  credit: string
  description: string
  errors: Partial<Record<Column, string>>
}

export interface Grid {
  lines: readonly Line[]
  nextKey: number
}

export type GridAction =
  | { type: 'type'; key: number; column: Column; text: string }
  | { type: 'choose'; key: number; account: AccountChoice }
  | { type: 'tidyAmount'; key: number; column: 'debit' | 'credit'; minorUnits: number }
  | { type: 'add' }
  | { type: 'remove'; key: number }
  | { type: 'paste'; key: number; column: Column; rows: string[][]; find: FindAccount; minorUnits: number }
  | { type: 'errors'; errors: ReadonlyMap<number, Line['errors']> }

export type FindAccount = (text: string) => AccountChoice | null

export function emptyGrid(): Grid {
  return { lines: [blankLine(0), blankLine(1)], nextKey: 2 }
}

export function gridOf(lines: Omit<Line, 'key' | 'errors'>[]): Grid {
  return { lines: lines.map((line, key) => ({ ...line, key, errors: {} })), nextKey: lines.length }
}

export function gridReducer(grid: Grid, action: GridAction): Grid {
  switch (action.type) {
    case 'type':
      return changed(grid, action.key, (line) => typed(line, action.column, action.text))
    case 'choose':
      return changed(grid, action.key, (line) => chosen(line, action.account))
    case 'tidyAmount':
      return changed(grid, action.key, (line) => tidied(line, action.column, action.minorUnits))
    case 'add':
      return { lines: [...grid.lines, blankLine(grid.nextKey)], nextKey: grid.nextKey + 1 }
    case 'remove':
      return removed(grid, action.key)
    case 'paste':
      return pasted(grid, action)
    case 'errors':
      return {
        ...grid,
        lines: grid.lines.map((line) => {
          const errors = action.errors.get(line.key)
          const isUntouched = !errors && Object.keys(line.errors).length === 0
          return isUntouched ? line : { ...line, errors: errors ?? {} }
        }),
      }
  }
}

function changed(grid: Grid, key: number, change: (line: Line) => Line): Grid {
  return { ...grid, lines: grid.lines.map((line) => (line.key === key ? change(line) : line)) }
}

function typed(line: Line, column: Column, text: string): Line {
  const { [column]: _, ...errors } = line.errors
  if (column === 'account') return { ...line, accountText: text, account: null, errors }
  // A line is debited or credited, never both.
  if (column === 'debit' && text !== '')
    return { ...line, debit: text, credit: '', errors: withoutAmounts(errors) }
  if (column === 'credit' && text !== '')
    return { ...line, credit: text, debit: '', errors: withoutAmounts(errors) }
  return { ...line, [column]: text, errors }
}

function withoutAmounts({ account, description }: Line['errors']): Line['errors'] {
  return {
    ...(account === undefined ? {} : { account }),
    ...(description === undefined ? {} : { description }),
  }
}

function chosen(line: Line, account: AccountChoice): Line {
  const { account: _, ...errors } = line.errors
  return { ...line, account, accountText: accountLabel(account), errors }
}

function tidied(line: Line, column: 'debit' | 'credit', minorUnits: number): Line {
  const amount = readAmount(line[column], minorUnits)
  if (!(amount instanceof Decimal)) return line
  const text = amount.isZero() ? '' : amount.toFixed(minorUnits)
  return text === line[column] ? line : { ...line, [column]: text }
}

function removed(grid: Grid, key: number): Grid {
  const lines = grid.lines.filter((line) => line.key !== key)
  return lines.length > 0
    ? { ...grid, lines }
    : { lines: [blankLine(grid.nextKey)], nextKey: grid.nextKey + 1 }
}

/** Rows of a spreadsheet, written from the given cell to the right and down; missing lines are added. */
function pasted(grid: Grid, { key, column, rows, find, minorUnits }: GridAction & { type: 'paste' }): Grid {
  const lines = [...grid.lines]
  let { nextKey } = grid
  const firstLine = Math.max(
    0,
    lines.findIndex((line) => line.key === key),
  )
  const firstColumn = columns.indexOf(column)
  rows.forEach((cells, offset) => {
    let line = lines[firstLine + offset] ?? blankLine(nextKey++)
    cells.forEach((cell, cellOffset) => {
      const target = columns[firstColumn + cellOffset]
      // An empty cell of a spreadsheet says nothing: without this, an empty credit would clear the debit.
      if (!target || cell === '') return
      const account = target === 'account' ? find(cell) : null
      line = account ? chosen(line, account) : typed(line, target, cell)
      if (target === 'debit' || target === 'credit') line = tidied(line, target, minorUnits)
    })
    lines[firstLine + offset] = line
  })
  return { lines, nextKey }
}

/** Cells of copied spreadsheet rows; a first row of titles is left out. */
export function spreadsheetRows(text: string): string[][] {
  const rows = text
    .replace(/(\r?\n)+$/, '')
    .split(/\r?\n/)
    .map((row) => row.split('\t').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1')))
  const isTitles = (row: string[]) => row.length > 1 && row.every((cell) => !/\p{Nd}/u.test(cell))
  return rows.length > 1 && rows[0] && isTitles(rows[0]) ? rows.slice(1) : rows
}

function blankLine(key: number): Line {
  return { key, accountText: '', account: null, debit: '', credit: '', description: '', errors: {} }
}

export function isBlank(line: Line): boolean {
  return line.accountText === '' && line.debit === '' && line.credit === '' && line.description === ''
}

export function accountLabel({ code, name }: AccountChoice): string {
  return `${code} ${name}`
}

export interface Totals {
  debit: Decimal
  credit: Decimal
  /** Debit less credit. */
  difference: Decimal
}

export function totalsOf(lines: readonly Line[], minorUnits: number): Totals {
  const sum = (column: 'debit' | 'credit') =>
    Decimal.sum(
      lines.flatMap((line) => {
        const amount = readAmount(line[column], minorUnits)
        return amount instanceof Decimal ? [amount] : []
      }),
    )
  const debit = sum('debit')
  const credit = sum('credit')
  return { debit, credit, difference: debit.minus(credit) }
}

export interface Offer {
  column: 'debit' | 'credit'
  amount: string
}

/** What the last line would need to balance the entry, if it has no amount yet. */
export function balancingOffer(
  lines: readonly Line[],
  { difference }: Totals,
  minorUnits: number,
): Offer | null {
  const last = lines.at(-1)
  if (!last || last.debit !== '' || last.credit !== '' || difference.isZero()) return null
  return difference.isNegative()
    ? { column: 'debit', amount: difference.negated().toFixed(minorUnits) }
    : { column: 'credit', amount: difference.toFixed(minorUnits) }
}

export interface Ready {
  /** Keys of the lines sent, in their order: the server's `lines[2]` is the third of them. */
  keys: number[]
  lines: NewJournalEntry['lines']
  errors: Map<number, Line['errors']>
}

export interface LineMessages {
  required: string
  unknownAccount: string
  amountMissing: string
  amountWrong: string
}

export function readyToSend(
  lines: readonly Line[],
  find: FindAccount,
  minorUnits: number,
  messages: LineMessages,
): Ready {
  const ready: Ready = { keys: [], lines: [], errors: new Map() }
  for (const line of lines) {
    if (isBlank(line)) continue
    const errors: Line['errors'] = {}
    const account = line.account ?? find(line.accountText)
    if (!account) errors.account = line.accountText === '' ? messages.required : messages.unknownAccount
    const debit = readAmount(line.debit, minorUnits)
    const credit = readAmount(line.credit, minorUnits)
    if (debit === 'wrong') errors.debit = messages.amountWrong
    if (credit === 'wrong') errors.credit = messages.amountWrong
    if (debit === null && credit === null) errors.debit = messages.amountMissing
    if (Object.keys(errors).length > 0) ready.errors.set(line.key, errors)
    ready.keys.push(line.key)
    ready.lines.push({
      ...(account ? { accountId: account.id } : {}),
      ...(debit instanceof Decimal ? { debit: debit.toFixed(minorUnits) } : {}),
      ...(credit instanceof Decimal ? { credit: credit.toFixed(minorUnits) } : {}),
      description: line.description === '' ? null : line.description,
    })
  }
  return ready
}
