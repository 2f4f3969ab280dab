import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import type { Pagination } from '../../http/contract.ts'
import { pageOfRows } from '../../http/pages.ts'
import { implement, type Route } from '../../http/route.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import { operationIdOf, type Backups } from './backups.ts'
import {
  createBackup,
  deleteBackup,
  getBackup,
  getBackupRetention,
  listBackups,
  listTenantBackups,
  setBackupRetention,
  type Backup,
} from './contract.ts'
import { backupProblems } from './problems.ts'

type BackupData = Static<typeof Backup>

/** More than this for one tenant at the same time is a caller that does not wait for its answers. */
const RUNNING_MAXIMUM = 3

export function backupRoutes(backups: Backups): Route[] {
  return [
    implement(listBackups, (tx, { query }) => list(tx, query)),
    implement(listTenantBackups, async (tx, { params, query }) => {
      await requireTenant(tx, params.id)
      return list(tx, { ...query, tenantId: params.id })
    }),
    implement(getBackup, (tx, { params }) => read(tx, params.id)),
    implement(createBackup, async (door, { params }) => {
      const id = await door.write(async (tx) => {
        await requireTenant(tx, params.id)
        const running = await tx.rows(
          platformSql
            .selectFrom('platform.backup')
            .select('id')
            .where('tenant_id', '=', params.id)
            .where('state', '=', 'running')
            .limit(RUNNING_MAXIMUM),
        )
        if (running.length >= RUNNING_MAXIMUM)
          throw new Problem(backupProblems.tooManyRunning, { retryAfterSeconds: 30 })
        return backups.plan(tx, params.id, 'on-demand')
      })
      await backups.begin(id)
      return { backup: await door.read((tx) => read(tx, id)), operationId: operationIdOf(id) }
    }),
    implement(deleteBackup, async (door, { params }) => {
      const before = await door.write(async (tx) => {
        const backup = await read(tx, params.id)
        if (backup.state !== 'good')
          throw new Problem(backupProblems.notDeletable, { message: `The backup is ${backup.state}` })
        const newer = await tx.row(
          sql`SELECT 1 AS one FROM platform.backup b JOIN platform.backup newer
              ON newer.tenant_id = b.tenant_id AND newer.state = 'good' AND newer.taken_at > b.taken_at
            WHERE b.id = ${params.id} LIMIT 1`.compile(platformSql),
        )
        if (!newer) throw new Problem(backupProblems.stillNeeded)
        await recordEvent(tx, {
          action: 'delete backup',
          entity: 'tenant',
          entityId: backup.tenantId,
          tenantId: backup.tenantId,
          details: { backupId: params.id, takenAt: backup.takenAt },
        })
        return backup
      })
      await backups.expire([before.id])
      return door.read((tx) => read(tx, params.id))
    }),
    implement(getBackupRetention, (tx, { params }) => retentionOf(tx, params.id)),
    implement(setBackupRetention, async (tx, { params, body }) => {
      const before = await retentionOf(tx, params.id)
      await tx.run(
        platformSql
          .updateTable('platform.plan')
          .set({
            backup_keep_days: body.days,
            backup_keep_weeks: body.weeks,
            backup_keep_months: body.months,
          })
          .where('id', '=', params.id),
      )
      const details = { before, after: body }
      await recordEvent(tx, { action: 'backup retention', entity: 'plan', entityId: params.id, details })
      return body
    }),
  ]
}

async function requireTenant(tx: PlatformRead, id: string): Promise<void> {
  const tenant = await tx.row(platformSql.selectFrom('platform.tenant').select('id').where('id', '=', id))
  if (!tenant) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
}

async function retentionOf(
  tx: PlatformRead,
  planId: string,
): Promise<{ days: number; weeks: number; months: number }> {
  const plan = await tx.row(
    platformSql
      .selectFrom('platform.plan')
      .select(['backup_keep_days as days', 'backup_keep_weeks as weeks', 'backup_keep_months as months'])
      .where('id', '=', planId),
  )
  if (!plan) throw new Problem(problems.notFound, { message: 'There is no such plan' })
  return plan
}

function all() {
  return platformSql
    .selectFrom('platform.backup as b')
    .innerJoin('platform.tenant as t', 't.id', 'b.tenant_id')
}

async function list(
  tx: PlatformRead,
  query: Static<NonNullable<typeof listBackups.query>>,
): Promise<{ backups: BackupData[]; pagination: Static<typeof Pagination> }> {
  let filtered = all()
  if (query.tenantId !== undefined) filtered = filtered.where('b.tenant_id', '=', query.tenantId)
  if (query.state !== undefined) filtered = filtered.where('b.state', '=', query.state)
  if (query.reason !== undefined) filtered = filtered.where('b.reason', '=', query.reason)
  const found = filtered.select(COLUMNS).orderBy('b.created_at', 'desc').orderBy('b.id', 'desc')
  const { rows, pagination } = await pageOfRows(tx, found, query)
  return { backups: rows.map(present), pagination }
}

async function read(tx: PlatformRead, id: string): Promise<BackupData> {
  const row = await tx.row(all().select(COLUMNS).where('b.id', '=', id))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such backup' })
  return present(row)
}

const COLUMNS = [
  'b.id',
  'b.tenant_id as tenantId',
  't.tenant_code as tenantCode',
  'b.reason',
  'b.engine',
  'b.state',
  'b.storage_url as storageUrl',
  'b.file_name as fileName',
  'b.size_bytes as sizeBytes',
  'b.database_bytes as databaseBytes',
  'b.row_count as rowCount',
  'b.sha256',
  'b.schema_version as schemaVersion',
  'b.taken_at as takenAt',
  'b.finished_at as finishedAt',
  'b.verified_at as verifiedAt',
  'b.proven_at as provenAt',
  'b.is_pinned as isPinned',
  'b.error',
  'b.created_at as createdAt',
] as const

type Row = Omit<BackupData, 'location' | 'durationMs' | 'reason' | 'engine' | 'state'> &
  Readonly<Record<'reason' | 'engine' | 'state' | 'storageUrl' | 'fileName', string>> & {
    finishedAt: string | null
  }

function present({ storageUrl, fileName, finishedAt, ...row }: Row): BackupData {
  const durationMs =
    finishedAt === null ? null : new Date(finishedAt).getTime() - new Date(row.createdAt).getTime()
  return { ...row, location: locationOf(storageUrl, fileName), durationMs } as BackupData
}

/** As an operator would look for it: the folder's or bucket's address with the file's name. */
function locationOf(storageUrl: string, fileName: string): string {
  const [path = '', query] = storageUrl.split('?')
  return `${path.replace(/\/$/, '')}/${fileName}${query === undefined ? '' : ` (${query})`}`
}
