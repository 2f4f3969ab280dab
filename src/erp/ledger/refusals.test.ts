/** Wrong input, one row each: what is said about it, and that nothing of it stays behind. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  addCompany,
  CLEARING,
  closeUntil,
  entryBody,
  findings,
  query,
  SALES,
  snapshot,
  type LineBody,
  untypedOperations,
} from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { currency } from '../masters/currencies/definition.ts'
import { exchangeRate } from '../masters/exchange-rates/definition.ts'
import { glAccount } from '../masters/gl-accounts/definition.ts'
import { createJournalEntry, getJournalEntry } from './contract.ts'

const ENTRIES = '/api/v1/finance/journal-entries'
const accounts = untypedOperations(glAccount)

let product: TestProduct
let tenant: TestTenant
let admin: Client
let before: object

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
  const old = { code: '6199', name: 'Old', type: 'expense', isActive: false }
  ;(await admin.call(accounts.create, { body: old })).ok()
  await closeUntil(admin, '2026-01')
  ;(await admin.call(createJournalEntry, { body: entryBody('100') })).ok()
})
afterAll(() => product.stop())

beforeEach(async () => {
  before = await snapshot(product, tenant)
})
afterEach(async () => {
  expect(await snapshot(product, tenant)).toEqual(before)
})

/** An entry whose first line is given and whose second one credits 10. */
const first = (line: object): object => entryBody('10', { lines: [line, { accountCode: SALES, credit: '10' }] as LineBody[] }) // prettier-ignore
const debit = (amount: unknown): object => first({ accountCode: CLEARING, debit: amount })
const lines = (...list: object[]): object => entryBody('10', { lines: list as LineBody[] })
const nested = (levels: number): string => '{"lines":'.repeat(levels) + '1' + '}'.repeat(levels)

type Row = [name: string, body: () => unknown, refusals: string[]]

const rows: Row[] = [
  ['unbalanced', () => debit('10.01'), ['lines UNBALANCED']],
  ['debit and credit on a line', () => first({ accountCode: CLEARING, debit: '10', credit: '10' }), ['lines[0] DEBIT_AND_CREDIT']], // prettier-ignore
  ['neither', () => first({ accountCode: CLEARING }), ['lines[0] NO_AMOUNT']],
  ['null on both sides', () => first({ accountCode: CLEARING, debit: null, credit: null }), ['lines[0] NO_AMOUNT']], // prettier-ignore
  ['negative', () => debit('-10'), ['lines[0].debit NEGATIVE']],
  ['over-precise', () => debit('9.999'), ['lines[0].debit OVER_PRECISE']],
  ['16 digits', () => debit('1234567890123456'), ['lines[0].debit TOO_LARGE']],
  ['43 characters', () => debit('1'.repeat(43)), ['lines[0].debit TOO_LONG']],
  ['1e5', () => debit('1e5'), ['lines[0].debit NOT_A_DECIMAL']],
  ['NaN', () => debit('NaN'), ['lines[0].debit NOT_A_DECIMAL']],
  ['Infinity', () => debit('Infinity'), ['lines[0].debit NOT_A_DECIMAL']],
  ['a space before', () => debit(' 10'), ['lines[0].debit NOT_A_DECIMAL']],
  ['Arabic digits', () => debit('١٠'), ['lines[0].debit NOT_A_DECIMAL']],
  ['hexadecimal', () => debit('0x10'), ['lines[0].debit NOT_A_DECIMAL']],
  ['0.1 + 0.2 as a JSON number', () => debit(0.1 + 0.2), ['lines[0].debit NOT_A_DECIMAL']],
  ['16 digits as a JSON number', () => debit(1234567890123456), ['lines[0].debit NOT_A_DECIMAL']],
  ['1e21 as a JSON number', () => debit(1e21), ['lines[0].debit NOT_A_DECIMAL']],
  ['a JSON number that does not balance', () => debit(9.99), ['lines UNBALANCED']],
  ['true as an amount', () => debit(true), ['lines[0].debit TYPE']],
  ['a list as an amount', () => debit(['10']), ['lines[0].debit TYPE']],
  ['unknown account code', () => first({ accountCode: '4711', debit: '10' }), ['lines[0].accountCode UNKNOWN_ACCOUNT']], // prettier-ignore
  ['unknown account id', () => first({ accountId: crypto.randomUUID(), debit: '10' }), ['lines[0].accountId UNKNOWN_ACCOUNT']], // prettier-ignore
  ['an account id that is none', () => first({ accountId: '1190', debit: '10' }), ['lines[0].accountId FORMAT']], // prettier-ignore
  ['inactive account', () => first({ accountCode: '6199', debit: '10' }), ['lines[0].accountCode INACTIVE_ACCOUNT']], // prettier-ignore
  ['heading', () => first({ accountCode: '1000', debit: '10' }), ['lines[0].accountCode HEADING_ACCOUNT']],
  ['control account', () => first({ accountCode: '1210', debit: '10' }), ['lines[0].accountCode CONTROL_ACCOUNT']], // prettier-ignore
  ['no account', () => first({ debit: '10' }), ['lines[0].accountId REQUIRED']],
  ['closed period', () => entryBody('10', { transactionDate: '2026-01-31' }), ['transactionDate PERIOD_CLOSED']], // prettier-ignore
  ['no fiscal year', () => entryBody('10', { transactionDate: '2028-01-31' }), ['transactionDate NO_PERIOD']],
  ['year 0000', () => entryBody('10', { transactionDate: '0000-01-01' }), ['transactionDate NO_SUCH_DATE']],
  ['a date with a time', () => entryBody('10', { transactionDate: '2026-03-01T00:00' }), ['transactionDate NO_SUCH_DATE']], // prettier-ignore
  ['unknown currency', () => first({ accountCode: CLEARING, debit: '10', currency: 'QQQ' }), ['lines[0].currency UNKNOWN_CURRENCY']], // prettier-ignore
  ['a currency that is no code', () => first({ accountCode: CLEARING, debit: '10', currency: 'eur' }), ['lines[0].currency PATTERN']], // prettier-ignore
  ['no rate', () => first({ accountCode: CLEARING, debit: '10', currency: 'EUR' }), ['lines[0].exchangeRate NO_RATE']], // prettier-ignore
  ['a rate larger than can be kept', () => first({ accountCode: CLEARING, debit: '0.01', currency: 'EUR', exchangeRate: '12345678901234567' }), ['lines[0].exchangeRate TOO_LARGE']], // prettier-ignore
  ['one line', () => lines({ accountCode: CLEARING, debit: '10' }), ['lines TOO_FEW']],
  ['no lines', () => lines(), ['lines TOO_FEW']],
  ['1,001 lines', () => lines(...Array.from({ length: 1001 }, (_, at) => ({ accountCode: at ? CLEARING : SALES, [at ? 'debit' : 'credit']: at ? '1' : '1000' }))), ['lines TOO_MANY']], // prettier-ignore
  [
    'NUL in the description',
    () => entryBody('10', { description: 'a\u0000b' }),
    ['description NUL_CHARACTER'],
  ],
  ['NUL in a line', () => first({ accountCode: '11\u000090', debit: '10' }), ['lines[0].accountCode NUL_CHARACTER']], // prettier-ignore
  ['a lone surrogate', () => JSON.stringify(entryBody('10')).replace('{', '{"reference":"\\ud800",'), ['reference NOT_UNICODE']], // prettier-ignore
  ['a field name with NUL', () => ({ ...entryBody('10'), 'a\u0000': 1 }), [' NUL_CHARACTER']],
  ['deep JSON', () => nested(40), ['lines.'.repeat(32).slice(0, -1) + ' TOO_DEEP']],
  ['very deep JSON', () => '['.repeat(100_000) + ']'.repeat(100_000), ['[0]'.repeat(32) + ' TOO_DEEP']],
  ['malformed JSON', () => '{"transactionDate": ', [' JSON']],
  ['a prototype in JSON', () => '{"__proto__": {"status": "posted"}}', [' JSON']],
  ['a list', () => [], [' TYPE']],
  ['a text', () => '"entry"', [' TYPE']],
  ['no fields', () => ({}), ['lines REQUIRED', 'transactionDate REQUIRED']],
  ['unknown fields', () => ({ ...entryBody('10'), number: 'JE/1', lines: [{ accountCode: CLEARING, debit: '10', id: 1 }, { accountCode: SALES, credit: '10' }] }), ['lines[0].id UNKNOWN_FIELD', 'number UNKNOWN_FIELD']], // prettier-ignore
  ['unknown status', () => ({ ...entryBody('10'), status: 'reversed' }), ['status NOT_ALLOWED']],
  ['501 characters', () => entryBody('10', { description: 'x'.repeat(501) }), ['description TOO_LONG']],
  [
    'everything at once',
    () => ({
      ...lines({ accountCode: '1210', debit: '-1' }, { accountCode: '4711', credit: '1e5', currency: 'QQQ' }),
      transactionDate: '2026-02-30',
      postingDate: '2026-01-15',
    }),
    [
      'lines[0].accountCode CONTROL_ACCOUNT',
      'lines[0].debit NEGATIVE',
      'lines[1].accountCode UNKNOWN_ACCOUNT',
      'lines[1].credit NOT_A_DECIMAL',
      'lines[1].currency UNKNOWN_CURRENCY',
      'postingDate PERIOD_CLOSED',
      'transactionDate NO_SUCH_DATE',
    ],
  ],
]

test.each(rows)('%s', async (_name, body, expected) => {
  const answer = await admin.send('POST', ENTRIES, body())
  expect([answer.status, answer.error.code, answer.refusals]).toEqual([400, 'VALIDATION_ERROR', expected])
  expect(answer.error.details.every(({ message }) => message.length > 0)).toBe(true)
})

test.each(rows)('as one of several in bulk: %s', async (_name, body, expected) => {
  const wrong = body()
  if (typeof wrong === 'string' || Array.isArray(wrong)) return
  const answer = await admin.send('POST', `${ENTRIES}/bulk`, { journalEntries: [entryBody('1'), wrong] })
  expect(answer.status).toBe(400)
  expect(answer.refusals).toEqual(
    expected.map((refusal) => `journalEntries[1]${refusal.startsWith(' ') ? '' : '.'}${refusal}`),
  )
})

test('the difference is told', async () => {
  const answer = await admin.send('POST', ENTRIES, debit('10.01'))
  expect(answer.error.details[0]?.message).toBe('Debits 10.01 and credits 10.00 differ by 0.01')
})

test('account id and code that contradict each other', async () => {
  const [row] = await query<{ id: string }>(product, tenant, 'SELECT id FROM masters.gl_account WHERE code = $1', [CLEARING]) // prettier-ignore
  const answer = await admin.send('POST', ENTRIES, first({ accountId: row?.id, accountCode: SALES, debit: '10' })) // prettier-ignore
  expect(answer.refusals).toEqual(['lines[0].accountId UNKNOWN_ACCOUNT'])
})

test('the account of another company, by its id', async () => {
  const otherId = await addCompany(product, tenant, 'OTHER')
  before = await snapshot(product, tenant)
  const [row] = await query<{ id: string }>(product, tenant, 'SELECT id FROM masters.gl_account WHERE code = $1 AND company_id = $2', [CLEARING, otherId]) // prettier-ignore
  const answer = await admin.send('POST', ENTRIES, first({ accountId: row?.id, debit: '10' }))
  expect(answer.refusals).toEqual(['lines[0].accountId UNKNOWN_ACCOUNT'])
})

describe('what is no JSON of a bearable size', () => {
  test.each([
    ['text/plain', 415],
    ['application/xml', 415],
    ['application/x-www-form-urlencoded', 415],
  ])('%s: %i', async (type, status) => {
    const answer = await admin.send('POST', ENTRIES, 'transactionDate=2026-01-01', { 'content-type': type })
    expect([answer.status, answer.error.code]).toEqual([status, 'UNSUPPORTED_MEDIA_TYPE'])
  })

  test('10 MB', async () => {
    const body = JSON.stringify(entryBody('10', { description: 'x'.repeat(10 * 1024 * 1024) }))
    const answer = await admin.send('POST', ENTRIES, body)
    expect([answer.status, answer.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
  })

  test('no body', async () => {
    expect((await admin.send('POST', ENTRIES)).refusals).toEqual([' TYPE'])
  })
})

test('a code that is taken', async () => {
  const body = { code: CLEARING, name: 'Again', type: 'asset' }
  const answer = await admin.call(accounts.create, { body })
  expect([answer.status, answer.error.code, answer.refusals]).toEqual([409, 'DUPLICATE_CODE', ['code DUPLICATE']]) // prettier-ignore
})

test('control: right after all that an entry is posted and the books are whole', async () => {
  const posted = (await admin.call(createJournalEntry, { body: entryBody('10') })).ok()
  expect(posted.number).toBe('JE/2026/000002')
  const after = await snapshot(product, tenant)
  expect(after).not.toEqual(before)
  before = after
  expect(await findings(product, tenant)).toEqual([])
})

describe('foreign currency', () => {
  const rates = untypedOperations(exchangeRate)
  const foreign = (line: object): object => first({ accountCode: CLEARING, ...line })
  afterEach(async () => {
    before = await snapshot(product, tenant)
  })

  async function posted(body: object) {
    const { id } = (await admin.call(createJournalEntry, { body: body as never })).ok()
    const [line] = (await admin.call(getJournalEntry, { params: { id } })).ok().lines
    return [line?.debit, line?.currency, line?.currencyDebit, line?.exchangeRate]
  }

  test('a rate that is given is kept; one that is not is the latest on or before the day', async () => {
    const given = foreign({ debit: '8', currency: 'EUR', exchangeRate: '1.25' })
    expect(await posted(given)).toEqual(['10.00', 'EUR', '8.00', '1.25'])
    for (const [rateDate, mid] of [['2026-03-01', '2'], ['2026-03-15', '1.25'], ['2026-03-16', '4']]) // prettier-ignore
      (await admin.call(rates.create, { body: { fromCurrency: 'EUR', toCurrency: 'USD', rateDate, mid } })).ok() // prettier-ignore
    expect(await posted(foreign({ debit: '8', currency: 'EUR' }))).toEqual(['10.00', 'EUR', '8.00', '1.25'])
    const earlier = { ...foreign({ debit: '5', currency: 'EUR' }), transactionDate: '2026-03-14' }
    expect(await posted(earlier)).toEqual(['10.00', 'EUR', '5.00', '2'])
    const before = { ...foreign({ debit: '5', currency: 'EUR' }), transactionDate: '2026-02-28' }
    expect((await admin.call(createJournalEntry, { body: before as never })).refusals).toEqual(['lines[0].exchangeRate NO_RATE']) // prettier-ignore
  })

  test.each([
    ['JPY', '1000', '0.01', '1000'],
    ['KWD', '3.125', '3.2', '3.125'],
    ['EUR', '8.888888888888', undefined, undefined],
  ])('%s has its own places', async (code, amount, exchangeRate, kept) => {
    const body = foreign({ debit: amount, currency: code, exchangeRate: exchangeRate ?? '1' })
    if (kept === undefined) {
      const answer = await admin.call(createJournalEntry, { body: body as never })
      expect(answer.refusals).toEqual(['lines[0].debit OVER_PRECISE'])
    } else {
      expect(await posted(body)).toEqual(['10.00', code, kept, exchangeRate])
    }
  })

  test("a tenant's own currency has the places it was given", async () => {
    const body = { code: 'QPT', name: 'Loyalty points', minorUnits: 4 }
    ;(await admin.call(untypedOperations(currency).create, { body })).ok()
    const line = foreign({ debit: '12.3456', currency: 'QPT', exchangeRate: '0.81' })
    expect(await posted(line)).toEqual(['10.00', 'QPT', '12.3456', '0.81'])
    expect(await findings(product, tenant)).toEqual([])
  })
})
