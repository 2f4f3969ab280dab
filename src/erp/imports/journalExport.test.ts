import { describe, expect, test } from 'vitest'
import { accountants } from '../../testing/accountants.ts'
import { hledgerJournal, type ExportedEntry } from './journalExport.ts'

const entries: ExportedEntry[] = [
  {
    number: 'GJ-2010-000001',
    postingDate: '2010-12-01',
    description: 'Invoice 536365, customer 17850; United Kingdom',
    lines: [
      { accountCode: '1190', accountName: 'Imports clearing', debit: '139.1200', credit: '0' },
      { accountCode: '4001', accountName: 'Sales:  products; (net)', debit: '0', credit: '121.12' },
      { accountCode: '4905', accountName: 'Carriage\tincome', debit: null, credit: '18' },
    ],
  },
  {
    number: 'GJ(2)',
    postingDate: '2010-12-02',
    description: '* paid | in\nfull',
    lines: [
      { accountCode: '(8:1 00)', accountName: 'Bad debts; written off', debit: '1000000.005', credit: null },
      { accountCode: '1190', accountName: 'Imports clearing', debit: null, credit: '1000000.005' },
    ],
  },
  {
    number: '3',
    postingDate: '2010-12-03',
    description: null,
    lines: [
      { accountCode: '4001', accountName: 'Sales:  products; (net)', debit: '1', credit: null },
      { accountCode: '1190', accountName: '', debit: null, credit: '1' },
    ],
  },
]

async function exported(currency = 'GBP'): Promise<string> {
  async function* all() {
    yield* entries
  }
  let text = ''
  for await (const part of hledgerJournal(all(), currency)) text += part
  return text
}

test('the journal as text', async () => {
  expect(await exported()).toBe(`commodity GBP
    format 1000.00 GBP

2010-12-01 (GJ-2010-000001) Invoice 536365, customer 17850, United Kingdom
    1190 Imports clearing  139.12 GBP
    4001 Sales- products, (net)  -121.12 GBP
    4905 Carriage income  -18.00 GBP

2010-12-02 (GJ[2]) * paid / in full
    %288%3a1%2000%29 Bad debts, written off  1000000.005 GBP
    1190 Imports clearing  -1000000.005 GBP

2010-12-03 (3)
    4001 Sales- products, (net)  1.00 GBP
    1190  -1.00 GBP
`)
})

test('currencies without and with three decimals', async () => {
  expect(await exported('JPY')).toContain('format 1000 JPY')
  expect(await exported('KWD')).toContain('format 1000.000 KWD')
})

describe.each(accountants)('$name', ({ balances, isWanted }) => {
  test.skipIf(!isWanted)('adds it up as we do', async () => {
    const text = await exported()
    expect(balances(text)).toEqual({
      '%288%3a1%2000%29 Bad debts, written off': '1000000.005',
      '1190': '-1',
      '1190 Imports clearing': '-999860.885',
      '4001 Sales- products, (net)': '-120.12',
      '4905 Carriage income': '-18',
    })
    // The control: it would notice an entry that does not balance.
    expect(() => balances(text.replace('139.12', '139.13'))).toThrow(/balance/)
  })
})
