import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { erpApi, read } from '../../shared/client.ts'
import { mailListQuery, type MailFilter } from '../../shared/mails.ts'
import type { TenantMail } from '../../shared/model.ts'

const PAGE_SIZE = 25

export function mailsQuery(filter: MailFilter) {
  const query = mailListQuery(filter, PAGE_SIZE)
  return queryOptions({
    queryKey: ['mails', 'list', query],
    queryFn: () => read(erpApi.GET('/mails', { params: { query } })),
    placeholderData: keepPreviousData,
  })
}

export function userMailsQuery(userId: string, state: TenantMail['state']) {
  return queryOptions({
    queryKey: ['mails', 'of', userId, state],
    queryFn: () =>
      read(erpApi.GET('/users/{id}/mails', { params: { path: { id: userId }, query: { status: state } } })),
  })
}

export const resendMail = (id: string) =>
  read(erpApi.POST('/mails/{id}/resend', { params: { path: { id } } }))
