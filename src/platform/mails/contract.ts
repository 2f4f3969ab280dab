/** The platform's mails, and those of tenants that an operator must see (see src/mail/message.ts). */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const mailStates = ['queued', 'sent', 'kept', 'dead'] as const

export const Mail = Type.Object({
  id: Id,
  tenantId: nullable(Id),
  tenantCode: nullable(Type.String()),
  template: Type.String(),
  language: Type.String(),
  recipient: Type.String(),
  subject: Type.String(),
  state: oneOf(
    mailStates,
    'kept: there is no mail server, so it waits here to be read; dead: given up, see lastError',
  ),
  attempts: Type.Integer(),
  canBeResent: Type.Boolean({ description: 'It was given up or kept, and what it says is still good' }),
  nextAttemptAt: nullable(Instant),
  sentAt: nullable(Instant),
  lastError: nullable(Type.String()),
  createdAt: Instant,
})

export const MailWithContent = Type.Object({
  ...Mail.properties,
  content: nullable(Type.Object({ text: Type.String(), html: Type.String() })),
})

export const listMails = operation({
  name: 'listMails',
  method: 'GET',
  path: '/mails',
  summary: "The platform's mails, newest first; tenants' mails that could not be sent; in development all",
  tag: 'Mails',
  audience: 'platform',
  permission: 'mails:view',
  access: 'read',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      search: pageQuery.search,
      status: Type.Optional(oneOf(mailStates)),
      tenantId: Type.Optional(Id),
    },
    { additionalProperties: false },
  ),
  data: pageOf('mails', Mail),
})

export const getMail = operation({
  name: 'getMail',
  method: 'GET',
  path: '/mails/{id}',
  summary: 'One mail; with what it says only where nothing is sent (development)',
  tag: 'Mails',
  audience: 'platform',
  permission: 'mails:view',
  access: 'read',
  params: IdParams,
  data: MailWithContent,
})

export const resendMail = operation({
  name: 'resendMail',
  method: 'POST',
  path: '/mails/{id}/resend',
  summary: 'Try a mail again that was given up, or that was kept because there was no mail server',
  tag: 'Mails',
  audience: 'platform',
  permission: 'mails:resend',
  access: 'steps',
  params: IdParams,
  data: Mail,
})
