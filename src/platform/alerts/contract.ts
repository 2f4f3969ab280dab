/**
 * Glossary
 * - alert: something an operator should look at; open until it is over, then resolved and kept
 */
import { Type } from 'typebox'
import { Id, Instant, nullable, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const Alert = Type.Object({
  id: Id,
  kind: Type.String({ examples: ['backup-failed', 'backup-missing', 'backup-unproven'] }),
  tenantId: nullable(Id),
  tenantCode: nullable(Type.String()),
  message: Type.String(),
  openedAt: Instant,
  resolvedAt: nullable(Instant),
})

const { page, limit } = pageQuery

export const listAlerts = operation({
  name: 'listAlerts',
  method: 'GET',
  path: '/alerts',
  summary: 'What an operator should look at, newest first; open ones unless asked otherwise',
  tag: 'Alerts',
  audience: 'platform',
  permission: 'alerts:view',
  access: 'read',
  query: Type.Object(
    {
      page,
      limit,
      kind: Type.Optional(Type.String({ maxLength: 60 })),
      tenantId: Type.Optional(Id),
      includeResolved: Type.Optional(Type.Boolean({ default: false })),
    },
    { additionalProperties: false },
  ),
  data: pageOf('alerts', Alert),
})
