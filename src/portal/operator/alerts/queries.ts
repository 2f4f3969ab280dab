import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'

export const PAGE_SIZE = 20
const POLL_MS = 15_000

export function alertsQuery({
  page = 1,
  includeResolved = false,
}: {
  page?: number
  includeResolved?: boolean
}) {
  const query = { page, limit: PAGE_SIZE, includeResolved }
  return queryOptions({
    queryKey: ['alerts', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/alerts', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}
