/**
 * Glossary
 * - restore: a backup brought back into a database of its own, compared with what was backed up and proven
 * - side database: that database, as long as it stands beside the tenant's own
 * - swap: the side database takes the place of the tenant's own, which is kept for some days
 * - clone: the side database becomes that of a new tenant, from which nothing goes out (no mails, no webhooks)
 * - drill: a restore made only to prove that the backup can be restored; its side database is dropped
 * - difference: what the side database says otherwise than the tenant's own
 */
import { Type } from 'typebox'
import {
  Amount,
  Id,
  IdParams,
  Instant,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
} from '../../http/contract.ts'

export const restoreModes = ['side', 'swap', 'clone', 'drill'] as const
export const restoreStates = [
  'restoring',
  'ready',
  'swapping',
  'swapped',
  'undone',
  'cloned',
  'proven',
  'discarded',
  'failed',
] as const

const shared = { tag: 'Restores', audience: 'platform' } as const

export const Verification = Type.Object({
  schemaVersion: Type.String({ description: 'Of the backup' }),
  tables: Type.Integer(),
  rows: Type.Integer({
    description: 'Restored; each table has the rows and the checksum that the backup says',
  }),
  companies: Type.Integer({ description: 'Whose books were checked' }),
  findings: Type.Array(Type.String(), {
    description: 'What the check of the books found wrong (`erp check`)',
  }),
})

export const TableDifference = Type.Object({
  table: Type.String(),
  onlyLive: Type.Integer({ description: 'Rows that the restored database lacks: they would be lost' }),
  onlyRestored: Type.Integer({ description: 'Rows that came back' }),
  changed: Type.Integer(),
  examples: Type.Array(Type.String(), { description: 'Ids of some of them' }),
})

export const BalanceDifference = Type.Object({
  companyCode: Type.String(),
  accountCode: Type.String(),
  currency: Type.String(),
  live: Amount,
  restored: Amount,
})

export const Difference = Type.Object({
  comparedAt: Instant,
  tables: Type.Array(TableDifference, { description: 'Only those that differ' }),
  balances: Type.Array(BalanceDifference, { description: 'Accounts whose balance differs; at most 200' }),
  balancesAreCut: Type.Boolean(),
})

export const Restore = Type.Object({
  id: Id,
  tenantId: Id,
  tenantCode: Type.String(),
  backupId: Id,
  mode: oneOf(restoreModes),
  state: oneOf(restoreStates),
  operationId: Type.String({ description: 'Poll /platform/operations/{id} while it is restoring' }),
  newTenantId: nullable(Id),
  sideDatabase: nullable(Type.String()),
  verification: nullable(Verification),
  difference: nullable(Difference),
  safetyBackupId: nullable(Id),
  keptDatabase: nullable(Type.String({ description: 'What the tenant had before, under another name' })),
  keptUntil: nullable(Instant),
  error: nullable(Type.String()),
  createdAt: Instant,
  finishedAt: nullable(Instant),
})

export const createRestore = operation({
  ...shared,
  name: 'createRestore',
  needsApproval: { mode: ['swap'] },
  method: 'POST',
  path: '/tenants/{id}/restores',
  summary: 'Restore a backup: beside the live database, in its place, or as a new tenant',
  permission: 'restores:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  body: Type.Object(
    {
      backupId: Id,
      mode: oneOf(['side', 'swap', 'clone']),
      newTenantCode: Type.Optional(
        Type.String({
          minLength: 2,
          maxLength: 40,
          pattern: '^[A-Za-z][A-Za-z0-9_]*$',
          description: 'Of the clone; its subdomain is made from it. Default: the code with _COPY',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  data: Restore,
})

export const listRestores = operation({
  ...shared,
  name: 'listRestores',
  method: 'GET',
  path: '/tenants/{id}/restores',
  summary: "A tenant's restores and drills, newest first",
  permission: 'restores:view',
  access: 'read',
  params: IdParams,
  query: Type.Object(
    { ...pageQuery, mode: Type.Optional(oneOf(restoreModes)) },
    { additionalProperties: false },
  ),
  data: pageOf('restores', Restore),
})

export const getRestore = operation({
  ...shared,
  name: 'getRestore',
  method: 'GET',
  path: '/restores/{id}',
  summary: 'One restore, with what was verified and what differs from the live database',
  permission: 'restores:view',
  access: 'read',
  params: IdParams,
  data: Restore,
})

export const swapRestore = operation({
  ...shared,
  name: 'swapRestore',
  needsApproval: true,
  method: 'POST',
  path: '/restores/{id}/swap',
  summary: "Put a ready side database in the place of the tenant's own, after a backup of that",
  permission: 'restores:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: Restore,
})

export const undoRestore = operation({
  ...shared,
  name: 'undoRestore',
  needsApproval: true,
  method: 'POST',
  path: '/restores/{id}/undo',
  summary: 'Put the database back that a swap replaced; the restored one stands beside again',
  permission: 'restores:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: Restore,
})

export const discardRestore = operation({
  ...shared,
  name: 'discardRestore',
  needsApproval: true,
  method: 'DELETE',
  path: '/restores/{id}',
  summary: 'Drop what a restore keeps: its side database, or the database that a swap replaced',
  permission: 'restores:create',
  access: 'steps',
  params: IdParams,
  data: Restore,
})

export const startDrill = operation({
  ...shared,
  name: 'startDrill',
  method: 'POST',
  path: '/tenants/{id}/restore-drills',
  summary: 'Prove now that the newest backup of a tenant can be restored',
  permission: 'restores:create',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: Restore,
})
