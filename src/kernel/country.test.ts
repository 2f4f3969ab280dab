import { expect, test } from 'vitest'
import { countries, isCountry } from './country.ts'

test('the list is sorted, without doubles, complete and well-formed', () => {
  const codes = countries.map((country) => country.code)
  expect(codes).toEqual([...new Set(codes)].sort())
  expect(codes).toHaveLength(249)
  expect(new Set(countries.map((country) => country.name)).size).toBe(249)
  for (const country of countries) {
    expect(country.code).toMatch(/^[A-Z]{2}$/)
    expect(country.name).not.toBe('')
  }
})

test.each(['EG', 'GB', 'US', 'DE', 'SS', 'TW', 'AX'])('%s is a country', (code) => {
  expect(isCountry(code)).toBe(true)
})

test.each(['', 'UK', 'EU', 'XK', 'eg', 'EGY', '818'])('%j is none', (code) => {
  expect(isCountry(code)).toBe(false)
})
