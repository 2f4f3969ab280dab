import { isZeroAmount, useFormats } from './formats.ts'

/** An amount in a column: zero is left blank unless it is a total. */
export function Amount({ value, showZero = false }: { value: string; showZero?: boolean }) {
  const formats = useFormats()
  if (!showZero && isZeroAmount(value)) return null
  return <span className="ltr">{formats.amount(value)}</span>
}
