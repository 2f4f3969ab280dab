/**
 * What became of a tenant's mails. What they say is shown to nobody: it may hold a link that is as good as a
 * password.
 *
 * Glossary
 * - mail: one message to one recipient; queued, sent, kept (development: there is no mail server) or dead (given up)
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const tenantMailStates = ['queued', 'sent', 'kept', 'dead'] as const

export const TenantMail = Type.Object({
  id: Id,
  template: Type.String(),
  language: Type.String(),
  recipient: Type.String(),
  subject: Type.String(),
  state: oneOf(
    tenantMailStates,
    'dead: given up, see lastError; kept: for operators to read, in development',
  ),
  senderId: nullable(Id),
  sender: nullable(Type.String({ description: 'The user in whose name it goes; null: the platform' })),
  attempts: Type.Integer(),
  nextAttemptAt: nullable(Instant),
  sentAt: nullable(Instant),
  lastError: nullable(Type.String()),
  canBeResent: Type.Boolean({ description: 'It was given up, and what it says is still good' }),
  createdAt: Instant,
})

const base = { tag: 'Mails', audience: 'tenant' } as const

export const listTenantMails = operation({
  ...base,
  name: 'listTenantMails',
  method: 'GET',
  path: '/mails',
  summary: 'Mails and what became of them, newest first; `status=dead`: those that could not be sent',
  permission: 'mails:view',
  access: 'read',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      search: pageQuery.search,
      status: Type.Optional(oneOf(tenantMailStates)),
    },
    { additionalProperties: false },
  ),
  data: pageOf('mails', TenantMail),
})

export const resendTenantMail = operation({
  ...base,
  name: 'resendTenantMail',
  method: 'POST',
  path: '/mails/{id}/resend',
  summary: 'Try a mail again that was given up, as often as at first',
  permission: 'mails:resend',
  access: 'write',
  params: IdParams,
  data: TenantMail,
})

export const listUserMails = operation({
  ...base,
  name: 'listUserMails',
  method: 'GET',
  path: '/users/{id}/mails',
  summary: "Mails in this user's name, and what became of them; the newest 100 of the last weeks",
  permission: 'mails:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  query: Type.Object({ status: Type.Optional(oneOf(tenantMailStates)) }, { additionalProperties: false }),
  data: Type.Object({ mails: Type.Array(TenantMail) }),
})

export const tenantMailOperations = [listTenantMails, resendTenantMail, listUserMails]
