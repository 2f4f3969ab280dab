import { describe, expect, test } from 'vitest'
import type { AccountRole } from '../../companies/rules/charts.ts'
import {
  classify,
  documentOf,
  entryOf,
  headerProblems,
  parseSalesRow,
  printable,
  SALES_COLUMNS,
  type SalesRow,
} from './salesJournal.ts'

type Column = (typeof SALES_COLUMNS)[number]

const good = ['536365', '85123A', 'HOLDER', '6', '2010-12-01 08:26:00', '2.55', '17850', 'United Kingdom']

function row(changes: Partial<Record<Column, string>>): SalesRow {
  const parsed = parseSalesRow(valuesWith(changes), 2)
  if (Array.isArray(parsed)) throw new Error(JSON.stringify(parsed))
  return parsed
}

function valuesWith(changes: Partial<Record<Column, string>>): string[] {
  return SALES_COLUMNS.map((column, index) => changes[column] ?? good[index]!)
}

describe('header', () => {
  test('as it should be', () => expect(headerProblems(SALES_COLUMNS, 1)).toEqual([]))

  test('missing, renamed and extra columns are all named', () => {
    const found = ['InvoiceNo', 'Code', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID']
    expect(headerProblems(found, 1)).toEqual([
      { line: 1, column: 'StockCode', value: 'Code', reason: 'column 2 of the header must be StockCode' },
      { line: 1, column: 'Country', value: '', reason: 'the header lacks this column' },
    ])
    expect(headerProblems([...SALES_COLUMNS, 'Note'], 1)).toMatchObject([{ value: 'Note' }])
  })
})

describe('row', () => {
  test('good', () => {
    const parsed = row({})
    expect(parsed).toMatchObject({
      line: 2,
      documentNumber: '536365',
      role: 'productSales',
      date: '2010-12-01',
    })
    expect(parsed.amount.toString()).toBe('15.3')
  })

  test.each([
    ['6', '2.55', '15.3', '15.30'],
    ['1', '0.001', '0.001', '0.00'],
    ['5', '0.001', '0.005', '0.01'],
    ['-5', '0.001', '-0.005', '-0.01'],
    ['-1', '-11062.06', '11062.06', '11062.06'],
    ['0', '7', '0', '0.00'],
    ['3', '15.0', '45', '45.00'],
    ['-0', '1', '0', '0.00'],
  ])('%s × %s = %s, posted as %s', (Quantity, UnitPrice, exact, posted) => {
    const parsed = row({ Quantity, UnitPrice })
    expect(parsed.exactAmount.toString()).toBe(exact)
    expect(parsed.amount.toFixed(2)).toBe(posted)
  })

  test.each<[Column, string]>([
    ['InvoiceNo', ''],
    ['InvoiceNo', 'a b'],
    ['InvoiceNo', 'x'.repeat(41)],
    ['InvoiceNo', '5363\u001b[2J'],
    ['StockCode', ''],
    ['StockCode', ' '],
    ['StockCode', 'x'.repeat(61)],
    ['Description', 'a\0b'],
    ['Description', 'caf\uFFFD'],
    ['Description', 'x'.repeat(501)],
    ['Quantity', ''],
    ['Quantity', '1.5'],
    ['Quantity', '1e3'],
    ['Quantity', '01'],
    ['Quantity', ' 1'],
    ['Quantity', '1000000000'],
    ['UnitPrice', ''],
    ['UnitPrice', '1,50'],
    ['UnitPrice', '£2.55'],
    ['UnitPrice', 'NaN'],
    ['UnitPrice', '1e3'],
    ['UnitPrice', '1.'],
    ['UnitPrice', '99999999999999999'],
    ['UnitPrice', '0.1234567890123456789012345'],
    ['InvoiceDate', ''],
    ['InvoiceDate', '2011-02-29 10:00:00'],
    ['InvoiceDate', '2011-13-01 10:00:00'],
    ['InvoiceDate', '2011-01-01 24:00:00'],
    ['InvoiceDate', '2011-01-01 10:60:00'],
    ['InvoiceDate', '12/1/2010 8:26'],
    ['InvoiceDate', '2011-01-01 10:00:00Z'],
    ['CustomerID', '1\n2'],
    ['Country', 'x'.repeat(101)],
  ])('%s %j is named', (column, value) => {
    expect(parseSalesRow(valuesWith({ [column]: value }), 7)).toMatchObject([{ line: 7, column }])
  })
  test('a leap day, a date alone and a time without seconds are good', () => {
    for (const InvoiceDate of ['2012-02-29 23:59:59', '2012-02-29', '2012-02-29T10:00', '2012-02-29 10:00']) {
      expect(row({ InvoiceDate }).date).toBe('2012-02-29')
    }
  })

  test('everything wrong is named at once', () => {
    const values = ['', '1', 'a\0', 'six', '2010-02-30', 'free', '', '']
    expect(parseSalesRow(values, 9)).toEqual([
      { line: 9, column: 'InvoiceNo', value: '', reason: 'the document number is empty' },
      { line: 9, column: 'Description', value: 'a\\u{0}', reason: 'contains a NUL character' },
      { line: 9, column: 'Quantity', value: 'six', reason: expect.stringContaining('whole number') },
      { line: 9, column: 'InvoiceDate', value: '2010-02-30', reason: 'there is no such date' },
      { line: 9, column: 'UnitPrice', value: 'free', reason: expect.stringContaining('decimal number') },
    ])
  })

  test('too few and too many columns', () => {
    expect(parseSalesRow(good.slice(1), 3)).toMatchObject([{ line: 3, reason: '7 columns instead of 8' }])
    expect(parseSalesRow([...good, ''], 3)).toMatchObject([{ reason: '9 columns instead of 8' }])
  })

  test('what is shown of a value cannot steer a terminal', () => {
    expect(printable('a\u001b[31m\u009b\u202e\n')).toBe('a\\u{1b}[31m\\u{9b}\\u{202e}\\u{a}')
    expect(printable('x'.repeat(100))).toHaveLength(61)
  })
})

test.each<[string, string, AccountRole]>([
  ['85123A', 'WHITE HANGING HEART T-LIGHT HOLDER', 'productSales'],
  ['POST', 'POSTAGE', 'carriageIncome'],
  ['DOT', '', 'carriageIncome'],
  ['C2', 'CARRIAGE', 'carriageIncome'],
  ['D', 'Discount', 'salesDiscount'],
  ['M', 'Manual', 'manualSales'],
  ['m', 'Manual', 'manualSales'],
  ['BANK CHARGES', 'Bank Charges', 'bankCharges'],
  ['AMAZONFEE', 'AMAZON FEE', 'platformFees'],
  ['CRUK', 'CRUK Commission', 'charityCommission'],
  ['gift_0001_40', 'Dotcomgiftshop Gift Voucher £40.00', 'giftVouchers'],
  ['S', 'SAMPLES', 'samples'],
  ['B', 'Adjust bad debt', 'badDebt'],
  ['B', 'BEADS', 'productSales'],
  ['PADS', 'PADS TO MATCH ALL CUSHIONS', 'productSales'],
  ['DCGSSGIRL', 'GIRLS PARTY BAG', 'productSales'],
  ['constructor', '', 'productSales'],
])('%s %j is %s', (stockCode, description, role) => {
  expect(classify(stockCode, description)).toBe(role)
})

describe('entry', () => {
  const rows = (...parts: [stockCode: string, quantity: string, price: string][]) =>
    parts.map(([StockCode, Quantity, UnitPrice]) =>
      row({ StockCode, Quantity, UnitPrice, Description: 'Adjust bad debt' }),
    )
  const linesOf = (...parts: [stockCode: string, quantity: string, price: string][]) => {
    const result = entryOf(documentOf(rows(...parts)), (role) => role)
    if ('withoutValue' in result) return result
    return result.entry.lines.map(({ accountCode, debit, credit }) => [
      accountCode,
      debit ?? '',
      credit ?? '',
    ])
  }

  test('an invoice', () => {
    const result = entryOf(
      documentOf([row({}), row({ InvoiceDate: '2010-12-02 00:01:00' })]),
      (role) => `a-${role}`,
    )
    expect(result).toEqual({
      entry: {
        transactionDate: '2010-12-01',
        description: 'Invoice 536365, customer 17850, United Kingdom',
        reference: '536365',
        source: { type: 'online-retail', id: '536365' },
        lines: [
          { accountCode: 'a-importsClearing', debit: '30.60' },
          { accountCode: 'a-productSales', credit: '30.60' },
        ],
      },
    })
  })

  test('a credit note and an adjustment say so', () => {
    const describe = (changes: Parameters<typeof row>[0]) => {
      const result = entryOf(documentOf([row(changes)]), (role) => role)
      return 'entry' in result && result.entry.description
    }
    expect(describe({ InvoiceNo: 'C536379', Country: '' })).toBe('Credit note C536379, customer 17850')
    expect(describe({ InvoiceNo: 'A563185', CustomerID: '' })).toBe('Adjustment A563185, United Kingdom')
  })

  test('goods, carriage and discount each to its account, one line a role', () => {
    expect(linesOf(['1', '2', '10'], ['POST', '1', '18'], ['D', '-1', '3.50'], ['2', '1', '1'])).toEqual([
      ['importsClearing', '35.50', ''],
      ['salesDiscount', '3.50', ''],
      ['productSales', '', '21.00'],
      ['carriageIncome', '', '18.00'],
    ])
  })

  test('a credit note goes the other way', () => {
    expect(linesOf(['1', '-2', '10'], ['POST', '-1', '18'])).toEqual([
      ['productSales', '20.00', ''],
      ['carriageIncome', '18.00', ''],
      ['importsClearing', '', '38.00'],
    ])
  })

  test('bad debt written off and back', () => {
    expect(linesOf(['B', '1', '-11062.06'])).toEqual([
      ['badDebt', '11062.06', ''],
      ['importsClearing', '', '11062.06'],
    ])
    expect(linesOf(['B', '1', '11062.06'])).toEqual([
      ['importsClearing', '11062.06', ''],
      ['badDebt', '', '11062.06'],
    ])
  })

  test('roles that cancel out balance each other without the clearing account', () => {
    expect(linesOf(['1', '1', '5'], ['D', '-1', '5'])).toEqual([
      ['salesDiscount', '5.00', ''],
      ['productSales', '', '5.00'],
    ])
  })

  test('a role that comes to nothing has no line', () => {
    expect(linesOf(['1', '1', '5'], ['POST', '1', '2'], ['POST', '-1', '2'])).toEqual([
      ['importsClearing', '5.00', ''],
      ['productSales', '', '5.00'],
    ])
  })

  test.each<[string, [string, string, string][]]>([
    ['prices of 0', [['1', '-10', '0']]],
    [
      'one role that cancels out',
      [
        ['1', '1', '5'],
        ['1', '-1', '5'],
      ],
    ],
    ['less than half a cent', [['PADS', '4', '0.001']]],
  ])('no value: %s', (_name, parts) => {
    expect(linesOf(...parts)).toEqual({ withoutValue: expect.any(String) })
  })

  test('rounding is by row: two half cents are two cents, not one', () => {
    expect(linesOf(['1', '5', '0.001'], ['1', '5', '0.001'])).toEqual([
      ['importsClearing', '0.02', ''],
      ['productSales', '', '0.02'],
    ])
    expect(documentOf(rows(['1', '5', '0.001'], ['1', '1', '1.500'])).roundedRows).toHaveLength(1)
  })

  test('rows of two documents or of none are a mistake', () => {
    expect(() => documentOf([])).toThrow(RangeError)
    expect(() => documentOf([row({}), row({ InvoiceNo: '2' })])).toThrow(RangeError)
  })
})
