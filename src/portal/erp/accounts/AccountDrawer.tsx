import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Drawer, Form, Input, Select, Switch, TreeSelect } from 'antd'
import { useTranslation } from 'react-i18next'
import type { GlAccount, GlAccountNode, NewGlAccount } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { VersionedForm } from '../../shared/VersionedForm.tsx'
import { CurrencySelect } from '../CurrencySelect.tsx'
import {
  accountQuery,
  accountTypes,
  controlAccounts,
  useAccounts,
  useAccountTree,
  useSaveAccount,
} from './queries.ts'

export type Editing = { kind: 'new'; parent: GlAccount | null } | { kind: 'existing'; id: string }

export function AccountDrawer({ editing, onClose }: { editing: Editing; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Drawer
      open
      size={480}
      title={editing.kind === 'new' ? t('accounts.create') : t('accounts.editTitle')}
      onClose={onClose}
    >
      {editing.kind === 'new' ? (
        <AccountForm
          id={null}
          version={null}
          account={{ ...blankAccount, ...inherited(editing.parent) }}
          onClose={onClose}
        />
      ) : (
        <ExistingAccount id={editing.id} onClose={onClose} />
      )}
    </Drawer>
  )
}

const blankAccount = {
  code: '',
  name: '',
  nameArabic: null,
  type: 'asset',
  parentId: null,
  controlAccount: 'none',
  postingAllowed: true,
  currency: null,
  isActive: true,
} satisfies NewGlAccount

function inherited(parent: GlAccount | null): Partial<NewGlAccount> {
  return parent ? { parentId: parent.id, type: parent.type } : {}
}

function ExistingAccount({ id, onClose }: { id: string; onClose: () => void }) {
  const account = useQuery(accountQuery(id))
  if (!account.isSuccess) return <QueryState query={account} />
  return (
    <AccountForm
      // A reload after a lost update starts the form again from what is there now.
      key={account.data.version}
      id={id}
      version={account.data.version}
      account={account.data.data}
      onClose={onClose}
      onReload={() => void account.refetch()}
    />
  )
}

interface AccountFormProps {
  id: string | null
  version: string | null
  account: NewGlAccount
  onClose: () => void
  onReload?: () => void
}

function AccountForm({ id, version, account, onClose, onReload }: AccountFormProps) {
  const [form] = Form.useForm<NewGlAccount>()
  return (
    <VersionedForm
      form={form}
      id={id}
      version={version}
      initialValues={account}
      save={useSaveAccount()}
      fieldsOf={(values) => ({
        ...values,
        nameArabic: values.nameArabic || null,
        parentId: values.parentId ?? null,
        currency: values.currency ?? null,
      })}
      onClose={onClose}
      onReload={onReload}
    >
      <AccountFields form={form} id={id} />
    </VersionedForm>
  )
}

function AccountFields({
  form,
  id,
}: {
  form: ReturnType<typeof Form.useForm<NewGlAccount>>[0]
  id: string | null
}) {
  const { t } = useTranslation()
  const tree = useAccountTree()
  const { accounts } = useAccounts()
  const parentId = Form.useWatch('parentId', form)
  const parents = useMemo(() => (tree.data ?? []).flatMap((node) => parentOption(node, id)), [tree.data, id])
  const required = { required: true, message: t('validation.required') }

  /** A child is of its parent's type, so the choice is made for the user. */
  function followParent(chosen: string | undefined) {
    const parent = accounts.find((account) => account.id === chosen)
    if (parent) form.setFieldValue('type', parent.type)
  }

  return (
    <>
      <Form.Item name="code" label={t('fields.code')} rules={[required]}>
        <Input maxLength={40} dir="ltr" autoFocus />
      </Form.Item>
      <Form.Item name="name" label={t('fields.name')} rules={[required]}>
        <Input maxLength={200} />
      </Form.Item>
      <Form.Item name="nameArabic" label={t('accounts.nameArabic')}>
        <Input maxLength={200} dir="rtl" lang="ar" />
      </Form.Item>
      <Form.Item name="parentId" label={t('accounts.parent')}>
        <TreeSelect
          allowClear
          showSearch={{ treeNodeFilterProp: 'title' }}
          treeDefaultExpandAll
          treeData={parents}
          onChange={followParent}
        />
      </Form.Item>
      <Form.Item name="type" label={t('fields.type')} rules={[required]}>
        <Select
          disabled={Boolean(parentId)}
          options={accountTypes.map((type) => ({ value: type, label: t(`accountTypes.${type}`) }))}
        />
      </Form.Item>
      <Form.Item name="controlAccount" label={t('accounts.controlAccount')} extra={t('accounts.controlHint')}>
        <Select
          options={controlAccounts.map((kind) => ({ value: kind, label: t(`controlAccounts.${kind}`) }))}
        />
      </Form.Item>
      <Form.Item name="currency" label={t('fields.currency')} extra={t('accounts.currencyHint')}>
        <CurrencySelect allowClear />
      </Form.Item>
      <Form.Item name="postingAllowed" label={t('accounts.postingAllowed')} valuePropName="checked">
        <Switch />
      </Form.Item>
      <Form.Item name="isActive" label={t('fields.isActive')} valuePropName="checked">
        <Switch />
      </Form.Item>
    </>
  )
}

interface ParentOption {
  value: string
  title: string
  children: ParentOption[]
}

/** An account can be neither its own parent nor below itself. */
function parentOption(node: GlAccountNode, excludedId: string | null): ParentOption[] {
  if (node.id === excludedId) return []
  const children = node.children.flatMap((child) => parentOption(child, excludedId))
  return [{ value: node.id, title: `${node.code} ${node.name}`, children }]
}
