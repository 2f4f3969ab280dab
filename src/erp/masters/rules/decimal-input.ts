import { Decimal } from '../../../kernel/decimal.ts'

const NUMBER_DIGITS_MAXIMUM = 15

/** A JSON number stands for its shortest decimal text; beyond 15 digits a double no longer carries it. */
export function readDecimal(given: string | number): Decimal | null {
  if (typeof given === 'string') return Decimal.parse(given)
  const text = String(given)
  return text.replace(/[-.]/g, '').length <= NUMBER_DIGITS_MAXIMUM ? Decimal.parse(text) : null
}
