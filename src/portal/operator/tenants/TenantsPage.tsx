import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Button, Card, Select, Table } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import type { TenantList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { EmptyState, ErrorState, LoadingState } from '../../shared/states.tsx'
import { PAGE_SIZE, tenantsQuery } from './queries.ts'
import { tenantStatuses, TenantStatusTag } from './TenantStatusTag.tsx'

const route = getRouteApi('/operator/tenants')

export function TenantsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const tenants = useQuery(tenantsQuery(search))
  return (
    <>
      <PageHeader title={t('menu.tenants')} actions={<CreateButton />} />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          placeholder={t('tenants.searchHint')}
          value={search.search ?? ''}
          onSearch={(text) =>
            void navigate({
              search: filterOf(text, search.status),
            })
          }
        />
        <Labelled label={t('fields.status')}>
          <Select
            allowClear
            aria-label={t('fields.status')}
            placeholder={t('states.all')}
            style={{ width: 180 }}
            value={search.status ?? null}
            options={tenantStatuses.map((status) => ({ value: status, label: t(`tenantStatus.${status}`) }))}
            onChange={(status) =>
              void navigate({
                search: filterOf(search.search, status),
              })
            }
          />
        </Labelled>
      </div>
      {tenants.isPending && <LoadingState />}
      {tenants.isError && <ErrorState error={tenants.error} onRetry={() => void tenants.refetch()} />}
      {tenants.isSuccess && (
        <TenantsTable
          list={tenants.data}
          isFetching={tenants.isPlaceholderData}
          onPage={(page) => void navigate({ search: (before) => ({ ...before, page }) })}
        />
      )}
    </>
  )
}

/** A changed filter begins at its first page. */
function filterOf(search: string | undefined, status: string | undefined) {
  return { ...(search ? { search } : {}), ...(status ? { status } : {}) }
}

interface TenantsTableProps {
  list: TenantList
  isFetching: boolean
  onPage: (page: number) => void
}

function TenantsTable({ list, isFetching, onPage }: TenantsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const navigate = useNavigate()
  return (
    <Card styles={{ body: { padding: 0 } }}>
      <Table
        rowKey="id"
        size="middle"
        className="one-line"
        loading={isFetching}
        scroll={{ x: true }}
        dataSource={list.tenants}
        locale={{ emptyText: <EmptyState text={t('tenants.empty')} action={<CreateButton />} /> }}
        onRow={(tenant) => ({
          style: { cursor: 'pointer' },
          onClick: () =>
            void navigate({ to: '/operator/tenants/$tenantId', params: { tenantId: tenant.id } }),
        })}
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
            title: t('tenants.code'),
            dataIndex: 'tenantCode',
            render: (code: string, tenant) => (
              <Link to="/operator/tenants/$tenantId" params={{ tenantId: tenant.id }} className="ltr">
                {code}
              </Link>
            ),
          },
          { title: t('tenants.companyName'), dataIndex: 'companyName' },
          { title: t('tenants.plan'), dataIndex: 'planCode' },
          {
            title: t('fields.status'),
            dataIndex: 'status',
            render: (_, tenant) => <TenantStatusTag status={tenant.status} />,
          },
          { title: t('tenants.country'), dataIndex: 'country' },
          { title: t('fields.currency'), dataIndex: 'currency' },
          { title: t('tenants.adminEmail'), dataIndex: 'adminEmail' },
          {
            title: t('fields.createdAt'),
            dataIndex: 'createdAt',
            render: (at: string) => formats.instant(at),
          },
        ]}
      />
    </Card>
  )
}

function CreateButton() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Button
      type="primary"
      icon={<PlusOutlined />}
      onClick={() => void navigate({ to: '/operator/tenants/new' })}
    >
      {t('tenants.create')}
    </Button>
  )
}
