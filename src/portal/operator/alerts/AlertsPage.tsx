import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Switch, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable } from '../../shared/ListTable.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { alertsQuery } from './queries.ts'

const route = getRouteApi('/operator/alerts')

export function AlertsPage() {
  const { t } = useTranslation()
  const formats = useFormats()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const includeResolved = search.status === 'all'
  const alerts = useQuery(alertsQuery({ includeResolved, ...(search.page ? { page: search.page } : {}) }))
  return (
    <>
      <PageHeader title={t('menu.alerts')} />
      <div className="toolbar">
        <Labelled label={t('alerts.includeResolved')}>
          <Switch
            aria-label={t('alerts.includeResolved')}
            checked={includeResolved}
            onChange={(all) => void navigate({ search: all ? { status: 'all' } : {} })}
          />
        </Labelled>
      </div>
      {alerts.isSuccess ? (
        <ListTable
          dataSource={alerts.data.alerts}
          empty={t('alerts.empty')}
          pages={alerts.data.pagination}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
          columns={[
            { title: t('alerts.openedAt'), render: (_, { openedAt }) => formats.instant(openedAt) },
            {
              title: t('alerts.kind'),
              render: (_, { kind, resolvedAt }) => (
                <Tag color={resolvedAt ? 'default' : 'error'}>
                  {t(`alertKinds.${kind}` as 'alertKinds.backup-failed', { defaultValue: kind })}
                </Tag>
              ),
            },
            { title: t('operations.tenant'), render: (_, row) => <TenantLink {...row} /> },
            { title: t('alerts.message'), render: (_, { message }) => <span dir="auto">{message}</span> },
            {
              title: t('alerts.resolvedAt'),
              render: (_, { resolvedAt }) => formats.instant(resolvedAt) || t('alerts.open'),
            },
          ]}
        />
      ) : (
        <QueryState query={alerts} />
      )}
    </>
  )
}
