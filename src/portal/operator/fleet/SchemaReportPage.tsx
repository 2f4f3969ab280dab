import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Alert, Button, Card, Table, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { SchemaReport } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { EmptyState, ErrorState, LoadingState } from '../../shared/states.tsx'
import { SCHEMA_PAGE_SIZE, schemaReportQuery } from './queries.ts'

const route = getRouteApi('/operator/fleet/schema')
type Row = SchemaReport['tenants'][number]

const colours: Record<Row['status'], string> = {
  same: 'success',
  drifted: 'error',
  behind: 'warning',
  ahead: 'processing',
  unreachable: 'error',
}

export function SchemaReportPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const report = useQuery(schemaReportQuery(search))
  return (
    <>
      <PageHeader
        title={t('schema.title')}
        onBack={() => void navigate({ to: '/operator/fleet' })}
        actions={
          <Button loading={report.isFetching} onClick={() => void report.refetch()}>
            {t('schema.again')}
          </Button>
        }
      />
      <div className="toolbar">
        <SearchBox
          label={t('tenants.code')}
          placeholder={t('tenants.code')}
          value={search.search ?? ''}
          onSearch={(text) => void navigate({ search: text ? { search: text } : {} })}
        />
      </div>
      {report.isPending && <LoadingState />}
      {report.isError && <ErrorState error={report.error} onRetry={() => void report.refetch()} />}
      {report.isSuccess && (
        <ReportTable
          report={report.data}
          onPage={(page) => void navigate({ search: (before) => ({ ...before, page }) })}
        />
      )}
    </>
  )
}

function ReportTable({ report, onPage }: { report: SchemaReport; onPage: (page: number) => void }) {
  const { t } = useTranslation()
  return (
    <Card styles={{ body: { padding: 0 } }}>
      <Table
        rowKey="tenantId"
        size="middle"
        scroll={{ x: true }}
        dataSource={report.tenants}
        locale={{ emptyText: <EmptyState text={t('tenants.empty')} /> }}
        expandable={{
          rowExpandable: ({ differences, error }) => differences.length > 0 || error !== null,
          expandedRowRender: (row) => <Differences row={row} />,
        }}
        pagination={{
          current: report.pagination.page,
          pageSize: SCHEMA_PAGE_SIZE,
          total: report.pagination.total,
          showSizeChanger: false,
          hideOnSinglePage: true,
          onChange: onPage,
        }}
        columns={[
          {
            title: t('operations.tenant'),
            render: (_, { tenantId, tenantCode }) => (
              <Link to="/operator/tenants/$tenantId" params={{ tenantId }} className="ltr">
                {tenantCode}
              </Link>
            ),
          },
          { title: t('moves.to'), dataIndex: 'serverName' },
          {
            title: t('fields.status'),
            render: (_, { status }) => <Tag color={colours[status]}>{t(`schemaStatus.${status}`)}</Tag>,
          },
          {
            title: t('fleet.version'),
            render: (_, { actualVersion }) => <span className="ltr">{actualVersion ?? '–'}</span>,
          },
          {
            title: t('schema.differences'),
            className: 'numeric',
            align: 'right',
            render: (_, { differenceCount }) =>
              differenceCount > 0 ? <Typography.Text type="danger">{differenceCount}</Typography.Text> : 0,
          },
        ]}
      />
    </Card>
  )
}

function Differences({ row }: { row: Row }) {
  const { t } = useTranslation()
  if (row.error !== null) return <Alert type="error" showIcon title={row.error} />
  return (
    <Table
      rowKey={({ kind, object }) => `${kind} ${object}`}
      size="small"
      pagination={false}
      scroll={{ x: true }}
      dataSource={row.differences}
      columns={[
        { title: t('fields.type'), width: 120, render: (_, { kind }) => t(`schemaKinds.${kind}`) },
        { title: t('schema.object'), render: (_, { object }) => <span className="ltr">{object}</span> },
        { title: t('schema.expected'), render: (_, { expected }) => <code className="ltr">{expected}</code> },
        { title: t('schema.found'), render: (_, { found }) => <code className="ltr">{found}</code> },
      ]}
    />
  )
}
