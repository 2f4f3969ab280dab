import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Button, Card, Descriptions, Form, InputNumber, Progress, Table, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { FleetMigration, FleetMigrationList, FleetPlan } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { fleetMigrationsQuery, fleetPlanQuery, isRunning, useStartFleetMigration } from './queries.ts'

const route = getRouteApi('/operator/fleet')

export function FleetPage() {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const { page = 1 } = route.useSearch()
  const navigate = route.useNavigate()
  const plan = useQuery(fleetPlanQuery)
  const migrations = useQuery(fleetMigrationsQuery(page))
  const [isStarting, setIsStarting] = useState(false)
  return (
    <>
      <PageHeader
        title={t('menu.fleet')}
        actions={
          <>
            <Link to="/operator/fleet/schema">
              <Button>{t('schema.title')}</Button>
            </Link>
            {can('fleet:migrate') && (
              <Button
                type="primary"
                disabled={!plan.data || plan.data.behind === 0}
                onClick={() => setIsStarting(true)}
              >
                {t('fleet.start')}
              </Button>
            )}
          </>
        }
      />
      {plan.isSuccess ? <PlanCard plan={plan.data} /> : <QueryState query={plan} />}
      <h2 className="section">{t('fleet.migrations')}</h2>
      {migrations.isSuccess ? (
        <MigrationsTable list={migrations.data} onPage={(page) => void navigate({ search: { page } })} />
      ) : (
        <QueryState query={migrations} />
      )}
      {isStarting && plan.data && <StartDialog plan={plan.data} onClose={() => setIsStarting(false)} />}
    </>
  )
}

function PlanCard({ plan }: { plan: FleetPlan }) {
  const { t } = useTranslation()
  return (
    <Card title={t('fleet.plan')}>
      <Descriptions
        column={{ xs: 1, sm: 2, md: 4 }}
        items={[
          {
            key: 'target',
            label: t('fleet.targetVersion'),
            children: <span className="ltr">{plan.targetVersion}</span>,
          },
          { key: 'current', label: t('fleet.current'), children: `${plan.current} / ${plan.tenants}` },
          {
            key: 'behind',
            label: t('fleet.behind'),
            children: (
              <Typography.Text {...(plan.behind > 0 ? { type: 'warning' } : {})}>
                {plan.behind}
              </Typography.Text>
            ),
          },
          { key: 'ahead', label: t('fleet.ahead'), children: plan.ahead },
        ]}
      />
      {plan.versions.length > 1 && (
        <Table
          rowKey={({ version }) => version ?? ''}
          size="small"
          style={{ marginBlockStart: 16 }}
          pagination={false}
          scroll={{ x: true }}
          dataSource={plan.versions}
          columns={[
            {
              title: t('fleet.version'),
              render: (_, { version }) => <span className="ltr">{version ?? '–'}</span>,
            },
            { title: t('fleet.tenants'), ...numeric, width: 120, dataIndex: 'tenants' },
            {
              title: t('fleet.pending'),
              render: (_, { pendingMigrations }) => (
                <span className="ltr">{pendingMigrations.join(', ') || '–'}</span>
              ),
            },
          ]}
        />
      )}
      {plan.behind > 0 && <Waves waves={plan.waves} />}
    </Card>
  )
}

function Waves({ waves }: { waves: FleetPlan['waves'] }) {
  const { t } = useTranslation()
  return (
    <Table
      rowKey="number"
      size="small"
      style={{ marginBlockStart: 16 }}
      pagination={false}
      scroll={{ x: true }}
      dataSource={waves}
      columns={[
        { title: t('fleet.wave'), width: 80, dataIndex: 'number' },
        { title: t('fields.name'), dataIndex: 'name' },
        { title: t('fleet.tenants'), ...numeric, width: 120, dataIndex: 'tenants' },
        {
          title: t('fleet.who'),
          render: (_, { tenantCodes, tenants }) => (
            <span className="ltr">
              {tenantCodes.slice(0, 8).join(', ')}
              {tenants > 8 && ' …'}
            </span>
          ),
        },
      ]}
    />
  )
}

function MigrationsTable({ list, onPage }: { list: FleetMigrationList; onPage: (page: number) => void }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      dataSource={list.fleetMigrations}
      empty={t('fleet.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        {
          title: t('fields.createdAt'),
          render: (_, { id, createdAt }) => (
            <Link to="/operator/fleet/$migrationId" params={{ migrationId: id }}>
              {formats.instant(createdAt)}
            </Link>
          ),
        },
        { title: t('fleet.direction'), render: (_, { direction }) => t(`fleetDirections.${direction}`) },
        { title: t('fields.status'), render: (_, { status }) => <FleetStatusTag status={status} /> },
        {
          title: t('fleet.progress'),
          width: 220,
          render: (_, migration) => <FleetProgress migration={migration} />,
        },
        {
          title: t('fleet.failed'),
          ...numeric,
          render: (_, { counts }) =>
            counts.failed > 0 ? <Typography.Text type="danger">{counts.failed}</Typography.Text> : 0,
        },
        { title: t('fleet.finishedAt'), render: (_, { finishedAt }) => formats.instant(finishedAt) || '–' },
      ]}
    />
  )
}

export function FleetProgress({ migration }: { migration: Pick<FleetMigration, 'counts' | 'status'> }) {
  const { t } = useTranslation()
  const { counts, status } = migration
  return (
    <CountsProgress
      counts={counts}
      isActive={isRunning({ status })}
      label={t('fleet.progressOf', { done: counts.done + counts.skipped, total: counts.total })}
    />
  )
}

interface CountsProgressProps {
  counts: Pick<FleetMigration['counts'], 'done' | 'failed' | 'skipped' | 'total'>
  isActive: boolean
  label: string
}

export function CountsProgress({ counts, isActive, label }: CountsProgressProps) {
  const { done, failed, skipped, total } = counts
  const percent = (part: number) => (total === 0 ? 100 : Math.round((part / total) * 100))
  const status =
    failed > 0 ? 'exception' : isActive ? 'active' : done + skipped === total ? 'success' : 'normal'
  return (
    <Progress
      size="small"
      percent={percent(done + skipped + failed)}
      success={{ percent: percent(done + skipped) }}
      status={status}
      format={() => <span className="ltr">{`${done + skipped}/${total}`}</span>}
      aria-label={label}
    />
  )
}

const colours: Record<FleetMigration['status'], string> = {
  running: 'processing',
  paused: 'warning',
  stopped: 'error',
  done: 'success',
  failed: 'error',
  cancelled: 'default',
}

export function FleetStatusTag({ status }: { status: FleetMigration['status'] }) {
  const { t } = useTranslation()
  return <Tag color={colours[status]}>{t(`fleetStatus.${status}`)}</Tag>
}

function StartDialog({ plan, onClose }: { plan: FleetPlan; onClose: () => void }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const start = useStartFleetMigration()
  return (
    <ActionDialog<{ parallel?: number | null; failurePercent?: number | null }>
      title={t('fleet.startTitle', { count: plan.behind })}
      okText={t('fleet.start')}
      consequence={t('fleet.startConsequence', { waves: plan.waves.length })}
      isPending={start.isPending}
      onSubmit={({ parallel, failurePercent }, handlers) =>
        start.mutate(
          {
            ...(parallel ? { parallel } : {}),
            ...(typeof failurePercent === 'number' ? { failurePercent } : {}),
          },
          {
            ...handlers,
            onSuccess: ({ id }) => {
              handlers.onSuccess()
              if (id) void navigate({ to: '/operator/fleet/$migrationId', params: { migrationId: id } })
            },
          },
        )
      }
      onClose={onClose}
    >
      <Form.Item name="parallel" label={t('fleet.parallel')} extra={t('fleet.defaultHint')}>
        <InputNumber min={1} max={100} precision={0} style={{ width: '100%' }} />
      </Form.Item>
      <Form.Item name="failurePercent" label={t('fleet.failurePercent')} extra={t('fleet.defaultHint')}>
        <InputNumber min={0} max={100} precision={0} style={{ width: '100%' }} />
      </Form.Item>
    </ActionDialog>
  )
}
