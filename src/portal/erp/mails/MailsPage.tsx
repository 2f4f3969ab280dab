import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { changedSearch } from '../../shared/changedSearch.ts'
import { MailFilters } from '../../shared/MailFilters.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { MailTable } from './MailTable.tsx'
import { mailsQuery } from './queries.ts'

const route = getRouteApi('/_erp/settings/mails')

export function MailsPage() {
  const { t } = useTranslation()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const mails = useQuery(mailsQuery(search))
  const filter = (changed: { search?: string; status?: string | undefined }) =>
    void navigate({ search: changedSearch(search, changed), replace: true })
  return (
    <>
      <PageHeader title={t('menu.mails')} />
      <MailFilters filter={search} onChange={filter} />
      {mails.isSuccess ? (
        <MailTable
          dataSource={mails.data.mails}
          loading={mails.isPlaceholderData}
          pages={mails.data.pagination}
          onPage={(page) => void navigate({ search: changedSearch(search, { page }) })}
        />
      ) : (
        <QueryState query={mails} />
      )}
    </>
  )
}
