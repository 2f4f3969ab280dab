/**
 * Glossary
 * - export: everything of a tenant in one zip archive, for its administrator to keep or take elsewhere
 */
import { Type } from 'typebox'
import {
  File,
  Id,
  IdParams,
  Instant,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
} from '../../http/contract.ts'

export const exportStates = ['running', 'done', 'failed', 'expired'] as const

export const TenantExport = Type.Object({
  id: Id,
  tenantId: Id,
  state: oneOf(exportStates),
  operationId: Type.String(),
  sizeBytes: nullable(Type.Integer()),
  checksum: nullable(Type.String({ description: 'SHA-256 of the file, in hex' })),
  error: nullable(Type.String()),
  expiresAt: nullable(Instant),
  createdAt: Instant,
  finishedAt: nullable(Instant),
})

const asOperator = { tag: 'Exports', audience: 'platform' } as const
const asTenant = {
  tag: 'Exports',
  audience: 'tenant',
  permission: 'tenant-exports:create',
  isOpenForExport: true,
} as const

export const createTenantExport = operation({
  ...asOperator,
  name: 'createTenantExport',
  method: 'POST',
  path: '/tenants/{id}/exports',
  summary: 'Begin an export of everything of a tenant; one that is running already is answered instead',
  permission: 'exports:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: TenantExport,
})

export const listTenantExports = operation({
  ...asOperator,
  name: 'listTenantExports',
  method: 'GET',
  path: '/tenants/{id}/exports',
  summary: "A tenant's exports, newest first",
  permission: 'exports:view',
  access: 'read',
  params: IdParams,
  query: Type.Object(pageQuery, { additionalProperties: false }),
  data: pageOf('exports', TenantExport),
})

export const downloadTenantExport = operation({
  ...asOperator,
  name: 'downloadTenantExport',
  method: 'GET',
  path: '/tenants/{id}/exports/{exportId}/file',
  summary: 'The file of a finished export (zip); who takes it is written down',
  permission: 'exports:download',
  access: 'steps',
  params: Type.Object({ id: Id, exportId: Id }),
  data: File,
  isDownload: true,
})

export const createOwnExport = operation({
  ...asTenant,
  name: 'createOwnExport',
  method: 'POST',
  path: '/tenant/exports',
  summary: 'Begin an export of everything of this account; one that is running already is answered instead',
  access: 'steps',
  status: 202,
  data: TenantExport,
})

export const listOwnExports = operation({
  ...asTenant,
  name: 'listOwnExports',
  method: 'GET',
  path: '/tenant/exports',
  summary: "This account's exports, newest first",
  access: 'steps',
  query: Type.Object(pageQuery, { additionalProperties: false }),
  data: pageOf('exports', TenantExport),
})

export const getOwnExport = operation({
  ...asTenant,
  name: 'getOwnExport',
  method: 'GET',
  path: '/tenant/exports/{id}',
  summary: 'How far an export is',
  access: 'steps',
  params: IdParams,
  data: TenantExport,
})

export const downloadOwnExport = operation({
  ...asTenant,
  name: 'downloadOwnExport',
  method: 'GET',
  path: '/tenant/exports/{id}/file',
  summary: 'The file of a finished export (zip)',
  access: 'steps',
  params: IdParams,
  data: File,
  isDownload: true,
})

/** What the tenant's own administrator may do; the permission is one a tenant's roles can be given. */
export const ownExportOperations = [createOwnExport, listOwnExports, getOwnExport, downloadOwnExport] as const
