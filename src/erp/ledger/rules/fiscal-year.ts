/** The fiscal calendar: a year and its monthly periods. */
import { addDays, addMonths, daysBetween, monthPeriods } from '../../../kernel/calendar.ts'
import type { FieldProblem } from '../../../kernel/problem.ts'

export interface YearDates {
  readonly name: string
  readonly startDate: string
  readonly endDate: string
}

export interface PeriodDates {
  readonly name: string
  readonly startDate: string
  readonly endDate: string
}

/** A first year may be longer than twelve months; no law we know allows more than eighteen. */
const DAYS_MAXIMUM = 550

export function checkFiscalYear({ startDate, endDate }: YearDates): FieldProblem[] {
  if (endDate <= startDate) {
    return [{ field: 'endDate', code: 'BEFORE_START', message: 'The year must end after it starts' }]
  }
  if (daysBetween(startDate, endDate) > DAYS_MAXIMUM) {
    return [{ field: 'endDate', code: 'TOO_LONG', message: `A fiscal year has at most ${DAYS_MAXIMUM} days` }]
  }
  return []
}

export function periodsOf({ startDate, endDate }: YearDates): PeriodDates[] {
  return monthPeriods(startDate, endDate).map(({ start, end }) => ({
    name: start.slice(0, 7),
    startDate: start,
    endDate: end,
  }))
}

/** The fiscal year a day falls in, for a company whose years start with the given month. */
export function fiscalYearOn(date: string, startMonth: number): YearDates {
  const year = Number(date.slice(0, 4))
  const month = String(startMonth).padStart(2, '0')
  const thisYears = `${year}-${month}-01`
  const startDate = thisYears <= date ? thisYears : addMonths(thisYears, -12)
  const endDate = addDays(addMonths(startDate, 12), -1)
  const [first, last] = [startDate.slice(0, 4), endDate.slice(0, 4)]
  return { name: first === last ? first : `${first}-${last.slice(2)}`, startDate, endDate }
}
