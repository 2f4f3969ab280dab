import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, read } from '../../shared/client.ts'

const POLL_MS = 15_000

export const supportAccessQuery = queryOptions({
  queryKey: ['support-access'],
  queryFn: () => read(erpApi.GET('/support-access')),
  refetchInterval: POLL_MS,
})

export function useConsent() {
  return useSupportChange((body: { allowsSupport?: boolean; writeUntil?: string | null }) =>
    read(erpApi.PUT('/support-access', { body })),
  )
}

export function useSendAway() {
  return useSupportChange((id: string) =>
    read(erpApi.DELETE('/support-access/sessions/{id}', { params: { path: { id } } })),
  )
}

/** The banner is made of `me`. */
function useSupportChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () =>
      Promise.all(
        [['support-access'], ['me']].map((queryKey) => queryClient.invalidateQueries({ queryKey })),
      ),
  })
}
