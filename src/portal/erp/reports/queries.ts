import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { erpApi, read } from '../../shared/client.ts'

const LINES_PER_PAGE = 200

export function trialBalanceQuery(asOf: string) {
  return queryOptions({
    queryKey: ['reports', 'trial-balance', asOf],
    queryFn: () => read(erpApi.GET('/reports/trial-balance', { params: { query: { asOf } } })),
    // Figures change with every posting, also by others.
    staleTime: 0,
  })
}

export interface LedgerFilter {
  accountId: string
  from?: string
  to?: string
}

export function generalLedgerQuery(filter: LedgerFilter) {
  return infiniteQueryOptions({
    queryKey: ['reports', 'general-ledger', filter],
    queryFn: ({ pageParam }) =>
      read(
        erpApi.GET('/reports/general-ledger', {
          params: { query: { ...filter, limit: LINES_PER_PAGE, ...(pageParam ? { after: pageParam } : {}) } },
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextAfter ?? undefined,
    enabled: filter.accountId !== '',
    staleTime: 0,
  })
}
