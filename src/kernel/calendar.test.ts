import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addDays,
  addMonths,
  dateOf,
  daysBetween,
  endOfMonth,
  isDate,
  monthPeriods,
  startOfMonth,
} from './calendar.ts'

const DAY_MS = 86_400_000

/** Date in UTC is the independent calendar that ours is held against. */
const date = fc
  .integer({ min: Date.UTC(1905, 0, 1) / DAY_MS, max: Date.UTC(2994, 11, 31) / DAY_MS })
  .map((day) => new Date(day * DAY_MS).toISOString().slice(0, 10))

function shifted(text: string, days: number): string {
  return new Date(Date.parse(text) + days * DAY_MS).toISOString().slice(0, 10)
}

describe('isDate', () => {
  test.each(['1900-01-01', '2999-12-31', '2024-02-29', '2000-02-29', '2023-02-28', '2025-04-30'])(
    'accepts %s',
    (text) => expect(isDate(text)).toBe(true),
  )

  test.each([
    '2023-02-29',
    '1900-02-29',
    '2100-02-29',
    '2023-04-31',
    '2023-13-01',
    '2023-00-10',
    '2023-01-00',
    '2023-01-32',
    '1899-12-31',
    '3000-01-01',
    '',
    '2023-1-01',
    '20230101',
    '2023-01-01T00:00:00Z',
    ' 2023-01-01',
    '2023-01-01\n',
    '2023/01/01',
    '-023-01-01',
    '२०२३-०१-०१',
  ])('refuses %j', (text) => {
    expect(isDate(text)).toBe(false)
    expect(() => addDays(text, 1)).toThrow(RangeError)
    expect(() => addMonths(text, 1)).toThrow(RangeError)
    expect(() => endOfMonth(text)).toThrow(RangeError)
  })

  test('accepts every day that Date knows and no other of its month', () => {
    for (let year = 1900; year <= 2999; year++) {
      for (let month = 1; month <= 12; month++) {
        const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
        const prefix = `${year}-${String(month).padStart(2, '0')}-`
        if (!isDate(prefix + last) || isDate(prefix + (last + 1))) throw new Error(prefix + last)
      }
    }
  })
})

test.each([
  ['2024-02-28', 1, '2024-02-29'],
  ['2024-02-29', 1, '2024-03-01'],
  ['2023-02-28', 1, '2023-03-01'],
  ['2024-12-31', 1, '2025-01-01'],
  ['2025-01-01', -1, '2024-12-31'],
  ['2000-01-01', 0, '2000-01-01'],
  ['1999-12-31', 366, '2000-12-31'],
  ['1900-01-01', 401_766, '2999-12-31'],
])('%s and %i days is %s', (from, days, to) => {
  expect(addDays(from, days)).toBe(to)
  expect(daysBetween(from, to)).toBe(days)
})

test.each([
  ['2024-01-31', 1, '2024-02-29'],
  ['2023-01-31', 1, '2023-02-28'],
  ['2024-01-31', 3, '2024-04-30'],
  ['2024-02-29', 12, '2025-02-28'],
  ['2024-02-29', -12, '2023-02-28'],
  ['2024-02-29', 48, '2028-02-29'],
  ['2024-01-15', -1, '2023-12-15'],
  ['2024-12-15', 1, '2025-01-15'],
  ['2024-03-31', -1, '2024-02-29'],
  ['2024-05-20', 0, '2024-05-20'],
])('%s and %i months is %s', (from, months, to) => {
  expect(addMonths(from, months)).toBe(to)
})

test('results outside the years, and parts of days, are refused', () => {
  expect(() => addDays('2999-12-31', 1)).toThrow(RangeError)
  expect(() => addDays('1900-01-01', -1)).toThrow(RangeError)
  expect(() => addMonths('2999-12-01', 1)).toThrow(RangeError)
  expect(() => addDays('2024-01-01', 0.5)).toThrow(RangeError)
  expect(() => addMonths('2024-01-01', Number.NaN)).toThrow(RangeError)
})

test('month bounds', () => {
  expect(startOfMonth('2024-02-17')).toBe('2024-02-01')
  expect(endOfMonth('2024-02-17')).toBe('2024-02-29')
  expect(endOfMonth('2025-02-01')).toBe('2025-02-28')
})

test('dateOf is the date in UTC', () => {
  expect(dateOf(new Date('2024-03-01T00:30:00+02:00'))).toBe('2024-02-29')
  expect(dateOf(new Date('2024-02-29T23:59:59.999Z'))).toBe('2024-02-29')
  expect(() => dateOf(new Date(Number.NaN))).toThrow(RangeError)
})

describe('monthPeriods', () => {
  test('a calendar year has twelve', () => {
    const periods = monthPeriods('2024-01-01', '2024-12-31')
    expect(periods).toHaveLength(12)
    expect(periods[1]).toEqual({ start: '2024-02-01', end: '2024-02-29' })
    expect(periods[11]).toEqual({ start: '2024-12-01', end: '2024-12-31' })
  })

  test('first and last may be partial', () => {
    expect(monthPeriods('2024-04-06', '2024-06-05')).toEqual([
      { start: '2024-04-06', end: '2024-04-30' },
      { start: '2024-05-01', end: '2024-05-31' },
      { start: '2024-06-01', end: '2024-06-05' },
    ])
    expect(monthPeriods('2024-04-06', '2024-04-20')).toEqual([{ start: '2024-04-06', end: '2024-04-20' }])
    expect(monthPeriods('2024-04-06', '2024-04-05')).toEqual([])
    expect(monthPeriods('2999-12-01', '2999-12-31')).toEqual([{ start: '2999-12-01', end: '2999-12-31' }])
  })

  test('periods tile the span', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: 0, max: 1000 }), (start, days) => {
        const end = addDays(start, days)
        const periods = monthPeriods(start, end)
        expect(periods[0]!.start).toBe(start)
        expect(periods.at(-1)!.end).toBe(end)
        for (const [index, period] of periods.entries()) {
          expect(startOfMonth(period.start)).toBe(startOfMonth(period.end))
          if (index > 0) expect(daysBetween(periods[index - 1]!.end, period.start)).toBe(1)
        }
        expect(new Set(periods.map((period) => period.start.slice(0, 7))).size).toBe(periods.length)
      }),
    )
  })
})

describe('against Date in UTC', () => {
  test('addDays and daysBetween', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: -1500, max: 1500 }), (from, days) => {
        const to = addDays(from, days)
        expect(to).toBe(shifted(from, days))
        expect(daysBetween(from, to)).toBe(days)
        expect(addDays(to, -days)).toBe(from)
      }),
      { numRuns: 2000 },
    )
  })

  test('every day from 1900 to 2999 in turn', () => {
    let day = '1900-01-01'
    for (let ms = Date.parse(day); day < '2999-12-31'; ms += DAY_MS) {
      if (day !== new Date(ms).toISOString().slice(0, 10)) throw new Error(day)
      day = addDays(day, 1)
    }
  })

  test('addMonths lands in the right month, on the same day or the last', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: -60, max: 60 }), (from, months) => {
        const to = addMonths(from, months)
        const first = new Date(Date.UTC(Number(from.slice(0, 4)), Number(from.slice(5, 7)) - 1 + months, 1))
        expect(startOfMonth(to)).toBe(first.toISOString().slice(0, 10))
        if (to.slice(8) !== from.slice(8)) {
          expect(to).toBe(endOfMonth(to))
          expect(to.slice(8) < from.slice(8)).toBe(true)
        }
      }),
    )
  })
})
