import type { ReactNode } from 'react'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../formats.ts'
import { ListTable, type ListTableProps } from '../ListTable.tsx'
import type { AccountSession } from '../model.ts'
import { deviceOf } from './device.ts'

interface SessionsTableProps extends Pick<ListTableProps<AccountSession>, 'card' | 'dataSource' | 'empty'> {
  /** The button that ends one, where it may be ended. */
  end: (session: AccountSession) => ReactNode
}

/** Where somebody is signed in: one's own sessions, or another user's. */
export function SessionsTable({ end, ...list }: SessionsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  return (
    <ListTable
      {...list}
      columns={[
        {
          title: t('account.device'),
          render: (_, { userAgent, isCurrent }) => (
            <>
              <span className="ltr" title={userAgent ?? ''}>
                {deviceOf(userAgent) ?? t('account.unknownDevice')}
              </span>{' '}
              {isCurrent && <Tag color="success">{t('account.thisDevice')}</Tag>}
            </>
          ),
        },
        {
          title: t('account.address'),
          render: (_, { address }) => <span className="ltr">{address ?? '–'}</span>,
        },
        { title: t('account.startedAt'), render: (_, { startedAt }) => formats.instant(startedAt) },
        { title: t('account.lastUsedAt'), render: (_, { lastUsedAt }) => formats.instant(lastUsedAt) },
        { title: '', align: 'end', render: (_, session) => end(session) },
      ]}
    />
  )
}
