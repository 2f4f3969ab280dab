import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Alert, App, Button, Space, Switch, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable } from '../../shared/ListTable.tsx'
import type { Approval, ApprovalList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { operatorSession } from '../../shared/session.ts'
import { QueryState } from '../../shared/states.tsx'
import { useStored } from '../../shared/stored.ts'
import { OperationModal } from '../operations/OperationModal.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { approvalsQuery, useDecision, type Decision } from './queries.ts'

const route = getRouteApi('/operator/approvals')

const colours: Record<Approval['state'], string> = {
  pending: 'warning',
  approved: 'processing',
  executing: 'processing',
  executed: 'success',
  failed: 'error',
  rejected: 'default',
  expired: 'default',
}

interface Asked {
  approval: Approval
  decision: Decision
}

export function ApprovalsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const includeDecided = search.status === 'all'
  const approvals = useQuery(
    approvalsQuery({ includeDecided, ...(search.page ? { page: search.page } : {}) }),
  )
  const [asked, setAsked] = useState<Asked | null>(null)
  const [operationId, setOperationId] = useState<string | null>(null)
  return (
    <>
      <PageHeader title={t('approvals.title')} />
      {approvals.data?.isRequired === false && (
        <Alert type="info" showIcon title={t('approvals.off')} style={{ marginBlockEnd: 16 }} />
      )}
      <div className="toolbar">
        <Labelled label={t('approvals.includeDecided')}>
          <Switch
            aria-label={t('approvals.includeDecided')}
            checked={includeDecided}
            onChange={(all) => void navigate({ search: all ? { status: 'all' } : {} })}
          />
        </Labelled>
      </div>
      {approvals.isSuccess ? (
        <ApprovalsTable
          list={approvals.data}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
          onAsk={setAsked}
          onOperation={setOperationId}
        />
      ) : (
        <QueryState query={approvals} />
      )}
      {asked && <DecisionDialog {...asked} onClose={() => setAsked(null)} />}
      {operationId && (
        <OperationModal title={t('approvals.title')} id={operationId} onClose={() => setOperationId(null)} />
      )}
    </>
  )
}

interface ApprovalsTableProps {
  list: ApprovalList
  onPage: (page: number) => void
  onAsk: (asked: Asked) => void
  onOperation: (id: string) => void
}

function ApprovalsTable({ list, onPage, onAsk, onOperation }: ApprovalsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      dataSource={list.approvals}
      empty={t('approvals.empty')}
      expandable={{ expandedRowRender: (approval) => <Details approval={approval} /> }}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('fields.createdAt'), render: (_, { createdAt }) => formats.instant(createdAt) },
        {
          title: t('approvals.what'),
          render: (_, { summary }) => (
            <span dir="auto" style={{ display: 'inline-block', minWidth: 220 }}>
              {summary}
            </span>
          ),
        },
        { title: t('operations.tenant'), render: (_, row) => <TenantLink {...row} /> },
        {
          title: t('approvals.requestedBy'),
          render: (_, { requestedBy }) => requestedBy ?? t('approvals.commandLine'),
        },
        { title: t('approvals.until'), render: (_, { expiresAt }) => formats.instant(expiresAt) },
        {
          title: t('fields.status'),
          render: (_, { state, error }) => (
            <Tooltip title={error}>
              <Tag color={colours[state]}>{t(`approvalStates.${state}`)}</Tag>
            </Tooltip>
          ),
        },
        {
          title: t('approvals.decidedBy'),
          render: (_, { decidedBy, decisionReason }) =>
            decidedBy && <Tooltip title={decisionReason}>{decidedBy}</Tooltip>,
        },
        {
          title: '',
          render: (_, approval) => <RowActions approval={approval} onAsk={onAsk} onOperation={onOperation} />,
        },
      ]}
    />
  )
}

function RowActions({
  approval,
  onAsk,
  onOperation,
}: { approval: Approval } & Pick<ApprovalsTableProps, 'onAsk' | 'onOperation'>) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const me = useStored(operatorSession).session?.person.id
  const { operationId, state, requestedById } = approval
  if (operationId) {
    return (
      <Button size="small" onClick={() => onOperation(operationId)}>
        {t('menu.operations')}
      </Button>
    )
  }
  if (state !== 'pending' || !can('approvals:decide')) return null
  const isOwn = requestedById === me
  return (
    <Space>
      <Tooltip title={isOwn ? t('approvals.own') : undefined}>
        <Button
          size="small"
          type="primary"
          disabled={isOwn}
          onClick={() => onAsk({ approval, decision: 'approve' })}
        >
          {t('approvals.approve')}
        </Button>
      </Tooltip>
      <Button size="small" danger onClick={() => onAsk({ approval, decision: 'reject' })}>
        {t(isOwn ? 'approvals.withdraw' : 'approvals.reject')}
      </Button>
    </Space>
  )
}

function Details({ approval }: { approval: Approval }) {
  const { t } = useTranslation()
  return (
    <Space orientation="vertical" style={{ width: '100%' }}>
      <Typography.Text strong>{t('approvals.details')}</Typography.Text>
      <Typography.Text className="ltr" code>
        {approval.path}
      </Typography.Text>
      <pre className="ltr" style={{ margin: 0, whiteSpace: 'pre-wrap', textAlign: 'left' }}>
        {JSON.stringify(JSON.parse(approval.input), null, 2)}
      </pre>
      {approval.error && (
        <Typography.Text type="danger" dir="auto">
          {approval.error}
        </Typography.Text>
      )}
    </Space>
  )
}

function DecisionDialog({ approval, decision, onClose }: Asked & { onClose: () => void }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const decide = useDecision()
  const isApproval = decision === 'approve'
  return (
    <ActionDialog<{ reason: string }>
      title={approval.summary}
      okText={t(`approvals.${decision}`)}
      consequence={
        isApproval
          ? t('approvals.approveConsequence', { what: approval.path })
          : t('approvals.rejectConsequence')
      }
      isDangerous={isApproval}
      {...(isApproval && approval.tenantCode ? { typedCode: approval.tenantCode } : {})}
      isPending={decide.isPending}
      onSubmit={({ reason }, handlers) =>
        decide.mutate(
          { id: approval.id, decision, reason },
          {
            ...handlers,
            onSuccess: ({ state, error }) => {
              handlers.onSuccess()
              if (state === 'executed') void message.success(t('approvals.approved'))
              if (state === 'failed') void message.error(t('approvals.failed', { why: error ?? '' }))
            },
          },
        )
      }
      onClose={onClose}
    >
      <ReasonField />
    </ActionDialog>
  )
}
