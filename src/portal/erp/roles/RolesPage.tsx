import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Button, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { Role, RoleList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useCan } from '../useCompany.ts'
import { rolesQuery } from './queries.ts'

const route = getRouteApi('/_erp/settings/roles')

export function RolesPage() {
  const { t } = useTranslation()
  const can = useCan()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const goTo = useNavigate()
  const roles = useQuery(rolesQuery(search))
  const filter = (changed: { search?: string; status?: string | undefined }) =>
    void navigate({ search: changedSearch(search, changed), replace: true })
  const create = can('roles:add') && (
    <Button
      type="primary"
      icon={<PlusOutlined />}
      onClick={() => void goTo({ to: '/settings/roles/$roleId', params: { roleId: 'new' } })}
    >
      {t('roles.create')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('menu.roles')} actions={create} />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          value={search.search ?? ''}
          onSearch={(text) => filter({ search: text })}
        />
        <FilterSelect
          label={t('fields.status')}
          width={150}
          value={search.status}
          options={(['active', 'inactive'] as const).map((value) => ({
            value,
            label: t(`states.${value}`),
          }))}
          onChange={(status) => filter({ status })}
        />
      </div>
      {roles.isSuccess ? (
        <RolesTable
          list={roles.data}
          isFetching={roles.isPlaceholderData}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={roles} />
      )}
    </>
  )
}

interface RolesTableProps {
  list: RoleList
  isFetching: boolean
  onPage: (page: number) => void
}

function RolesTable({ list, isFetching, onPage }: RolesTableProps) {
  const { t } = useTranslation()
  const can = useCan()
  return (
    <ListTable
      loading={isFetching}
      dataSource={list.roles}
      empty={t('roles.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        {
          title: t('fields.name'),
          render: (_, { id, name, isBuiltIn }) => (
            <>
              <Link to="/settings/roles/$roleId" params={{ roleId: id }} dir="auto">
                {name}
              </Link>{' '}
              {isBuiltIn && <Tag>{t('roles.builtIn')}</Tag>}
            </>
          ),
        },
        {
          title: t('fields.description'),
          render: (_, { description }) => <span dir="auto">{description}</span>,
        },
        {
          title: t('fields.status'),
          render: (_, { isActive }) => (
            <Tag color={isActive ? 'success' : 'warning'}>
              {t(isActive ? 'states.active' : 'states.inactive')}
            </Tag>
          ),
        },
        { title: t('roles.discounts'), render: (_, role) => <Discounts role={role} /> },
        {
          title: t('menu.users'),
          ...numeric,
          render: (_, { id, userCount }) =>
            can('users:view') && userCount > 0 ? (
              <Link to="/settings/users" search={{ roleId: id }}>
                {userCount}
              </Link>
            ) : (
              userCount
            ),
        },
      ]}
    />
  )
}

function Discounts({ role: { discountPercentMaximum, discountAmountMaximum } }: { role: Role }) {
  const { t } = useTranslation()
  if (discountPercentMaximum === null && discountAmountMaximum === null) return t('roles.unlimited')
  if (discountPercentMaximum === '0' && discountAmountMaximum === '0') return t('roles.noDiscounts')
  return (
    <span className="ltr">
      {discountPercentMaximum === null ? '∞' : `${discountPercentMaximum} %`} · {discountAmountMaximum ?? '∞'}
    </span>
  )
}
