import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { BackupState } from '../../shared/model.ts'

export const PAGE_SIZE = 20
const POLL_MS = 5_000

export interface BackupFilter {
  page?: number
  status?: string
  tenantId?: string
}

export function backupsQuery({ page = 1, status, tenantId }: BackupFilter) {
  const query = {
    page,
    limit: PAGE_SIZE,
    ...(status ? { state: status as BackupState } : {}),
    ...(tenantId ? { tenantId } : {}),
  }
  return queryOptions({
    queryKey: ['backups', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/backups', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function useBackUp(tenantId: string) {
  return useBackupChange((submissionKey: string) =>
    read(
      operatorApi.POST('/platform/tenants/{id}/backups', {
        params: { path: { id: tenantId } },
        headers: { 'Idempotency-Key': submissionKey },
      }),
    ),
  )
}

export function useDeleteBackup() {
  return useBackupChange((id: string) =>
    read(operatorApi.DELETE('/platform/backups/{id}', { params: { path: { id } } })),
  )
}

function useBackupChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['backups'] }),
  })
}
