import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { DateInput } from '../../shared/DateInput.tsx'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { Labelled } from '../../shared/Labelled.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useCan } from '../useCompany.ts'
import { entryStatuses } from './EntryStatusTag.tsx'
import { JournalTable } from './JournalTable.tsx'
import { journalEntriesQuery, type JournalFilter } from './queries.ts'

const route = getRouteApi('/_erp/journal-entries')

export function JournalListPage() {
  const { t } = useTranslation()
  const filter: JournalFilter = route.useSearch()
  const navigate = route.useNavigate()
  const entries = useQuery(journalEntriesQuery(filter))
  const change = (changed: JournalFilter) =>
    void navigate({ search: changedSearch(filter, changed), replace: true })
  return (
    <>
      <PageHeader title={t('menu.journalEntries')} actions={<CreateButton />} />
      <JournalFilters filter={filter} onChange={change} />
      {entries.isSuccess ? (
        <JournalTable
          dataSource={entries.data.journalEntries}
          loading={entries.isPlaceholderData}
          empty={t('journals.empty')}
          emptyAction={<CreateButton />}
          pages={entries.data.pagination}
          onPage={(page) => change({ page })}
        />
      ) : (
        <QueryState query={entries} />
      )}
    </>
  )
}

function JournalFilters({
  filter,
  onChange,
}: {
  filter: JournalFilter
  onChange: (changed: JournalFilter) => void
}) {
  const { t } = useTranslation()
  return (
    <div className="toolbar">
      <SearchBox
        label={t('actions.search')}
        placeholder={t('journals.searchHint')}
        value={filter.search ?? ''}
        onSearch={(search) => onChange({ search })}
      />
      <FilterSelect
        label={t('fields.status')}
        width={150}
        value={filter.status}
        options={entryStatuses.map((status) => ({ value: status, label: t(`entryStatus.${status}`) }))}
        onChange={(status) => onChange({ status: status ?? '' })}
      />
      <Labelled label={t('fields.from')}>
        <DateInput value={filter.from ?? ''} onChange={(from) => onChange({ from })} style={{ width: 160 }} />
      </Labelled>
      <Labelled label={t('fields.to')}>
        <DateInput value={filter.to ?? ''} onChange={(to) => onChange({ to })} style={{ width: 160 }} />
      </Labelled>
    </div>
  )
}

function CreateButton() {
  const { t } = useTranslation()
  const can = useCan()
  const navigate = useNavigate()
  if (!can('journal-entries:add')) return null
  return (
    <Button
      type="primary"
      icon={<PlusOutlined />}
      onClick={() => void navigate({ to: '/journal-entries/new' })}
    >
      {t('journals.create')}
    </Button>
  )
}
