import { useState } from 'react'
import { PlusOutlined, UploadOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Button, Drawer, Space, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable } from '../../shared/ListTable.tsx'
import type { TenantUserList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { roleChoicesQuery } from '../roles/queries.ts'
import { useCan } from '../useCompany.ts'
import { InviteFileDialog } from './InviteFileDialog.tsx'
import { usersQuery, type UserFilter } from './queries.ts'
import { UserForm } from './UserForm.tsx'
import { UserAvatar } from './UserPhoto.tsx'
import { UserStatusTag } from './UserStatusTag.tsx'
import { UserStepButtons } from './UserSteps.tsx'

const route = getRouteApi('/_erp/settings/users')

export function UsersPage() {
  const { t } = useTranslation()
  const can = useCan()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const users = useQuery(usersQuery(search))
  const [adding, setAdding] = useState<'one' | 'many' | null>(null)
  const close = () => setAdding(null)
  const actions = can('users:add') && (
    <Space wrap>
      <Button icon={<UploadOutlined />} onClick={() => setAdding('many')}>
        {t('users.inviteMany')}
      </Button>
      <Button type="primary" icon={<PlusOutlined />} onClick={() => setAdding('one')}>
        {t('users.invite')}
      </Button>
    </Space>
  )
  return (
    <>
      <PageHeader title={t('menu.users')} actions={actions} />
      <Filters
        filter={search}
        onChange={(changed) => void navigate({ search: changedSearch(search, changed), replace: true })}
      />
      {users.isSuccess ? (
        <UsersTable
          list={users.data}
          isFetching={users.isPlaceholderData}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={users} />
      )}
      <Drawer open={adding === 'one'} size={640} title={t('users.invite')} onClose={close} destroyOnHidden>
        <UserForm user={null} version={null} onClose={close} />
      </Drawer>
      {adding === 'many' && <InviteFileDialog onClose={close} />}
    </>
  )
}

interface FiltersProps {
  filter: UserFilter
  onChange: (changed: { [Name in keyof UserFilter]?: UserFilter[Name] | undefined }) => void
}

function Filters({ filter, onChange }: FiltersProps) {
  const { t } = useTranslation()
  const can = useCan()
  const roles = useQuery(roleChoicesQuery(can('roles:view')))
  return (
    <div className="toolbar">
      <SearchBox
        label={t('actions.search')}
        placeholder={t('users.searchHint')}
        value={filter.search ?? ''}
        onSearch={(search) => onChange({ search })}
      />
      <FilterSelect
        label={t('fields.status')}
        width={150}
        value={filter.status}
        options={(['active', 'inactive'] as const).map((value) => ({ value, label: t(`states.${value}`) }))}
        onChange={(status) => onChange({ status })}
      />
      {roles.isSuccess && (
        <FilterSelect
          label={t('users.role')}
          width={200}
          value={filter.roleId}
          options={roles.data.roles.map(({ id, name }) => ({ value: id, label: name }))}
          isSearchable
          onChange={(roleId) => onChange({ roleId })}
        />
      )}
      <Labelled label={t('users.includeDeleted')}>
        <Switch
          aria-label={t('users.includeDeleted')}
          checked={filter.deleted === 'yes'}
          onChange={(isOn) => onChange({ deleted: isOn ? 'yes' : undefined })}
        />
      </Labelled>
    </div>
  )
}

interface UsersTableProps {
  list: TenantUserList
  isFetching: boolean
  onPage: (page: number) => void
}

function UsersTable({ list, isFetching, onPage }: UsersTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      className="one-line"
      loading={isFetching}
      dataSource={list.users}
      empty={t('users.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        {
          title: t('users.fullName'),
          render: (_, user) => (
            <Space>
              <UserAvatar user={user} />
              {user.deletedAt === null ? (
                <Link to="/settings/users/$userId" params={{ userId: user.id }} dir="auto">
                  {user.fullName}
                </Link>
              ) : (
                <span dir="auto">{user.fullName}</span>
              )}
            </Space>
          ),
        },
        { title: t('signIn.email'), render: (_, { email }) => <span className="ltr">{email}</span> },
        { title: t('users.role'), render: (_, { role }) => <span dir="auto">{role}</span> },
        { title: t('fields.status'), render: (_, user) => <UserStatusTag user={user} /> },
        { title: t('users.joinDate'), render: (_, { joinDate }) => formats.date(joinDate) || '–' },
        { title: t('users.lastLogin'), render: (_, { lastLoginAt }) => formats.instant(lastLoginAt) || '–' },
        {
          key: 'actions',
          align: 'end',
          render: (_, user) => user.deletedAt !== null && <UserStepButtons user={user} />,
        },
      ]}
    />
  )
}
