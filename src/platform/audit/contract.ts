/** What operators and the platform did (see src/erp/audit/contract.ts for the tenants'). */
import { Type } from 'typebox'
import { auditEntry, auditNext, auditQuery, Id, nullable, operation } from '../../http/contract.ts'

export const PlatformAuditEntry = Type.Object({
  ...auditEntry,
  tenantId: nullable(Id),
  tenantCode: nullable(Type.String()),
  details: Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object', additionalProperties: true }),
})

export const listPlatformAuditLog = operation({
  name: 'listPlatformAuditLog',
  method: 'GET',
  path: '/audit-log',
  summary: 'Who did what, when and from where, newest first',
  tag: 'Audit',
  audience: 'platform',
  permission: 'audit-log:view',
  access: 'read',
  query: Type.Object({ ...auditQuery, tenantId: Type.Optional(Id) }, { additionalProperties: false }),
  data: Type.Object({ auditEntries: Type.Array(PlatformAuditEntry), next: auditNext }),
})
