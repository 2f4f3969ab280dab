import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Button, Form, Select, Space, Tag, Tooltip } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { Move, Tenant } from '../../shared/model.ts'
import { QueryState } from '../../shared/states.tsx'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { ApprovalNotice } from '../approvals/ApprovalNotice.tsx'
import { OperationModal } from '../operations/OperationModal.tsx'
import { serversQuery } from '../servers/queries.ts'
import { useOperatorCan } from '../useOperator.ts'
import { movesQuery, useMove, useMoveStep, type MoveStep } from './careQueries.ts'

const colours: Record<Move['status'], string> = {
  running: 'processing',
  done: 'success',
  failed: 'error',
  undone: 'default',
}

export function TenantMoves({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  const [page, setPage] = useState(1)
  const [isMoving, setIsMoving] = useState(false)
  const [asked, setAsked] = useState<{ move: Move; step: MoveStep } | null>(null)
  const [operationId, setOperationId] = useState<string | null>(null)
  const moves = useQuery(movesQuery(tenant.id, page))
  if (!moves.isSuccess) return <QueryState query={moves} />
  const canMove = can('tenants:move') && tenant.databaseName !== null
  return (
    <>
      <ListTable
        card={{
          title: t('moves.list'),
          extra: canMove && (
            <Button type="primary" disabled={tenant.busyWith !== null} onClick={() => setIsMoving(true)}>
              {t('moves.begin')}
            </Button>
          ),
        }}
        dataSource={moves.data.moves}
        empty={t('moves.empty')}
        pages={moves.data.pagination}
        onPage={setPage}
        columns={[
          {
            title: t('fields.createdAt'),
            render: (_, move) => (
              <Button
                type="link"
                style={{ paddingInline: 0 }}
                onClick={() => setOperationId(move.operationId)}
              >
                {formats.instant(move.createdAt)}
              </Button>
            ),
          },
          { title: t('moves.from'), dataIndex: 'fromServerName' },
          { title: t('moves.to'), dataIndex: 'toServerName' },
          {
            title: t('fields.status'),
            render: (_, { status, error }) => (
              <Tooltip title={error}>
                <Tag color={colours[status]}>{t(`moveStatus.${status}`)}</Tag>
              </Tooltip>
            ),
          },
          {
            title: t('moves.held'),
            ...numeric,
            render: (_, { heldMilliseconds }) => formats.duration(heldMilliseconds) || '–',
          },
          { title: t('backups.rows'), ...numeric, render: (_, { rows }) => formats.number(rows) || '–' },
          { title: t('restores.keptUntil'), render: (_, { keptUntil }) => formats.instant(keptUntil) || '–' },
          {
            title: '',
            render: (_, move) =>
              canMove &&
              move.status === 'done' && (
                <Space>
                  <Button size="small" onClick={() => setAsked({ move, step: 'undo' })}>
                    {t('moveSteps.undo')}
                  </Button>
                  {move.keptUntil && (
                    <Button size="small" onClick={() => setAsked({ move, step: 'dropCopy' })}>
                      {t('moveSteps.dropCopy')}
                    </Button>
                  )}
                </Space>
              ),
          },
        ]}
      />
      {isMoving && <MoveDialog tenant={tenant} onBegun={setOperationId} onClose={() => setIsMoving(false)} />}
      {asked && (
        <StepDialog tenant={tenant} {...asked} onBegun={setOperationId} onClose={() => setAsked(null)} />
      )}
      {operationId && (
        <OperationModal title={t('moves.begin')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}

interface DialogProps {
  tenant: Tenant
  onBegun: (operationId: string) => void
  onClose: () => void
}

function MoveDialog({ tenant, onBegun, onClose }: DialogProps) {
  const { t } = useTranslation()
  const servers = useQuery(serversQuery({}))
  const move = useMove(tenant.id)
  const submission = useSubmissionKey()
  const others = servers.data?.servers.filter(({ id }) => id !== tenant.serverId) ?? []
  return (
    <ActionDialog<{ serverId: string }>
      title={t('moves.title', { name: tenant.companyName })}
      okText={t('moves.begin')}
      consequence={t('moves.consequence')}
      typedCode={tenant.tenantCode}
      isPending={move.isPending}
      onSubmit={({ serverId }, handlers) =>
        move.mutate(
          { serverId, submissionKey: submission.keyFor({ serverId }) },
          {
            ...handlers,
            onSuccess: ({ operationId }) => {
              handlers.onSuccess()
              onBegun(operationId)
            },
          },
        )
      }
      onClose={onClose}
    >
      <Form.Item
        name="serverId"
        label={t('moves.to')}
        rules={[{ required: true, message: t('validation.required') }]}
      >
        <Select
          loading={servers.isPending}
          notFoundContent={t('moves.noServer')}
          options={others.map(({ id, name, state }) => ({
            value: id,
            label: `${name} – ${t(`serverStates.${state}`)}`,
            disabled: state !== 'active',
          }))}
        />
      </Form.Item>
    </ActionDialog>
  )
}

function StepDialog({ tenant, move, step, onBegun, onClose }: DialogProps & { move: Move; step: MoveStep }) {
  const { t } = useTranslation()
  const change = useMoveStep(tenant.id)
  return (
    <ActionDialog
      title={t(`moveSteps.${step}`)}
      okText={t(`moveSteps.${step}`)}
      consequence={t(`moveConsequences.${step}`)}
      isDangerous={step === 'dropCopy'}
      isPending={change.isPending}
      onSubmit={(_, handlers) =>
        change.mutate(
          { moveId: move.id, step },
          {
            ...handlers,
            onSuccess: ({ operationId }) => {
              handlers.onSuccess()
              if (step === 'undo') onBegun(operationId)
            },
          },
        )
      }
      onClose={onClose}
    >
      {step === 'dropCopy' && <ApprovalNotice operation="dropKeptCopy" />}
    </ActionDialog>
  )
}
