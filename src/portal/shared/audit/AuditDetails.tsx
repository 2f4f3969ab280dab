import { Button, Descriptions, Table, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import type { AuditEntry } from '../model.ts'
import { differencesOf, DIFFERENCES_MAXIMUM } from './difference.ts'
import { dayOf, type AuditFilter } from './filter.ts'
import { useAuditWords } from './words.ts'

interface AuditDetailsProps {
  entry: AuditEntry
  filter: AuditFilter
  onFilter: (filter: AuditFilter) => void
}

/** From where, in which request, and the old values beside the new ones. */
export function AuditDetails({ entry, filter, onFilter }: AuditDetailsProps) {
  const { t } = useTranslation()
  const words = useAuditWords()
  const { id, at, actorId, entity, entityId, requestId, userAgent, address, tenantId } = entry
  const day = dayOf(at)
  const follow = (followed: AuditFilter, text: string) => (
    <Button
      type="link"
      size="small"
      style={{ padding: 0 }}
      onClick={() => onFilter({ ...filter, ...followed })}
    >
      {text}
    </Button>
  )
  return (
    <div style={{ maxWidth: 1100 }}>
      <Descriptions
        size="small"
        column={{ xs: 1, md: 2 }}
        items={[
          // A request is over within its day: so the log need not be looked through from today.
          {
            key: 'request',
            label: t('audit.request'),
            children: follow({ requestId, from: day, to: day }, requestId),
          },
          {
            key: 'address',
            label: t('audit.address'),
            children: <span className="ltr">{address ?? '–'}</span>,
          },
          {
            key: 'agent',
            label: t('audit.userAgent'),
            children: <span className="ltr">{userAgent ?? '–'}</span>,
          },
          ...(entityId === null
            ? []
            : [
                {
                  key: 'history',
                  label: words.entity(entity),
                  children: follow({ entityId }, t('audit.history')),
                },
              ]),
          ...(actorId === null
            ? []
            : [
                { key: 'actor', label: t('audit.who'), children: follow({ actorId }, t('audit.allOfActor')) },
              ]),
          ...(tenantId == null
            ? []
            : [
                {
                  key: 'tenant',
                  label: t('operations.tenant'),
                  children: follow({ tenantId }, t('audit.allOfTenant')),
                },
              ]),
          {
            key: 'id',
            label: 'ID',
            children: (
              <Typography.Text copyable className="ltr">
                {id}
              </Typography.Text>
            ),
          },
        ]}
      />
      <DifferenceTable entry={entry} />
    </div>
  )
}

function DifferenceTable({ entry }: { entry: AuditEntry }) {
  const { t } = useTranslation()
  const details = entry.details && Object.keys(entry.details).length > 0 ? entry.details : null
  const { differences, isCut } = differencesOf(entry.oldValues, { ...entry.newValues, ...details })
  if (differences.length === 0) {
    return entry.action === 'update' && <Typography.Text type="secondary">{t('audit.same')}</Typography.Text>
  }
  const hasBefore = entry.oldValues !== null
  const hasAfter = entry.newValues !== null || details !== null
  return (
    <>
      <Table
        rowKey="field"
        size="small"
        pagination={false}
        scroll={{ x: true, y: 420 }}
        dataSource={differences}
        columns={[
          {
            title: t('audit.field'),
            width: 260,
            render: (_, { field }) => <span className="ltr">{field.replaceAll('_', ' ')}</span>,
          },
          ...(hasBefore ? [{ title: t('audit.before'), render: valueOf('before', hasAfter) }] : []),
          ...(hasAfter ? [{ title: t('audit.after'), render: valueOf('after', hasBefore) }] : []),
        ]}
      />
      {isCut && (
        <Typography.Text type="secondary">{t('audit.cut', { count: DIFFERENCES_MAXIMUM })}</Typography.Text>
      )}
    </>
  )
}

function valueOf(side: 'before' | 'after', isComparison: boolean) {
  return function Value(_: unknown, row: { before: string | undefined; after: string | undefined }) {
    const value = row[side]
    if (value === undefined) return <Typography.Text type="secondary">–</Typography.Text>
    const type = isComparison ? (side === 'before' ? 'danger' : 'success') : undefined
    return (
      <Typography.Text
        {...(type ? { type } : {})}
        delete={isComparison && side === 'before'}
        style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}
      >
        <bdi>{value}</bdi>
      </Typography.Text>
    )
  }
}
