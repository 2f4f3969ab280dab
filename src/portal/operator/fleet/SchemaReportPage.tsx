import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Alert, Button, Table, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { SchemaReport } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { schemaReportQuery } from './queries.ts'

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
          onSearch={(text) => void navigate({ search: changedSearch(search, { search: text }) })}
        />
      </div>
      {report.isSuccess ? (
        <ReportTable
          report={report.data}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={report} />
      )}
    </>
  )
}

function ReportTable({ report, onPage }: { report: SchemaReport; onPage: (page: number) => void }) {
  const { t } = useTranslation()
  return (
    <ListTable
      rowKey="tenantId"
      dataSource={report.tenants}
      empty={t('tenants.empty')}
      expandable={{
        rowExpandable: ({ differences, error }) => differences.length > 0 || error !== null,
        expandedRowRender: (row) => <Differences row={row} />,
      }}
      pages={report.pagination}
      onPage={onPage}
      columns={[
        { title: t('operations.tenant'), render: (_, row) => <TenantLink {...row} /> },
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
          ...numeric,
          render: (_, { differenceCount }) =>
            differenceCount > 0 ? <Typography.Text type="danger">{differenceCount}</Typography.Text> : 0,
        },
      ]}
    />
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
