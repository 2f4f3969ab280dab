import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocate } from './allocation.ts'
import { Decimal } from './decimal.ts'

const of = (texts: string[]) => texts.map((text) => Decimal.of(text))
const fixed = (parts: Decimal[], scale: number) => parts.map((part) => part.toFixed(scale))

test.each([
  ['100', ['1', '1', '1'], 2, ['33.34', '33.33', '33.33']],
  ['-100', ['1', '1', '1'], 2, ['-33.34', '-33.33', '-33.33']],
  ['0.05', ['1', '1'], 2, ['0.03', '0.02']],
  ['10', ['0.1', '0.20', '0.7'], 2, ['1.00', '2.00', '7.00']],
  ['0.01', ['1', '3', '3'], 2, ['0.00', '0.01', '0.00']],
  ['1', ['1', '2', '4'], 0, ['0', '0', '1']],
  ['100.00', ['0', '1', '0'], 2, ['0.00', '100.00', '0.00']],
  ['1.00', ['0', '0', '0'], 2, ['0.34', '0.33', '0.33']],
  ['0', ['5', '7'], 2, ['0.00', '0.00']],
  ['0', ['1', '-1'], 2, ['0.00', '0.00']],
  ['0', [], 2, []],
  ['8', ['100', '-20'], 2, ['10.00', '-2.00']],
  ['8', ['-100', '20'], 2, ['10.00', '-2.00']],
  ['10.00', ['1', '1', '-1'], 2, ['10.00', '10.00', '-10.00']],
  ['5.000', ['3', '7'], 1, ['1.5', '3.5']],
])('%s by %j to %i places is %j', (total, weights, scale, expected) => {
  expect(fixed(allocate(Decimal.of(total), of(weights), scale), scale)).toEqual(expected)
})

describe('refuses', () => {
  test.each([
    ['a total finer than its parts', '1.005', ['1', '1']],
    ['nothing to split by', '1', []],
    ['weights that cancel out', '1', ['1', '-1']],
  ])('%s', (_, total, weights) => {
    expect(() => allocate(Decimal.of(total), of(weights), 2)).toThrow(RangeError)
  })

  test('a scale that is none', () => {
    expect(() => allocate(Decimal.of('1'), of(['1']), -1)).toThrow(RangeError)
    expect(() => allocate(Decimal.of('1'), of(['1']), 0.5)).toThrow(RangeError)
  })
})

describe('for any total and weights', () => {
  const scale = fc.integer({ min: 0, max: 6 })
  const units = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })
  const weight = (min: bigint) =>
    fc.tuple(fc.bigInt({ min, max: 10n ** 9n }), scale).map(([value, places]) => new Decimal(value, places))
  const sumIsNotZero = (weights: Decimal[]) => !Decimal.sum(weights).isZero()
  const mixed = fc.array(weight(-(10n ** 9n)), { minLength: 1, maxLength: 20 }).filter(sumIsNotZero)
  const positive = fc.array(weight(0n), { minLength: 1, maxLength: 20 }).filter(sumIsNotZero)

  test('the parts sum to the total, have no more places, and lie within a unit of their share', () => {
    fc.assert(
      fc.property(units, scale, mixed, (totalUnits, places, weights) => {
        const total = new Decimal(totalUnits, places)
        const parts = allocate(total, weights, places)
        expect(parts).toHaveLength(weights.length)
        expect(Decimal.sum(parts).equals(total)).toBe(true)
        const weightSum = Decimal.sum(weights)
        for (const [index, part] of parts.entries()) {
          expect(part.decimalPlaces()).toBeLessThanOrEqual(places)
          // |part - total × weight / sum| < unit, multiplied out
          const error = part.times(weightSum).minus(total.times(weights[index]!)).absolute()
          expect(error.compare(weightSum.absolute().times(new Decimal(1n, places)))).toBe(-1)
        }
      }),
    )
  })

  test('a zero weight gets nothing, and no part of positive weights has the wrong sign', () => {
    fc.assert(
      fc.property(units, scale, positive, (totalUnits, places, weights) => {
        for (const [index, part] of allocate(new Decimal(totalUnits, places), weights, places).entries()) {
          if (weights[index]!.isZero()) expect(part.isZero()).toBe(true)
          expect(totalUnits < 0n ? part.isPositive() : part.isNegative()).toBe(false)
        }
      }),
    )
  })

  test('the negated total gives the negated parts', () => {
    fc.assert(
      fc.property(units, scale, mixed, (totalUnits, places, weights) => {
        const parts = allocate(new Decimal(totalUnits, places), weights, places)
        const mirrored = allocate(new Decimal(-totalUnits, places), weights, places)
        expect(mirrored.map(String)).toEqual(parts.map((part) => String(part.negated())))
      }),
    )
  })
})
