/**
 * Glossary
 * - move: a tenant's database goes to another server while its users work on
 * - hold: the last moment of a move, in which writes wait; reading goes on
 * - switch: from here on the tenant lives on the new server
 * - kept copy: the old database, shut to everybody, until it is dropped; while it is there, undoing is quick
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const moveStatuses = ['running', 'done', 'failed', 'undone'] as const

export const Move = Type.Object({
  id: Id,
  tenantId: Id,
  fromServerId: Id,
  fromServerName: Type.String(),
  toServerId: Id,
  toServerName: Type.String(),
  undoesId: nullable(Type.String({ description: 'The move that this one takes back' })),
  status: oneOf(moveStatuses),
  error: nullable(Type.String()),
  operationId: Type.String({ description: 'For GET /platform/operations/{id}' }),
  tables: nullable(Type.Integer({ description: 'Compared before the switch, rows and checksums alike' })),
  rows: nullable(Type.Integer()),
  ledgerChecksum: nullable(Type.String()),
  heldMilliseconds: nullable(Type.Integer({ description: 'How long writes waited' })),
  switchedAt: nullable(Instant),
  keptUntil: nullable(Type.String({ description: 'The old database is kept until then; null: it is gone' })),
  createdAt: Instant,
  updatedAt: Instant,
})

const shared = { tag: 'Moves', audience: 'platform', access: 'steps' } as const
const MoveParams = Type.Object({ id: Id, moveId: Id })

export const moveTenant = operation({
  ...shared,
  name: 'moveTenant',
  method: 'POST',
  path: '/tenants/{id}/moves',
  summary: "Move a tenant's database to another server while its users work on",
  permission: 'tenants:move',
  status: 202,
  params: IdParams,
  body: Type.Object({ serverId: Id }, { additionalProperties: false }),
  data: Move,
  idempotent: true,
})

export const listMoves = operation({
  ...shared,
  name: 'listMoves',
  method: 'GET',
  path: '/tenants/{id}/moves',
  summary: 'Moves of a tenant, newest first',
  permission: 'tenants:view',
  access: 'read',
  params: IdParams,
  query: Type.Object({ page: pageQuery.page, limit: pageQuery.limit }, { additionalProperties: false }),
  data: pageOf('moves', Move),
})

export const getMove = operation({
  ...shared,
  name: 'getMove',
  method: 'GET',
  path: '/tenants/{id}/moves/{moveId}',
  summary: 'One move',
  permission: 'tenants:view',
  access: 'read',
  params: MoveParams,
  data: Move,
})

export const undoMove = operation({
  ...shared,
  name: 'undoMove',
  method: 'POST',
  path: '/tenants/{id}/moves/{moveId}/undo',
  summary: 'Move back, with all that was written since; quick while the old database is kept',
  permission: 'tenants:move',
  status: 202,
  params: MoveParams,
  data: Move,
})

export const dropKeptCopy = operation({
  ...shared,
  name: 'dropKeptCopy',
  needsApproval: true,
  method: 'DELETE',
  path: '/tenants/{id}/moves/{moveId}/copy',
  summary: 'Drop the old database of a move before its time, e.g. to free a server',
  permission: 'tenants:move',
  params: MoveParams,
  data: Move,
})
