import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric, type ListTableProps } from '../../shared/ListTable.tsx'
import type { JournalEntryList } from '../../shared/model.ts'
import { EntryStatusTag } from './EntryStatusTag.tsx'

type JournalTableProps = Omit<ListTableProps<JournalEntryList['journalEntries'][number]>, 'columns' | 'onRow'>

export function JournalTable(props: JournalTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const navigate = useNavigate()
  return (
    <ListTable
      {...props}
      onRow={(entry) => ({
        style: { cursor: 'pointer' },
        onClick: () => void navigate({ to: '/journal-entries/$entryId', params: { entryId: entry.id } }),
      })}
      columns={[
        {
          title: t('journals.number'),
          width: 170,
          render: (_, entry) => (
            <Link to="/journal-entries/$entryId" params={{ entryId: entry.id }} className="ltr">
              {entry.number ?? t('journals.draftNumber')}
            </Link>
          ),
        },
        { title: t('fields.date'), width: 130, render: (_, entry) => formats.date(entry.transactionDate) },
        { title: t('fields.description'), dataIndex: 'description', ellipsis: true },
        { title: t('journals.reference'), dataIndex: 'reference', width: 160, ellipsis: true },
        {
          title: t('fields.status'),
          width: 120,
          render: (_, entry) => <EntryStatusTag status={entry.status} />,
        },
        {
          title: t('journals.amount'),
          ...numeric,
          width: 160,
          render: (_, entry) => <Amount value={entry.totalDebit} showZero />,
        },
      ]}
    />
  )
}
