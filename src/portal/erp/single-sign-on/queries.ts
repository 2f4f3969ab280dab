import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { anonymousApi, erpApi, ifMatch, read, readVersioned, tenantHeader } from '../../shared/client.ts'
import type { SingleSignOnChange } from '../../shared/model.ts'
import { problemOf } from '../../shared/problem.ts'

const ROLES_MAXIMUM = 200
const RETURN_PATH = '/sign-in/return'

/** Where the identity provider sends this browser back to. */
export function returnAddress(): string {
  return `${window.location.origin}${RETURN_PATH}`
}

/** null: not set up. */
export function settingsQuery() {
  return queryOptions({
    queryKey: ['single-sign-on'],
    queryFn: () =>
      readVersioned(erpApi.GET('/single-sign-on')).catch((thrown: unknown) => {
        if (problemOf(thrown).status === 404) return null
        throw thrown
      }),
    staleTime: 0,
  })
}

/** Those that somebody may be given who comes by themselves: not administrators. */
export function defaultRolesQuery(isAllowed: boolean) {
  return queryOptions({
    queryKey: ['single-sign-on', 'roles'],
    queryFn: () =>
      read(
        erpApi.GET('/roles', { params: { query: { limit: ROLES_MAXIMUM, sort: 'name', status: 'active' } } }),
      ),
    select: ({ roles }) => roles.filter(({ permissions }) => !permissions.includes('*')),
    enabled: isAllowed,
  })
}

export function useSaveSettings() {
  return useSettingsChange(({ version, fields }: { version: string | null; fields: SingleSignOnChange }) =>
    read(erpApi.PUT('/single-sign-on', { body: fields, headers: ifMatch(version) })),
  )
}

export function useRemoveSettings() {
  return useSettingsChange(() => read(erpApi.DELETE('/single-sign-on')))
}

export function useTestIssuer() {
  return useMutation({
    mutationFn: (issuer: string) => read(erpApi.POST('/single-sign-on/test', { body: { issuer } })),
  })
}

/** What the sign-in page of a tenant offers; nothing where there is no such tenant. */
export function offerQuery(tenantCode: string | null, isKnown: boolean) {
  return queryOptions({
    queryKey: ['single-sign-on', 'offer', tenantCode],
    queryFn: () => read(anonymousApi.GET('/auth/single-sign-on', { headers: tenantHeader(tenantCode) })),
    enabled: isKnown,
    retry: false,
    staleTime: 60_000,
  })
}

export function startSignIn(tenantCode: string | null) {
  return read(
    anonymousApi.POST('/auth/single-sign-on/start', {
      body: { redirectUri: returnAddress() },
      headers: tenantHeader(tenantCode),
    }),
  )
}

function useSettingsChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    // Not waited for: the form of the version before must still be there to say that it was saved.
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: ['single-sign-on'] }),
  })
}
