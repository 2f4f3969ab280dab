/**
 * Glossary
 * - support session: one operator in one tenant, with a reason, for a limited time; read-only unless the tenant has
 *   consented to more
 * - code: what the operator's browser takes to the tenant's address, where it is exchanged for the token; once
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const supportStates = ['requested', 'active', 'refused', 'ending', 'ended'] as const

export const REASON_LENGTH_MINIMUM = 10

export const SupportSession = Type.Object({
  id: Id,
  tenantId: Id,
  tenantCode: Type.String(),
  operatorId: Id,
  operatorName: Type.String(),
  reason: Type.String(),
  access: oneOf(['read', 'write']),
  state: oneOf(supportStates),
  expiresAt: Instant,
  endedAt: nullable(Instant),
  endReason: nullable(Type.String()),
  requestCount: nullable(Type.Integer({ description: 'Known when it has ended' })),
  createdAt: Instant,
})

const Entry = Type.Object({
  url: Type.String({ description: 'Where the code is exchanged: the tenant’s own address' }),
  code: Type.String({ description: 'Good once, for a minute, for this tenant alone' }),
  expiresAt: Instant,
})

const shared = { tag: 'Support', audience: 'platform' } as const

export const beginSupportSession = operation({
  ...shared,
  name: 'beginSupportSession',
  method: 'POST',
  path: '/tenants/{id}/support-sessions',
  summary: 'Enter a tenant: with a reason, for a limited time, read-only unless the tenant consents to more',
  permission: 'support-sessions:add',
  access: 'steps',
  status: 201,
  params: IdParams,
  body: Type.Object(
    {
      reason: Type.String({
        minLength: REASON_LENGTH_MINIMUM,
        maxLength: 500,
        description: 'The tenant reads it',
      }),
      minutes: Type.Optional(Type.Integer({ minimum: 5, maximum: 240, default: 60 })),
      access: Type.Optional(oneOf(['read', 'write'])),
      companyCode: Type.Optional(
        Type.String({ minLength: 1, maxLength: 40, description: 'Default: the first company' }),
      ),
    },
    { additionalProperties: false },
  ),
  data: Type.Object({
    session: SupportSession,
    token: Type.String({ description: 'For the tenant’s side; there is no other when it has expired' }),
    expiresIn: Type.Integer({ description: 'Seconds until the session ends' }),
    entry: Entry,
  }),
})

export const enterAgain = operation({
  ...shared,
  name: 'createSupportEntry',
  method: 'POST',
  path: '/support-sessions/{id}/entry',
  summary: 'Another code for a session of one’s own that is running; an earlier one is void',
  permission: 'support-sessions:add',
  access: 'write',
  params: IdParams,
  data: Entry,
})

const listQuery = Type.Object(
  {
    ...pageQuery,
    sort: Type.Optional(oneOf(['createdAt', 'tenantCode', 'operatorName', 'state', 'expiresAt', 'endedAt'])),
    status: Type.Optional(oneOf(['running', 'over'])),
  },
  { additionalProperties: false },
)

export const listTenantSupportSessions = operation({
  ...shared,
  name: 'listTenantSupportSessions',
  method: 'GET',
  path: '/tenants/{id}/support-sessions',
  summary: 'Who has been in this tenant, the newest first. Search: tenant, operator, reason',
  permission: 'support-sessions:view',
  access: 'read',
  params: IdParams,
  query: listQuery,
  data: pageOf('supportSessions', SupportSession),
})

export const listSupportSessions = operation({
  ...shared,
  name: 'listSupportSessions',
  method: 'GET',
  path: '/support-sessions',
  summary: 'Who has been in any tenant, the newest first. Search: tenant, operator, reason',
  permission: 'support-sessions:view',
  access: 'read',
  query: listQuery,
  data: pageOf('supportSessions', SupportSession),
})

export const endSupportSession = operation({
  ...shared,
  name: 'endSupportSession',
  method: 'DELETE',
  path: '/support-sessions/{id}',
  summary: 'End a support session, at once',
  permission: 'support-sessions:add',
  access: 'steps',
  params: IdParams,
  data: SupportSession,
})
