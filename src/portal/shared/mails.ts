/** The list of mails is asked for alike on both sides: a tenant's own, and those that operators see. */
export const mailStates = ['queued', 'sent', 'kept', 'dead'] as const

export interface MailFilter {
  page?: number
  search?: string
  status?: string
}

export function mailListQuery({ page = 1, search, status }: MailFilter, limit: number) {
  return {
    page,
    limit,
    ...(search ? { search } : {}),
    ...(status ? { status: status as (typeof mailStates)[number] } : {}),
  }
}
