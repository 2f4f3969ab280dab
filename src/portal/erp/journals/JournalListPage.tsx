import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Button, Card, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import { Labelled } from '../../shared/Labelled.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { EmptyState, ErrorState, LoadingState } from '../../shared/states.tsx'
import { useCan } from '../useCompany.ts'
import { entryStatuses } from './EntryStatusTag.tsx'
import { JournalTable } from './JournalTable.tsx'
import { journalEntriesQuery, PAGE_SIZE, type JournalFilter } from './queries.ts'

const route = getRouteApi('/_erp/journal-entries')

export function JournalListPage() {
  const { t } = useTranslation()
  const filter: JournalFilter = route.useSearch()
  const navigate = route.useNavigate()
  const entries = useQuery(journalEntriesQuery(filter))
  const change = (changed: JournalFilter) => {
    const given = Object.entries({ ...filter, page: 1, ...changed }).filter(([, value]) => value)
    void navigate({ search: Object.fromEntries(given), replace: true })
  }
  return (
    <>
      <PageHeader title={t('menu.journalEntries')} actions={<CreateButton />} />
      <JournalFilters filter={filter} onChange={change} />
      {entries.isPending && <LoadingState />}
      {entries.isError && <ErrorState error={entries.error} onRetry={() => void entries.refetch()} />}
      {entries.isSuccess && (
        <Card styles={{ body: { padding: 0 } }}>
          <JournalTable
            entries={entries.data.journalEntries}
            isFetching={entries.isPlaceholderData}
            empty={<EmptyState text={t('journals.empty')} action={<CreateButton />} />}
            pagination={{
              current: entries.data.pagination.page,
              pageSize: PAGE_SIZE,
              total: entries.data.pagination.total,
              showSizeChanger: false,
              hideOnSinglePage: true,
              onChange: (page) => change({ page }),
            }}
          />
        </Card>
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
      <Labelled label={t('fields.status')}>
        <Select
          allowClear
          aria-label={t('fields.status')}
          placeholder={t('states.all')}
          style={{ width: 150 }}
          value={filter.status ?? null}
          options={entryStatuses.map((status) => ({ value: status, label: t(`entryStatus.${status}`) }))}
          onChange={(status) => onChange({ status: status ?? '' })}
        />
      </Labelled>
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
