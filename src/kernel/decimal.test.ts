import Big from 'big.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Decimal } from './decimal.ts'

Big.RM = Big.roundHalfUp
Big.PE = 1000
Big.NE = -1000

const decimalText = fc
  .tuple(
    fc.boolean(),
    fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 6n }),
      fc.bigInt({ min: 0n, max: 10n ** 15n }),
      fc.bigInt({ min: 0n, max: 10n ** 24n }),
    ),
    fc.integer({ min: 0, max: 15 }),
  )
  .map(([negative, units, scale]) => {
    const digits = units.toString().padStart(scale + 1, '0')
    const whole = digits.slice(0, digits.length - scale)
    return (negative ? '-' : '') + whole + (scale > 0 ? '.' + digits.slice(digits.length - scale) : '')
  })
const places = fc.integer({ min: 0, max: 18 })
const decimal = decimalText.map((text) => Decimal.of(text))

/** big.js keeps a negative zero and writes it, as "-0" or "-0.00"; we have none. */
function big(value: Big, scale?: number): string {
  const text = scale === undefined ? value.toFixed() : value.toFixed(scale)
  return /^-[0.]+$/.test(text) ? text.slice(1) : text
}

describe('parse', () => {
  test.each([
    ['0', 0n, 0, '0'],
    ['-0', 0n, 0, '0'],
    ['-0.00', 0n, 2, '0'],
    ['12.50', 1250n, 2, '12.5'],
    ['-3', -3n, 0, '-3'],
    ['0.001', 1n, 3, '0.001'],
    ['-0.05', -5n, 2, '-0.05'],
    ['1000', 1000n, 0, '1000'],
    ['999999999999999', 999_999_999_999_999n, 0, '999999999999999'],
    ['9999999999999999', 9_999_999_999_999_999n, 0, '9999999999999999'],
    ['-12345678901234567890.123456789', -12_345_678_901_234_567_890_123_456_789n, 9, undefined],
    ['1234567890123456789012345678901234567890', 1234567890123456789012345678901234567890n, 0, undefined],
  ])('%s', (text, units, scale, canonical) => {
    const value = Decimal.parse(text)!
    expect(value.units).toBe(units)
    expect(value.scale).toBe(scale)
    expect(value.toString()).toBe(canonical ?? text)
    expect(JSON.stringify({ value })).toBe(`{"value":"${canonical ?? text}"}`)
  })

  test.each([
    '',
    '-',
    '.',
    '-.',
    '.5',
    '-.5',
    '5.',
    '1.2.3',
    '--1',
    '+1',
    '1-',
    '01',
    '00',
    '-01',
    '00.5',
    '1e5',
    '1E5',
    '1,5',
    '1_000',
    ' 1',
    '1 ',
    '1\n',
    '0x10',
    'NaN',
    'Infinity',
    '１',
    '1.5٣',
    '12345678901234567890123456789012345678901',
    '0.1234567890123456789012345678901234567890',
  ])('refuses %j', (text) => {
    expect(Decimal.parse(text)).toBeNull()
    expect(() => Decimal.of(text)).toThrow(RangeError)
  })

  test('accepts exactly its grammar', () => {
    const grammar = /^-?(0|[1-9]\d*)(\.\d+)?$/
    const nearMiss = fc.string({ unit: fc.constantFrom(...'-+.0019e '), maxLength: 8 })
    fc.assert(
      fc.property(nearMiss, (text) => {
        expect(Decimal.parse(text) !== null).toBe(grammar.test(text))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('of', () => {
  test('whole numbers and BigInts', () => {
    expect(Decimal.of(42).toString()).toBe('42')
    expect(Decimal.of(-0).isZero()).toBe(true)
    expect(Decimal.of(-(10n ** 40n - 1n)).units).toBe(-(10n ** 40n - 1n))
  })

  test.each([1.5, Number.NaN, Infinity, 2 ** 53, 10n ** 40n, -(10n ** 40n)])('refuses %s', (value) => {
    expect(() => Decimal.of(value)).toThrow(RangeError)
  })
})

describe('rounding goes half away from zero', () => {
  test.each([
    ['1.005', 2, '1.01'],
    ['-1.005', 2, '-1.01'],
    ['1.0049', 2, '1.00'],
    ['2.5', 0, '3'],
    ['-2.5', 0, '-3'],
    ['0.5', 0, '1'],
    ['-0.5', 0, '-1'],
    ['0.4', 0, '0'],
    ['-0.4', 0, '0'],
    ['-0.004', 2, '0.00'],
    ['9.995', 2, '10.00'],
    ['7', 3, '7.000'],
    ['-0.05', 4, '-0.0500'],
  ])('%s to %i places is %s', (text, scale, expected) => {
    const value = Decimal.of(text)
    expect(value.toFixed(scale)).toBe(expected)
    expect(value.rounded(scale).equals(Decimal.of(expected))).toBe(true)
  })

  test.each([
    ['1', '3', 4, '0.3333'],
    ['2', '3', 4, '0.6667'],
    ['-2', '3', 4, '-0.6667'],
    ['1', '-3', 0, '0'],
    ['1', '-2', 0, '-1'],
    ['-1', '-2', 0, '1'],
    ['10', '4', 1, '2.5'],
    ['0.000001', '8', 2, '0'],
    ['100', '0.0003', 0, '333333'],
    ['0', '7', 2, '0'],
  ])('%s / %s to %i places is %s', (left, right, scale, expected) => {
    expect(Decimal.of(left).dividedBy(Decimal.of(right), scale).toString()).toBe(expected)
  })

  test('a scale is a whole number, and nothing is divided by zero', () => {
    for (const scale of [-1, 0.5, Number.NaN]) {
      expect(() => Decimal.of('1.25').rounded(scale)).toThrow(RangeError)
      expect(() => Decimal.of('1.25').toFixed(scale)).toThrow(RangeError)
      expect(() => Decimal.of('1.25').dividedBy(Decimal.of(3), scale)).toThrow(RangeError)
    }
    expect(() => Decimal.of('1').dividedBy(Decimal.of('0.00'), 2)).toThrow(RangeError)
  })
})

test.each([
  ['1.50', 1],
  ['100', 0],
  ['100.00', 0],
  ['0.00', 0],
  ['-0.050', 2],
  ['10.10', 1],
])('%s has %i significant places', (text, expected) => {
  expect(Decimal.of(text).decimalPlaces()).toBe(expected)
})

test.each([
  ['0', 1],
  ['0.5', 1],
  ['9.99', 1],
  ['-10', 2],
  ['999999999999999.99', 15],
  ['1000000000000000', 16],
])('%s has %i digits before the point', (text, expected) => {
  expect(Decimal.of(text).wholeDigits()).toBe(expected)
})

test('sign and equality look through the scale', () => {
  expect(Decimal.of('1.50').equals(Decimal.of('1.5'))).toBe(true)
  expect(Decimal.of('0.00').isZero()).toBe(true)
  expect(Decimal.of('-0.01').isNegative()).toBe(true)
  expect(Decimal.of('0.01').isPositive()).toBe(true)
  expect(Decimal.zero.isNegative() || Decimal.zero.isPositive()).toBe(false)
})

describe('against big.js', () => {
  test('plus, minus, times, compare, absolute, negated', () => {
    fc.assert(
      fc.property(decimalText, decimalText, (left, right) => {
        const [a, b] = [Decimal.of(left), Decimal.of(right)]
        const [x, y] = [new Big(left), new Big(right)]
        expect(a.plus(b).toString()).toBe(big(x.plus(y)))
        expect(a.minus(b).toString()).toBe(big(x.minus(y)))
        expect(a.times(b).toString()).toBe(big(x.times(y)))
        expect(a.compare(b)).toBe(x.cmp(y))
        expect(a.equals(b)).toBe(x.eq(y))
        expect(a.absolute().toString()).toBe(big(x.abs()))
        expect(a.negated().toString()).toBe(big(x.neg()))
      }),
      { numRuns: 1000 },
    )
  })

  test('dividedBy', () => {
    fc.assert(
      fc.property(decimalText, decimalText, places, (left, right, scale) => {
        fc.pre(!Decimal.of(right).isZero())
        Big.DP = scale
        expect(Decimal.of(left).dividedBy(Decimal.of(right), scale).toString()).toBe(
          big(new Big(left).div(new Big(right))),
        )
      }),
      { numRuns: 1000 },
    )
  })

  test('rounded and toFixed', () => {
    fc.assert(
      fc.property(decimalText, places, (text, scale) => {
        expect(Decimal.of(text).rounded(scale).toString()).toBe(big(new Big(text).round(scale)))
        expect(Decimal.of(text).toFixed(scale)).toBe(big(new Big(text), scale))
      }),
      { numRuns: 1000 },
    )
  })

  test('halves, which random values seldom hit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), places, (units, scale) => {
        const half = new Decimal(units * 10n + 5n, scale + 1)
        expect(half.toFixed(scale)).toBe(big(new Big(half.toString()), scale))
        expect(half.negated().toFixed(scale)).toBe(big(new Big(half.toString()).neg(), scale))
      }),
    )
  })

  test('sum', () => {
    fc.assert(
      fc.property(fc.array(decimalText), (texts) => {
        const expected = texts.reduce((total, text) => total.plus(text), new Big(0))
        expect(Decimal.sum(texts.map((text) => Decimal.of(text))).toString()).toBe(big(expected))
      }),
    )
  })
})

describe('laws', () => {
  test('text is kept: parse of toString and of toFixed gives the value back', () => {
    fc.assert(
      fc.property(decimalText, (text) => {
        const value = Decimal.of(text)
        expect(value.toFixed(value.scale)).toBe(/^-[0.]+$/.test(text) ? text.slice(1) : text)
        expect(Decimal.of(value.toString()).equals(value)).toBe(true)
        expect(Decimal.of(value.toString()).scale).toBe(value.decimalPlaces())
      }),
    )
  })

  test('a + b - b = a', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        expect(a.plus(b).minus(b).toString()).toBe(a.toString())
      }),
    )
  })

  test('a sum does not depend on the order', () => {
    const shuffled = fc
      .array(decimal)
      .chain((values) =>
        fc.tuple(fc.constant(values), fc.shuffledSubarray(values, { minLength: values.length })),
      )
    fc.assert(
      fc.property(shuffled, ([values, others]) => {
        expect(Decimal.sum(others).toString()).toBe(Decimal.sum(values).toString())
      }),
    )
  })

  test('multiplication distributes over addition', () => {
    fc.assert(
      fc.property(decimal, decimal, decimal, (a, b, c) => {
        expect(a.times(b.plus(c)).equals(a.times(b).plus(a.times(c)))).toBe(true)
      }),
    )
  })

  test('rounding mirrors: a credit note is its invoice negated', () => {
    fc.assert(
      fc.property(decimal, places, (value, scale) => {
        expect(value.negated().rounded(scale).equals(value.rounded(scale).negated())).toBe(true)
      }),
    )
  })
})
