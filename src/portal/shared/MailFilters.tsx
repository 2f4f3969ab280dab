import { useTranslation } from 'react-i18next'
import { FilterSelect } from './FilterSelect.tsx'
import { mailStates, type MailFilter } from './mails.ts'
import { SearchBox } from './SearchBox.tsx'

interface MailFiltersProps {
  filter: MailFilter
  onChange: (changed: { search?: string; status?: string | undefined }) => void
}

/** Above a list of mails. */
export function MailFilters({ filter, onChange }: MailFiltersProps) {
  const { t } = useTranslation()
  return (
    <div className="toolbar">
      <SearchBox
        label={t('actions.search')}
        placeholder={t('mails.searchHint')}
        value={filter.search ?? ''}
        onSearch={(search) => onChange({ search })}
      />
      <FilterSelect
        label={t('fields.status')}
        value={filter.status}
        options={mailStates.map((state) => ({ value: state, label: t(`mailStates.${state}`) }))}
        onChange={(status) => onChange({ status })}
      />
    </div>
  )
}
