import { describe, expect, test } from 'vitest'
import { currencies } from '../../../kernel/currency.ts'
import { chartTemplateFor, checkSignUp, reservedSubdomains, type SignUp } from './sign-up.ts'

const good: SignUp = {
  subdomain: 'acme',
  country: 'GB',
  currency: 'GBP',
  adminName: 'Ann Keeper',
  adminEmail: 'ann@acme.example',
  adminPassword: 'Str0ng-pass!',
}
const codes = (change: Partial<SignUp>): string[] =>
  checkSignUp({ ...good, ...change }, (word) => word === 'qwerty').map(
    ({ field, code }) => `${field} ${code}`,
  )

test('what is right is right, with a password and without', () => {
  expect(codes({})).toEqual([])
  const { adminPassword: _none, ...withoutPassword } = good
  expect(checkSignUp(withoutPassword, () => true)).toEqual([])
})

describe('each rule', () => {
  test.each([
    [{ subdomain: 'www' }, ['subdomain RESERVED']],
    [{ country: 'ZZ' }, ['country UNKNOWN_COUNTRY']],
    [{ currency: 'ABC' }, ['currency UNKNOWN_CURRENCY']],
    [{ currency: 'XAU' }, ['currency NO_MONEY']],
    [{ adminPassword: 'Keeper-12' }, ['adminPassword PASSWORD_CONTAINS_NAME']],
    [{ adminPassword: 'Qwerty-123' }, ['adminPassword PASSWORD_COMMON']],
    [
      { subdomain: 'api', country: 'ZZ', currency: 'ABC' },
      ['subdomain RESERVED', 'country UNKNOWN_COUNTRY', 'currency UNKNOWN_CURRENCY'],
    ],
  ])('%j', (change, expected) => {
    expect(codes(change)).toEqual(expected)
  })
})

test('every currency with minor units can be kept books in, no other', () => {
  for (const { code, minorUnits } of currencies) {
    expect(codes({ currency: code })).toEqual(minorUnits === null ? ['currency NO_MONEY'] : [])
  }
})

test('every reserved name is a name somebody could ask for', () => {
  for (const name of reservedSubdomains) expect(name).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
})

test.each([
  ['US', 'us'],
  ['GB', 'uk'],
  ['EG', 'eg'],
  ['DE', 'generic'],
])('%s gets the chart %s', (country, chart) => {
  expect(chartTemplateFor(country)).toBe(chart)
})
