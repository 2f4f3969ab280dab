import type { ReactNode } from 'react'
import { EditOutlined, MoreOutlined, PlusOutlined } from '@ant-design/icons'
import { useNavigate } from '@tanstack/react-router'
import { App, Button, Dropdown, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { ListTable } from '../../shared/ListTable.tsx'
import type { GlAccount, GlAccountNode } from '../../shared/model.ts'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan } from '../useCompany.ts'
import { AccountTypeTag } from './AccountTypeTag.tsx'
import { useDeleteAccount, useSetAccountActive } from './queries.ts'

interface AccountTableProps {
  accounts: GlAccountNode[]
  onEdit: (account: GlAccount) => void
  onAddBelow: (parent: GlAccount) => void
  emptyAction: ReactNode
}

type Row = GlAccount & { children?: Row[] }

export function AccountTable({ accounts, onEdit, onAddBelow, emptyAction }: AccountTableProps) {
  const { t } = useTranslation()
  return (
    <ListTable<Row>
      size="small"
      dataSource={accounts.map(rowOf)}
      expandable={{ defaultExpandAllRows: true }}
      empty={t('accounts.empty')}
      emptyAction={emptyAction}
      columns={[
        {
          title: t('fields.code'),
          dataIndex: 'code',
          width: 200,
          render: (code: string) => <span className="ltr">{code}</span>,
        },
        {
          title: t('fields.name'),
          dataIndex: 'name',
          render: (name: string, account) => <AccountName account={account} name={name} />,
        },
        {
          title: t('fields.type'),
          width: 120,
          render: (_, account) => <AccountTypeTag type={account.type} />,
        },
        {
          title: t('accounts.controlAccount'),
          width: 150,
          render: (_, account) =>
            account.controlAccount !== 'none' && t(`controlAccounts.${account.controlAccount}`),
        },
        { title: t('fields.currency'), dataIndex: 'currency', width: 100 },
        {
          key: 'actions',
          width: 132,
          render: (_, account) => (
            <AccountActions account={account} onEdit={onEdit} onAddBelow={onAddBelow} />
          ),
        },
      ]}
    />
  )
}

/** antd takes an empty `children` for a row that can be unfolded. */
function rowOf({ children, ...account }: GlAccountNode): Row {
  return children.length > 0 ? { ...account, children: children.map(rowOf) } : account
}

function AccountName({ account, name }: { account: GlAccount; name: string }) {
  const { t } = useTranslation()
  return (
    <span style={{ fontWeight: account.postingAllowed ? 400 : 600, opacity: account.isActive ? 1 : 0.6 }}>
      {name} {!account.isActive && <Tag>{t('states.inactive')}</Tag>}
    </span>
  )
}

interface AccountActionsProps {
  account: GlAccount
  onEdit: (account: GlAccount) => void
  onAddBelow: (parent: GlAccount) => void
}

function AccountActions({ account, onEdit, onAddBelow }: AccountActionsProps) {
  const { t } = useTranslation()
  const can = useCan()
  const more = useMoreActions(account)
  return (
    <>
      {can('gl-accounts:edit') && (
        <Button
          type="text"
          icon={<EditOutlined />}
          aria-label={t('accounts.edit', { code: account.code })}
          onClick={() => onEdit(account)}
        />
      )}
      {can('gl-accounts:add') && (
        <Button
          type="text"
          icon={<PlusOutlined />}
          aria-label={t('accounts.addBelow', { code: account.code })}
          title={t('accounts.addBelow', { code: account.code })}
          onClick={() => onAddBelow(account)}
        />
      )}
      <Dropdown trigger={['click']} menu={{ items: more.items, onClick: ({ key }) => more.run(key) }}>
        <Button
          type="text"
          icon={<MoreOutlined />}
          aria-label={t('actions.moreFor', { name: account.code })}
        />
      </Dropdown>
    </>
  )
}

function useMoreActions(account: GlAccount) {
  const { t } = useTranslation()
  const can = useCan()
  const navigate = useNavigate()
  const { modal } = App.useApp()
  const setActive = useSetAccountActive()
  const remove = useDeleteAccount()
  const complain = useTellProblem()

  const items = [
    { key: 'ledger', label: t('menu.generalLedger') },
    ...(can('gl-accounts:edit')
      ? [{ key: 'active', label: account.isActive ? t('actions.deactivate') : t('actions.activate') }]
      : []),
    ...(can('gl-accounts:delete') ? [{ key: 'delete', danger: true, label: t('actions.delete') }] : []),
  ]

  function run(key: string) {
    if (key === 'ledger') void navigate({ to: '/reports/general-ledger', search: { accountId: account.id } })
    if (key === 'active')
      setActive.mutate({ id: account.id, isActive: !account.isActive }, { onError: complain })
    if (key === 'delete') {
      modal.confirm({
        title: t('accounts.deleteTitle', { name: `${account.code} ${account.name}` }),
        content: t('accounts.deleteHint'),
        okText: t('actions.delete'),
        okButtonProps: { danger: true },
        onOk: () => remove.mutateAsync(account.id).catch(complain),
      })
    }
  }

  return { items, run }
}
