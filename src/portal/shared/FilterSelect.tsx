import { Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { Labelled } from './Labelled.tsx'

interface FilterSelectProps<Value extends string> {
  label: string
  value: Value | null | undefined
  options: { value: Value; label: string }[]
  onChange: (value: Value | undefined) => void
  width?: number
  /** For many options: they are looked for by their label. */
  isSearchable?: boolean
}

/** In a list's toolbar: one of several, or all. */
export function FilterSelect<Value extends string>(props: FilterSelectProps<Value>) {
  const { label, value, options, onChange, width = 180, isSearchable = false } = props
  const { t } = useTranslation()
  return (
    <Labelled label={label}>
      <Select<Value>
        allowClear
        aria-label={label}
        placeholder={t('states.all')}
        style={{ width }}
        value={value ?? null}
        options={options}
        showSearch={isSearchable && { optionFilterProp: 'label' }}
        onChange={onChange}
      />
    </Labelled>
  )
}
