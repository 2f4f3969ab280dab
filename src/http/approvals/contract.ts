/**
 * What waits for a second operator (DUAL_APPROVAL). Declared by an operation's contract (`needsApproval`), enforced by
 * the command runner, over HTTP and on the command line alike; kept and carried out by platform/approvals.
 */
import { Type, type Static } from 'typebox'
import { Id, Instant, nullable, oneOf, type Operation } from '../contract.ts'

export const approvalStates = [
  'pending',
  'approved',
  'executing',
  'executed',
  'failed',
  'rejected',
  'expired',
] as const

const Person = nullable(Type.String({ description: 'null: the command line' }))

export const ApprovalRequest = Type.Object({
  id: Id,
  operation: Type.String(),
  summary: Type.String(),
  path: Type.String({ description: 'What was asked for, with its ids' }),
  tenantId: nullable(Id),
  tenantCode: nullable(Type.String()),
  input: Type.String({
    description: 'Exactly what will be carried out: canonical JSON of params, query and body',
  }),
  state: oneOf(approvalStates),
  requestedById: nullable(Id),
  requestedBy: Person,
  decidedBy: nullable(Type.String()),
  decisionReason: nullable(Type.String()),
  decidedAt: nullable(Instant),
  expiresAt: Instant,
  finishedAt: nullable(Instant),
  operationId: nullable(
    Type.String({ description: 'Of long work that it began: poll /platform/operations/{id}' }),
  ),
  error: nullable(Type.String({ description: 'Why it failed' })),
  createdAt: Instant,
})

export type ApprovalData = Static<typeof ApprovalRequest>

/** The answer (202) to what waits. */
export const Held = Type.Object({ approval: ApprovalRequest })

/** Whether this request is of those that wait. */
export function isDestructive({ needsApproval }: Operation, body: unknown): boolean {
  if (needsApproval === undefined || needsApproval === true) return needsApproval === true
  const given = (body ?? {}) as Record<string, unknown>
  return Object.entries(needsApproval).some(([field, values]) => {
    const value = given[field]
    return value !== undefined && (values === true || values.includes(String(value)))
  })
}
