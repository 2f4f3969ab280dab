/**
 * Glossary
 * - support: operators of the platform, who look after tenants
 * - support session: one operator in this tenant, with a reason, for a limited time
 * - consent: what the tenant lets support do; looking, unless it is refused; changing, until the instant it names
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, Nothing, nullable, oneOf, operation } from '../../http/contract.ts'

export const supportAccesses = ['read', 'write'] as const

export const SupportVisit = Type.Object({
  id: Id,
  operatorName: Type.String(),
  reason: Type.String(),
  access: oneOf(supportAccesses, 'write: may change what the tenant consents to'),
  address: nullable(Type.String()),
  userAgent: nullable(Type.String()),
  beganAt: Instant,
  endsAt: Instant,
  endedAt: nullable(Instant),
  endReason: nullable(Type.String()),
  isActive: Type.Boolean(),
  requestCount: Type.Integer(),
  lastRequestAt: nullable(Instant),
  operations: Type.Array(Type.Object({ name: Type.String(), count: Type.Integer() }), {
    description: 'What was asked for, and how often; the most frequent first',
  }),
})

export const SupportAccess = Type.Object({
  allowsSupport: Type.Boolean({ description: 'false: support stays out' }),
  writeUntil: nullable(Type.String({ description: 'Until then support may also change; null: not at all' })),
  mayChangeNow: Type.Boolean(),
  updatedAt: nullable(Instant),
  sessions: Type.Array(SupportVisit, { description: 'The newest first; at most 100' }),
})

const shared = { tag: 'Support access', audience: 'tenant' } as const

export const getSupportAccess = operation({
  ...shared,
  name: 'getSupportAccess',
  method: 'GET',
  path: '/support-access',
  summary: 'What the operator’s support may do here, who is in this account now, and who has been',
  permission: 'support-access:view',
  access: 'read',
  data: SupportAccess,
  versioned: true,
})

export const updateSupportAccess = operation({
  ...shared,
  name: 'updateSupportAccess',
  method: 'PUT',
  path: '/support-access',
  summary: 'Refuse support, or consent to more than looking until an instant; holds at once',
  permission: 'support-access:edit',
  access: 'steps',
  body: Type.Object(
    {
      allowsSupport: Type.Optional(Type.Boolean()),
      writeUntil: Type.Optional(
        nullable(
          Type.String({
            pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?Z$',
            description: 'Instant in UTC, ISO 8601; at most 30 days ahead',
          }),
        ),
      ),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: SupportAccess,
  versioned: true,
})

export const endSupportVisit = operation({
  ...shared,
  name: 'endSupportVisit',
  method: 'DELETE',
  path: '/support-access/sessions/{id}',
  summary: 'Send support away, at once',
  permission: 'support-access:edit',
  access: 'steps',
  params: IdParams,
  data: Nothing,
})

export const supportAccessOperations = [getSupportAccess, updateSupportAccess, endSupportVisit]
