import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, ifMatch, read, readVersioned } from '../../shared/client.ts'
import type { NewRole, RoleChange, TenantUser } from '../../shared/model.ts'

const PAGE_SIZE = 25
const CHOICES_MAXIMUM = 200

export function rolesQuery({
  page = 1,
  search,
  status,
}: {
  page?: number
  search?: string
  status?: string
}) {
  const query = {
    page,
    limit: PAGE_SIZE,
    ...(search ? { search } : {}),
    ...(status ? { status: status as TenantUser['status'] } : {}),
  }
  return queryOptions({
    queryKey: ['roles', 'list', query],
    queryFn: () => read(erpApi.GET('/roles', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

/** To choose from. Whoever may not see roles chooses none. */
export function roleChoicesQuery(isAllowed: boolean) {
  return queryOptions({
    queryKey: ['roles', 'choices'],
    queryFn: () =>
      read(erpApi.GET('/roles', { params: { query: { limit: CHOICES_MAXIMUM, sort: 'name' } } })),
    enabled: isAllowed,
  })
}

export function roleQuery(id: string) {
  return queryOptions({
    queryKey: ['roles', 'one', id],
    queryFn: () => readVersioned(erpApi.GET('/roles/{id}', { params: { path: { id } } })),
    staleTime: 0,
  })
}

export function permissionsQuery() {
  return queryOptions({
    queryKey: ['roles', 'permissions'],
    queryFn: () => read(erpApi.GET('/roles/permissions')),
  })
}

interface Save {
  id: string | null
  version: string | null
  fields: NewRole | RoleChange
}

export function useSaveRole() {
  return useRoleChange(({ id, version, fields }: Save) =>
    id === null
      ? read(erpApi.POST('/roles', { body: fields as NewRole }))
      : read(
          erpApi.PUT('/roles/{id}', {
            params: { path: { id } },
            body: fields as RoleChange,
            headers: ifMatch(version),
          }),
        ),
  )
}

export function useDeleteRole() {
  return useRoleChange((id: string) => read(erpApi.DELETE('/roles/{id}', { params: { path: { id } } })))
}

function useRoleChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    // Not waited for: a form is made anew with the version that comes, and would hear of its success no more.
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['roles'] })
      void queryClient.invalidateQueries({ queryKey: ['users'] }) // they show their role
      void queryClient.invalidateQueries({ queryKey: ['me'] }) // it may be one's own
    },
  })
}
