import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** Amounts stay decimal text: Intl formats such text exactly, without a detour over floating point. */
export function useFormats() {
  const { i18n } = useTranslation()
  const language = i18n.language
  return useMemo(() => {
    // Books kept in Arabic commonly use Latin digits, which also paste into spreadsheets.
    const locale = language === 'ar' ? 'ar-u-nu-latn' : 'en-GB'
    const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })
    const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' })
    const instant = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
    return {
      amount(text: string): string {
        const places = text.split('.')[1]?.length ?? 0
        const format = new Intl.NumberFormat('en', {
          minimumFractionDigits: places,
          maximumFractionDigits: places,
        })
        return format.format(text as `${number}`)
      },
      /** In thousands, as disks are sold. */
      bytes(count: number | null | undefined): string {
        if (count === null || count === undefined) return ''
        const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), BYTE_UNITS.length - 1)
        const unit = BYTE_UNITS[power] ?? 'byte'
        const format = new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: 1 })
        return format.format(count / 1000 ** power)
      },
      duration(ms: number | null | undefined): string {
        if (ms === null || ms === undefined) return ''
        const [amount, unit] =
          ms < 1000 ? [ms, 'millisecond'] : ms < 120_000 ? [ms / 1000, 'second'] : [ms / 60_000, 'minute']
        const format = new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: 1 })
        return format.format(amount)
      },
      number: (count: number | null | undefined) =>
        count === null || count === undefined ? '' : new Intl.NumberFormat(locale).format(count),
      date: (text: string | null | undefined) =>
        text ? date.format(new Date(`${text.slice(0, 10)}T00:00:00Z`)) : '',
      /** To the second. */
      moment: (text: string) => moment.format(new Date(text)),
      instant: (text: string | null | undefined) => (text ? instant.format(new Date(text)) : ''),
    }
  }, [language])
}

export function today(): string {
  const now = new Date()
  const month = String(now.getMonth() + 1).padStart(2, '0')
  return `${now.getFullYear()}-${month}-${String(now.getDate()).padStart(2, '0')}`
}

export function isZeroAmount(text: string): boolean {
  return /^-?0*\.?0*$/.test(text)
}

/** Rates and factors are kept with many places, most of them empty. */
export function withoutEndingZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
