import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { NewServer, Server } from '../../shared/model.ts'

export const PAGE_SIZE = 20
/** Health is looked at by the product itself all the time; this only shows it. */
const POLL_MS = 10_000

export function serversQuery(filter: { page?: number; search?: string }) {
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.search ? { search: filter.search } : {}),
  }
  return queryOptions({
    queryKey: ['servers', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/servers', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function useAddServer() {
  return useServerChange(({ body, submissionKey }: { body: NewServer; submissionKey: string }) =>
    read(operatorApi.POST('/platform/servers', { body, headers: { 'Idempotency-Key': submissionKey } })),
  )
}

export function useServerState() {
  return useServerChange(({ id, state }: { id: string; state: Server['state'] }) =>
    read(operatorApi.PUT('/platform/servers/{id}', { params: { path: { id } }, body: { state } })),
  )
}

export function useCheckServer() {
  return useServerChange((id: string) =>
    read(operatorApi.POST('/platform/servers/{id}/check', { params: { path: { id } } })),
  )
}

export function useRemoveServer() {
  return useServerChange((id: string) =>
    read(operatorApi.DELETE('/platform/servers/{id}', { params: { path: { id } } })),
  )
}

function useServerChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['servers'] }),
  })
}
