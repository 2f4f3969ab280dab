import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Drawer, Space, Tag, Tooltip } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { Restore, Tenant } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { OperationModal } from '../operations/OperationModal.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { restoresQuery, useDrill, useRestoreStep, type RestoreStep } from './careQueries.ts'
import { RestoreDifference } from './RestoreDifference.tsx'

const colours: Record<Restore['state'], string> = {
  restoring: 'processing',
  ready: 'success',
  swapping: 'processing',
  swapped: 'success',
  undone: 'default',
  cloned: 'success',
  proven: 'success',
  discarded: 'default',
  failed: 'error',
}

/** What can be done with a restore in which state; the server says the same. */
const offered: Partial<Record<Restore['state'], readonly RestoreStep[]>> = {
  ready: ['swap', 'discard'],
  swapped: ['undo', 'discard'],
}

export function TenantRestores({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  const [page, setPage] = useState(1)
  const [shown, setShown] = useState<Restore | null>(null)
  const [asked, setAsked] = useState<{ restore: Restore; step: RestoreStep } | null>(null)
  const [operationId, setOperationId] = useState<string | null>(null)
  const restores = useQuery(restoresQuery(tenant.id, page))
  if (!restores.isSuccess) return <QueryState query={restores} />
  return (
    <>
      <ListTable
        card={{
          title: t('restores.list'),
          extra: can('restores:create') && <DrillButton tenant={tenant} onBegun={setOperationId} />,
        }}
        dataSource={restores.data.restores}
        empty={t('restores.empty')}
        pages={restores.data.pagination}
        onPage={setPage}
        columns={[
          { title: t('fields.createdAt'), render: (_, { createdAt }) => formats.instant(createdAt) },
          { title: t('restores.mode'), render: (_, { mode }) => t(`restoreModes.${mode}`) },
          { title: t('fields.status'), render: (_, restore) => <RestoreStateTag restore={restore} /> },
          {
            title: t('restores.verified'),
            render: (_, { verification }) =>
              verification &&
              (verification.findings.length === 0
                ? t('restores.verifiedRows', {
                    tables: verification.tables,
                    rows: formats.number(verification.rows),
                  })
                : verification.findings.join('; ')),
          },
          { title: t('restores.keptUntil'), render: (_, { keptUntil }) => formats.instant(keptUntil) || '–' },
          {
            title: '',
            render: (_, restore) => (
              <Space wrap>
                {restore.difference && (
                  <Button size="small" onClick={() => setShown(restore)}>
                    {t('restores.difference')}
                  </Button>
                )}
                {restore.newTenantId && (
                  <Link to="/operator/tenants/$tenantId" params={{ tenantId: restore.newTenantId }}>
                    {t('restores.showClone')}
                  </Link>
                )}
                {can('restores:create') &&
                  offered[restore.state]?.map((step) => (
                    <Button
                      key={step}
                      size="small"
                      danger={step !== 'discard'}
                      onClick={() => setAsked({ restore, step })}
                    >
                      {t(`restoreSteps.${step}`)}
                    </Button>
                  ))}
              </Space>
            ),
          },
        ]}
      />
      <Drawer
        open={shown !== null}
        size={760}
        title={t('restores.difference')}
        onClose={() => setShown(null)}
      >
        {shown?.difference && <RestoreDifference difference={shown.difference} />}
      </Drawer>
      {asked && (
        <StepDialog tenant={tenant} {...asked} onBegun={setOperationId} onClose={() => setAsked(null)} />
      )}
      {operationId && (
        <OperationModal title={t('restores.list')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}

function RestoreStateTag({ restore: { state, error } }: { restore: Restore }) {
  const { t } = useTranslation()
  const tag = <Tag color={colours[state]}>{t(`restoreStates.${state}`)}</Tag>
  return error ? <Tooltip title={error}>{tag}</Tooltip> : tag
}

function DrillButton({ tenant, onBegun }: { tenant: Tenant; onBegun: (operationId: string) => void }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const drill = useDrill(tenant.id)
  return (
    <Tooltip title={t('restores.drillHint')}>
      <Button
        loading={drill.isPending}
        onClick={() =>
          drill.mutate(undefined, {
            onSuccess: ({ operationId }) => onBegun(operationId),
            onError: tellProblem,
          })
        }
      >
        {t('restores.drill')}
      </Button>
    </Tooltip>
  )
}

interface StepDialogProps {
  tenant: Tenant
  restore: Restore
  step: RestoreStep
  onBegun: (operationId: string) => void
  onClose: () => void
}

function StepDialog({ tenant, restore, step, onBegun, onClose }: StepDialogProps) {
  const { t } = useTranslation()
  const change = useRestoreStep()
  return (
    <ActionDialog
      title={t(`restoreSteps.${step}`)}
      okText={t(`restoreSteps.${step}`)}
      consequence={t(`restoreConsequences.${step}`)}
      isDangerous
      typedCode={tenant.tenantCode}
      isPending={change.isPending}
      onSubmit={(_, handlers) =>
        change.mutate(
          { id: restore.id, step },
          {
            ...handlers,
            onSuccess: ({ operationId }) => {
              handlers.onSuccess()
              if (step !== 'discard') onBegun(operationId)
            },
          },
        )
      }
      onClose={onClose}
    >
      <ApprovalNotice operation={`${step}Restore`} />
    </ActionDialog>
  )
}
