import { describe, expect, test } from 'vitest'
import oracle from '../testing/oracles/iso4217.json' with { type: 'json' }
import { currencies, findCurrency, minorUnits } from './currency.ts'

describe('published cases', () => {
  test.each(oracle.cases)('$id', ({ code, numeric, minor_units }) => {
    expect(findCurrency(code)).toMatchObject({ code, numeric, minorUnits: minor_units })
  })
})

test('the list is sorted, without doubles, and well-formed', () => {
  const codes = currencies.map((currency) => currency.code)
  expect(codes).toEqual([...new Set(codes)].sort())
  expect(codes.length).toBeGreaterThanOrEqual(178)
  for (const currency of currencies) {
    expect(currency.code).toMatch(/^[A-Z]{3}$/)
    expect(currency.numeric).toMatch(/^\d{3}$/)
    expect(currency.name).not.toBe('')
    expect([null, 0, 2, 3, 4]).toContain(currency.minorUnits)
  }
})

test('numeric codes are unique but for the guilder, whose successor took its number over', () => {
  const seen = new Map<string, string>()
  const doubles: string[] = []
  for (const { code, numeric } of currencies) {
    const other = seen.get(numeric)
    if (other) doubles.push(`${other} ${code}`)
    seen.set(numeric, code)
  }
  expect(doubles).toEqual(['ANG XCG'])
})

test.each([
  ['JPY', 0],
  ['EUR', 2],
  ['KWD', 3],
  ['CLF', 4],
  ['XAU', 2],
])('%s is rounded to %i places', (code, expected) => {
  expect(minorUnits(code)).toBe(expected)
})

test.each(['', 'eur', 'EURO', 'ZZZ', 'HRK', '978', '__proto__'])('%j is no currency', (code) => {
  expect(findCurrency(code)).toBeUndefined()
  expect(() => minorUnits(code)).toThrow(RangeError)
})
