/**
 * Glossary
 * - operation (here): long work the platform does in durable steps, polled until it ends
 */
import { Type } from 'typebox'
import { Id, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const operationStatuses = ['queued', 'running', 'done', 'failed', 'cancelled'] as const

export const OperationState = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  status: oneOf(operationStatuses),
  progress: Type.Number({ minimum: 0, maximum: 1 }),
  steps: Type.Array(
    Type.Object({
      name: Type.String(),
      status: oneOf(['waiting', 'running', 'done', 'failed']),
      startedAt: nullable(Instant),
      finishedAt: nullable(Instant),
    }),
  ),
  error: nullable(Type.String()),
})

export const getOperation = operation({
  name: 'getOperation',
  method: 'GET',
  path: '/operations/{id}',
  summary: 'How far a long operation is',
  tag: 'Operations',
  audience: 'platform',
  permission: 'operations:view',
  access: 'steps',
  params: Type.Object({ id: Type.String({ maxLength: 100, pattern: '^[A-Za-z0-9:_-]+$' }) }),
  data: OperationState,
})

export const listOperations = operation({
  name: 'listOperations',
  method: 'GET',
  path: '/operations',
  summary: 'Long operations, newest first, with how far each is',
  tag: 'Operations',
  audience: 'platform',
  permission: 'operations:view',
  access: 'steps',
  query: Type.Object(
    {
      page: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1 })),
      limit: pageQuery.limit,
      status: Type.Optional(oneOf(operationStatuses)),
      kind: Type.Optional(Type.String({ maxLength: 60 })),
    },
    { additionalProperties: false },
  ),
  data: pageOf(
    'operations',
    Type.Object({
      id: Type.String(),
      kind: Type.String(),
      status: oneOf(operationStatuses),
      progress: nullable(Type.Number({ minimum: 0, maximum: 1, description: 'null: it did not end well' })),
      tenant: nullable(
        Type.Object({ id: Id, tenantCode: Type.String() }, { description: 'Whom it is about' }),
      ),
      error: nullable(Type.String()),
      startedAt: Instant,
      changedAt: Instant,
    }),
  ),
})
