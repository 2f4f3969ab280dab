import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'

export const PAGE_SIZE = 20
const POLL_MS = 10_000

export function supportSessionsQuery(tenantId: string, page: number) {
  const query = { page, limit: PAGE_SIZE }
  return queryOptions({
    queryKey: ['support-sessions', tenantId, query],
    queryFn: () =>
      read(
        operatorApi.GET('/platform/tenants/{id}/support-sessions', {
          params: { path: { id: tenantId }, query },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export interface SupportWish {
  reason: string
  minutes: number
  access: 'read' | 'write'
  companyCode?: string
}

export function useBeginSupport(tenantId: string) {
  return useSupportChange((body: SupportWish) =>
    read(
      operatorApi.POST('/platform/tenants/{id}/support-sessions', {
        params: { path: { id: tenantId } },
        body,
      }),
    ),
  )
}

export function useEntry() {
  return useSupportChange((id: string) =>
    read(operatorApi.POST('/platform/support-sessions/{id}/entry', { params: { path: { id } } })),
  )
}

export function useEndSupport() {
  return useSupportChange((id: string) =>
    read(operatorApi.DELETE('/platform/support-sessions/{id}', { params: { path: { id } } })),
  )
}

function useSupportChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['support-sessions'] }),
  })
}
