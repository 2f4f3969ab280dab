import { useState } from 'react'
import { PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Select, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable } from '../../shared/ListTable.tsx'
import type { ApiKey, ApiKeyList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useCan, useUser } from '../useCompany.ts'
import { KeyActions } from './KeyActions.tsx'
import { NewKeyDialog } from './NewKeyDialog.tsx'
import { apiKeysQuery, keyStatuses } from './queries.ts'
import { SecretDialog, type ShownSecret } from './SecretDialog.tsx'

const route = getRouteApi('/_erp/settings/api-keys')
const colours = { active: 'success', expired: 'warning', revoked: 'default' } as const

export function ApiKeysPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const can = useCan()
  const keys = useQuery(apiKeysQuery(search))
  const [isMaking, setIsMaking] = useState(false)
  const [shown, setShown] = useState<ShownSecret | null>(null)
  return (
    <>
      <PageHeader
        title={t('menu.apiKeys')}
        actions={
          can('api-keys:add') && (
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setIsMaking(true)}>
              {t('apiKeys.create')}
            </Button>
          )
        }
      />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          placeholder={t('apiKeys.searchHint')}
          value={search.search ?? ''}
          onSearch={(text) => void navigate({ search: changedSearch(search, { search: text }) })}
        />
        <Labelled label={t('fields.status')}>
          <Select
            style={{ width: 160 }}
            value={search.status ?? ''}
            onChange={(status) => void navigate({ search: changedSearch(search, { status }) })}
            options={[
              { value: '', label: t('states.all') },
              ...keyStatuses.map((status) => ({ value: status, label: t(`apiKeys.status.${status}`) })),
            ]}
          />
        </Labelled>
      </div>
      {keys.isSuccess ? (
        <KeyTable
          list={keys.data}
          onSecret={setShown}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={keys} />
      )}
      {isMaking && <NewKeyDialog onMade={setShown} onClose={() => setIsMaking(false)} />}
      {shown && <SecretDialog shown={shown} onClose={() => setShown(null)} />}
    </>
  )
}

interface KeyTableProps {
  list: ApiKeyList
  onSecret: (shown: ShownSecret) => void
  onPage: (page: number) => void
}

function KeyTable({ list, onSecret, onPage }: KeyTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      dataSource={list.apiKeys}
      empty={t('apiKeys.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('fields.name'), render: (_, key) => <KeyName apiKey={key} /> },
        { title: t('fields.status'), render: (_, key) => <KeyStatus apiKey={key} /> },
        { title: t('apiKeys.scopes'), render: (_, { scopes }) => <Scopes scopes={scopes} /> },
        { title: t('apiKeys.companies'), render: (_, key) => <KeyCompanies apiKey={key} /> },
        {
          title: t('apiKeys.expiresAt'),
          render: (_, { expiresAt }) => formats.instant(expiresAt) || t('apiKeys.never'),
        },
        { title: t('apiKeys.lastUsed'), render: (_, key) => <LastUse apiKey={key} /> },
        { title: t('apiKeys.createdBy'), render: (_, { createdByName }) => createdByName ?? '–' },
        { title: '', width: 48, render: (_, key) => <KeyActions apiKey={key} onSecret={onSecret} /> },
      ]}
    />
  )
}

function KeyName({ apiKey }: { apiKey: ApiKey }) {
  return (
    <>
      <div>{apiKey.name}</div>
      <Typography.Text type="secondary" className="ltr" style={{ fontSize: 12, whiteSpace: 'nowrap' }}>
        {apiKey.prefix.slice(0, 16)}…
      </Typography.Text>
    </>
  )
}

function KeyStatus({ apiKey }: { apiKey: ApiKey }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const { status, previousSecretEndsAt } = apiKey
  return (
    <>
      <Tag color={colours[status]}>{t(`apiKeys.status.${status}`)}</Tag>
      {status === 'active' && previousSecretEndsAt && (
        <div>
          <Typography.Text type="secondary" style={{ fontSize: 12 }}>
            {t('apiKeys.overlapUntil', { at: formats.instant(previousSecretEndsAt) })}
          </Typography.Text>
        </div>
      )}
    </>
  )
}

function Scopes({ scopes }: { scopes: string[] }) {
  const { t } = useTranslation()
  const [first] = scopes
  if (scopes.length === 1) return <Tag className="ltr">{first}</Tag>
  return (
    <Tooltip title={<span className="ltr">{scopes.join(', ')}</span>}>
      <Tag>{t('apiKeys.scopeCount', { count: scopes.length })}</Tag>
    </Tooltip>
  )
}

function KeyCompanies({ apiKey }: { apiKey: ApiKey }) {
  const { t } = useTranslation()
  const user = useUser()
  if (apiKey.allCompanies) return t('states.all')
  const known = new Map(user?.companies.map(({ id, code }) => [id, code]))
  return apiKey.companyIds.map((id) => (
    <Tag key={id} className="ltr">
      {known.get(id) ?? '…'}
    </Tag>
  ))
}

function LastUse({ apiKey }: { apiKey: ApiKey }) {
  const { t } = useTranslation()
  const formats = useFormats()
  if (apiKey.lastUsedAt === null) return t('apiKeys.notUsed')
  return (
    <>
      <div>{formats.instant(apiKey.lastUsedAt)}</div>
      <Typography.Text type="secondary" style={{ fontSize: 12 }}>
        {t('apiKeys.usedFrom', { address: apiKey.lastUsedAddress ?? '' })}
      </Typography.Text>
    </>
  )
}
