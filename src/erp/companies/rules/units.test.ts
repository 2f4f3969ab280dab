import { expect, test } from 'vitest'
import { Decimal } from '../../../kernel/decimal.ts'
import { unitsOfMeasure } from './units.ts'

function factor(code: string): Decimal {
  return Decimal.of(unitsOfMeasure.find((unit) => unit.code === code)!.factor)
}

test('codes and names are unique', () => {
  expect(new Set(unitsOfMeasure.map((unit) => unit.code)).size).toBe(unitsOfMeasure.length)
  expect(new Set(unitsOfMeasure.map((unit) => unit.name)).size).toBe(unitsOfMeasure.length)
})

test('every factor is a canonical positive decimal', () => {
  for (const unit of unitsOfMeasure) {
    expect(Decimal.of(unit.factor).isPositive()).toBe(true)
    expect(Decimal.of(unit.factor).toString()).toBe(unit.factor)
  }
})

test.each(['count', 'weight', 'length', 'area', 'volume', 'time'])(
  '%s has one base, of factor 1',
  (category) => {
    const units = unitsOfMeasure.filter((unit) => unit.category === category)
    expect(units.filter((unit) => unit.isBase)).toHaveLength(1)
    expect(units.filter((unit) => unit.factor === '1' && unit.isBase)).toHaveLength(1)
  },
)

test.each([
  ['GRO', 12, 'DZ'],
  ['LB', 16, 'OZ'],
  ['T', 1000, 'KG'],
  ['FT', 12, 'IN'],
  ['YD', 3, 'FT'],
  ['MI', 1760, 'YD'],
  ['FT2', 144, 'IN2'],
  ['YD2', 9, 'FT2'],
  ['AC', 4840, 'YD2'],
  ['KM2', 100, 'HA'],
  ['GAL', 128, 'FLOZ'],
  ['WK', 7, 'DAY'],
])('one %s is %i %s exactly', (larger, count, smaller) => {
  expect(factor(smaller).times(Decimal.of(count)).toString()).toBe(factor(larger).toString())
})

test.each([
  ['IN2', 'IN'],
  ['FT2', 'FT'],
  ['YD2', 'YD'],
])('%s is the square of %s', (area, length) => {
  expect(factor(length).times(factor(length)).toString()).toBe(factor(area).toString())
})

test('a US gallon is 231 cubic inches', () => {
  const cubicDecimetres = Decimal.of('0.254').times(Decimal.of('0.254')).times(Decimal.of('0.254'))
  expect(cubicDecimetres.times(Decimal.of(231)).toString()).toBe(factor('GAL').toString())
})
