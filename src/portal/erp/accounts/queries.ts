import { useMemo } from 'react'
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { erpApi, ifMatch, read, readVersioned } from '../../shared/client.ts'
import type { GlAccountNode, NewGlAccount } from '../../shared/model.ts'

export const accountTypes = ['asset', 'liability', 'equity', 'revenue', 'expense'] as const
export const controlAccounts = ['none', 'receivable', 'payable', 'inventory', 'tax', 'bank'] as const

/** The whole chart in one answer: it is a few hundred rows, and choosing an account must not wait. */
const accountTreeQuery = queryOptions({
  queryKey: ['gl-accounts', 'tree'],
  queryFn: async () => {
    const { glAccounts } = await read(erpApi.GET('/masters/gl-accounts/tree'))
    return glAccounts as GlAccountNode[]
  },
  staleTime: 60_000,
})

/** Accounts go by their name in the reader's language, where they have one. */
export function useAccountTree() {
  const { i18n } = useTranslation()
  return useQuery({ ...accountTreeQuery, select: i18n.language === 'ar' ? inArabic : asTheyAre })
}

function inArabic(nodes: GlAccountNode[]): GlAccountNode[] {
  return nodes.map((node) => ({
    ...node,
    name: node.nameArabic ?? node.name,
    children: inArabic(node.children),
  }))
}

function asTheyAre(nodes: GlAccountNode[]): GlAccountNode[] {
  return nodes
}

/** The chart as a list in the order of the tree. */
export function useAccounts(): { accounts: GlAccountNode[]; isPending: boolean; error: unknown } {
  const tree = useAccountTree()
  const accounts = useMemo(() => flattened(tree.data ?? []), [tree.data])
  return { accounts, isPending: tree.isPending, error: tree.error }
}

/** Reports name accounts in the books' language; this gives the reader's, once the chart is known. */
export function useAccountName(): (id: string, name: string) => string {
  const { accounts } = useAccounts()
  const names = useMemo(() => new Map(accounts.map(({ id, name }) => [id, name])), [accounts])
  return (id, name) => names.get(id) ?? name
}

export function flattened(nodes: readonly GlAccountNode[]): GlAccountNode[] {
  return nodes.flatMap((node) => [node, ...flattened(node.children)])
}

export function accountQuery(id: string) {
  return queryOptions({
    queryKey: ['gl-accounts', 'one', id],
    queryFn: () => readVersioned(erpApi.GET('/masters/gl-accounts/{id}', { params: { path: { id } } })),
    // The version decides whether saving is allowed, so it must be of now.
    staleTime: 0,
    gcTime: 0,
  })
}

interface Save {
  id: string | null
  version: string | null
  fields: NewGlAccount
}

export function useSaveAccount() {
  return useAccountChange(({ id, version, fields }: Save) =>
    id === null
      ? read(erpApi.POST('/masters/gl-accounts', { body: fields }))
      : read(
          erpApi.PUT('/masters/gl-accounts/{id}', {
            params: { path: { id } },
            headers: ifMatch(version),
            body: fields,
          }),
        ),
  )
}

export function useSetAccountActive() {
  return useAccountChange(({ id, isActive }: { id: string; isActive: boolean }) =>
    read(erpApi.PUT('/masters/gl-accounts/{id}', { params: { path: { id } }, body: { isActive } })),
  )
}

export function useDeleteAccount() {
  return useAccountChange((id: string) =>
    read(erpApi.DELETE('/masters/gl-accounts/{id}', { params: { path: { id } } })),
  )
}

function useAccountChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['gl-accounts'] }),
  })
}

/** Currencies of the tenant for a drop-down. */
export const currencyOptionsQuery = queryOptions({
  queryKey: ['masters', 'currencies', 'options'],
  queryFn: () => read(erpApi.GET('/masters/currencies', { params: { query: { limit: 200 } } })),
  staleTime: 5 * 60_000,
})
