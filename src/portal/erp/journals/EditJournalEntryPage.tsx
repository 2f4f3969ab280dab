import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { isZeroAmount } from '../../shared/formats.ts'
import type { GlAccountNode, JournalEntry } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ErrorState, LoadingState } from '../../shared/states.tsx'
import { useAccounts } from '../accounts/queries.ts'
import { useCompany } from '../useCompany.ts'
import { EntryForm } from './EntryForm.tsx'
import { accountLabel, gridOf } from './lines.ts'
import { journalEntryQuery } from './queries.ts'

const route = getRouteApi('/_erp/journal-entries/$entryId/edit')

export function EditJournalEntryPage() {
  const { t } = useTranslation()
  const { entryId } = route.useParams()
  const navigate = useNavigate()
  const { accounts, isPending, error } = useAccounts()
  const entry = useQuery({ ...journalEntryQuery(entryId), refetchOnWindowFocus: false })
  const show = () => void navigate({ to: '/journal-entries/$entryId', params: { entryId } })
  return (
    <>
      <PageHeader title={t('journals.editTitle')} onBack={show} />
      {(isPending || entry.isFetching) && <LoadingState />}
      {(error || entry.isError) && (
        <ErrorState error={error ?? entry.error} onRetry={() => void entry.refetch()} />
      )}
      {!isPending && entry.isSuccess && !entry.isFetching && (
        <DraftForm
          key={entry.data.version}
          entry={entry.data.data}
          version={entry.data.version}
          accounts={accounts}
          onDone={show}
        />
      )}
    </>
  )
}

interface DraftFormProps {
  entry: JournalEntry
  version: string | null
  accounts: GlAccountNode[]
  onDone: () => void
}

function DraftForm({ entry, version, accounts, onDone }: DraftFormProps) {
  const company = useCompany()
  const grid = useMemo(() => gridOf(entry.lines.map(cellsOf)), [entry])
  if (!company) return null
  return (
    <EntryForm
      head={{
        transactionDate: entry.transactionDate,
        postingDate: entry.postingDate === entry.transactionDate ? '' : entry.postingDate,
        description: entry.description ?? '',
        reference: entry.reference ?? '',
      }}
      grid={grid}
      draft={{ id: entry.id, version }}
      accounts={accounts}
      minorUnits={company.minorUnits}
      onDone={onDone}
    />
  )
}

function cellsOf(line: JournalEntry['lines'][number]) {
  const account = { id: line.accountId, code: line.accountCode, name: line.accountName }
  return {
    account,
    accountText: accountLabel(account),
    debit: isZeroAmount(line.debit) ? '' : line.debit,
    credit: isZeroAmount(line.credit) ? '' : line.credit,
    description: line.description ?? '',
  }
}
