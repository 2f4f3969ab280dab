import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { MailStateTag } from '../../shared/MailStateTag.tsx'
import { ListTable, numeric, type ListTableProps } from '../../shared/ListTable.tsx'
import type { TenantMail } from '../../shared/model.ts'
import { ResendButton } from '../../shared/ResendButton.tsx'
import { useCan } from '../useCompany.ts'
import { resendMail } from './queries.ts'

type MailTableProps = Pick<ListTableProps<TenantMail>, 'dataSource' | 'loading' | 'card' | 'pages' | 'onPage'>

export function MailTable(props: MailTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useCan()
  return (
    <ListTable
      {...props}
      empty={t('mails.empty')}
      columns={[
        { title: t('fields.createdAt'), render: (_, { createdAt }) => formats.instant(createdAt) },
        {
          title: t('mails.recipient'),
          render: (_, { recipient }) => <span className="ltr">{recipient}</span>,
        },
        { title: t('mails.subject'), render: (_, { subject }) => <span dir="auto">{subject}</span> },
        { title: t('mails.sender'), render: (_, { sender }) => sender ?? t('mails.platform') },
        { title: t('fields.status'), render: (_, { state }) => <MailStateTag state={state} /> },
        { title: t('mails.attempts'), ...numeric, dataIndex: 'attempts' },
        {
          title: t('mails.lastError'),
          render: (_, { lastError }) => <span dir="auto">{lastError ?? '–'}</span>,
        },
        {
          key: 'actions',
          align: 'end',
          render: (_, mail) =>
            can('mails:resend') && <ResendButton mail={mail} send={resendMail} queryKey="mails" />,
        },
      ]}
    />
  )
}
