import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Card, Switch, Table, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { EmptyState, ErrorState, LoadingState } from '../../shared/states.tsx'
import { alertsQuery, PAGE_SIZE } from './queries.ts'

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
      {alerts.isPending && <LoadingState />}
      {alerts.isError && <ErrorState error={alerts.error} onRetry={() => void alerts.refetch()} />}
      {alerts.isSuccess && (
        <Card styles={{ body: { padding: 0 } }}>
          <Table
            rowKey="id"
            size="middle"
            scroll={{ x: true }}
            dataSource={alerts.data.alerts}
            locale={{ emptyText: <EmptyState text={t('alerts.empty')} /> }}
            pagination={{
              current: alerts.data.pagination.page,
              pageSize: PAGE_SIZE,
              total: alerts.data.pagination.total,
              showSizeChanger: false,
              hideOnSinglePage: true,
              onChange: (page) => void navigate({ search: (before) => ({ ...before, page }) }),
            }}
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
              {
                title: t('operations.tenant'),
                render: (_, { tenantId, tenantCode }) =>
                  tenantId && (
                    <Link to="/operator/tenants/$tenantId" params={{ tenantId }} className="ltr">
                      {tenantCode}
                    </Link>
                  ),
              },
              { title: t('alerts.message'), render: (_, { message }) => <span dir="auto">{message}</span> },
              {
                title: t('alerts.resolvedAt'),
                render: (_, { resolvedAt }) => formats.instant(resolvedAt) || t('alerts.open'),
              },
            ]}
          />
        </Card>
      )}
    </>
  )
}
