import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Decimal } from '../../../kernel/decimal.ts'
import {
  checkEntry,
  checkPeriod,
  reversalOf,
  type AccountFacts,
  type Books,
  type Entry,
  type EntryInput,
  type LineInput,
} from './entry.ts'

const account = (code: string, overrides: Partial<AccountFacts> = {}): AccountFacts => ({
  id: `00000000-0000-7000-8000-00000000${code}`,
  code,
  name: `Account ${code}`,
  isActive: true,
  postingAllowed: true,
  controlAccount: 'none',
  currency: null,
  ...overrides,
})

const accounts = [
  account('1000'),
  account('4000'),
  account('5000'),
  account('1001', { isActive: false }),
  account('1002', { postingAllowed: false }),
  account('1003', { controlAccount: 'receivable' }),
  account('1004', { currency: 'EUR' }),
]

const books: Books = {
  baseCurrency: 'USD',
  minorUnits: new Map([
    ['USD', 2],
    ['EUR', 2],
    ['JPY', 0],
    ['KWD', 3],
    ['CHF', 2],
  ]),
  accountsById: new Map(accounts.map((facts) => [facts.id, facts])),
  accountsByCode: new Map(accounts.map((facts) => [facts.code, facts])),
  periods: [
    { id: 'p1', fiscalYearId: 'y', name: '2026-01', startDate: '2026-01-01', endDate: '2026-01-31', status: 'closed' }, // prettier-ignore
    { id: 'p2', fiscalYearId: 'y', name: '2026-02', startDate: '2026-02-01', endDate: '2026-02-28', status: 'open' }, // prettier-ignore
  ],
  rateOn: (currency, date) => (currency === 'EUR' && date >= '2026-02-10' ? Decimal.of('1.25') : undefined),
}

const entry = (lines: readonly LineInput[], overrides: Partial<EntryInput> = {}): EntryInput => ({
  transactionDate: '2026-02-15',
  lines,
  ...overrides,
})
const two = (debit: LineInput['debit'], credit: LineInput['credit'] = debit): EntryInput =>
  entry([
    { accountCode: '1000', debit: debit ?? null },
    { accountCode: '4000', credit: credit ?? null },
  ])
const first = (line: LineInput): EntryInput => entry([line, { accountCode: '4000', credit: '10' }])

function refusals(input: EntryInput): string[] {
  const { problems } = checkEntry(input, books, 'manual')
  return (problems ?? []).map(({ field, code }) => `${field} ${code}`)
}

function accepted(input: EntryInput): Entry {
  const checked = checkEntry(input, books, 'manual')
  if (checked.problems) throw new Error(JSON.stringify(checked.problems))
  return checked.value
}

describe('what is refused', () => {
  test.each<[string, EntryInput, string[]]>([
    ['unbalanced', two('10.00', '9.99'), ['lines UNBALANCED']],
    ['text that is a float', two('1e5'), ['lines[0].debit NOT_A_DECIMAL', 'lines[1].credit NOT_A_DECIMAL']],
    ['no number', first({ accountCode: '1000', debit: 'NaN' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['a space', first({ accountCode: '1000', debit: ' 10' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['a plus', first({ accountCode: '1000', debit: '+10' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['a comma', first({ accountCode: '1000', debit: '1,000' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['leading zero', first({ accountCode: '1000', debit: '010' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['nothing', first({ accountCode: '1000', debit: '' }), ['lines[0].debit NOT_A_DECIMAL']],
    ['0.1 + 0.2', first({ accountCode: '1000', debit: 0.1 + 0.2 }), ['lines[0].debit NOT_A_DECIMAL']],
    ['a number that is no decimal', first({ accountCode: '1000', debit: 1e21 }), ['lines[0].debit NOT_A_DECIMAL']], // prettier-ignore
    ['negative', first({ accountCode: '1000', debit: '-10' }), ['lines[0].debit NEGATIVE']],
    ['over-precise', first({ accountCode: '1000', debit: '10.001' }), ['lines[0].debit OVER_PRECISE']],
    ['16 digits', two('1000000000000000'), ['lines[0].debit TOO_LARGE', 'lines[1].credit TOO_LARGE']],
    ['both sides', first({ accountCode: '1000', debit: '10', credit: '10' }), ['lines[0] DEBIT_AND_CREDIT']],
    ['neither side', first({ accountCode: '1000' }), ['lines[0] NO_AMOUNT']],
    ['zero', first({ accountCode: '1000', debit: '0.00' }), ['lines[0] NO_AMOUNT']],
    ['no account', first({ debit: '10' }), ['lines[0].accountId REQUIRED']],
    ['an unknown account', first({ accountCode: '9', debit: '10' }), ['lines[0].accountCode UNKNOWN_ACCOUNT']], // prettier-ignore
    ['two accounts', first({ accountId: accounts[0]!.id, accountCode: '4000', debit: '10' }), ['lines[0].accountId UNKNOWN_ACCOUNT']], // prettier-ignore
    ['an inactive account', first({ accountCode: '1001', debit: '10' }), ['lines[0].accountCode INACTIVE_ACCOUNT']], // prettier-ignore
    ['a heading', first({ accountCode: '1002', debit: '10' }), ['lines[0].accountCode HEADING_ACCOUNT']],
    ['a control account', first({ accountCode: '1003', debit: '10' }), ['lines[0].accountCode CONTROL_ACCOUNT']], // prettier-ignore
    ['an unknown currency', first({ accountCode: '1000', debit: '10', currency: 'XYZ' }), ['lines[0].currency UNKNOWN_CURRENCY']], // prettier-ignore
    ['not the currency of the account', first({ accountCode: '1004', debit: '10', currency: 'USD' }), ['lines[0].currency WRONG_CURRENCY']], // prettier-ignore
    ['no rate', first({ accountCode: '1000', debit: '10', currency: 'CHF' }), ['lines[0].exchangeRate NO_RATE']], // prettier-ignore
    ['a rate of zero', first({ accountCode: '1000', debit: '10', currency: 'CHF', exchangeRate: '0' }), ['lines[0].exchangeRate WRONG_RATE']], // prettier-ignore
    ['a rate of the base currency', first({ accountCode: '1000', debit: '10', exchangeRate: '2' }), ['lines[0].exchangeRate WRONG_RATE']], // prettier-ignore
    ['a rate with 13 places', first({ accountCode: '1000', debit: '10', currency: 'CHF', exchangeRate: '1.1234567890123' }), ['lines[0].exchangeRate OVER_PRECISE']], // prettier-ignore
    ['a rate with 17 digits', first({ accountCode: '1000', debit: '0.01', currency: 'CHF', exchangeRate: '10000000000000000' }), ['lines[0].exchangeRate TOO_LARGE']], // prettier-ignore
    ['worth nothing', first({ accountCode: '1000', debit: '0.01', currency: 'CHF', exchangeRate: '0.001' }), ['lines[0] ZERO']], // prettier-ignore
    ['places JPY does not have', first({ accountCode: '1000', debit: '1.5', currency: 'JPY', exchangeRate: '1' }), ['lines[0].debit OVER_PRECISE']], // prettier-ignore
    ['no digits', two('x'), ['lines[0].debit NOT_A_DECIMAL', 'lines[1].credit NOT_A_DECIMAL']], // prettier-ignore
  ])('%s', (_name, input, expected) => {
    expect(refusals(input)).toEqual(expected)
  })

  test('everything that is wrong is told at once, each under its own field', () => {
    const wrong = entry(
      [
        { accountCode: '1002', debit: '-1', currency: 'XYZ' },
        { accountCode: '1001', debit: '1', credit: '1' },
      ],
      { transactionDate: '2026-02-30', postingDate: '2026-13-01' },
    )
    expect(refusals(wrong)).toEqual([
      'transactionDate NO_SUCH_DATE',
      'postingDate NO_SUCH_DATE',
      'lines[0].accountCode HEADING_ACCOUNT',
      'lines[0].currency UNKNOWN_CURRENCY',
      'lines[0].debit NEGATIVE',
      'lines[1].accountCode INACTIVE_ACCOUNT',
      'lines[1] DEBIT_AND_CREDIT',
    ])
  })

  test('the difference is told in the base currency', () => {
    expect(checkEntry(two('10', '9.99'), books, 'manual').problems?.[0]?.message).toBe(
      'Debits 10.00 and credits 9.99 differ by 0.01',
    )
  })

  test('a sub-ledger posts to its control account', () => {
    const input = first({ accountCode: '1003', debit: '10' })
    expect(checkEntry(input, books, 'sub-ledger').problems).toBeUndefined()
  })
})

describe('what is accepted', () => {
  test.each([['10'], ['10.0'], ['10.00'], ['10.000'], [10]])('%s is 10.00', (amount) => {
    expect(accepted(two(amount)).total.toFixed(2)).toBe('10.00')
  })

  test('0.1 and 0.2 as JSON numbers are one and two tenths', () => {
    const input = entry([
      { accountCode: '1000', debit: 0.1 },
      { accountCode: '1000', debit: 0.2 },
      { accountCode: '4000', credit: '0.3' },
    ])
    expect(accepted(input).total.toString()).toBe('0.3')
  })

  test('the rate of the posting day is looked up; a given rate goes before it', () => {
    const line = { accountCode: '1000', debit: '8', currency: 'EUR' }
    const kept = accepted(entry([line, { accountCode: '4000', credit: '10' }])).lines[0]
    expect([kept?.debit.toFixed(2), kept?.exchangeRate.toString()]).toEqual(['10.00', '1.25'])
    const given = accepted(
      entry([
        { ...line, exchangeRate: '2' },
        { accountCode: '4000', credit: '16' },
      ]),
    )
    expect(given.total.toFixed(2)).toBe('16.00')
    const earlier = entry([line, { accountCode: '4000', credit: '10' }], { postingDate: '2026-02-09' })
    expect(refusals(earlier)).toEqual(['lines[0].exchangeRate NO_RATE'])
  })

  test('an account kept in a currency gives it to the line', () => {
    const input = entry([
      { accountCode: '1004', debit: '8' },
      { accountCode: '4000', credit: '10' },
    ])
    expect(accepted(input).lines[0]?.currency).toBe('EUR')
  })

  test('the largest amount', () => {
    expect(accepted(two('999999999999999.99')).total.toString()).toBe('999999999999999.99')
  })
})

describe('the period', () => {
  test.each([
    ['2026-01-31', ['PERIOD_CLOSED']],
    ['2026-02-01', []],
    ['2026-02-28', []],
    ['2026-03-01', ['NO_PERIOD']],
    ['2026-02-30', []], // checkEntry has told that it does not exist
  ])('%s', (postingDate, expected) => {
    const { problems = [] } = checkPeriod({ transactionDate: postingDate }, books)
    expect(problems.map(({ code }) => code)).toEqual(expected)
  })

  test.each([
    [{ transactionDate: '2026-01-31' }, 'transactionDate'],
    [{ transactionDate: '2026-02-01', postingDate: '2026-01-31' }, 'postingDate'],
    [{ transactionDate: '2026-01-31', postingDate: '2026-01-31' }, 'transactionDate'],
  ])('of %j is decided by %s', (dates, field) => {
    expect(checkPeriod(dates, books, 'x.').problems).toMatchObject([{ field: `x.${field}` }])
  })
})

// ---- properties ----------------------------------------------------------------------------------------

const cents = fc.bigInt({ min: 1n, max: 10n ** 13n })
const inUnits = (amount: bigint): string => new Decimal(amount, 2).toFixed(2)

/** Any number of lines on both sides; the last one takes up the difference, so that they balance. */
const balanced: fc.Arbitrary<EntryInput> = fc
  .array(fc.record({ amount: cents, isDebit: fc.boolean(), code: fc.constantFrom('1000', '4000', '5000') }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((lines) => {
    const net = lines.reduce((sum, { amount, isDebit }) => sum + (isDebit ? amount : -amount), 0n)
    const inputs = lines.map(({ amount, isDebit, code }) => ({
      accountCode: code,
      [isDebit ? 'debit' : 'credit']: inUnits(amount),
    }))
    const rest = net < 0n ? { debit: inUnits(-net) } : { credit: inUnits(net) }
    const pair = [{ accountCode: '5000', debit: '1' }, { accountCode: '4000', credit: '1' }] // prettier-ignore
    return entry(net === 0n ? [...inputs, ...pair] : [...inputs, { accountCode: '5000', ...rest }])
  })

const side = (lines: Entry['lines'], name: 'debit' | 'credit'): Decimal =>
  Decimal.sum(lines.map((line) => line[name]))

describe('for any entry', () => {
  test('what is accepted balances, and the total is both sides', () => {
    fc.assert(
      fc.property(balanced, (input) => {
        const kept = accepted(input)
        expect(side(kept.lines, 'debit').equals(side(kept.lines, 'credit'))).toBe(true)
        expect(kept.total.equals(side(kept.lines, 'debit'))).toBe(true)
        expect(kept.lines.every(({ debit, credit }) => debit.isZero() !== credit.isZero())).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('one amount changed is refused as unbalanced', () => {
    fc.assert(
      fc.property(balanced, fc.nat(), cents, (input, pick, difference) => {
        const index = pick % input.lines.length
        const lines = input.lines.map((line, at) => {
          if (at !== index) return line
          const name = line.debit === undefined ? 'credit' : 'debit'
          return { ...line, [name]: Decimal.of(String(line[name])).plus(new Decimal(difference, 2)).toFixed(2) } // prettier-ignore
        })
        expect(refusals({ ...input, lines })).toEqual(['lines UNBALANCED'])
      }),
      { numRuns: 500 },
    )
  })

  test('a reversal takes back every line, and reversed again it is the entry', () => {
    fc.assert(
      fc.property(balanced, (input) => {
        const kept = accepted(input)
        const mirrored = reversalOf(kept, '2026-02-20', 'wrong')
        for (const [index, line] of kept.lines.entries()) {
          const other = mirrored.lines[index]!
          expect([other.debit, other.credit, other.currencyDebit, other.currencyCredit]).toEqual([
            line.credit,
            line.debit,
            line.currencyCredit,
            line.currencyDebit,
          ])
        }
        expect(reversalOf(mirrored, '2026-02-20', 'again').lines).toEqual(kept.lines)
        expect(mirrored.total.equals(kept.total)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('in a foreign currency each line is worth its amount at its rate, rounded half up once', () => {
    const rate = fc.bigInt({ min: 1n, max: 10n ** 8n }).map((units) => new Decimal(units, 4))
    const tooLarge = Decimal.of('1000000000000000')
    fc.assert(
      fc.property(cents, rate, (amount, exchangeRate) => {
        const worth = new Decimal(amount, 2).times(exchangeRate).rounded(2)
        fc.pre(worth.isPositive())
        const foreign = { currency: 'CHF', exchangeRate: exchangeRate.toString() }
        const input = entry([
          { accountCode: '1000', debit: inUnits(amount), ...foreign },
          { accountCode: '4000', credit: worth.toFixed(2) },
        ])
        if (worth.compare(tooLarge) >= 0) {
          expect(refusals(input)).toContain('lines[1].credit TOO_LARGE')
          return
        }
        const kept = accepted(input)
        expect(kept.lines[0]?.debit.equals(worth)).toBe(true)
        expect(kept.lines[0]?.currencyDebit.equals(new Decimal(amount, 2))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
