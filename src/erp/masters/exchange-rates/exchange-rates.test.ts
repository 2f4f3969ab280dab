import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addCompany,
  entryBody,
  postEntry,
  query,
  signInTo,
  untypedOperations,
} from '../../../testing/books.ts'
import type { Client } from '../../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { me } from '../../identity/contract.ts'
import { currency } from '../currencies/definition.ts'
import { glAccount } from '../gl-accounts/definition.ts'
import { exchangeRate, lookUpExchangeRate } from './definition.ts'

const currencies = untypedOperations(currency)
const rates = untypedOperations(exchangeRate)

let product: TestProduct
let tenant: TestTenant
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
})
afterAll(() => product.stop())

interface Row {
  id: string
  code: string
  rateDate: string
  mid: string
}
const rate = (rateDate: string, mid: unknown, overrides: object = {}) =>
  admin.call(rates.create, { body: { fromCurrency: 'EUR', toCurrency: 'USD', rateDate, mid, ...overrides } }) // prettier-ignore
const lookUp = (date: string, fromCurrency = 'EUR', toCurrency = 'USD') =>
  admin.call(lookUpExchangeRate, { query: { fromCurrency, toCurrency, date } })

async function idOf(code: string, client = admin): Promise<string> {
  const { currencies: found } = (await client.call(currencies.list, { query: { search: code } })).ok() as unknown as { currencies: Row[] } // prettier-ignore
  return found.find((row) => row.code === code)!.id
}

describe('exchange rates', () => {
  test('the latest on or before a day is the one of the day', async () => {
    for (const [day, mid] of [['2026-01-10', '1.1'], ['2026-02-10', '1.234567890123'], ['2026-03-10', '1.3']]) (await rate(day!, mid)).ok() // prettier-ignore
    const inactive = (await rate('2026-02-20', '9')).ok() as unknown as Row
    const removed = (await rate('2026-02-25', '9')).ok() as unknown as Row
    ;(await admin.call(rates.update, { params: { id: inactive.id }, body: { isActive: false } })).ok()
    ;(await admin.call(rates.remove, { params: { id: removed.id } })).ok()
    const found = async (day: string): Promise<string> => ((await lookUp(day)).ok() as unknown as Row).mid
    expect(await found('2026-01-10')).toBe('1.1')
    expect(await found('2026-02-09')).toBe('1.1')
    expect(await found('2026-02-10')).toBe('1.234567890123')
    expect(await found('2026-03-09')).toBe('1.234567890123')
    expect(await found('2999-12-31')).toBe('1.3')
    const before = await lookUp('2026-01-09')
    expect([before.status, before.error.code]).toEqual([404, 'NOT_FOUND'])
    expect((await lookUp('2026-03-10', 'USD', 'EUR')).status).toBe(404)
    expect((await lookUp('2026-02-30')).refusals).toEqual(['date FORMAT'])
  })

  test('there is one a day and pair', async () => {
    ;(await rate('2026-05-01', '1')).ok()
    const again = await rate('2026-05-01', '2')
    expect([again.status, again.error.code]).toEqual([409, 'DUPLICATE_RATE_DATE'])
    ;(await rate('2026-05-01', '2', { fromCurrency: 'GBP' })).ok()
    const racing = await Promise.all([1, 2, 3].map(() => rate('2026-05-02', '1')))
    expect(racing.map(({ status }) => status).toSorted()).toEqual([201, 409, 409])
  })

  test.each<[object, string[]]>([
    [{ mid: '0' }, ['mid NOT_POSITIVE']],
    [{ mid: '-1', buy: '0', sell: '-0.5' }, ['buy NOT_POSITIVE', 'mid NOT_POSITIVE', 'sell NOT_POSITIVE']],
    [{ mid: '1.1234567890123' }, ['mid OVER_PRECISE']],
    [{ mid: '1e3', buy: 'x' }, ['buy NOT_A_DECIMAL', 'mid NOT_A_DECIMAL']],
    [{ toCurrency: 'EUR' }, ['toCurrency SAME_CURRENCY']],
    [{ fromCurrency: 'QQQ', toCurrency: 'QQR' }, ['fromCurrency UNKNOWN_CURRENCY', 'toCurrency UNKNOWN_CURRENCY']], // prettier-ignore
    [{ rateDate: '2026-02-29' }, ['rateDate FORMAT']],
    [{ rateDate: '0000-01-01' }, ['rateDate FORMAT']],
  ])('refuses %j', async (overrides, expected) => {
    expect((await rate('2026-06-01', '1', overrides)).refusals).toEqual(expected)
  })

  test('are listed newest first, by pair and day', async () => {
    const list = async (filters: object) => {
      const page = (await admin.call(rates.list, { query: { fromCurrency: 'EUR', ...filters } })).ok()
      return (page as unknown as { exchangeRates: Row[] }).exchangeRates.map(({ rateDate }) => rateDate)
    }
    const all = await list({})
    expect(all).toEqual(all.toSorted().toReversed())
    expect(await list({ rateDate: '2026-02-10' })).toEqual(['2026-02-10'])
    expect(await list({ sort: 'rateDate', order: 'asc', limit: 1 })).toEqual(['2026-01-10'])
    expect(await list({ toCurrency: 'GBP' })).toEqual([])
  })
})

describe('currencies', () => {
  test('those of ISO 4217 are there, with the places of the standard', async () => {
    const id = await idOf('KWD')
    expect((await admin.call(currencies.get, { params: { id } })).ok()).toMatchObject({ minorUnits: 3 })
    const wrong = await admin.call(currencies.update, { params: { id }, body: { minorUnits: 2 } })
    expect(wrong.refusals).toEqual(['minorUnits NOT_ISO'])
    const taken = await admin.call(currencies.create, {
      body: { code: 'KWD', name: 'x', minorUnits: 3 },
    })
    expect([taken.status, taken.error.code]).toEqual([409, 'DUPLICATE_CODE'])
    const lower = await admin.call(currencies.create, { body: { code: 'qqq', name: 'x' } })
    expect(lower.refusals).toEqual(['code PATTERN'])
  })

  test('one that is used is not deleted, nor renamed: who uses it is told', async () => {
    const usedBy = async (code: string) => {
      const answer = await admin.call(currencies.remove, { params: { id: await idOf(code) } })
      return [answer.status, (answer.error.details as unknown as { usedBy: string[] }).usedBy]
    }
    const body = { code: 'FX', name: 'Francs', type: 'asset', currency: 'CHF' }
    ;(await admin.call(untypedOperations(glAccount).create, { body: body })).ok()
    await postEntry(admin, '1', {
      lines: [
        { accountCode: '1190', debit: '5', currency: 'SEK', exchangeRate: '0.2' },
        { accountCode: '4110', credit: '1' },
      ],
    })
    expect(await usedBy('USD')).toEqual([409, ['companies', 'exchange rates', 'journal entries']])
    expect(await usedBy('CHF')).toEqual([409, ['GL accounts']])
    expect(await usedBy('SEK')).toEqual([409, ['journal entries']])
    expect(await usedBy('GBP')).toEqual([409, ['exchange rates']])
    const params = { id: await idOf('CHF') }
    expect((await admin.call(currencies.update, { params, body: { code: 'QCH' } })).refusals).toEqual(['code IN_USE']) // prettier-ignore
  })

  test('one that is unused is deleted, and can be made again', async () => {
    const id = await idOf('NOK')
    ;(await admin.call(currencies.remove, { params: { id } })).ok()
    expect((await admin.call(currencies.get, { params: { id } })).status).toBe(404)
    expect((await rate('2026-06-01', '1', { fromCurrency: 'NOK' })).refusals).toEqual(['fromCurrency UNKNOWN_CURRENCY']) // prettier-ignore
    ;(await admin.call(currencies.create, { body: { code: 'NOK', name: 'Krone' } })).ok()
  })

  test('one that only another company uses is not deleted either', async () => {
    const companyId = await addCompany(product, tenant, 'SECOND')
    const { email } = (await admin.call(me)).ok()
    const { client: there } = await signInTo(product, tenant, email, companyId)
    const lines = [{ accountCode: '1190', debit: '5', currency: 'DKK', exchangeRate: '0.2' }, { accountCode: '4110', credit: '1' }] // prettier-ignore
    await postEntry(there, '1', entryBody('1', { lines }))
    const answer = await admin.call(currencies.remove, { params: { id: await idOf('DKK') } })
    const [row] = await query<{ deleted: boolean }>(product, tenant, "SELECT bool_and(deleted_at IS NOT NULL) AS deleted FROM masters.currency WHERE code = 'DKK'") // prettier-ignore
    expect([answer.status, row?.deleted]).toEqual([409, false])
  })
})
