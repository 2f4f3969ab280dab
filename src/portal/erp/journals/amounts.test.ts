import { describe, expect, test } from 'vitest'
import { Decimal } from '../../../kernel/decimal.ts'
import { readAmount } from './amounts.ts'

describe('readAmount', () => {
  test.each([
    ['1234.5', '1234.50'],
    ['1,234.50', '1234.50'],
    ['1.234,50', '1234.50'],
    ['1 234,50', '1234.50'],
    ['1,234,567', '1234567.00'],
    ['12,5', '12.50'],
    ['.5', '0.50'],
    ['007', '7.00'],
    ['10.', '10.00'],
    ['1.500', '1.50'],
    ['١٢٣٤٫٥', '1234.50'],
    ['١٬٢٣٤٫٥٠', '1234.50'],
    ['90071992547409931.25', '90071992547409931.25'],
  ])('%s is %s', (text, expected) => {
    const amount = readAmount(text, 2)
    expect(amount instanceof Decimal && amount.toFixed(2)).toBe(expected)
  })

  test.each(['abc', '-5', '1.2.3', '1,23,4', '1.234', '12..5', '1e3', '.'])('%s is no amount', (text) => {
    expect(readAmount(text, 2)).toBe('wrong')
  })

  test('an empty cell has none', () => expect(readAmount('  ', 2)).toBeNull())
  test('places follow the currency', () => {
    expect(readAmount('1.5', 0)).toBe('wrong')
    expect(readAmount('1.234', 3)).toBeInstanceOf(Decimal)
  })
})
