import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Button, Drawer } from 'antd'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { useFormats } from '../../shared/formats.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import { MailFilters } from '../../shared/MailFilters.tsx'
import { MailStateTag } from '../../shared/MailStateTag.tsx'
import type { PlatformMail, PlatformMailList } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ResendButton } from '../../shared/ResendButton.tsx'
import { QueryState } from '../../shared/states.tsx'
import { TenantLink } from '../tenants/TenantLink.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { MailReader } from './MailReader.tsx'
import { mailsQuery, resendMail } from './queries.ts'

const route = getRouteApi('/operator/mails')

export function MailsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const mails = useQuery(mailsQuery(search))
  const [read, setRead] = useState<PlatformMail | null>(null)
  const filter = (changed: { search?: string; status?: string | undefined }) =>
    void navigate({ search: changedSearch(search, changed), replace: true })
  return (
    <>
      <PageHeader title={t('menu.mails')} />
      <MailFilters filter={search} onChange={filter} />
      {mails.isSuccess ? (
        <MailsTable
          list={mails.data}
          onRead={setRead}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={mails} />
      )}
      <Drawer open={read !== null} size={720} title={read?.subject} onClose={() => setRead(null)}>
        {read && <MailReader id={read.id} />}
      </Drawer>
    </>
  )
}

interface MailsTableProps {
  list: PlatformMailList
  onPage: (page: number) => void
  onRead: (mail: PlatformMail) => void
}

function MailsTable({ list, onPage, onRead }: MailsTableProps) {
  const { t } = useTranslation()
  const formats = useFormats()
  const can = useOperatorCan()
  return (
    <ListTable
      dataSource={list.mails}
      empty={t('mails.empty')}
      pages={list.pagination}
      onPage={onPage}
      columns={[
        { title: t('fields.createdAt'), render: (_, { createdAt }) => formats.instant(createdAt) },
        { title: t('operations.tenant'), render: (_, row) => <TenantLink {...row} /> },
        {
          title: t('mails.recipient'),
          render: (_, { recipient }) => <span className="ltr">{recipient}</span>,
        },
        {
          title: t('mails.subject'),
          render: (_, mail) => (
            <Button type="link" style={{ paddingInline: 0 }} dir="auto" onClick={() => onRead(mail)}>
              {mail.subject}
            </Button>
          ),
        },
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
            can('mails:resend') && <ResendButton mail={mail} send={resendMail} queryKey="platform-mails" />,
        },
      ]}
    />
  )
}
