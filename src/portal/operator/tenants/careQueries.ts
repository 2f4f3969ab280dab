/** What is done for one tenant in long work: restores, moves, exports, archiving. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import { problemFromAnswer } from '../../shared/problem.ts'
import type { NewRestore, RestoreMode } from '../../shared/model.ts'

export const PAGE_SIZE = 20
const POLL_MS = 2_000

const at = (id: string) => ({ path: { id } })

export function restoresQuery(tenantId: string, page: number) {
  const query = { page, limit: PAGE_SIZE }
  return queryOptions({
    queryKey: ['care', tenantId, 'restores', query],
    queryFn: () =>
      read(operatorApi.GET('/platform/tenants/{id}/restores', { params: { ...at(tenantId), query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function useRestore(tenantId: string) {
  return useCare((body: NewRestore) =>
    read(operatorApi.POST('/platform/tenants/{id}/restores', { params: at(tenantId), body })),
  )
}

export function useDrill(tenantId: string) {
  return useCare(() =>
    read(operatorApi.POST('/platform/tenants/{id}/restore-drills', { params: at(tenantId) })),
  )
}

export type RestoreStep = 'swap' | 'undo' | 'discard'

export function useRestoreStep() {
  return useCare(({ id, step }: { id: string; step: RestoreStep }) => {
    const params = at(id)
    switch (step) {
      case 'swap':
        return read(operatorApi.POST('/platform/restores/{id}/swap', { params }))
      case 'undo':
        return read(operatorApi.POST('/platform/restores/{id}/undo', { params }))
      case 'discard':
        return read(operatorApi.DELETE('/platform/restores/{id}', { params }))
    }
  })
}

export function movesQuery(tenantId: string, page: number) {
  const query = { page, limit: PAGE_SIZE }
  return queryOptions({
    queryKey: ['care', tenantId, 'moves', query],
    queryFn: () =>
      read(operatorApi.GET('/platform/tenants/{id}/moves', { params: { ...at(tenantId), query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function useMove(tenantId: string) {
  return useCare(({ serverId, submissionKey }: { serverId: string; submissionKey: string }) =>
    read(
      operatorApi.POST('/platform/tenants/{id}/moves', {
        params: at(tenantId),
        body: { serverId },
        headers: { 'Idempotency-Key': submissionKey },
      }),
    ),
  )
}

export type MoveStep = 'undo' | 'dropCopy'

export function useMoveStep(tenantId: string) {
  return useCare(({ moveId, step }: { moveId: string; step: MoveStep }) => {
    const params = { path: { id: tenantId, moveId } }
    return step === 'undo'
      ? read(operatorApi.POST('/platform/tenants/{id}/moves/{moveId}/undo', { params }))
      : read(operatorApi.DELETE('/platform/tenants/{id}/moves/{moveId}/copy', { params }))
  })
}

export function exportsQuery(tenantId: string, page: number) {
  const query = { page, limit: PAGE_SIZE }
  return queryOptions({
    queryKey: ['care', tenantId, 'exports', query],
    queryFn: () =>
      read(operatorApi.GET('/platform/tenants/{id}/exports', { params: { ...at(tenantId), query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function useExport(tenantId: string) {
  return useCare(() => read(operatorApi.POST('/platform/tenants/{id}/exports', { params: at(tenantId) })))
}

/** Only with the operator's token, so that it cannot be a plain link. */
export function useExportFile(tenantId: string) {
  return useMutation({
    mutationFn: async (exportId: string): Promise<Blob> => {
      const { data, error, response } = await operatorApi.GET(
        '/platform/tenants/{id}/exports/{exportId}/file',
        {
          params: { path: { id: tenantId, exportId } },
          parseAs: 'blob',
        },
      )
      if (data === undefined) throw problemFromAnswer(response, error)
      return data as unknown as Blob
    },
  })
}

export function certificatesQuery(tenantId: string) {
  return queryOptions({
    queryKey: ['care', tenantId, 'certificates'],
    queryFn: () => read(operatorApi.GET('/platform/tenants/{id}/certificates', { params: at(tenantId) })),
  })
}

export function useClosing(tenantId: string) {
  return useCare(({ kind, ...body }: { kind: 'archive' | 'delete'; confirm: string; reason: string }) =>
    kind === 'archive'
      ? read(operatorApi.POST('/platform/tenants/{id}/archive', { params: at(tenantId), body }))
      : read(operatorApi.POST('/platform/tenants/{id}/delete', { params: at(tenantId), body })),
  )
}

function useCare<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () =>
      Promise.all(
        ['care', 'tenants', 'backups'].map((key) => queryClient.invalidateQueries({ queryKey: [key] })),
      ),
  })
}

export const restoreModes = ['side', 'swap', 'clone'] as const satisfies readonly RestoreMode[]
