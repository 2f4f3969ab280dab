import { useMemo } from 'react'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { today } from '../../shared/formats.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ErrorState, LoadingState } from '../../shared/states.tsx'
import { useAccounts } from '../accounts/queries.ts'
import { useCompany } from '../useCompany.ts'
import { EntryForm } from './EntryForm.tsx'
import { emptyGrid } from './lines.ts'

export function NewJournalEntryPage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const company = useCompany()
  const { accounts, isPending, error } = useAccounts()
  const grid = useMemo(emptyGrid, [])
  return (
    <>
      <PageHeader title={t('journals.newTitle')} onBack={() => void navigate({ to: '/journal-entries' })} />
      {isPending && <LoadingState />}
      {error && <ErrorState error={error} />}
      {!isPending && !error && company && (
        <EntryForm
          head={{ transactionDate: today(), postingDate: '', description: '', reference: '' }}
          grid={grid}
          draft={null}
          accounts={accounts}
          minorUnits={company.minorUnits}
          onDone={(entry) =>
            void navigate({ to: '/journal-entries/$entryId', params: { entryId: entry.id } })
          }
        />
      )}
    </>
  )
}
