import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Button, Card, Drawer, Progress, Select, Table, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import type { OperationList, OperationStatus } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { EmptyState, ErrorState, LoadingState } from '../../shared/states.tsx'
import { OperationProgress } from './OperationProgress.tsx'
import { operationsQuery, PAGE_SIZE } from './queries.ts'

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
        <Labelled label={t('fields.status')}>
          <Select
            allowClear
            aria-label={t('fields.status')}
            placeholder={t('states.all')}
            style={{ width: 180 }}
            value={search.status ?? null}
            options={statuses.map((status) => ({ value: status, label: t(`operationStatus.${status}`) }))}
            onChange={(status) => void navigate({ search: status ? { status } : {} })}
          />
        </Labelled>
      </div>
      {operations.isPending && <LoadingState />}
      {operations.isError && (
        <ErrorState error={operations.error} onRetry={() => void operations.refetch()} />
      )}
      {operations.isSuccess && (
        <OperationsTable
          list={operations.data}
          onPage={(page) => void navigate({ search: (before) => ({ ...before, page }) })}
          onShow={setShown}
        />
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
    <Card styles={{ body: { padding: 0 } }}>
      <Table
        rowKey="id"
        size="middle"
        scroll={{ x: true }}
        dataSource={list.operations}
        locale={{ emptyText: <EmptyState text={t('operations.empty')} /> }}
        pagination={{
          current: list.pagination.page,
          pageSize: PAGE_SIZE,
          total: list.pagination.total,
          showSizeChanger: false,
          hideOnSinglePage: true,
          onChange: onPage,
        }}
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
          {
            title: t('fields.status'),
            render: (_, { status }) => <OperationStatusTag status={status} />,
          },
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
    </Card>
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
