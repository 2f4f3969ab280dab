import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Alert, Button, Card, Descriptions, Space } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { FleetMigrationDetail, TenantMigration } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { CountsProgress, FleetProgress, FleetStatusTag } from './FleetPage.tsx'
import {
  fleetMigrationQuery,
  useFleetStep,
  useRetryTenants,
  useSkipTenants,
  type FleetStep,
} from './queries.ts'

const route = getRouteApi('/operator/fleet/$migrationId')

export function FleetMigrationPage() {
  const { migrationId } = route.useParams()
  const migration = useQuery(fleetMigrationQuery(migrationId))
  if (!migration.isSuccess) return <QueryState query={migration} />
  return <MigrationDetail migration={migration.data} />
}

function MigrationDetail({ migration }: { migration: FleetMigrationDetail }) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const formats = useFormats()
  const navigate = useNavigate()
  return (
    <>
      <PageHeader
        title={t('fleet.migrationOf', { at: formats.instant(migration.createdAt) })}
        tag={<FleetStatusTag status={migration.status} />}
        onBack={() => void navigate({ to: '/operator/fleet' })}
        actions={can('fleet:migrate') && <Steps migration={migration} />}
      />
      {migration.statusReason && (
        <Alert
          type={migration.status === 'stopped' || migration.status === 'failed' ? 'error' : 'info'}
          showIcon
          style={{ marginBlockEnd: 16 }}
          title={t(`fleetStatus.${migration.status}`)}
          description={migration.statusReason}
        />
      )}
      <Facts migration={migration} />
      <WavesTable migration={migration} />
      {migration.failures.length > 0 && <Failures migration={migration} />}
    </>
  )
}

/** Which steps make sense in which state; the server says the same. */
const offered: Record<FleetMigrationDetail['status'], readonly FleetStep[]> = {
  running: ['pause'],
  paused: ['resume', 'cancel'],
  stopped: ['resume', 'retry', 'cancel'],
  failed: ['retry', 'rollback'],
  done: ['rollback'],
  cancelled: ['rollback'],
}

function Steps({ migration }: { migration: FleetMigrationDetail }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const [asking, setAsking] = useState<FleetStep | null>(null)
  const change = useFleetStep(migration.id)
  const navigate = useNavigate()
  const isUndone = migration.rolledBackById !== null || migration.direction === 'down'
  const steps = offered[migration.status].filter((step) => step !== 'rollback' || !isUndone)
  const take = (step: FleetStep) =>
    step === 'resume' || step === 'retry'
      ? change.mutate({ step }, { onError: tellProblem })
      : setAsking(step)
  return (
    <>
      {steps.map((step) => (
        <Button
          key={step}
          type={step === 'resume' ? 'primary' : 'default'}
          danger={step === 'rollback' || step === 'cancel'}
          loading={change.isPending}
          onClick={() => take(step)}
        >
          {t(`fleetSteps.${step}`)}
        </Button>
      ))}
      {asking && (
        <ActionDialog<{ reason: string }>
          title={t(`fleetSteps.${asking}`)}
          okText={t(`fleetSteps.${asking}`)}
          consequence={t(`fleetConsequences.${asking}` as 'fleetConsequences.pause')}
          isDangerous={asking !== 'pause'}
          isPending={change.isPending}
          onSubmit={({ reason }, handlers) =>
            change.mutate(
              { step: asking, reason },
              {
                ...handlers,
                onSuccess: ({ id }) => {
                  handlers.onSuccess()
                  // Rolling back is a fleet migration of its own.
                  if (id !== migration.id)
                    void navigate({ to: '/operator/fleet/$migrationId', params: { migrationId: id } })
                },
              },
            )
          }
          onClose={() => setAsking(null)}
        >
          {asking === 'rollback' && <ApprovalNotice operation="rollBackFleetMigration" />}
          <ReasonField />
        </ActionDialog>
      )}
    </>
  )
}

function Facts({ migration }: { migration: FleetMigrationDetail }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <Card style={{ marginBlockEnd: 16 }} aria-live="polite">
      <FleetProgress migration={migration} />
      <Descriptions
        column={{ xs: 1, sm: 2, md: 4 }}
        items={[
          {
            key: 'direction',
            label: t('fleet.direction'),
            children: t(`fleetDirections.${migration.direction}`),
          },
          {
            key: 'target',
            label: t('fleet.targetVersion'),
            children: <span className="ltr">{migration.targetVersion ?? '–'}</span>,
          },
          { key: 'parallel', label: t('fleet.parallel'), children: migration.parallel },
          { key: 'limit', label: t('fleet.failurePercent'), children: `${migration.failurePercent} %` },
          { key: 'waiting', label: t('fleet.waiting'), children: migration.counts.waiting },
          { key: 'done', label: t('fleet.done'), children: migration.counts.done },
          { key: 'failed', label: t('fleet.failed'), children: migration.counts.failed },
          { key: 'skipped', label: t('fleet.skipped'), children: migration.counts.skipped },
          {
            key: 'finished',
            label: t('fleet.finishedAt'),
            children: formats.instant(migration.finishedAt) || '–',
          },
          ...(migration.rolledBackById
            ? [
                {
                  key: 'rolledBack',
                  label: t('fleet.rolledBack'),
                  children: (
                    <Link
                      to="/operator/fleet/$migrationId"
                      params={{ migrationId: migration.rolledBackById }}
                    >
                      {t('fleet.show')}
                    </Link>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Card>
  )
}

function WavesTable({ migration }: { migration: FleetMigrationDetail }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      card={{ title: t('fleet.waves'), style: { marginBlockEnd: 16 } }}
      rowKey="number"
      dataSource={migration.waves}
      columns={[
        { title: t('fleet.wave'), width: 80, dataIndex: 'number' },
        { title: t('fields.name'), dataIndex: 'name' },
        { title: t('fields.status'), render: (_, { status }) => t(`waveStatus.${status}`) },
        {
          title: t('fleet.progress'),
          width: 240,
          render: (_, { status, ...counts }) => (
            <CountsProgress
              counts={counts}
              isActive={status === 'running'}
              label={t('fleet.progressOf', { done: counts.done + counts.skipped, total: counts.total })}
            />
          ),
        },
        { title: t('fleet.startedAt'), render: (_, { startedAt }) => formats.instant(startedAt) || '–' },
        { title: t('fleet.finishedAt'), render: (_, { finishedAt }) => formats.instant(finishedAt) || '–' },
      ]}
    />
  )
}

function Failures({ migration }: { migration: FleetMigrationDetail }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const can = useOperatorCan()
  const [skipping, setSkipping] = useState<TenantMigration | null>(null)
  const retry = useRetryTenants(migration.id)
  const skip = useSkipTenants(migration.id)
  const retryOne = (tenantId: string) => retry.mutate([tenantId], { onError: tellProblem })
  return (
    <>
      <ListTable
        card={{ title: t('fleet.failures') }}
        rowKey="tenantId"
        dataSource={migration.failures}
        columns={[
          { title: t('operations.tenant'), render: (_, row) => <TenantLink {...row} /> },
          { title: t('fleet.wave'), width: 80, dataIndex: 'wave' },
          {
            title: t('fleet.version'),
            render: (_, row) => <span className="ltr">{row.currentVersion}</span>,
          },
          { title: t('fleet.attempts'), width: 90, dataIndex: 'attempts' },
          { title: t('fields.reason'), render: (_, { error }) => <span className="ltr">{error}</span> },
          {
            title: '',
            render: (_, failure) =>
              can('fleet:migrate') && (
                <Space>
                  <Button size="small" onClick={() => retryOne(failure.tenantId)}>
                    {t('fleetSteps.retry')}
                  </Button>
                  <Button size="small" onClick={() => setSkipping(failure)}>
                    {t('fleet.skip')}
                  </Button>
                </Space>
              ),
          },
        ]}
      />
      {skipping && (
        <ActionDialog<{ reason: string }>
          title={t('fleet.skipTitle', { code: skipping.tenantCode })}
          okText={t('fleet.skip')}
          consequence={t('fleet.skipConsequence')}
          isPending={skip.isPending}
          onSubmit={({ reason }, handlers) =>
            skip.mutate({ tenantIds: [skipping.tenantId], reason }, handlers)
          }
          onClose={() => setSkipping(null)}
        >
          <ReasonField />
        </ActionDialog>
      )}
    </>
  )
}
