/**
 * Glossary
 * - operation (here): long work the platform does in durable steps, polled until it ends
 */
import { Type } from 'typebox'
import { Instant, nullable, oneOf, operation } from '../../http/contract.ts'

export const OperationState = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  status: oneOf(['queued', 'running', 'done', 'failed', 'cancelled']),
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
