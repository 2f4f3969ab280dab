import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { App, Button, Card, Descriptions, Select, Space, Switch, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import type { SupportAccess } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { useCan } from '../useCompany.ts'
import { supportAccessQuery, useConsent, useSendAway } from './queries.ts'

type Visit = SupportAccess['sessions'][number]

const HOUR_MS = 3_600_000
const choices = [4, 24, 72, 168]

export function SupportAccessPage() {
  const { t } = useTranslation()
  const access = useQuery(supportAccessQuery)
  return (
    <>
      <PageHeader title={t('supportAccess.title')} />
      {access.isSuccess ? (
        <>
          <Consent access={access.data} />
          <Visits visits={access.data.sessions} />
        </>
      ) : (
        <QueryState query={access} />
      )}
    </>
  )
}

function Consent({ access }: { access: SupportAccess }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const formats = useFormats()
  const mayEdit = useCan()('support-access:edit')
  const consent = useConsent()
  const [hours, setHours] = useState(choices[0] ?? 4)
  const save = (body: { allowsSupport?: boolean; writeUntil?: string | null }) =>
    consent.mutate(body, {
      onSuccess: () => void message.success(t('supportAccess.saved')),
      onError: tellProblem,
    })
  return (
    <Card style={{ marginBlockEnd: 16 }}>
      <Typography.Paragraph>{t('supportAccess.intro')}</Typography.Paragraph>
      <Space align="center">
        <Switch
          aria-label={t('supportAccess.allows')}
          checked={access.allowsSupport}
          disabled={!mayEdit}
          loading={consent.isPending}
          onChange={(allowsSupport) => save({ allowsSupport })}
        />
        {t(access.allowsSupport ? 'supportAccess.allows' : 'supportAccess.refused')}
      </Space>
      {access.allowsSupport && (
        <>
          <h2 className="section">{t('supportAccess.write')}</h2>
          <Typography.Paragraph>
            {access.mayChangeNow
              ? t('supportAccess.writeUntil', { until: formats.instant(access.writeUntil) })
              : t('supportAccess.writeNone')}{' '}
            <Typography.Text type="secondary">{t('supportAccess.writeNever')}</Typography.Text>
          </Typography.Paragraph>
          {mayEdit && (
            <div className="toolbar" style={{ marginBlockEnd: 0 }}>
              <Labelled label={t('supportAccess.allowFor')}>
                <Select
                  aria-label={t('supportAccess.allowFor')}
                  value={hours}
                  onChange={setHours}
                  style={{ minWidth: 140 }}
                  options={choices.map((value) => ({
                    value,
                    label:
                      value > 24
                        ? t('supportAccess.days', { count: value / 24 })
                        : t('supportAccess.hours', { count: value }),
                  }))}
                />
              </Labelled>
              <Button
                loading={consent.isPending}
                onClick={() => save({ writeUntil: new Date(Date.now() + hours * HOUR_MS).toISOString() })}
              >
                {t('supportAccess.allow')}
              </Button>
              {access.mayChangeNow && (
                <Button danger onClick={() => save({ writeUntil: null })}>
                  {t('supportAccess.withdraw')}
                </Button>
              )}
            </div>
          )}
        </>
      )}
    </Card>
  )
}

function Visits({ visits }: { visits: Visit[] }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const tellProblem = useTellProblem()
  const formats = useFormats()
  const mayEdit = useCan()('support-access:edit')
  const sendAway = useSendAway()
  return (
    <ListTable
      card={{ title: t('supportAccess.sessions') }}
      pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
      dataSource={visits}
      empty={t('supportAccess.empty')}
      expandable={{ expandedRowRender: (visit) => <LookedAt visit={visit} /> }}
      columns={[
        { title: t('support.operator'), dataIndex: 'operatorName' },
        { title: t('fields.reason'), render: (_, { reason }) => <span dir="auto">{reason}</span> },
        { title: t('support.access'), render: (_, { access }) => t(`supportAccesses.${access}`) },
        { title: t('support.began'), render: (_, { beganAt }) => formats.instant(beganAt) },
        { title: t('support.until'), render: (_, { endedAt, endsAt }) => formats.instant(endedAt ?? endsAt) },
        {
          title: t('support.requests'),
          ...numeric,
          render: (_, { requestCount }) => formats.number(requestCount),
        },
        {
          title: t('fields.status'),
          render: (_, { isActive, endReason }) => (
            <Tooltip title={endReason}>
              <Tag color={isActive ? 'warning' : 'default'}>
                {t(isActive ? 'supportStates.active' : 'supportStates.ended')}
              </Tag>
            </Tooltip>
          ),
        },
        {
          title: '',
          render: (_, { id, isActive }) =>
            isActive &&
            mayEdit && (
              <Button
                size="small"
                danger
                loading={sendAway.isPending}
                onClick={() =>
                  sendAway.mutate(id, {
                    onSuccess: () => void message.success(t('supportAccess.sentAway')),
                    onError: tellProblem,
                  })
                }
              >
                {t('supportAccess.sendAway')}
              </Button>
            ),
        },
      ]}
    />
  )
}

function LookedAt({ visit }: { visit: Visit }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <Descriptions
      size="small"
      column={{ xs: 1, md: 3 }}
      title={t('supportAccess.lookedAt', { address: visit.address ?? '–' })}
      items={visit.operations.map(({ name, count }) => ({
        key: name,
        label: <span className="ltr">{name}</span>,
        children: formats.number(count),
      }))}
    />
  )
}
