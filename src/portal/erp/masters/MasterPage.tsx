import { useState } from 'react'
import { DeleteOutlined, EditOutlined, PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { App, Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats, withoutEndingZeros } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import { NotFoundPage } from '../../shared/NotFoundPage.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan } from '../useCompany.ts'
import { masterDefinitions, type MasterDefinition, type MasterField, type MasterRow } from './definitions.ts'
import { masterKeys, type MasterKey } from './keys.ts'
import { MasterDrawer } from './MasterDrawer.tsx'
import { masterListQuery, PAGE_SIZE, useDeleteMaster } from './queries.ts'

const route = getRouteApi('/_erp/masters/$master')

export function MasterPage() {
  const { master } = route.useParams()
  const key = masterKeys.find((known) => known === master)
  return key ? <MasterList key={key} masterKey={key} /> : <NotFoundPage />
}

function MasterList({ masterKey }: { masterKey: MasterKey }) {
  const { t } = useTranslation()
  const can = useCan()
  const definition = masterDefinitions[masterKey]
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const list = useQuery(masterListQuery(definition, search))
  const [editing, setEditing] = useState<{ id: string | null } | null>(null)
  const createButton = can(`${masterKey}:add`) && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setEditing({ id: null })}>
      {t(`masters.${masterKey}.create`)}
    </Button>
  )
  return (
    <>
      <PageHeader title={t(`masters.${masterKey}.title`)} actions={createButton} />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          value={search.search ?? ''}
          onSearch={(text) =>
            void navigate({ search: changedSearch(search, { search: text }), replace: true })
          }
        />
      </div>
      {list.isSuccess ? (
        <ListTable<MasterRow>
          size="small"
          loading={list.isPlaceholderData}
          dataSource={list.data.rows}
          empty={t(`masters.${masterKey}.empty`)}
          emptyAction={createButton}
          pages={{ page: list.data.page, limit: PAGE_SIZE, total: list.data.total }}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
          columns={[
            ...definition.fields
              .filter((field) => !field.isUnlisted)
              .map((field) => ({
                title: t(`masterFields.${field.name}`),
                ...(isNumber(field) ? { className: 'numeric', align: 'right' as const } : {}),
                render: (_: unknown, row: MasterRow) => <FieldValue field={field} value={row[field.name]} />,
              })),
            {
              key: 'actions',
              align: 'end' as const,
              width: 100,
              render: (_: unknown, row: MasterRow) => (
                <RowActions
                  masterKey={masterKey}
                  definition={definition}
                  row={row}
                  onEdit={() => setEditing({ id: row.id })}
                />
              ),
            },
          ]}
        />
      ) : (
        <QueryState query={list} />
      )}
      {editing && <MasterDrawer masterKey={masterKey} id={editing.id} onClose={() => setEditing(null)} />}
    </>
  )
}

function isNumber({ kind }: MasterField): boolean {
  return kind === 'decimal' || kind === 'integer'
}

function FieldValue({ field, value }: { field: MasterField; value: unknown }) {
  const { t } = useTranslation()
  const formats = useFormats()
  if (value === null || value === undefined) return null
  switch (field.kind) {
    case 'switch':
      return value ? t('states.yes') : t('states.no')
    case 'date':
      return formats.date(String(value))
    case 'decimal':
      return <span className="ltr">{withoutEndingZeros(String(value))}</span>
    case 'integer':
    case 'currency':
      return <span className="ltr">{String(value)}</span>
    case 'text':
      return String(value)
  }
}

interface RowActionsProps {
  masterKey: MasterKey
  definition: MasterDefinition
  row: MasterRow
  onEdit: () => void
}

function RowActions({ masterKey, definition, row, onEdit }: RowActionsProps) {
  const { t } = useTranslation()
  const can = useCan()
  const { modal } = App.useApp()
  const tellProblem = useTellProblem()
  const remove = useDeleteMaster(definition)
  const title = definition.title(row)
  const askToDelete = () =>
    modal.confirm({
      title: t('masters.deleteTitle', { name: title }),
      okText: t('actions.delete'),
      okButtonProps: { danger: true },
      onOk: () => remove.mutateAsync(row.id).catch(tellProblem),
    })
  return (
    <>
      {can(`${masterKey}:edit`) && (
        <Button
          type="text"
          icon={<EditOutlined />}
          aria-label={t('masters.editOne', { name: title })}
          onClick={onEdit}
        />
      )}
      {can(`${masterKey}:delete`) && (
        <Button
          type="text"
          danger
          icon={<DeleteOutlined />}
          aria-label={t('masters.deleteOne', { name: title })}
          onClick={askToDelete}
        />
      )}
    </>
  )
}
