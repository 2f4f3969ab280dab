import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import type { NewOperator, OperatorChange, OperatorStatus } from '../../shared/model.ts'

export const PAGE_SIZE = 20

export function operatorsQuery(filter: { page?: number; search?: string; status?: string }) {
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.search ? { search: filter.search } : {}),
    ...(filter.status ? { status: filter.status as OperatorStatus } : {}),
  }
  return queryOptions({
    queryKey: ['operators', query],
    queryFn: () => read(operatorApi.GET('/platform/operators', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function useInviteOperator() {
  return useOperatorsChange(({ body, submissionKey }: { body: NewOperator; submissionKey: string }) =>
    read(operatorApi.POST('/platform/operators', { body, headers: { 'Idempotency-Key': submissionKey } })),
  )
}

export function useUpdateOperator(id: string) {
  return useOperatorsChange((body: OperatorChange) =>
    read(operatorApi.PUT('/platform/operators/{id}', { params: { path: { id } }, body })),
  )
}

export function useDeleteOperator(id: string) {
  return useOperatorsChange(() =>
    read(operatorApi.DELETE('/platform/operators/{id}', { params: { path: { id } } })),
  )
}

export function useInviteAgain() {
  return useOperatorsChange((id: string) =>
    read(operatorApi.POST('/platform/operators/{id}/invitation', { params: { path: { id } } })),
  )
}

export function useResetSecondFactor(id: string) {
  return useOperatorsChange(() =>
    read(operatorApi.DELETE('/platform/operators/{id}/second-factor', { params: { path: { id } } })),
  )
}

function useOperatorsChange<Input = void, Result = unknown>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['operators'] }),
  })
}
