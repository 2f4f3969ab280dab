import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { Operation, OperationStatus } from '../../shared/model.ts'

export const PAGE_SIZE = 20
const POLL_ONE_MS = 500
const POLL_LIST_MS = 2_000

export function isOver(status: Operation['status'] | undefined): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled'
}

/** Asked again until it is over. */
export function operationQuery(id: string) {
  return queryOptions({
    queryKey: ['operations', 'one', id],
    queryFn: () => read(operatorApi.GET('/platform/operations/{id}', { params: { path: { id } } })),
    refetchInterval: ({ state }) => (isOver(state.data?.status) ? false : POLL_ONE_MS),
  })
}

export function operationsQuery(filter: { page?: number; status?: string }) {
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.status ? { status: filter.status as OperationStatus } : {}),
  }
  return queryOptions({
    queryKey: ['operations', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/operations', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_LIST_MS,
  })
}
