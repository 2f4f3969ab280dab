/**
 * Glossary
 * - e-mail settings: the user's own SMTP server, which mails in their name are sent through
 * - sender: whose name and address stand in a mail, and through which server it goes
 */
import { Type } from 'typebox'
import { Email, IdParams, Instant, Nothing, nullable, oneOf, operation } from '../../../http/contract.ts'

const base = { tag: 'Users', audience: 'tenant' } as const

/** As RefusalKind of src/mail/transport.ts. */
const refusalCodes = [
  'unreachable',
  'encryption',
  'sign-in',
  'sender',
  'recipient',
  'message',
  'other',
] as const

export const smtpSecurities = ['tls', 'ssl', 'none'] as const

export const EmailSettings = Type.Object({
  host: Type.String(),
  port: Type.Integer(),
  username: nullable(Type.String()),
  hasPassword: Type.Boolean({ description: 'The password itself is never shown' }),
  security: oneOf(smtpSecurities, 'tls: STARTTLS; ssl: from the first byte'),
  alwaysUseSender: Type.Boolean({
    description:
      "The user's own address is all the server is told, also where it signs in as another one. Otherwise that account stands beside it as the one that sends (MAIL FROM and `Sender`), as many servers demand",
  }),
  fromName: nullable(Type.String()),
  replyTo: nullable(Type.String()),
  signatureHtml: nullable(Type.String()),
  footerHtml: nullable(Type.String()),
  createdAt: Instant,
  updatedAt: Instant,
})

const OneLine = Type.String({ maxLength: 200, pattern: '^[^\\r\\n]*$' })
const Html = nullable(
  Type.String({ maxLength: 20_000, description: 'HTML; what could do harm in a mail is taken out' }),
)

const settings = {
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  username: Type.Optional(nullable(OneLine)),
  password: Type.Optional(nullable(Type.String({ maxLength: 1_000 }))),
  security: Type.Optional(oneOf(smtpSecurities)),
  alwaysUseSender: Type.Optional(Type.Boolean()),
  fromName: Type.Optional(nullable(OneLine)),
  replyTo: Type.Optional(nullable(Email)),
  signatureHtml: Type.Optional(Html),
  footerHtml: Type.Optional(Html),
}

export const getEmailSettings = operation({
  ...base,
  name: 'getEmailSettings',
  method: 'GET',
  path: '/users/{id}/email-settings',
  summary: "The user's own mail server; 404 where there is none and the platform's is used",
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  data: EmailSettings,
  versioned: true,
})

export const updateEmailSettings = operation({
  ...base,
  name: 'updateEmailSettings',
  method: 'PUT',
  path: '/users/{id}/email-settings',
  summary: 'Set them: the fields that are given; `host` at the first time. The password is kept encrypted',
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'write',
  params: IdParams,
  body: Type.Object(
    {
      host: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: '^[A-Za-z0-9.:-]+$' })),
      ...settings,
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: EmailSettings,
  versioned: true,
})

export const deleteEmailSettings = operation({
  ...base,
  name: 'deleteEmailSettings',
  method: 'DELETE',
  path: '/users/{id}/email-settings',
  summary: "Forget them: mails go through the platform's server again",
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'write',
  params: IdParams,
  data: Nothing,
  isConditional: true,
})

export const testOutcomes = ['sent', ...refusalCodes] as const

export const testEmailSettings = operation({
  ...base,
  name: 'testEmailSettings',
  method: 'POST',
  path: '/users/{id}/email-settings/test',
  summary: "Send a test through this mail server to the caller's own address, and tell what came of it",
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'steps',
  params: IdParams,
  rateLimit: { maximum: 5, windowSeconds: 600 },
  data: Type.Object({
    outcome: oneOf(testOutcomes),
    message: Type.String({ description: 'In words' }),
    recipient: Type.String(),
    serverAnswer: nullable(Type.String({ description: 'What the mail server itself said' })),
  }),
})

export const emailOperations = [getEmailSettings, updateEmailSettings, deleteEmailSettings, testEmailSettings]
