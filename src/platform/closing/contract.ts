/**
 * Glossary
 * - archive (to): a final backup, restored and compared; then the tenant's database and role are dropped. The
 *   tenant can be restored from that backup.
 * - delete (to): an archived tenant's backups and exports are removed too, and what its row says of people
 * - certificate: what was done, when, by whom and with which checksums, signed; kept for good
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, oneOf, operation } from '../../http/contract.ts'

const shared = { tag: 'Tenants', audience: 'platform' } as const

const Confirmed = Type.Object(
  {
    confirm: Type.String({ maxLength: 40, description: "The tenant's code, typed out" }),
    reason: Type.Optional(Type.String({ minLength: 3, maxLength: 500 })),
  },
  { additionalProperties: false },
)

export const Begun = Type.Object({
  tenantId: Id,
  operationId: Type.String({ description: 'Poll /platform/operations/{id}' }),
})

export const archiveTenant = operation({
  ...shared,
  name: 'archiveTenant',
  needsApproval: true,
  method: 'POST',
  path: '/tenants/{id}/archive',
  summary: 'End all sessions, make and prove a final backup, then drop the database and its role',
  permission: 'tenants:archive',
  access: 'steps',
  status: 202,
  params: IdParams,
  body: Confirmed,
  data: Begun,
})

export const deleteTenant = operation({
  ...shared,
  name: 'deleteTenant',
  needsApproval: true,
  method: 'POST',
  path: '/tenants/{id}/delete',
  summary: 'Remove everything of an archived tenant whose retention is over: nothing brings it back',
  permission: 'tenants:delete',
  access: 'steps',
  status: 202,
  params: IdParams,
  body: Confirmed,
  data: Begun,
})

export const Certificate = Type.Object({
  id: Id,
  tenantId: Id,
  kind: oneOf(['archive', 'deletion']),
  document: Type.String({ description: 'JSON, exactly as it was signed' }),
  signature: Type.String({ description: 'Ed25519 over the document, base64url' }),
  publicKey: Type.String({ description: 'PEM' }),
  isGenuine: Type.Boolean({ description: 'The signature fits, and the key is this platform’s' }),
  createdAt: Instant,
})

export const listCertificates = operation({
  ...shared,
  name: 'listCertificates',
  method: 'GET',
  path: '/tenants/{id}/certificates',
  summary: 'What was archived and deleted of a tenant, signed',
  permission: 'tenants:view',
  access: 'read',
  params: IdParams,
  data: Type.Object({ certificates: Type.Array(Certificate) }),
})
