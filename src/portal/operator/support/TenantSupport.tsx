import { useState, type ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Button, Form, Input, InputNumber, Modal, Radio, Space, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { SupportSession, SupportSessionList, Tenant } from '../../shared/model.ts'
import { operatorSession } from '../../shared/session.ts'
import { QueryState } from '../../shared/states.tsx'
import { useStored } from '../../shared/stored.ts'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useOperatorCan } from '../useOperator.ts'
import {
  supportSessionsQuery,
  useBeginSupport,
  useEndSupport,
  useEntry,
  type SupportWish,
} from './queries.ts'

interface Entry {
  url: string
  code: string
}

const accesses = ['read', 'write'] as const
const REASON_LENGTH_MINIMUM = 10

/** Who has been in the tenant's account, and entering it. */
export function TenantSupport({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const can = useOperatorCan()
  const [page, setPage] = useState(1)
  const [isBeginning, setIsBeginning] = useState(false)
  const [entry, setEntry] = useState<Entry | null>(null)
  const [ending, setEnding] = useState<SupportSession | null>(null)
  const sessions = useQuery(supportSessionsQuery(tenant.id, page))
  if (!sessions.isSuccess) return <QueryState query={sessions} />
  const isOpen = tenant.status === 'active' || tenant.status === 'read_only'
  return (
    <>
      <SessionsTable
        list={sessions.data}
        begin={
          can('support-sessions:add') &&
          isOpen && (
            <Button type="primary" onClick={() => setIsBeginning(true)}>
              {t('support.begin')}
            </Button>
          )
        }
        onPage={setPage}
        onEntry={setEntry}
        onEnd={setEnding}
      />
      {isBeginning && (
        <BeginDialog tenant={tenant} onBegun={setEntry} onClose={() => setIsBeginning(false)} />
      )}
      {entry && <EntryModal entry={entry} onClose={() => setEntry(null)} />}
      {ending && <EndDialog session={ending} onClose={() => setEnding(null)} />}
    </>
  )
}

interface SessionsTableProps {
  list: SupportSessionList
  begin: ReactNode
  onPage: (page: number) => void
  onEntry: (entry: Entry) => void
  onEnd: (session: SupportSession) => void
}

function SessionsTable({ list, begin, onPage, onEntry, onEnd }: SessionsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      card={{ title: t('support.title'), extra: begin }}
      dataSource={list.supportSessions}
      empty={t('support.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('support.operator'), dataIndex: 'operatorName' },
        { title: t('fields.reason'), render: (_, { reason }) => <span dir="auto">{reason}</span> },
        { title: t('support.access'), render: (_, { access }) => t(`supportAccesses.${access}`) },
        { title: t('support.began'), render: (_, { createdAt }) => formats.instant(createdAt) },
        {
          title: t('support.until'),
          render: (_, { endedAt, expiresAt }) => formats.instant(endedAt ?? expiresAt),
        },
        {
          title: t('support.requests'),
          ...numeric,
          render: (_, { requestCount }) => formats.number(requestCount) || '–',
        },
        {
          title: t('fields.status'),
          render: (_, { state, endReason }) => (
            <Tooltip title={endReason}>
              <Tag color={state === 'active' ? 'warning' : state === 'refused' ? 'error' : 'default'}>
                {t(`supportStates.${state}`)}
              </Tag>
            </Tooltip>
          ),
        },
        {
          title: '',
          render: (_, session) => <RowActions session={session} onEntry={onEntry} onEnd={onEnd} />,
        },
      ]}
    />
  )
}

function RowActions({
  session,
  onEntry,
  onEnd,
}: { session: SupportSession } & Pick<SessionsTableProps, 'onEntry' | 'onEnd'>) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const can = useOperatorCan()
  const me = useStored(operatorSession).session?.person.id
  const enter = useEntry()
  if (session.state !== 'active' || !can('support-sessions:add')) return null
  return (
    <Space>
      {session.operatorId === me && (
        <Button
          size="small"
          loading={enter.isPending}
          onClick={() =>
            enter.mutate(session.id, {
              onSuccess: onEntry,
              onError: tellProblem,
            })
          }
        >
          {t('support.openAgain')}
        </Button>
      )}
      <Button size="small" danger onClick={() => onEnd(session)}>
        {t('support.end')}
      </Button>
    </Space>
  )
}

function BeginDialog({
  tenant,
  onBegun,
  onClose,
}: {
  tenant: Tenant
  onBegun: (entry: Entry) => void
  onClose: () => void
}) {
  const { t } = useTranslation()
  const begin = useBeginSupport(tenant.id)
  return (
    <ActionDialog<SupportWish>
      title={t('support.beginTitle', { name: tenant.companyName })}
      okText={t('support.begin')}
      consequence={t('support.consequence')}
      isPending={begin.isPending}
      initialValues={{ minutes: 60, access: 'read' }}
      onSubmit={({ companyCode, ...wish }, handlers) =>
        begin.mutate(companyCode ? { ...wish, companyCode } : wish, {
          ...handlers,
          onSuccess: ({ entry }) => {
            handlers.onSuccess()
            onBegun(entry)
          },
        })
      }
      onClose={onClose}
    >
      <Form.Item
        name="reason"
        label={t('support.reason')}
        rules={[
          { required: true, min: REASON_LENGTH_MINIMUM, whitespace: true, message: t('support.reasonHint') },
        ]}
      >
        <Input.TextArea rows={2} maxLength={500} autoFocus />
      </Form.Item>
      <Form.Item name="access" label={t('support.access')}>
        <Radio.Group>
          <Space orientation="vertical">
            {accesses.map((access) => (
              <Radio key={access} value={access}>
                {t(`supportAccesses.${access}`)}
                <br />
                <Typography.Text type="secondary">{t(`supportAccessHints.${access}`)}</Typography.Text>
              </Radio>
            ))}
          </Space>
        </Radio.Group>
      </Form.Item>
      <Form.Item
        name="minutes"
        label={t('support.minutes')}
        rules={[{ required: true, message: t('validation.required') }]}
      >
        <InputNumber min={5} max={240} precision={0} />
      </Form.Item>
      <Form.Item name="companyCode" label={t('support.companyCode')} extra={t('support.companyCodeHint')}>
        <Input maxLength={40} dir="ltr" />
      </Form.Item>
    </ActionDialog>
  )
}

/** A link of its own: browsers open tabs only for a click. The code is behind the #, which no server is sent. */
function EntryModal({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { t } = useTranslation()
  return (
    <Modal open title={t('support.openTitle')} footer={null} onCancel={onClose}>
      <Typography.Paragraph>{t('support.openText')}</Typography.Paragraph>
      <Button
        type="primary"
        href={`${entry.url}#${entry.code}`}
        target="_blank"
        rel="noopener noreferrer"
        onClick={onClose}
      >
        {t('support.open')}
      </Button>
    </Modal>
  )
}

function EndDialog({ session, onClose }: { session: SupportSession; onClose: () => void }) {
  const { t } = useTranslation()
  const end = useEndSupport()
  return (
    <ActionDialog
      title={t('support.endTitle')}
      okText={t('support.end')}
      consequence={t('support.endConsequence')}
      isDangerous
      isPending={end.isPending}
      onSubmit={(_, handlers) => end.mutate(session.id, handlers)}
      doneText={t('support.ended')}
      onClose={onClose}
    />
  )
}
