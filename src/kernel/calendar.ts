/**
 * Plain dates as YYYY-MM-DD text. A posting date has no time zone and no hour, so no Date object takes part
 * (except in dateOf); such texts also compare in calendar order with < and >. Every function throws a RangeError
 * for what isDate refuses, and for a result outside its years: callers check what comes from outside first.
 */

const FIRST_YEAR = 1900
const LAST_YEAR = 2999

const DATE_PATTERN = /^\d{4}-\d{2}-\d{2}$/

export function isDate(text: string): boolean {
  if (!DATE_PATTERN.test(text)) return false
  const year = yearOf(text)
  const month = monthOf(text)
  const day = dayOf(text)
  if (year < FIRST_YEAR || year > LAST_YEAR) return false
  return month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)
}

export function addDays(date: string, days: number): string {
  return dateOfDayNumber(dayNumber(date) + requireInteger(days))
}

/** The same day of a later (or earlier) month, clipped to the month's end: 31 January + 1 = 28 February. */
export function addMonths(date: string, months: number): string {
  requireDate(date)
  const monthNumber = yearOf(date) * 12 + (monthOf(date) - 1) + requireInteger(months)
  const year = Math.floor(monthNumber / 12)
  const month = monthNumber - year * 12 + 1
  return format(year, month, Math.min(dayOf(date), daysInMonth(year, month)))
}

export function startOfMonth(date: string): string {
  requireDate(date)
  return date.slice(0, 8) + '01'
}

export function endOfMonth(date: string): string {
  requireDate(date)
  return date.slice(0, 8) + String(daysInMonth(yearOf(date), monthOf(date)))
}

/** How many days `to` lies after `from`; negative when it lies before. */
export function daysBetween(from: string, to: string): number {
  return dayNumber(to) - dayNumber(from)
}

/** Splits start..end (both included) at the month ends; the first and last period may be parts of a month. */
export function monthPeriods(start: string, end: string): { start: string; end: string }[] {
  requireDate(start)
  requireDate(end)
  const periods: { start: string; end: string }[] = []
  let from = start
  while (from <= end) {
    const monthEnd = endOfMonth(from)
    if (monthEnd >= end) {
      periods.push({ start: from, end })
      break
    }
    periods.push({ start: from, end: monthEnd })
    from = addDays(monthEnd, 1)
  }
  return periods
}

/** The date in UTC. */
export function dateOf(instant: Date): string {
  return requireDate(instant.toISOString().slice(0, 10))
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4))
}

function monthOf(date: string): number {
  return Number(date.slice(5, 7))
}

function dayOf(date: string): number {
  return Number(date.slice(8, 10))
}

function requireDate(date: string): string {
  if (!isDate(date)) throw new RangeError(`not a date: ${date}`)
  return date
}

function requireInteger(count: number): number {
  if (!Number.isSafeInteger(count)) throw new RangeError(`not a whole number: ${count}`)
  return count
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

// Days are counted in years that begin in March, so that the leap day is a year's last day and needs no case
// of its own (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). Years here are positive, which
// spares the paper's handling of eras; the count starts at 1 March of year 0.

function dayNumber(date: string): number {
  requireDate(date)
  const month = monthOf(date)
  const year = month > 2 ? yearOf(date) : yearOf(date) - 1
  const monthsSinceMarch = (month + 9) % 12
  const dayOfYear = Math.floor((153 * monthsSinceMarch + 2) / 5) + dayOf(date) - 1
  return 365 * year + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400) + dayOfYear
}

function dateOfDayNumber(days: number): string {
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthsSinceMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthsSinceMarch + 2) / 5) + 1
  const month = monthsSinceMarch < 10 ? monthsSinceMarch + 3 : monthsSinceMarch - 9
  return format(era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
}

function format(year: number, month: number, day: number): string {
  if (year < FIRST_YEAR || year > LAST_YEAR) throw new RangeError(`year out of range: ${year}`)
  return `${year}-${month < 10 ? '0' : ''}${month}-${day < 10 ? '0' : ''}${day}`
}
