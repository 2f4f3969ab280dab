import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, ifMatch, read } from '../../shared/client.ts'
import type { ApiKey, ApiKeyChange, NewApiKey } from '../../shared/model.ts'

export const PAGE_SIZE = 25
export const keyStatuses = ['active', 'expired', 'revoked'] as const

export function apiKeysQuery(filter: { page?: number; search?: string; status?: string }) {
  const status = keyStatuses.find((one) => one === filter.status)
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.search ? { search: filter.search } : {}),
    ...(status ? { status } : {}),
  }
  return queryOptions({
    queryKey: ['api-keys', query],
    queryFn: () => read(erpApi.GET('/api-keys', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function useMakeKey() {
  return useKeyChange((body: NewApiKey) => read(erpApi.POST('/api-keys', { body })))
}

export function useRotateKey() {
  return useKeyChange(({ id, overlapHours }: { id: string; overlapHours: number }) =>
    read(erpApi.POST('/api-keys/{id}/rotation', { params: { path: { id } }, body: { overlapHours } })),
  )
}

export function useChangeKey() {
  return useKeyChange(({ key, change }: { key: ApiKey; change: ApiKeyChange }) =>
    read(
      erpApi.PUT('/api-keys/{id}', {
        params: { path: { id: key.id } },
        body: change,
        headers: ifMatch(`"${key.updatedAt}"`),
      }),
    ),
  )
}

export function useRevokeKey() {
  return useKeyChange((id: string) => read(erpApi.DELETE('/api-keys/{id}', { params: { path: { id } } })))
}

function useKeyChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['api-keys'] }),
  })
}
