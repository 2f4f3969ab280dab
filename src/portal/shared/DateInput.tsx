import type { InputProps } from 'antd'
import { Input } from 'antd'

interface DateInputProps extends Omit<InputProps, 'value' | 'onChange' | 'type'> {
  value?: string
  onChange?: (value: string) => void
}

/**
 * The browser's own date field: typed digit by digit in the reader's own order, with a calendar of the
 * system behind it, and a tenth of the weight of a picker. Its value is always YYYY-MM-DD.
 */
export function DateInput({ value, onChange, ...rest }: DateInputProps) {
  return (
    <Input {...rest} type="date" value={value ?? ''} onChange={(event) => onChange?.(event.target.value)} />
  )
}
