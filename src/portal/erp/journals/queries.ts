import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { erpApi, ifMatch, read, readVersioned } from '../../shared/client.ts'
import type { JournalEntry, NewJournalEntry, NewReversal } from '../../shared/model.ts'

export const PAGE_SIZE = 25

export interface JournalFilter {
  page?: number
  search?: string
  status?: string
  from?: string
  to?: string
}

export function journalEntriesQuery(filter: JournalFilter, limit: number = PAGE_SIZE) {
  const { status, ...rest } = filter
  const query = { ...rest, limit, ...(status ? { status: status as JournalEntry['status'] } : {}) }
  return queryOptions({
    queryKey: ['journal-entries', 'list', query],
    queryFn: () => read(erpApi.GET('/finance/journal-entries', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function journalEntryQuery(id: string) {
  return queryOptions({
    queryKey: ['journal-entries', 'one', id],
    queryFn: () => readVersioned(erpApi.GET('/finance/journal-entries/{id}', { params: { path: { id } } })),
    staleTime: 0,
  })
}

export interface Submission {
  /** The draft being changed, or null for a new entry. */
  draft: { id: string; version: string | null } | null
  body: NewJournalEntry
  submissionKey: string
}

/** Creates the entry or replaces the draft; a changed draft is posted in a second step. */
export function useSubmitEntry() {
  return useJournalChange(async ({ draft, body, submissionKey }: Submission) => {
    if (!draft) {
      return read(
        erpApi.POST('/finance/journal-entries', {
          body,
          headers: { 'Idempotency-Key': submissionKey },
        }),
      )
    }
    const { status, ...fields } = body
    const saved = await read(
      erpApi.PUT('/finance/journal-entries/{id}', {
        params: { path: { id: draft.id } },
        headers: ifMatch(draft.version),
        body: fields,
      }),
    )
    return status === 'posted' ? postDraft({ id: draft.id, submissionKey }) : saved
  })
}

export function usePostDraft() {
  return useJournalChange(postDraft)
}

function postDraft({ id, submissionKey }: { id: string; submissionKey: string }) {
  return read(
    erpApi.POST('/finance/journal-entries/{id}/post', {
      params: { path: { id } },
      headers: { 'Idempotency-Key': submissionKey },
    }),
  )
}

export function useReverseEntry() {
  return useJournalChange(
    ({ id, body, submissionKey }: { id: string; body: NewReversal; submissionKey: string }) =>
      read(
        erpApi.POST('/finance/journal-entries/{id}/reversal', {
          params: { path: { id } },
          headers: { 'Idempotency-Key': submissionKey },
          body,
        }),
      ),
  )
}

export function useDeleteDraft() {
  return useJournalChange((id: string) =>
    read(erpApi.DELETE('/finance/journal-entries/{id}', { params: { path: { id } } })),
  )
}

function useJournalChange<Input, Result>(change: (input: Input) => Promise<Result>) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: change,
    // Not waited for: a form may be gone from the screen before the lists are fetched again.
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['journal-entries'] })
      void queryClient.invalidateQueries({ queryKey: ['reports'] })
    },
  })
}
