import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { TenantList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { tenantsQuery } from './queries.ts'
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
          onSearch={(text) => void navigate({ search: changedSearch(search, { search: text }) })}
        />
        <FilterSelect
          label={t('fields.status')}
          value={search.status}
          options={tenantStatuses.map((status) => ({ value: status, label: t(`tenantStatus.${status}`) }))}
          onChange={(status) => void navigate({ search: changedSearch(search, { status }) })}
        />
      </div>
      {tenants.isSuccess ? (
        <TenantsTable
          list={tenants.data}
          isFetching={tenants.isPlaceholderData}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={tenants} />
      )}
    </>
  )
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
    <ListTable
      className="one-line"
      loading={isFetching}
      dataSource={list.tenants}
      empty={t('tenants.empty')}
      emptyAction={<CreateButton />}
      onRow={(tenant) => ({
        style: { cursor: 'pointer' },
        onClick: () => void navigate({ to: '/operator/tenants/$tenantId', params: { tenantId: tenant.id } }),
      })}
      pages={list.pagination}
      onPage={onPage}
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
        { title: t('fields.createdAt'), dataIndex: 'createdAt', render: (at: string) => formats.instant(at) },
      ]}
    />
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
