import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Button, Drawer, Progress, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { OperationList, OperationStatus } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { OperationProgress } from './OperationProgress.tsx'
import { operationsQuery } from './queries.ts'

const route = getRouteApi('/operator/operations')
const statuses = ['queued', 'running', 'done', 'failed', 'cancelled'] as const satisfies OperationStatus[]

export function OperationsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const operations = useQuery(operationsQuery(search))
  const [shown, setShown] = useState<string | null>(null)
  return (
    <>
      <PageHeader title={t('menu.operations')} />
      <div className="toolbar">
        <FilterSelect
          label={t('fields.status')}
          value={search.status}
          options={statuses.map((status) => ({ value: status, label: t(`operationStatus.${status}`) }))}
          onChange={(status) => void navigate({ search: changedSearch(search, { status }) })}
        />
      </div>
      {operations.isSuccess ? (
        <OperationsTable
          list={operations.data}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
          onShow={setShown}
        />
      ) : (
        <QueryState query={operations} />
      )}
      <Drawer
        open={shown !== null}
        size={480}
        title={<span className="ltr">{shown}</span>}
        onClose={() => setShown(null)}
      >
        {shown !== null && <OperationProgress key={shown} id={shown} failedText={t('operations.failed')} />}
      </Drawer>
    </>
  )
}

interface OperationsTableProps {
  list: OperationList
  onPage: (page: number) => void
  onShow: (id: string) => void
}

function OperationsTable({ list, onPage, onShow }: OperationsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      dataSource={list.operations}
      empty={t('operations.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        {
          title: t('operations.kind'),
          render: (_, { id, kind }) => (
            <Button type="link" style={{ paddingInline: 0 }} onClick={() => onShow(id)}>
              {t(`operationKinds.${kind}` as 'operationKinds.provision-tenant', { defaultValue: kind })}
            </Button>
          ),
        },
        {
          title: t('operations.tenant'),
          render: (_, { tenant }) =>
            tenant && (
              <Link to="/operator/tenants/$tenantId" params={{ tenantId: tenant.id }} className="ltr">
                {tenant.tenantCode}
              </Link>
            ),
        },
        { title: t('fields.status'), render: (_, { status }) => <OperationStatusTag status={status} /> },
        {
          title: t('operations.progress'),
          width: 180,
          render: (_, { progress, status, error }) =>
            progress === null ? (
              <Typography.Text type="danger" ellipsis={{ tooltip: error }} style={{ maxWidth: 320 }}>
                {error}
              </Typography.Text>
            ) : (
              <Progress
                size="small"
                percent={Math.round(progress * 100)}
                status={status === 'done' ? 'success' : 'active'}
                aria-label={t('operations.progress')}
              />
            ),
        },
        { title: t('operations.startedAt'), render: (_, { startedAt }) => formats.instant(startedAt) },
        { title: t('operations.changedAt'), render: (_, { changedAt }) => formats.instant(changedAt) },
      ]}
    />
  )
}

const colours: Record<OperationStatus, string> = {
  queued: 'default',
  running: 'processing',
  done: 'success',
  failed: 'error',
  cancelled: 'warning',
}

export function OperationStatusTag({ status }: { status: OperationStatus }) {
  const { t } = useTranslation()
  return <Tag color={colours[status]}>{t(`operationStatus.${status}`)}</Tag>
}
