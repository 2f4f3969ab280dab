import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Alert, App, Button, Card, Descriptions } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { ListTable } from '../../shared/ListTable.tsx'
import type { JournalEntry } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ProblemAlert, QueryState } from '../../shared/states.tsx'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { useAccountName } from '../accounts/queries.ts'
import { debitAndCreditColumns, TotalRow } from '../debitAndCredit.tsx'
import { useCan } from '../useCompany.ts'
import { EntryStatusTag } from './EntryStatusTag.tsx'
import { journalEntryQuery, useDeleteDraft, usePostDraft } from './queries.ts'
import { ReversalDialog } from './ReversalDialog.tsx'

const route = getRouteApi('/_erp/journal-entries/$entryId')

export function JournalEntryPage() {
  const { entryId } = route.useParams()
  const entry = useQuery(journalEntryQuery(entryId))
  if (!entry.isSuccess) return <QueryState query={entry} />
  return <EntryView key={entryId} entry={entry.data.data} />
}

function EntryView({ entry }: { entry: JournalEntry }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [failure, setFailure] = useState<unknown>(null)
  return (
    <>
      <PageHeader
        title={entry.number ?? t('journals.draftTitle')}
        tag={<EntryStatusTag status={entry.status} />}
        onBack={() => void navigate({ to: '/journal-entries' })}
        actions={
          entry.status === 'draft' ? (
            <DraftActions entry={entry} onFailure={setFailure} />
          ) : (
            <PostedActions entry={entry} />
          )
        }
      />
      <ProblemAlert error={failure} />
      <RelatedEntries entry={entry} />
      <EntryHead entry={entry} />
      <EntryLines entry={entry} />
    </>
  )
}

function DraftActions({ entry, onFailure }: { entry: JournalEntry; onFailure: (thrown: unknown) => void }) {
  const { t } = useTranslation()
  const { modal } = App.useApp()
  const can = useCan()
  const navigate = useNavigate()
  const submission = useSubmissionKey()
  const post = usePostDraft()
  const remove = useDeleteDraft()

  const askToDelete = () =>
    modal.confirm({
      title: t('journals.deleteDraft'),
      okText: t('actions.delete'),
      okButtonProps: { danger: true },
      onOk: () => remove.mutateAsync(entry.id).then(() => navigate({ to: '/journal-entries' }), onFailure),
    })

  return (
    <>
      {can('journal-entries:delete') && (
        <Button danger onClick={askToDelete}>
          {t('actions.delete')}
        </Button>
      )}
      {can('journal-entries:edit') && (
        <Button
          onClick={() =>
            void navigate({ to: '/journal-entries/$entryId/edit', params: { entryId: entry.id } })
          }
        >
          {t('actions.edit')}
        </Button>
      )}
      {can('journal-entries:post') && (
        <Button
          type="primary"
          loading={post.isPending}
          onClick={() =>
            post.mutate({ id: entry.id, submissionKey: submission.keyFor(entry.id) }, { onError: onFailure })
          }
        >
          {t('journals.post')}
        </Button>
      )}
    </>
  )
}

function PostedActions({ entry }: { entry: JournalEntry }) {
  const { t } = useTranslation()
  const can = useCan()
  const [isReversing, setIsReversing] = useState(false)
  const navigate = useNavigate()
  return (
    <>
      {entry.status === 'posted' && can('journal-entries:post') && (
        <Button onClick={() => setIsReversing(true)}>{t('journals.reverse')}</Button>
      )}
      <Button type="primary" onClick={() => void navigate({ to: '/journal-entries/new' })}>
        {t('journals.create')}
      </Button>
      {isReversing && <ReversalDialog entry={entry} onClose={() => setIsReversing(false)} />}
    </>
  )
}

function RelatedEntries({ entry }: { entry: JournalEntry }) {
  const { t } = useTranslation()
  const related = entry.reversedById ?? entry.reversesId
  if (!related) return null
  return (
    <Alert
      type="info"
      showIcon
      style={{ marginBlockEnd: 16 }}
      title={entry.reversedById ? t('journals.wasReversed') : t('journals.isReversal')}
      action={
        <Link to="/journal-entries/$entryId" params={{ entryId: related }}>
          {t('journals.showOther')}
        </Link>
      }
    />
  )
}

function EntryHead({ entry }: { entry: JournalEntry }) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <Card style={{ marginBlockEnd: 16 }}>
      <Descriptions
        column={{ xs: 1, md: 3 }}
        items={[
          {
            key: 'date',
            label: t('journals.transactionDate'),
            children: formats.date(entry.transactionDate),
          },
          { key: 'posting', label: t('journals.postingDate'), children: formats.date(entry.postingDate) },
          { key: 'posted', label: t('journals.postedAt'), children: formats.instant(entry.postedAt) || '–' },
          { key: 'description', label: t('fields.description'), children: entry.description || '–' },
          { key: 'reference', label: t('journals.reference'), children: entry.reference || '–' },
          { key: 'currency', label: t('fields.currency'), children: entry.currency },
        ]}
      />
    </Card>
  )
}

function EntryLines({ entry }: { entry: JournalEntry }) {
  const { t } = useTranslation()
  const nameOf = useAccountName()
  return (
    <ListTable
      dataSource={entry.lines}
      columns={[
        { title: '#', dataIndex: 'lineNumber', width: 56 },
        {
          title: t('journals.account'),
          render: (_, line) => (
            <Link to="/reports/general-ledger" search={{ accountId: line.accountId }}>
              <span className="ltr">{line.accountCode}</span> {nameOf(line.accountId, line.accountName)}
            </Link>
          ),
        },
        { title: t('fields.description'), dataIndex: 'description' },
        ...debitAndCreditColumns<JournalEntry['lines'][number]>(t, 160),
      ]}
      summary={() => <TotalRow span={3} debit={entry.totalDebit} credit={entry.totalCredit} />}
    />
  )
}
