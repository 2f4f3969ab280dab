import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { AuditLog } from '../../shared/audit/AuditLog.tsx'
import { queryOf } from '../../shared/audit/filter.ts'
import { erpApi, read } from '../../shared/client.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'

const route = getRouteApi('/_erp/settings/audit-log')
const PAGE_SIZE = 50

export function AuditLogPage() {
  const { t } = useTranslation()
  const { tenantId: _, ...filter } = route.useSearch()
  const navigate = route.useNavigate()
  const log = useInfiniteQuery({
    queryKey: ['audit-log', filter],
    queryFn: ({ pageParam }) => {
      const query = { ...queryOf(filter), limit: PAGE_SIZE, ...(pageParam ? { after: pageParam } : {}) }
      return read(erpApi.GET('/audit-log', { params: { query } }))
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    staleTime: 0,
  })
  return (
    <>
      <PageHeader title={t('menu.auditLog')} />
      <AuditLog filter={filter} onFilter={(search) => void navigate({ search, replace: true })} log={log} />
    </>
  )
}
