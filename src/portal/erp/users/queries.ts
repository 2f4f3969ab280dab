import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query'
import { erpApi, ifMatch, read, readVersioned } from '../../shared/client.ts'
import type { EmailSettingsChange, NewTenantUser, TenantUser, TenantUserChange } from '../../shared/model.ts'
import { problemFromAnswer, problemOf } from '../../shared/problem.ts'

const PAGE_SIZE = 25
/** As many as the API gives at once; more roles or companies than this are looked for by their name. */
export const CHOICES_MAXIMUM = 200

const at = (id: string) => ({ path: { id } })

export interface UserFilter {
  page?: number
  search?: string
  status?: string
  roleId?: string
  deleted?: string
}

export function usersQuery({ page = 1, search, status, roleId, deleted }: UserFilter) {
  const query = {
    page,
    limit: PAGE_SIZE,
    ...(search ? { search } : {}),
    ...(status ? { status: status as TenantUser['status'] } : {}),
    ...(roleId ? { roleId } : {}),
    ...(deleted ? { includeDeleted: true } : {}),
  }
  return queryOptions({
    queryKey: ['users', 'list', query],
    queryFn: () => read(erpApi.GET('/users', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function userQuery(id: string) {
  return queryOptions({
    queryKey: ['users', 'one', id],
    queryFn: () => readVersioned(erpApi.GET('/users/{id}', { params: at(id) })),
    // The version decides whether saving is allowed, so it must be of now.
    staleTime: 0,
  })
}

/** Whoever may not see them is not asked to choose among them. */
export function companiesQuery(isAllowed: boolean) {
  return queryOptions({
    queryKey: ['companies', 'list'],
    queryFn: () => read(erpApi.GET('/companies', { params: { query: { limit: CHOICES_MAXIMUM } } })),
    enabled: isAllowed,
  })
}

interface Save {
  id: string | null
  version: string | null
  fields: NewTenantUser | TenantUserChange
}

export function useSaveUser() {
  return useUserChange(({ id, version, fields }: Save) =>
    id === null
      ? read(erpApi.POST('/users', { body: fields as NewTenantUser }))
      : read(
          erpApi.PUT('/users/{id}', {
            params: at(id),
            body: fields as TenantUserChange,
            headers: ifMatch(version),
          }),
        ),
  )
}

export type UserStep = 'activate' | 'deactivate' | 'delete' | 'restore' | 'reset' | 'invite' | 'signOut'

export function useUserStep() {
  return useUserChange(async ({ id, step }: { id: string; step: UserStep }): Promise<unknown> => {
    const params = at(id)
    switch (step) {
      case 'activate':
        return read(erpApi.PUT('/users/{id}', { params, body: { status: 'active' } }))
      case 'deactivate':
        return read(erpApi.PUT('/users/{id}', { params, body: { status: 'inactive' } }))
      case 'delete':
        return read(erpApi.DELETE('/users/{id}', { params }))
      case 'restore':
        return read(erpApi.POST('/users/{id}/restoration', { params, body: {} }))
      case 'reset':
        return read(erpApi.POST('/users/{id}/password-reset', { params }))
      case 'invite':
        return read(erpApi.POST('/users/{id}/invitation', { params }))
      case 'signOut':
        return read(erpApi.DELETE('/users/{id}/sessions', { params }))
    }
  })
}

/** With another role than before. */
export function useRestoreUser() {
  return useUserChange(({ id, roleId }: { id: string; roleId: string }) =>
    read(erpApi.POST('/users/{id}/restoration', { params: at(id), body: { roleId } })),
  )
}

/** A file goes as it is; the description of the API calls its content text. */
const asItIs = { bodySerializer: (body: unknown) => body as Blob }

export function useInviteFile() {
  return useUserChange((file: Blob) =>
    read(
      erpApi.POST('/users/invitations', {
        body: file as never,
        headers: { 'Content-Type': 'text/csv' },
        ...asItIs,
      }),
    ),
  )
}

// ---- photo ---------------------------------------------------------------------------------------------

/** Only with the user's token, so that it cannot be the address of a picture. */
export function photoQuery({ id, photo }: Pick<TenantUser, 'id' | 'photo'>) {
  return queryOptions({
    queryKey: ['user-photos', photo],
    queryFn: async (): Promise<Blob> => {
      const { data, error, response } = await erpApi.GET('/users/{id}/photo', {
        params: at(id),
        parseAs: 'blob',
      })
      if (data === undefined) throw problemFromAnswer(response, error)
      return data as unknown as Blob
    },
    enabled: photo !== null,
    staleTime: Number.POSITIVE_INFINITY, // its address changes with it
  })
}

export function useSetPhoto(id: string) {
  return useUserChange((file: Blob | null) =>
    file === null
      ? read(erpApi.DELETE('/users/{id}/photo', { params: at(id) }))
      : read(
          erpApi.PUT('/users/{id}/photo', {
            params: at(id),
            body: file as never,
            headers: { 'Content-Type': file.type },
            ...asItIs,
          }),
        ),
  )
}

// ---- sessions and activity -----------------------------------------------------------------------------

export function sessionsQuery(id: string) {
  return queryOptions({
    queryKey: ['users', 'sessions', id],
    queryFn: () => read(erpApi.GET('/users/{id}/sessions', { params: at(id) })),
  })
}

export function useEndSession(id: string) {
  return useUserChange((sessionId: string) =>
    read(erpApi.DELETE('/users/{id}/sessions/{sessionId}', { params: { path: { id, sessionId } } })),
  )
}

export function activityQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ['users', 'activity', id],
    queryFn: ({ pageParam: after }) =>
      read(
        erpApi.GET('/users/{id}/activity', {
          params: { ...at(id), query: { limit: PAGE_SIZE, ...(after === null ? {} : { after }) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
}

// ---- e-mail --------------------------------------------------------------------------------------------

/** `settings: null`: there are none, and the platform's server is used. */
export function emailSettingsQuery(id: string) {
  return queryOptions({
    queryKey: ['users', 'email-settings', id],
    queryFn: async () => {
      try {
        const call = erpApi.GET('/users/{id}/email-settings', { params: at(id) })
        const { data, version } = await readVersioned(call)
        return { settings: data, version }
      } catch (thrown) {
        if (problemOf(thrown).status === 404) return { settings: null, version: null }
        throw thrown
      }
    },
    staleTime: 0,
  })
}

interface SaveSettings {
  id: string | null
  version: string | null
  fields: EmailSettingsChange
}

export function useSaveEmailSettings(userId: string) {
  return useUserChange(({ version, fields }: SaveSettings) =>
    read(
      erpApi.PUT('/users/{id}/email-settings', {
        params: at(userId),
        body: fields,
        headers: ifMatch(version),
      }),
    ),
  )
}

export function useForgetEmailSettings(userId: string) {
  return useUserChange(() => read(erpApi.DELETE('/users/{id}/email-settings', { params: at(userId) })))
}

export function useTestEmail(userId: string) {
  return useMutation({
    mutationFn: () => read(erpApi.POST('/users/{id}/email-settings/test', { params: at(userId) })),
  })
}

function useUserChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    // Not waited for: a form is made anew with the version that comes, and would hear of its success no more.
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['users'] })
      void queryClient.invalidateQueries({ queryKey: ['roles'] }) // they count their users
    },
  })
}
