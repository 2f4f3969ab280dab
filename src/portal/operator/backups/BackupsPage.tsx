import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { Labelled } from '../../shared/Labelled.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ErrorState, LoadingState } from '../../shared/states.tsx'
import { backupStates, BackupsTable } from './BackupsTable.tsx'
import { backupsQuery } from './queries.ts'

const route = getRouteApi('/operator/backups')

export function BackupsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const backups = useQuery(backupsQuery(search))
  return (
    <>
      <PageHeader title={t('menu.backups')} />
      <div className="toolbar">
        <Labelled label={t('fields.status')}>
          <Select
            allowClear
            aria-label={t('fields.status')}
            placeholder={t('states.all')}
            style={{ width: 180 }}
            value={search.status ?? null}
            options={backupStates.map((state) => ({ value: state, label: t(`backupStates.${state}`) }))}
            onChange={(status) => void navigate({ search: status ? { status } : {} })}
          />
        </Labelled>
      </div>
      {backups.isPending && <LoadingState />}
      {backups.isError && <ErrorState error={backups.error} onRetry={() => void backups.refetch()} />}
      {backups.isSuccess && (
        <BackupsTable
          list={backups.data}
          showsTenant
          onPage={(page) => void navigate({ search: (before) => ({ ...before, page }) })}
        />
      )}
    </>
  )
}
