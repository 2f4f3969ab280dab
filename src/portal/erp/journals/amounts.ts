import { Decimal } from '../../../kernel/decimal.ts'

/**
 * An amount as people write it: 1234.5, 1,234.50, 1 234,50, ١٢٣٤٫٥. Null for an empty cell, 'wrong' for what
 * is no amount or has more places than the currency. What could mean two things is wrong rather than guessed.
 */
export function readAmount(text: string, minorUnits: number): Decimal | 'wrong' | null {
  if (text.trim() === '') return null
  const plain = withPoint(latinDigits(text).replace(/[\s\u00a0\u202f'٬]/g, ''))
  const amount = plain === null ? null : Decimal.parse(plain.replace(/^0+(?=\d)/, '').replace(/^\./, '0.'))
  if (!amount || amount.isNegative() || amount.decimalPlaces() > minorUnits) return 'wrong'
  return amount
}

/** Thousands separators out, decimal separator a point. */
function withPoint(text: string): string | null {
  if (/^\d*(\.\d+)?\.?$/.test(text)) return text.replace(/\.$/, '')
  if (/^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text)) return text.replaceAll(',', '')
  if (/^\d{1,3}(\.\d{3})+,\d+$/.test(text)) return text.replaceAll('.', '').replace(',', '.')
  // One comma before one or two digits cannot be a thousands separator.
  if (/^\d+,\d{1,2}$/.test(text)) return text.replace(',', '.')
  return null
}

function latinDigits(text: string): string {
  return text
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[۰-۹]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0))
    .replaceAll('٫', '.')
}
