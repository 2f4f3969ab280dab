import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addDays } from '../../kernel/calendar.ts'
import { Decimal } from '../../kernel/decimal.ts'
import { addUser, CLEARING, findings, MARKETING, RENT, SALES } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { createFiscalYear, createJournalEntries } from '../ledger/contract.ts'
import { generalLedger, trialBalance } from './contract.ts'

let product: TestProduct
let tenant: TestTenant
let admin: Client

interface Posting {
  date: string
  debit: string
  credit: string
  cents: number
}
const codes = [CLEARING, SALES, MARKETING, RENT]
/** About every third day of three years, with amounts that no two months share. */
const postings: Posting[] = Array.from({ length: 360 }, (_, index) => ({
  date: addDays('2025-01-01', index * 3),
  debit: codes[index % 3]!,
  credit: codes[(index % 3) + 1]!,
  cents: 101 + ((index * 7919) % 10_007),
}))
postings.push(
  ...['2025-12-31', '2026-01-01', '2026-01-31', '2026-02-01', '2026-02-28', '2026-12-31', '2027-01-01'].map(
    (date, index) => ({ date, debit: CLEARING, credit: SALES, cents: 1_000_001 + index }),
  ),
)

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
  for (const year of ['2025', '2027']) {
    const body = { name: year, startDate: `${year}-01-01`, endDate: `${year}-12-31` }
    ;(await admin.call(createFiscalYear, { body })).ok()
  }
  const journalEntries = postings.map(({ date, debit, credit, cents }) => ({
    transactionDate: date,
    status: 'posted' as const,
    lines: [
      { accountCode: debit, debit: money(cents) },
      { accountCode: credit, credit: money(cents) },
    ],
  }))
  ;(await admin.call(createJournalEntries, { body: { journalEntries } })).ok()
})
afterAll(() => product.stop())

const money = (cents: number): string => new Decimal(BigInt(cents), 2).toFixed(2)

/** The balance in cents, from the postings themselves. */
function expected(code: string, until: string, from = '0000'): number {
  return postings
    .filter(({ date }) => from <= date && date <= until)
    .reduce((sum, { debit, credit, cents }) => sum + (debit === code ? cents : credit === code ? -cents : 0), 0) // prettier-ignore
}

const balance = async (asOf: string) => (await admin.call(trialBalance, { query: { asOf } })).ok()

describe('the trial balance', () => {
  test.each([
    '2024-12-31', '2025-01-01', '2025-01-02', '2025-01-31', '2025-02-01', '2025-02-14', '2025-12-30', '2025-12-31',
    '2026-01-01', '2026-01-15', '2026-01-31', '2026-02-01', '2026-02-27', '2026-02-28', '2026-03-01', '2026-12-31',
    '2027-01-01', '2027-06-17', '2027-12-31', '2999-12-31',
  ])('as of %s is the sum of what was posted until then', async (asOf) => {
    const { rows, totalDebit, totalCredit } = await balance(asOf)
    const nets = codes.map((code) => [code, expected(code, asOf)] as const).filter(([, net]) => net !== 0)
    expect(rows.map(({ accountCode, debit, credit }) => [accountCode, debit, credit])).toEqual(
      nets.map(([code, net]) => [code, money(Math.max(net, 0)), money(Math.max(-net, 0))]),
    )
    expect(totalDebit).toBe(money(nets.reduce((sum, [, net]) => sum + Math.max(net, 0), 0)))
    expect(totalCredit).toBe(totalDebit)
  }) // prettier-ignore

  test('without a day is as of today, and can tell the accounts without a balance', async () => {
    const { asOf, currency } = (await admin.call(trialBalance)).ok()
    expect([asOf, currency]).toEqual([new Date().toISOString().slice(0, 10), 'USD'])
    const all = (await admin.call(trialBalance, { query: { includeZero: true } })).ok().rows
    expect(all.length).toBeGreaterThan(50)
    expect(all.map(({ accountCode }) => accountCode)).not.toContain('1000') // a heading
    expect(all.find(({ accountCode }) => accountCode === '1210')).toMatchObject({ debit: '0.00', credit: '0.00' }) // prettier-ignore
  })

  test.each([
    ['asOf=2026-02-30', ['asOf FORMAT']],
    ['asOf=', ['asOf FORMAT']],
    ['includeZero=maybe', ['includeZero TYPE']],
    ['asof=2026-01-01', ['asof UNKNOWN_FIELD']],
  ])('refuses ?%s', async (search, refusals) => {
    expect((await admin.send('GET', `/api/v1/reports/trial-balance?${search}`)).refusals).toEqual(refusals)
  })
})

describe('the general ledger', () => {
  const idOf = async (code: string): Promise<string> =>
    (await balance('2027-12-31')).rows.find(({ accountCode }) => accountCode === code)!.accountId
  const page = async (filters: object, code = CLEARING) =>
    (await admin.call(generalLedger, { query: { accountId: await idOf(code), ...filters } as never })).ok()
  const cents = (amount: string): number => Math.round(Number(amount) * 100)

  test.each([
    ['2025-01-01', '2027-12-31'],
    ['2026-01-01', '2026-12-31'],
    ['2026-01-15', '2026-02-14'],
    ['2026-02-28', '2026-02-28'],
    ['2026-03-02', '2026-03-02'],
  ])(
    'from %s to %s: opening, every line, running and closing balance, in pages of any size',
    async (from, to) => {
      for (const code of [CLEARING, SALES]) {
        for (const limit of [1000, 7]) {
          const first = await page({ from, to, limit }, code)
          const lines = [...first.lines]
          for (let after = first.nextAfter; after !== null;) {
            const next = await page({ from, to, limit, after }, code)
            expect(next.lines.length).toBeGreaterThan(0)
            lines.push(...next.lines)
            after = next.nextAfter
          }
          expect(first.openingBalance).toBe(money(expected(code, addDays(from, -1))))
          expect(first.closingBalance).toBe(money(expected(code, to)))
          const touching = postings.filter(({ date, debit, credit }) => from <= date && date <= to && [debit, credit].includes(code)) // prettier-ignore
          expect(lines).toHaveLength(touching.length)
          expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length)
          let running = cents(first.openingBalance)
          for (const [index, line] of lines.entries()) {
            running += cents(line.debit) - cents(line.credit)
            expect(cents(line.balance)).toBe(running)
            expect(line.date >= (lines[index - 1]?.date ?? from) && line.date <= to).toBe(true)
          }
          expect(running).toBe(cents(first.closingBalance))
        }
      }
    },
  )

  test('agrees with the trial balance for every account', async () => {
    for (const asOf of ['2025-06-15', '2026-02-28', '2027-12-31']) {
      for (const { accountCode, debit, credit } of (await balance(asOf)).rows) {
        const { closingBalance } = await page({ from: '2025-01-01', to: asOf, limit: 1 }, accountCode)
        expect(cents(closingBalance)).toBe(cents(debit) - cents(credit))
      }
    }
  })

  test.each<[object, number, string[]]>([
    [{ from: '2026-02-02', to: '2026-02-01' }, 400, ['from AFTER_TO']],
    [{ limit: 1001 }, 400, ['limit MAXIMUM']],
    [{ after: 'x' }, 400, ['after FORMAT']],
    [{ after: `2026-02-30_${randomUUID()}_1.00` }, 400, ['after FORMAT']],
    [{ after: `2026-02-01_${'-'.repeat(36)}_1.00` }, 400, ['after FORMAT']],
    [{ after: `2026-02-01_${randomUUID()}_01.00` }, 400, ['after FORMAT']],
  ])('refuses %j', async (filters, status, refusals) => {
    const query = { accountId: await idOf(CLEARING), ...filters }
    const answer = await admin.call(generalLedger, { query })
    expect([answer.status, answer.refusals]).toEqual([status, refusals])
  })

  test('of no account is not found', async () => {
    expect((await admin.call(generalLedger, { query: { accountId: randomUUID() } })).status).toBe(404)
  })
})

test('reports are for who may see them', async () => {
  const { client } = await addUser(product, tenant, 'warehouse@books.example', 'Warehouse')
  expect((await client.call(trialBalance)).status).toBe(403)
})

test('the books are whole', async () => {
  expect(await findings(product, tenant)).toEqual([])
})
