import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'

export const PAGE_SIZE = 20
const POLL_MS = 30_000

export function approvalsQuery({
  page = 1,
  includeDecided = false,
}: {
  page?: number
  includeDecided?: boolean
}) {
  const query = { page, limit: PAGE_SIZE, ...(includeDecided ? {} : { status: 'pending' as const }) }
  return queryOptions({
    queryKey: ['approvals', query],
    queryFn: () => read(operatorApi.GET('/platform/approvals', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export type Decision = 'approve' | 'reject'

export function useDecision() {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: ({ id, decision, reason }: { id: string; decision: Decision; reason: string }) => {
      const request = { params: { path: { id } }, body: { reason } }
      return decision === 'approve'
        ? read(operatorApi.POST('/platform/approvals/{id}/approval', request))
        : read(operatorApi.POST('/platform/approvals/{id}/rejection', request))
    },
    // What was carried out may concern any list.
    onSettled: () => queryClient.invalidateQueries(),
  })
}
