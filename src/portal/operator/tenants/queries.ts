import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { NewTenant, TenantStatus } from '../../shared/model.ts'

export const PAGE_SIZE = 20

export function tenantsQuery(filter: { page?: number; search?: string; status?: string }) {
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.search ? { search: filter.search } : {}),
    ...(filter.status ? { status: filter.status as TenantStatus } : {}),
  }
  return queryOptions({
    queryKey: ['tenants', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/tenants', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function tenantQuery(id: string) {
  return queryOptions({
    queryKey: ['tenants', 'one', id],
    queryFn: () => read(operatorApi.GET('/platform/tenants/{id}', { params: { path: { id } } })),
  })
}

export const tenantOptionsQuery = queryOptions({
  queryKey: ['tenant-options'],
  queryFn: () => read(operatorApi.GET('/platform/tenant-options')),
  staleTime: 5 * 60_000,
})

export function createTenant(body: NewTenant, submissionKey: string) {
  return read(operatorApi.POST('/platform/tenants', { body, headers: { 'Idempotency-Key': submissionKey } }))
}

export function useSuspendTenant(id: string) {
  return useTenantChange(({ reason }: { reason: string }) =>
    read(
      operatorApi.POST('/platform/tenants/{id}/suspend', {
        params: { path: { id } },
        body: { reason },
      }),
    ),
  )
}

export function useActivateTenant(id: string) {
  return useTenantChange(({ reason }: { reason: string }) =>
    read(operatorApi.POST('/platform/tenants/{id}/activate', { params: { path: { id } }, body: { reason } })),
  )
}

export function useProvision(id: string) {
  return useTenantChange((submissionKey: string) =>
    read(
      operatorApi.POST('/platform/tenants/{id}/provisioning', {
        params: { path: { id } },
        headers: { 'Idempotency-Key': submissionKey },
      }),
    ),
  )
}

export function useTenantCanary(id: string) {
  return useTenantChange((isCanary: boolean) =>
    read(operatorApi.PUT('/platform/tenants/{id}/canary', { params: { path: { id } }, body: { isCanary } })),
  )
}

function useTenantChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['tenants'] }),
  })
}
