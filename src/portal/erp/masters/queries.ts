import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, ifMatch, read, readVersioned } from '../../shared/client.ts'
import type { MasterDefinition, MasterRow } from './definitions.ts'

export const PAGE_SIZE = 25

/**
 * All masters answer alike, which the types of single paths cannot say: the calls are typed as those of one
 * of them, and rows and bodies are read by the definition's fields.
 */
type AnyMaster = '/masters/units-of-measure'
type AnyBody = never

const listPath = (definition: MasterDefinition) => definition.path as AnyMaster
const rowPath = (definition: MasterDefinition) => `${definition.path}/{id}` as `${AnyMaster}/{id}`

interface MasterList {
  rows: MasterRow[]
  total: number
  page: number
}

export function masterListQuery(definition: MasterDefinition, filter: { page?: number; search?: string }) {
  const query = {
    page: filter.page ?? 1,
    limit: PAGE_SIZE,
    ...(filter.search ? { search: filter.search } : {}),
  }
  return queryOptions({
    queryKey: ['masters', definition.path, 'list', query],
    queryFn: async (): Promise<MasterList> => {
      const data: unknown = await read(erpApi.GET(listPath(definition), { params: { query } }))
      const { pagination, ...lists } = data as { pagination: { total: number; page: number } }
      const rows = (lists as Record<string, MasterRow[]>)[definition.plural] ?? []
      return { rows, total: pagination.total, page: pagination.page }
    },
    placeholderData: keepPreviousData,
  })
}

export function masterRowQuery(definition: MasterDefinition, id: string) {
  return queryOptions({
    queryKey: ['masters', definition.path, 'one', id],
    queryFn: async () => {
      const { data, version } = await readVersioned(
        erpApi.GET(rowPath(definition), { params: { path: { id } } }),
      )
      return { row: data as unknown as MasterRow, version }
    },
    // The version decides whether saving is allowed, so it must be of now.
    staleTime: 0,
    gcTime: 0,
  })
}

interface Save {
  id: string | null
  version: string | null
  fields: Record<string, unknown>
}

export function useSaveMaster(definition: MasterDefinition) {
  return useMasterChange(async ({ id, version, fields }: Save) => {
    const body = fields as AnyBody
    if (id === null) return read(erpApi.POST(listPath(definition), { body }))
    const params = { path: { id } }
    return read(erpApi.PUT(rowPath(definition), { params, body, headers: ifMatch(version) }))
  })
}

export function useDeleteMaster(definition: MasterDefinition) {
  return useMasterChange(async (id: string) => {
    await read(erpApi.DELETE(rowPath(definition), { params: { path: { id } } }))
  })
}

function useMasterChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['masters'] }),
  })
}
