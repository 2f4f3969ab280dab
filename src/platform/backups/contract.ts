/**
 * Glossary
 * - backup: one tenant's database at one moment, kept as an encrypted archive in a folder or bucket
 * - good: written whole, read back whole, and what was read equals what was counted
 * - proven: restored into a database, and that database compared
 * - retention: how long a plan's backups are kept
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const backupReasons = [
  'scheduled',
  'on-demand',
  'suspension',
  'cancellation',
  'migration',
  'restore',
  'archive',
] as const
export const backupStates = ['running', 'good', 'failed', 'expiring', 'deleted'] as const
export const backupEngines = ['copy', 'pg_dump'] as const

export const Backup = Type.Object({
  id: Id,
  tenantId: Id,
  tenantCode: Type.String(),
  reason: oneOf(backupReasons),
  engine: oneOf(backupEngines),
  state: oneOf(backupStates),
  location: Type.String({ description: 'Where the archive lies' }),
  sizeBytes: nullable(Type.Integer()),
  databaseBytes: nullable(Type.Integer({ description: 'What its tables took in the database' })),
  rowCount: nullable(Type.Integer()),
  sha256: nullable(Type.String()),
  schemaVersion: nullable(Type.String()),
  takenAt: nullable(Type.String({ description: 'The moment whose data it holds; UTC, ISO 8601' })),
  durationMs: nullable(Type.Integer()),
  verifiedAt: nullable(Instant),
  provenAt: nullable(Instant),
  isPinned: Type.Boolean({ description: 'Retention leaves it alone' }),
  error: nullable(Type.String()),
  createdAt: Instant,
})

const filters = {
  page: pageQuery.page,
  limit: pageQuery.limit,
  state: Type.Optional(oneOf(backupStates)),
  reason: Type.Optional(oneOf(backupReasons)),
}
const BackupQuery = Type.Object(filters, { additionalProperties: false })

export const listBackups = operation({
  name: 'listBackups',
  method: 'GET',
  path: '/backups',
  summary: "Every tenant's backups, newest first",
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:view',
  access: 'read',
  query: Type.Object({ ...filters, tenantId: Type.Optional(Id) }, { additionalProperties: false }),
  data: pageOf('backups', Backup),
})

export const getBackup = operation({
  name: 'getBackup',
  method: 'GET',
  path: '/backups/{id}',
  summary: 'One backup',
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:view',
  access: 'read',
  params: IdParams,
  data: Backup,
})

export const deleteBackup = operation({
  name: 'deleteBackup',
  needsApproval: true,
  method: 'DELETE',
  path: '/backups/{id}',
  summary: "Delete a backup and its archive; a tenant's newest good one is refused",
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:delete',
  access: 'steps',
  params: IdParams,
  data: Backup,
})

export const listTenantBackups = operation({
  name: 'listTenantBackups',
  method: 'GET',
  path: '/tenants/{id}/backups',
  summary: "A tenant's backups, newest first",
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:view',
  access: 'read',
  params: IdParams,
  query: BackupQuery,
  data: pageOf('backups', Backup),
})

export const createBackup = operation({
  name: 'createBackup',
  method: 'POST',
  path: '/tenants/{id}/backups',
  summary: 'Take a backup now; the answer names the operation to poll',
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: Type.Object({ backup: Backup, operationId: Type.String() }),
  idempotent: true,
})

export const BackupRetention = Type.Object(
  {
    days: Type.Integer({ minimum: 1, maximum: 3_660, description: 'All of the last days' }),
    weeks: Type.Integer({ minimum: 0, maximum: 520, description: 'The newest of each of the last weeks' }),
    months: Type.Integer({ minimum: 0, maximum: 240, description: 'The newest of each of the last months' }),
  },
  { additionalProperties: false },
)

export const getBackupRetention = operation({
  name: 'getBackupRetention',
  method: 'GET',
  path: '/plans/{id}/backup-retention',
  summary: "How long the backups of a plan's tenants are kept",
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:view',
  access: 'read',
  params: IdParams,
  data: BackupRetention,
})

export const setBackupRetention = operation({
  name: 'setBackupRetention',
  needsApproval: true,
  method: 'PUT',
  path: '/plans/{id}/backup-retention',
  summary: "Say how long the backups of a plan's tenants are kept; takes effect with their next backup",
  tag: 'Backups',
  audience: 'platform',
  permission: 'backups:delete',
  access: 'write',
  params: IdParams,
  body: BackupRetention,
  data: BackupRetention,
})
