import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { FleetMigration, NewFleetMigration } from '../../shared/model.ts'

export const PAGE_SIZE = 20
const POLL_RUNNING_MS = 1_000
const POLL_RESTING_MS = 10_000

export const fleetPlanQuery = queryOptions({
  queryKey: ['fleet', 'plan'],
  queryFn: () => read(operatorApi.GET('/platform/fleet/plan')),
  refetchInterval: POLL_RESTING_MS,
})

export const SCHEMA_PAGE_SIZE = 50

/** Reads every tenant's catalogue: asked for, not polled. */
export function schemaReportQuery({ page = 1, search }: { page?: number; search?: string }) {
  const query = { page, limit: SCHEMA_PAGE_SIZE, ...(search ? { tenantCode: search } : {}) }
  return queryOptions({
    queryKey: ['fleet', 'schema', query],
    queryFn: () => read(operatorApi.GET('/platform/fleet/schema-report', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function fleetMigrationsQuery(page: number) {
  const query = { page, limit: PAGE_SIZE }
  return queryOptions({
    queryKey: ['fleet', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/fleet-migrations', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.fleetMigrations.some(isRunning) ? POLL_RUNNING_MS : POLL_RESTING_MS,
  })
}

export function fleetMigrationQuery(id: string) {
  return queryOptions({
    queryKey: ['fleet', 'one', id],
    queryFn: () => read(operatorApi.GET('/platform/fleet-migrations/{id}', { params: { path: { id } } })),
    refetchInterval: ({ state }) =>
      state.data && !isRunning(state.data) ? POLL_RESTING_MS : POLL_RUNNING_MS,
  })
}

export function isRunning({ status }: Pick<FleetMigration, 'status'>): boolean {
  return status === 'running'
}

export function useStartFleetMigration() {
  return useFleetChange((body: NonNullable<NewFleetMigration>) =>
    read(operatorApi.POST('/platform/fleet-migrations', { body })),
  )
}

export type FleetStep = 'pause' | 'resume' | 'retry' | 'cancel' | 'rollback'

/** What can be done to a fleet migration as a whole. */
export function useFleetStep(id: string) {
  const params = { path: { id } }
  return useFleetChange(({ step, reason }: { step: FleetStep; reason?: string }) => {
    const body = reason ? { reason } : {}
    switch (step) {
      case 'pause':
        return read(operatorApi.POST('/platform/fleet-migrations/{id}/pause', { params, body }))
      case 'resume':
        return read(operatorApi.POST('/platform/fleet-migrations/{id}/resume', { params }))
      case 'retry':
        return read(operatorApi.POST('/platform/fleet-migrations/{id}/retry', { params, body: {} }))
      case 'cancel':
        return read(operatorApi.POST('/platform/fleet-migrations/{id}/cancel', { params, body }))
      case 'rollback':
        return read(operatorApi.POST('/platform/fleet-migrations/{id}/rollback', { params, body }))
    }
  })
}

export function useRetryTenants(id: string) {
  return useFleetChange((tenantIds: string[]) =>
    read(
      operatorApi.POST('/platform/fleet-migrations/{id}/retry', {
        params: { path: { id } },
        body: { tenantIds },
      }),
    ),
  )
}

export function useSkipTenants(id: string) {
  return useFleetChange((body: { tenantIds: string[]; reason: string }) =>
    read(operatorApi.POST('/platform/fleet-migrations/{id}/skip', { params: { path: { id } }, body })),
  )
}

function useFleetChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['fleet'] }),
  })
}
