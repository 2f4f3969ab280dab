import { useMemo, useState } from 'react'
import { PlusOutlined } from '@ant-design/icons'
import { Button, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { FilterSelect } from '../../shared/FilterSelect.tsx'
import { Labelled } from '../../shared/Labelled.tsx'
import type { GlAccount, GlAccountNode } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useCan } from '../useCompany.ts'
import { AccountDrawer, type Editing } from './AccountDrawer.tsx'
import { AccountTable } from './AccountTable.tsx'
import { accountTypes, useAccountTree } from './queries.ts'

interface Filter {
  search: string
  type: GlAccount['type'] | null
  withInactive: boolean
}

export function AccountsPage() {
  const { t } = useTranslation()
  const can = useCan()
  const tree = useAccountTree()
  const [filter, setFilter] = useState<Filter>({ search: '', type: null, withInactive: false })
  const [editing, setEditing] = useState<Editing | null>(null)
  const shown = useMemo(() => filtered(tree.data ?? [], filter), [tree.data, filter])
  const createButton = can('gl-accounts:add') && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setEditing({ kind: 'new', parent: null })}>
      {t('accounts.create')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('menu.accounts')} actions={createButton} />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          placeholder={t('accounts.searchHint')}
          value={filter.search}
          onSearch={(search) => setFilter({ ...filter, search })}
        />
        <FilterSelect
          label={t('fields.type')}
          width={160}
          value={filter.type}
          options={accountTypes.map((type) => ({ value: type, label: t(`accountTypes.${type}`) }))}
          onChange={(type) => setFilter({ ...filter, type: type ?? null })}
        />
        <Labelled label={t('accounts.showInactive')}>
          <Switch
            aria-label={t('accounts.showInactive')}
            checked={filter.withInactive}
            onChange={(withInactive) => setFilter({ ...filter, withInactive })}
            style={{ alignSelf: 'flex-start', marginBlock: 5 }}
          />
        </Labelled>
      </div>
      {tree.isSuccess ? (
        <AccountTable
          // Rows found by a search are unfolded, which antd decides when the table is made.
          key={`${filter.search} ${filter.type ?? ''}`}
          accounts={shown}
          onEdit={(account) => setEditing({ kind: 'existing', id: account.id })}
          onAddBelow={(parent) => setEditing({ kind: 'new', parent })}
          emptyAction={createButton}
        />
      ) : (
        <QueryState query={tree} />
      )}
      {editing && <AccountDrawer editing={editing} onClose={() => setEditing(null)} />}
    </>
  )
}

/** Keeps what matches and the way down to it. */
function filtered(nodes: readonly GlAccountNode[], filter: Filter): GlAccountNode[] {
  return nodes.flatMap((node) => {
    const children = filtered(node.children, filter)
    return matches(node, filter) || children.length > 0 ? [{ ...node, children }] : []
  })
}

function matches(account: GlAccount, { search, type, withInactive }: Filter): boolean {
  if (!withInactive && !account.isActive) return false
  if (type && account.type !== type) return false
  const wanted = search.trim().toLowerCase()
  return account.code.toLowerCase().startsWith(wanted) || account.name.toLowerCase().includes(wanted)
}
