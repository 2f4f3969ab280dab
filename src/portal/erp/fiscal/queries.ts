import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, read } from '../../shared/client.ts'

export const fiscalYearsQuery = queryOptions({
  queryKey: ['fiscal-years'],
  queryFn: () => read(erpApi.GET('/finance/fiscal-years')),
})

export interface NewFiscalYear {
  name: string
  startDate: string
  endDate: string
}

export function useCreateFiscalYear() {
  return useCalendarChange((body: NewFiscalYear) => read(erpApi.POST('/finance/fiscal-years', { body })))
}

export function useClosePeriod() {
  return useCalendarChange((id: string) =>
    read(erpApi.POST('/finance/periods/{id}/closure', { params: { path: { id } } })),
  )
}

export function useReopenPeriod() {
  return useCalendarChange(({ id, reason }: { id: string; reason: string }) =>
    read(erpApi.DELETE('/finance/periods/{id}/closure', { params: { path: { id }, query: { reason } } })),
  )
}

function useCalendarChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['fiscal-years'] }),
  })
}
