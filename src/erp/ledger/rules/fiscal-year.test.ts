import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDays } from '../../../kernel/calendar.ts'
import { checkFiscalYear, fiscalYearOn, periodsOf } from './fiscal-year.ts'

test.each([
  ['2026-01-01', '2026-12-31', []],
  ['2026-01-01', '2025-12-31', ['endDate BEFORE_START']],
  ['2026-01-01', '2026-01-01', ['endDate BEFORE_START']],
  ['2026-01-01', '2027-07-05', []],
  ['2026-01-01', '2027-07-06', ['endDate TOO_LONG']],
])('%s to %s', (startDate, endDate, expected) => {
  const problems = checkFiscalYear({ name: 'x', startDate, endDate })
  expect(problems.map(({ field, code }) => `${field} ${code}`)).toEqual(expected)
})

test.each([
  ['2026-06-01', 1, '2026', '2026-01-01', '2026-12-31'],
  ['2026-01-01', 1, '2026', '2026-01-01', '2026-12-31'],
  ['2026-03-31', 4, '2025-26', '2025-04-01', '2026-03-31'],
  ['2026-04-01', 4, '2026-27', '2026-04-01', '2027-03-31'],
  ['2024-02-29', 3, '2023-24', '2023-03-01', '2024-02-29'],
])('%s, years from month %i: %s', (date, month, name, startDate, endDate) => {
  expect(fiscalYearOn(date, month)).toEqual({ name, startDate, endDate })
})

test('the periods cover every day of the year once, whatever its dates', () => {
  const day = fc.integer({ min: 0, max: 3000 }).map((days) => addDays('2020-01-01', days))
  fc.assert(
    fc.property(day, fc.integer({ min: 1, max: 550 }), (startDate, days) => {
      const endDate = addDays(startDate, days)
      const periods = periodsOf({ name: 'x', startDate, endDate })
      expect([periods[0]?.startDate, periods.at(-1)?.endDate]).toEqual([startDate, endDate])
      for (const [index, period] of periods.slice(1).entries()) {
        expect(period.startDate).toBe(addDays(periods[index]!.endDate, 1))
      }
      expect(new Set(periods.map(({ name }) => name)).size).toBe(periods.length)
    }),
  )
})
