import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { operatorApi, read } from '../../shared/client.ts'
import { mailListQuery, type MailFilter } from '../../shared/mails.ts'

const PAGE_SIZE = 20
const POLL_MS = 15_000

export function mailsQuery(filter: MailFilter) {
  const query = mailListQuery(filter, PAGE_SIZE)
  return queryOptions({
    queryKey: ['platform-mails', 'list', query],
    queryFn: () => read(operatorApi.GET('/platform/mails', { params: { query } })),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  })
}

export function mailQuery(id: string) {
  return queryOptions({
    queryKey: ['platform-mails', 'one', id],
    queryFn: () => read(operatorApi.GET('/platform/mails/{id}', { params: { path: { id } } })),
    gcTime: 0, // it may hold a link that is as good as a password
  })
}

export const resendMail = (id: string) =>
  read(operatorApi.POST('/platform/mails/{id}/resend', { params: { path: { id } } }))
