import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

/** Amounts stay decimal text: Intl formats such text exactly, without a detour over floating point. */
export function useFormats() {
  const { i18n } = useTranslation()
  const language = i18n.language
  return useMemo(() => {
    // Books kept in Arabic commonly use Latin digits, which also paste into spreadsheets.
    const locale = language === 'ar' ? 'ar-u-nu-latn' : 'en-GB'
    const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })
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
      date: (text: string | null | undefined) =>
        text ? date.format(new Date(`${text.slice(0, 10)}T00:00:00Z`)) : '',
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
