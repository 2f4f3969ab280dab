import { useState } from 'react'
import { MoreOutlined, PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { App, Button, Dropdown, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { OperatorList, OperatorPerson } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { problemOf, WAITS } from '../../shared/problem.ts'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useOperatorCan } from '../useOperator.ts'
import { DeleteDialog, EditDialog, InviteDialog, ResetDialog, StatusDialog } from './OperatorDialogs.tsx'
import { operatorsQuery, useInviteAgain } from './queries.ts'
import { operatorStatuses } from './roles.ts'

const route = getRouteApi('/operator/operators')

export function OperatorsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const can = useOperatorCan()
  const [isInviting, setIsInviting] = useState(false)
  const operators = useQuery(operatorsQuery(search))
  return (
    <>
      <PageHeader
        title={t('menu.operators')}
        actions={
          can('operators:manage') && (
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setIsInviting(true)}>
              {t('operators.invite')}
            </Button>
          )
        }
      />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          placeholder={t('operators.searchHint')}
          value={search.search ?? ''}
          onSearch={(text) => void navigate({ search: changedSearch(search, { search: text }) })}
        />
        <FilterSelect
          label={t('fields.status')}
          width={160}
          value={search.status}
          options={operatorStatuses.map((status) => ({ value: status, label: t(`states.${status}`) }))}
          onChange={(status) => void navigate({ search: changedSearch(search, { status }) })}
        />
      </div>
      {operators.isSuccess ? (
        <OperatorsTable
          list={operators.data}
          isFetching={operators.isPlaceholderData}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={operators} />
      )}
      {isInviting && <InviteDialog onClose={() => setIsInviting(false)} />}
    </>
  )
}

interface OperatorsTableProps {
  list: OperatorList
  isFetching: boolean
  onPage: (page: number) => void
}

function OperatorsTable({ list, isFetching, onPage }: OperatorsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  return (
    <ListTable<OperatorPerson>
      className="one-line"
      loading={isFetching}
      dataSource={list.operators}
      empty={t('operators.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('fields.name'), render: (_, { fullName }) => <span dir="auto">{fullName}</span> },
        { title: t('signIn.email'), render: (_, { email }) => <span className="ltr">{email}</span> },
        { title: t('operators.role'), render: (_, { role }) => t(`operatorRoles.${role}`) },
        { title: t('fields.status'), render: (_, operator) => <StatusTag operator={operator} /> },
        {
          title: t('account.twoStep'),
          render: (_, { hasSecondFactor }) => (
            <Tag color={hasSecondFactor ? 'success' : 'default'}>
              {hasSecondFactor ? t('account.on') : t('account.off')}
            </Tag>
          ),
        },
        { title: t('operators.lastLoginAt'), render: (_, { lastLoginAt }) => formats.instant(lastLoginAt) },
        ...(can('operators:manage')
          ? [
              {
                title: '',
                align: 'end' as const,
                render: (_: unknown, operator: OperatorPerson) => <Actions operator={operator} />,
              },
            ]
          : []),
      ]}
    />
  )
}

function StatusTag({ operator }: { operator: OperatorPerson }) {
  const { t } = useTranslation()
  if (operator.status === 'inactive') return <Tag>{t('states.inactive')}</Tag>
  if (operator.isInvited) return <Tag color="processing">{t('operators.isInvited')}</Tag>
  return <Tag color="success">{t('states.active')}</Tag>
}

const dialogs = { edit: EditDialog, status: StatusDialog, reset: ResetDialog, delete: DeleteDialog }

function Actions({ operator }: { operator: OperatorPerson }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const [open, setOpen] = useState<keyof typeof dialogs | null>(null)
  const inviteAgain = useInviteAgain()
  const Dialog = open && dialogs[open]

  function choose(key: string) {
    if (key !== 'invite') return setOpen(key as keyof typeof dialogs)
    inviteAgain.mutate(operator.id, {
      onSuccess: () => void message.success(t('operators.invited')),
      onError: (thrown) =>
        void (problemOf(thrown).code === WAITS ? message.info(t('approvals.waits')) : tellProblem(thrown)),
    })
  }

  const isActive = operator.status === 'active'
  return (
    <>
      <Dropdown
        trigger={['click']}
        menu={{
          onClick: ({ key }) => choose(key),
          items: [
            { key: 'edit', label: t('actions.edit') },
            ...(operator.isInvited && isActive ? [{ key: 'invite', label: t('operators.inviteAgain') }] : []),
            ...(operator.hasSecondFactor ? [{ key: 'reset', label: t('operators.reset') }] : []),
            { key: 'status', label: isActive ? t('actions.deactivate') : t('actions.activate') },
            { key: 'delete', label: t('actions.delete'), danger: true },
          ],
        }}
      >
        <Button
          type="text"
          icon={<MoreOutlined />}
          aria-label={t('actions.moreFor', { name: operator.fullName })}
        />
      </Dropdown>
      {Dialog && <Dialog operator={operator} onClose={() => setOpen(null)} />}
    </>
  )
}
