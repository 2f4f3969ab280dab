import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
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
        <FilterSelect
          label={t('fields.status')}
          value={search.status}
          options={backupStates.map((state) => ({ value: state, label: t(`backupStates.${state}`) }))}
          onChange={(status) => void navigate({ search: changedSearch(search, { status }) })}
        />
      </div>
      {backups.isSuccess ? (
        <BackupsTable
          list={backups.data}
          showsTenant
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={backups} />
      )}
    </>
  )
}
