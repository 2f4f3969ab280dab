import { useQuery } from '@tanstack/react-query'
import { Select } from 'antd'
import { currencyOptionsQuery } from './accounts/queries.ts'

/** The tenant's currencies. What Form.Item gives (value, onChange, id) goes to the control. */
export function CurrencySelect(props: { disabled?: boolean; allowClear?: boolean }) {
  const currencies = useQuery(currencyOptionsQuery)
  return (
    <Select
      {...props}
      showSearch={{ optionFilterProp: 'label' }}
      loading={currencies.isPending}
      options={
        currencies.data?.currencies.map(({ code, name }) => ({ value: code, label: `${code} – ${name}` })) ??
        []
      }
    />
  )
}
