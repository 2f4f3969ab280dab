/**
 * Glossary
 * - approval request: a destructive request that was kept instead of carried out, until another operator decides
 */
import { Type } from 'typebox'
import { ApprovalRequest } from '../../http/approvals/contract.ts'
import { IdParams, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

const shared = { tag: 'Approvals', audience: 'platform' } as const

const Decision = Type.Object(
  { reason: Type.String({ minLength: 3, maxLength: 500 }) },
  { additionalProperties: false },
)

export const listApprovals = operation({
  ...shared,
  name: 'listApprovals',
  method: 'GET',
  path: '/approvals',
  summary:
    'What waits for a second operator, and what became of it; the newest first. Search: operation, tenant, people',
  permission: 'approvals:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(
        oneOf(['createdAt', 'operation', 'tenantCode', 'requestedBy', 'state', 'expiresAt', 'decidedAt']),
      ),
      status: Type.Optional(oneOf(['pending', 'decided'])),
    },
    { additionalProperties: false },
  ),
  data: Type.Object({
    ...pageOf('approvals', ApprovalRequest).properties,
    isRequired: Type.Boolean({ description: 'Destructive requests wait (DUAL_APPROVAL)' }),
    operations: Type.Array(Type.String(), { description: 'Those that wait, by name' }),
  }),
})

export const getApproval = operation({
  ...shared,
  name: 'getApproval',
  method: 'GET',
  path: '/approvals/{id}',
  summary: 'One approval request',
  permission: 'approvals:view',
  access: 'read',
  params: IdParams,
  data: ApprovalRequest,
})

export const approve = operation({
  ...shared,
  name: 'approveRequest',
  method: 'POST',
  path: '/approvals/{id}/approval',
  summary: 'Approve what another operator asked for: it is carried out now, as they asked for it',
  permission: 'approvals:decide',
  access: 'steps',
  params: IdParams,
  body: Decision,
  data: ApprovalRequest,
})

export const reject = operation({
  ...shared,
  name: 'rejectRequest',
  method: 'POST',
  path: '/approvals/{id}/rejection',
  summary: 'Reject a request, or take one’s own back: nothing is done',
  permission: 'approvals:decide',
  access: 'write',
  params: IdParams,
  body: Decision,
  data: ApprovalRequest,
})
