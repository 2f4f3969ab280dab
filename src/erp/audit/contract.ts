/**
 * Glossary
 * - audit entry: one thing that happened: a row that was made, changed or deleted, with its old and new values;
 *   an entry that was posted or reversed; a sign-in or sign-out; a refusal (alike ones of some seconds together,
 *   with their count)
 * - seal, chain: see src/audit/chain.ts and docs/adr/0022
 */
import { Type } from 'typebox'
import { auditEntry, auditNext, auditQuery, Id, nullable, operation } from '../../http/contract.ts'

export const AuditEntry = Type.Object({ ...auditEntry, companyId: nullable(Id) })

export const listAuditLog = operation({
  name: 'listAuditLog',
  method: 'GET',
  path: '/audit-log',
  summary: 'Who did what, when and from where, newest first: in this company, and what belongs to none',
  tag: 'Audit',
  audience: 'tenant',
  permission: 'audit-log:view',
  access: 'read',
  query: Type.Object(auditQuery, { additionalProperties: false }),
  data: Type.Object({ auditEntries: Type.Array(AuditEntry), next: auditNext }),
})
