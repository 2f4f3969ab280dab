/** An audit log: filters, and a table whose rows open to what was changed. The same for tenants and operators. */
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import { Button, Tag, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../formats.ts'
import { ListTable } from '../ListTable.tsx'
import type { AuditEntry } from '../model.ts'
import { QueryState } from '../states.tsx'
import { AuditDetails } from './AuditDetails.tsx'
import { AuditFilters } from './AuditFilters.tsx'
import type { AuditFilter } from './filter.ts'
import { useAuditWords } from './words.ts'

interface AuditLogProps {
  filter: AuditFilter
  onFilter: (filter: AuditFilter) => void
  log: UseInfiniteQueryResult<InfiniteData<{ auditEntries: AuditEntry[]; next: string | null }>>
}

const colours: Readonly<Record<string, string>> = {
  insert: 'green',
  update: 'blue',
  delete: 'red',
  refused: 'orange',
  reverse: 'purple',
}

export function AuditLog({ filter, onFilter, log }: AuditLogProps) {
  return (
    <>
      <AuditFilters filter={filter} onFilter={onFilter} />
      {log.isSuccess ? (
        <AuditTable filter={filter} onFilter={onFilter} log={log} />
      ) : (
        <QueryState query={log} />
      )}
    </>
  )
}

function AuditTable({ filter, onFilter, log }: AuditLogProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const words = useAuditWords()
  const entries = log.data?.pages.flatMap((page) => page.auditEntries) ?? []
  const showsTenants = entries.some((entry) => entry.tenantCode != null)
  return (
    <ListTable
      dataSource={entries}
      empty={log.hasNextPage ? t('audit.noneYet') : t('audit.empty')}
      expandable={{
        expandRowByClick: true,
        expandedRowRender: (entry) => <AuditDetails entry={entry} filter={filter} onFilter={onFilter} />,
      }}
      {...(log.hasNextPage && {
        footer: () => (
          <Button onClick={() => void log.fetchNextPage()} loading={log.isFetchingNextPage}>
            {t('audit.older')}
          </Button>
        ),
      })}
      columns={[
        { title: t('audit.at'), width: 190, render: (_, { at }) => formats.moment(at) },
        { title: t('audit.who'), render: (_, entry) => <Who entry={entry} /> },
        {
          title: t('audit.what'),
          render: (_, { action }) => <Tag color={colours[action] ?? 'default'}>{words.action(action)}</Tag>,
        },
        {
          title: t('audit.entity'),
          render: (_, entry) => (
            <>
              {entry.action === 'refused' ? (
                <span className="ltr">{entry.entity}</span>
              ) : (
                words.entity(entry.entity)
              )}{' '}
              <Typography.Text type="secondary">
                <bdi>{hintOf(entry)}</bdi>
              </Typography.Text>
            </>
          ),
        },
        ...(showsTenants
          ? [
              {
                title: t('operations.tenant'),
                render: (_: unknown, { tenantCode }: AuditEntry) => <span className="ltr">{tenantCode}</span>,
              },
            ]
          : []),
        { title: t('audit.address'), render: (_, { address }) => <span className="ltr">{address}</span> },
      ]}
    />
  )
}

function Who({ entry: { action, actorKind, actorName, tenantId } }: { entry: AuditEntry }) {
  const { t } = useTranslation()
  // In the operators' own log whoever has a name is one of them.
  const isStranger = actorKind === 'integration' || (actorKind === 'operator' && tenantId === undefined)
  return actorName === null ? (
    <Typography.Text type="secondary">
      {action === 'refused' && actorKind === 'system'
        ? t('audit.notSignedIn')
        : t(`audit.actorKinds.${actorKind}`)}
    </Typography.Text>
  ) : (
    <>
      <bdi>{actorName}</bdi>{' '}
      {isStranger && <Typography.Text type="secondary">{t(`audit.actorKinds.${actorKind}`)}</Typography.Text>}
    </>
  )
}

/** What it was about, as a person would name it. */
function hintOf({ oldValues, newValues, details }: AuditEntry): string {
  const values: Readonly<Record<string, unknown>> = { ...oldValues, ...newValues, ...details }
  const { code, account, count, reason } = values
  const name = values['number'] ?? values['full_name'] ?? values['name'] ?? code ?? reason ?? values['email']
  const parts = [name, account, Number(count) > 1 ? `× ${String(count)}` : undefined]
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ')
}
