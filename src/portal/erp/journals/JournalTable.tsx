import { Link, useNavigate } from '@tanstack/react-router'
import { Table, type TablePaginationConfig } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { useFormats } from '../../shared/formats.ts'
import type { JournalEntryList } from '../../shared/model.ts'
import { EntryStatusTag } from './EntryStatusTag.tsx'

interface JournalTableProps {
  entries: JournalEntryList['journalEntries']
  isFetching?: boolean
  pagination?: TablePaginationConfig | false
  empty?: ReactNode
}

export function JournalTable({ entries, isFetching = false, pagination = false, empty }: JournalTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const navigate = useNavigate()
  return (
    <Table
      rowKey="id"
      size="middle"
      loading={isFetching}
      scroll={{ x: true }}
      dataSource={entries}
      pagination={pagination}
      {...(empty ? { locale: { emptyText: empty } } : {})}
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
          className: 'numeric',
          align: 'right',
          width: 160,
          render: (_, entry) => <Amount value={entry.totalDebit} showZero />,
        },
      ]}
    />
  )
}
