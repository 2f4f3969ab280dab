import { describe, expect, test } from 'vitest'
import {
  balancingOffer,
  emptyGrid,
  gridReducer,
  readyToSend,
  spreadsheetRows,
  totalsOf,
  type AccountChoice,
  type FindAccount,
  type Grid,
  type GridAction,
} from './lines.ts'

const cash: AccountChoice = { id: 'cash', code: '1110', name: 'Cash' }
const rent: AccountChoice = { id: 'rent', code: '5100', name: 'Rent' }
const find: FindAccount = (text) => [cash, rent].find(({ code }) => code === text) ?? null
const messages = { required: 'r', unknownAccount: 'u', amountMissing: 'm', amountWrong: 'w' }

const after = (...actions: GridAction[]): Grid => actions.reduce(gridReducer, emptyGrid())
const typed = (key: number, column: 'account' | 'debit' | 'credit', text: string): GridAction => ({
  type: 'type',
  key,
  column,
  text,
})

describe('typing', () => {
  test('a credit takes the debit away', () => {
    const [line] = after(typed(0, 'debit', '5'), typed(0, 'credit', '6')).lines
    expect(line).toMatchObject({ debit: '', credit: '6' })
  })

  test('other lines stay the same objects, so that they are not rendered again', () => {
    const before = emptyGrid()
    expect(gridReducer(before, typed(0, 'debit', '5')).lines[1]).toBe(before.lines[1])
  })

  test('removing the last line leaves a blank one', () => {
    const grid = after({ type: 'remove', key: 0 }, { type: 'remove', key: 1 })
    expect(grid.lines).toHaveLength(1)
    expect(grid.lines[0]?.key).toBe(2)
  })
})

describe('the balancing offer', () => {
  test('is on the side that is short, on the last line', () => {
    const { lines } = after(typed(0, 'debit', '1,250.5'))
    expect(balancingOffer(lines, totalsOf(lines, 2), 2)).toEqual({ column: 'credit', amount: '1250.50' })
  })

  test('is withdrawn when the last line has an amount', () => {
    const { lines } = after(typed(0, 'debit', '10'), typed(1, 'credit', '4'))
    expect(balancingOffer(lines, totalsOf(lines, 2), 2)).toBeNull()
  })
})

describe('pasting', () => {
  test('fills lines down and to the right, adding what is missing', () => {
    const rows = spreadsheetRows(
      'Account\tDebit\tCredit\tText\r\n5100\t10\t\ta\r\n5100\t5.5\t\tb\r\n1110\t\t15.50\tc\r\n',
    )
    const { lines } = after({ type: 'paste', key: 0, column: 'account', rows, find, minorUnits: 2 })
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatchObject({ account: rent, debit: '10.00', credit: '', description: 'a' })
    expect(lines[2]).toMatchObject({ account: cash, debit: '', credit: '15.50', description: 'c' })
    expect(totalsOf(lines, 2).difference.isZero()).toBe(true)
  })

  test('keeps what it cannot read, for the user to correct', () => {
    const { lines } = after({
      type: 'paste',
      key: 1,
      column: 'account',
      rows: [['9999', 'ten']],
      find,
      minorUnits: 2,
    })
    expect(lines[1]).toMatchObject({ accountText: '9999', account: null, debit: 'ten' })
  })
})

describe('what is sent', () => {
  test('leaves blank lines out and remembers which line is which', () => {
    const grid = after(
      typed(0, 'account', '5100'),
      typed(0, 'debit', '10'),
      { type: 'add' },
      typed(2, 'account', '1110'),
      typed(2, 'credit', '10'),
    )
    const ready = readyToSend(grid.lines, find, 2, messages)
    expect(ready.keys).toEqual([0, 2])
    expect(ready.errors.size).toBe(0)
    expect(ready.lines).toEqual([
      { accountId: 'rent', debit: '10.00', description: null },
      { accountId: 'cash', credit: '10.00', description: null },
    ])
  })

  test('says what is wrong in which cell', () => {
    const grid = after(typed(0, 'account', 'x'), typed(1, 'account', '1110'), typed(1, 'debit', '1.005'))
    const { errors } = readyToSend(grid.lines, find, 2, messages)
    expect(errors.get(0)).toEqual({ account: 'u', debit: 'm' })
    expect(errors.get(1)).toEqual({ debit: 'w' })
  })
})
