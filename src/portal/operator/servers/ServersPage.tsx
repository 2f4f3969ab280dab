import { useState } from 'react'
import { MoreOutlined, PlusOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { App, Button, Dropdown, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { Server, ServerList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { SearchBox } from '../../shared/SearchBox.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useOperatorCan } from '../useOperator.ts'
import { AddServerDialog } from './AddServerDialog.tsx'
import { serversQuery, useCheckServer, useRemoveServer, useServerState } from './queries.ts'

const route = getRouteApi('/operator/servers')

export function ServersPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const can = useOperatorCan()
  const servers = useQuery(serversQuery(search))
  const [isAdding, setIsAdding] = useState(false)
  return (
    <>
      <PageHeader
        title={t('menu.servers')}
        actions={
          can('servers:manage') && (
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setIsAdding(true)}>
              {t('servers.add')}
            </Button>
          )
        }
      />
      <div className="toolbar">
        <SearchBox
          label={t('actions.search')}
          placeholder={t('servers.searchHint')}
          value={search.search ?? ''}
          onSearch={(text) => void navigate({ search: changedSearch(search, { search: text }) })}
        />
      </div>
      {servers.isSuccess ? (
        <ServersTable
          list={servers.data}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={servers} />
      )}
      {isAdding && <AddServerDialog onClose={() => setIsAdding(false)} />}
    </>
  )
}

function ServersTable({ list, onPage }: { list: ServerList; onPage: (page: number) => void }) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  return (
    <ListTable
      dataSource={list.servers}
      empty={t('servers.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('fields.name'), render: (_, server) => <ServerName server={server} /> },
        { title: t('fields.status'), render: (_, { state }) => <ServerStateTag state={state} /> },
        { title: t('servers.kind'), render: (_, { kind }) => t(`serverKinds.${kind}`) },
        { title: t('servers.region'), render: (_, { region }) => region ?? '–' },
        {
          title: t('servers.tenants'),
          ...numeric,
          render: (_, { tenants, databaseLimit }) =>
            databaseLimit === null ? tenants : `${tenants} / ${databaseLimit}`,
        },
        { title: t('servers.connections'), ...numeric, render: (_, { health }) => health.connections ?? '–' },
        { title: t('servers.health'), render: (_, server) => <Health server={server} /> },
        {
          title: '',
          width: 48,
          render: (_, server) => can('servers:manage') && <ServerActions server={server} />,
        },
      ]}
    />
  )
}

function ServerName({ server }: { server: Server }) {
  const { t } = useTranslation()
  return (
    <>
      <div className="ltr">{server.name}</div>
      <Typography.Text type="secondary" className="ltr">
        {server.isConfigured ? t('servers.configured') : `${server.host}:${server.port}`}
      </Typography.Text>
    </>
  )
}

const stateColours = { active: 'success', draining: 'warning', full: 'default' } as const

export function ServerStateTag({ state }: { state: Server['state'] }) {
  const { t } = useTranslation()
  return <Tag color={stateColours[state]}>{t(`serverStates.${state}`)}</Tag>
}

function Health({ server: { health } }: { server: Server }) {
  const { t } = useTranslation()
  const formats = useFormats()
  if (health.isReachable === null) return <Tag>{t('servers.notLookedAt')}</Tag>
  return (
    <>
      <Tag color={health.isReachable ? 'success' : 'error'}>
        {health.isReachable ? t('servers.reachable') : t('servers.unreachable')}
      </Tag>
      {health.version && <span className="ltr">PostgreSQL {health.version}</span>}
      <div>
        <Typography.Text type={health.isReachable ? 'secondary' : 'danger'}>
          {health.lastError ?? t('servers.lookedAt', { at: formats.instant(health.checkedAt) })}
        </Typography.Text>
      </div>
    </>
  )
}

function ServerActions({ server }: { server: Server }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const [dialog, setDialog] = useState<'drain' | 'remove' | null>(null)
  const change = useServerState()
  const check = useCheckServer()
  const remove = useRemoveServer()
  const tell = useTellProblem()
  const actions: Record<string, () => void> = {
    check: () =>
      check.mutate(server.id, {
        onError: tell,
        onSuccess: ({ health }) =>
          void (health.isReachable
            ? message.success(t('servers.reachable'))
            : message.warning(health.lastError ?? t('servers.unreachable'))),
      }),
    drain: () => setDialog('drain'),
    accept: () => change.mutate({ id: server.id, state: 'active' }, { onError: tell }),
    remove: () => setDialog('remove'),
  }
  return (
    <>
      <Dropdown
        trigger={['click']}
        menu={{
          onClick: ({ key }) => actions[key]?.(),
          items: [
            { key: 'check', label: t('servers.check') },
            server.state === 'active'
              ? { key: 'drain', label: t('servers.drain') }
              : { key: 'accept', label: t('servers.accept') },
            ...(server.isConfigured
              ? []
              : [{ key: 'remove', label: t('servers.remove'), danger: true, disabled: server.tenants > 0 }]),
          ],
        }}
      >
        <Button
          type="text"
          icon={<MoreOutlined />}
          loading={check.isPending}
          aria-label={t('actions.moreFor', { name: server.name })}
        />
      </Dropdown>
      {dialog === 'drain' && (
        <ActionDialog
          title={t('servers.drainTitle', { name: server.name })}
          okText={t('servers.drain')}
          consequence={t('servers.drainConsequence')}
          isPending={change.isPending}
          onSubmit={(_, handlers) => change.mutate({ id: server.id, state: 'draining' }, handlers)}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog === 'remove' && (
        <ActionDialog
          title={t('servers.removeTitle', { name: server.name })}
          okText={t('servers.remove')}
          consequence={t('servers.removeConsequence')}
          isDangerous
          typedCode={server.name}
          isPending={remove.isPending}
          onSubmit={(_, handlers) => remove.mutate(server.id, handlers)}
          onClose={() => setDialog(null)}
        />
      )}
    </>
  )
}
