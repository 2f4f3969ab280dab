/**
 * Backups: a durable workflow that writes one tenant's archive, reads it back, and lets go of those that
 * retention no longer keeps. A step may be repeated: the archive has one name, which only a whole one bears.
 * What cannot be finished is undone, and an alert says so.
 */
import { createHash } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql, type Selectable } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { ledgerProof } from '../../erp/onboarding.ts'
import { runStep } from '../../jobs/steps.ts'
import { isTakenOver, startWorkflow } from '../../jobs/workflows.ts'
import { DatabaseSnapshot } from '../../tenancy/copy.ts'
import { withClient } from '../../tenancy/databases.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { Lanes } from '../../tenancy/lanes.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import type { PlatformBackup } from '../../tenancy/schema/platform.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { openAlert, resolveAlert } from '../alerts/alerts.ts'
import { recordEvent } from '../audit.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import type { Storages } from '../storage/storages.ts'
import { ArchiveWriter, OpenArchive, type ArchiveFigures } from './archive.ts'
import type { backupReasons } from './contract.ts'
import { canReach, findPgPrograms, type PgPrograms } from './pg-dump.ts'
import { expiredBackups, type KeptBackup } from './rules/retention.ts'
import { nextBackupAt, type BackupSchedule } from './rules/schedule.ts'
import { ArchiveError, newArchiveKey, openArchiveKey } from './sealed-blocks.ts'
import { backupProblems } from './problems.ts'

export type BackupReason = (typeof backupReasons)[number]
export type BackupRow = Selectable<PlatformBackup>

export const backupSteps = ['archive', 'verification', 'retention'] as const
type Step = (typeof backupSteps)[number] | 'compensation'

export const BACK_UP_TENANT = 'back-up-tenant'
const STEP_ATTEMPTS = 3
/** Of one tenant; retention of more is done in several goes. */
const BACKUPS_MAXIMUM = 5_000
const TENDED_MAXIMUM = 200
/** A day and some patience. */
const MISSING_AFTER_HOURS = 26
const FAILED_AGAIN_AFTER_MINUTES = 60
const FRESH_WITHIN = '1 hour'
const UNFINISHED_AFTER_MS = 6 * 3_600_000
/** What of a tenant can be backed up: its database is there, and whole. */
const WITH_DATABASE = new Set(['active', 'read_only', 'suspended', 'cancelled'])

export interface BackupPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly storages: Storages
  /** undefined: nothing is backed up by itself, and nothing is missed. */
  readonly schedule: BackupSchedule | undefined
  readonly atOnce: number
  /** `pg_dump` where its programs are found and new enough. */
  readonly engine: 'copy' | 'pg_dump'
  readonly pgProgramsFolder: string | undefined
  readonly provenWithinDays: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop the process or fail here; nothing else does. */
  readonly atStep?: ((step: string, moment: 'before' | 'after') => void | Promise<void>) | undefined
}

export class Backups {
  readonly #ports: BackupPorts
  readonly #workflow: (backupId: string) => Promise<void>
  /** How many archives this process writes at the same time. */
  readonly #lanes: Lanes<number>
  #busy = 0
  readonly #actor: Actor = { kind: 'system', id: null, requestId: BACK_UP_TENANT, address: null }

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: BackupPorts) {
    this.#ports = ports
    this.#lanes = new Lanes(Array.from({ length: ports.atOnce }, (_, index) => index))
    this.#workflow = DBOS.registerWorkflow((backupId: string) => this.#backUp(backupId), {
      name: BACK_UP_TENANT,
    })
  }

  /** Writes down a backup to be taken; it begins with `begin`, or by itself within a minute. */
  async plan(tx: PlatformTx, tenantId: string, reason: BackupReason): Promise<string> {
    const tenant = await tx.row(
      platformSql
        .selectFrom('platform.tenant')
        .select(['tenant_code', 'status', 'database_name'])
        .where('id', '=', tenantId),
    )
    if (!tenant) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
    if (tenant.database_name === null || !WITH_DATABASE.has(tenant.status)) {
      throw new Problem(backupProblems.nothingToBackUp, {
        message: `The tenant is ${tenant.status}: it has no database`,
      })
    }
    const id = newId()
    const moment = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
    await tx.run(
      platformSql.insertInto('platform.backup').values({
        id,
        tenant_id: tenantId,
        reason,
        engine: 'copy',
        storage_url: this.#ports.storages.current,
        file_name: `${tenant.tenant_code.toLowerCase()}/${moment}Z-${id}.erparchive`,
      }),
    )
    const details = { backupId: id, reason }
    await recordEvent(tx, { action: 'back up', entity: 'tenant', entityId: tenantId, tenantId, details })
    return id
  }

  /** Once however often it is called; `finished` rejects when the backup failed. */
  async begin(backupId: string): Promise<{ operationId: string; finished: Promise<void> }> {
    const operationId = operationIdOf(backupId)
    return { operationId, ...(await startWorkflow(this.#workflow, operationId, backupId)) }
  }

  /** A whole backup, waited for: what must be there before something else is done. */
  async take(tenantId: string, reason: BackupReason): Promise<string> {
    const id = await this.#ports.gate.writePlatform(this.#actor, (tx) => this.plan(tx, tenantId, reason))
    await (
      await this.begin(id)
    ).finished
    return id
  }

  /**
   * The same for many, as many at once as this process may. One that has a fresh backup for the same reason is
   * left out: whoever asks may be asking again after a crash.
   */
  async takeAll(tenantIds: readonly string[], reason: BackupReason): Promise<void> {
    const queue = tenantIds.values()
    const work = async (): Promise<void> => {
      for (const tenantId of queue) {
        const fresh = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
          tx.row(
            sql`SELECT id FROM platform.backup WHERE tenant_id = ${tenantId} AND reason = ${reason} AND state = 'good'
              AND taken_at > now() - ${FRESH_WITHIN}::interval LIMIT 1`.compile(platformSql),
          ),
        )
        if (!fresh) await this.take(tenantId, reason)
      }
    }
    const outcomes = await Promise.allSettled(Array.from({ length: this.#ports.atOnce }, work))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** The archive of a good backup, from wherever it lies. To be read once. */
  async open(backupId: string): Promise<OpenArchive> {
    const backup = await this.#row(backupId)
    if (backup.state !== 'good') throw new ArchiveError(`The backup is ${backup.state}`)
    const storage = await this.#ports.storages.get(backup.storage_url)
    return this.#opened(backup, storage.read(backup.file_name))
  }

  /** Replaces all rows of a database of the backup's schema version. */
  async loadInto(backupId: string, address: DatabaseAddress): Promise<ArchiveFigures> {
    const archive = await this.open(backupId)
    return archive.loadInto(address, { programsFolder: this.#ports.pgProgramsFolder })
  }

  /**
   * A backup of the tenant whose rows come from elsewhere: its database as it was at another moment, in a
   * server that was restored beside. Not a workflow, because it could not go on without that server's password:
   * until it is whole its row says that it failed, so that nobody takes it up.
   */
  async takeFrom(tenantId: string, source: DatabaseAddress): Promise<string> {
    const { gate } = this.#ports
    const id = await gate.writePlatform(this.#actor, async (tx) => {
      const planned = await this.plan(tx, tenantId, 'restore')
      await tx.run(
        sql`UPDATE platform.backup SET state = 'failed', error = 'broken off before it was whole', file_deleted_at = now()
          WHERE id = ${planned}`.compile(platformSql),
      )
      return planned
    })
    try {
      await this.#refuseStranger(await this.#tenant(tenantId), source)
      await this.#writeArchive(id, source)
      await this.#readBack(await this.#row(id))
    } catch (error) {
      await this.#deleteFile(await this.#row(id))
      throw error
    }
    await gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        sql`UPDATE platform.backup SET state = 'good', error = NULL, file_deleted_at = NULL, verified_at = now(),
            finished_at = now()
          WHERE id = ${id}`.compile(platformSql),
      ),
    )
    return id
  }

  /** A slip in the address must not bring one customer's books to another. */
  async #refuseStranger(
    { server_id: serverId, database_name: database }: TenantPlace,
    source: DatabaseAddress,
  ): Promise<void> {
    const server = await this.#ports.servers.get(serverId)
    const [ours, theirs] = await Promise.all([
      companyIds(server.migratorAddress(database ?? '')),
      companyIds(source),
    ])
    if (!theirs.some((id) => ours.includes(id)))
      throw new Problem(problems.conflict, { message: "No company in that database is one of this tenant's" })
  }

  /** It was restored and compared: until the next one, this is the tenant's last proven restore. */
  async prove(tx: PlatformTx, backupId: string): Promise<void> {
    await tx.run(
      platformSql
        .updateTable('platform.backup')
        .set({ proven_at: sql<string>`now()` })
        .where('id', '=', backupId)
        .where('state', '=', 'good'),
    )
  }

  /** The file goes at once, or as soon as its storage can be reached. */
  async expire(backupIds: readonly string[]): Promise<void> {
    if (backupIds.length === 0) return
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        platformSql
          .updateTable('platform.backup')
          .set({ state: 'expiring' })
          .where('id', 'in', [...backupIds])
          .where('state', 'in', ['good', 'expiring']),
      ),
    )
    for (const id of backupIds) await this.#deleteFile(await this.#row(id))
  }

  // ---- the workflow ------------------------------------------------------------------------------------

  async #backUp(backupId: string): Promise<void> {
    this.#busy++
    try {
      await this.#lanes.run(async () => {
        await this.#step('archive', () => this.#writeArchive(backupId))
        await this.#step('verification', () => this.#verify(backupId))
      })
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      this.#ports.log('error', `Backup ${backupId} failed and is undone: ${reason}`)
      await this.#step('compensation', () => this.#undo(backupId, reason))
      throw error
    } finally {
      this.#busy--
    }
    await this.#step('retention', () => this.#letGo(backupId))
  }

  async #step(name: Step, work: () => Promise<void>): Promise<void> {
    await runStep(
      async () => {
        await this.#ports.atStep?.(`backup-${name}`, 'before')
        await work()
        await this.#ports.atStep?.(`backup-${name}`, 'after')
      },
      { name, retriesAllowed: true, intervalSeconds: 0.5, maxAttempts: STEP_ATTEMPTS, backoffRate: 3 },
    )
  }

  /** `source`: where the rows are, if not in the tenant's database. */
  async #writeArchive(backupId: string, source?: DatabaseAddress): Promise<void> {
    const { servers, secrets, storages, gate } = this.#ports
    const backup = await this.#row(backupId)
    const tenant = await this.#tenant(backup.tenant_id)
    const server = await servers.get(tenant.server_id)
    const key = newArchiveKey(secrets, backupId)
    const address = source ?? server.migratorAddress(tenant.database_name ?? '')
    const snapshot = await DatabaseSnapshot.open(address)
    try {
      const schemaVersion = await schemaVersionOf(snapshot)
      const programs = this.#pgPrograms(snapshot.serverVersion, address)
      const writer = new ArchiveWriter(snapshot, {
        subject: {
          tenantId: backup.tenant_id,
          tenantCode: tenant.tenant_code,
          companyName: tenant.company_name,
          schemaVersion,
        },
        key,
        proofs: [ledgerProof],
        ...(programs ? { dump: { programs, address } } : {}),
      })
      const databaseBytes = snapshot.tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      const storage = await storages.get(backup.storage_url)
      const written = await storage.write(backup.file_name, this.#watched(writer.bytes()), {
        sizeHintBytes: databaseBytes,
      })
      const rowCount = writer.figures.tables.reduce((sum, { rows }) => sum + rows, 0)
      await gate.writePlatform(this.#actor, (tx) =>
        tx.run(
          platformSql
            .updateTable('platform.backup')
            .set({
              engine: writer.manifest.engine,
              sealed_key: key.sealed,
              size_bytes: written.sizeBytes,
              database_bytes: databaseBytes,
              row_count: rowCount,
              sha256: written.sha256,
              schema_version: schemaVersion,
              taken_at: snapshot.takenAt,
            })
            .where('id', '=', backupId),
        ),
      )
    } finally {
      await snapshot.close()
    }
  }

  /** undefined: rows are copied, because that is what is set, or because no pg_dump here can do it. */
  #pgPrograms(serverVersion: number, address: DatabaseAddress): PgPrograms | undefined {
    const { engine, pgProgramsFolder, log } = this.#ports
    if (engine === 'copy') return undefined
    const programs = canReach(address) ? findPgPrograms(serverVersion, pgProgramsFolder) : undefined
    if (!programs) log('warn', 'No pg_dump here is new enough for the server: the backup copies rows instead')
    return programs
  }

  /** Tests stop the process between two pieces, too. */
  async *#watched(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      yield piece
      await this.#ports.atStep?.('backup-archive-piece', 'after')
    }
  }

  /** What lies there now, read from its first byte to its last, is what was written. */
  async #verify(backupId: string): Promise<void> {
    const backup = await this.#row(backupId)
    await this.#readBack(backup)
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      await tx.run(
        sql`UPDATE platform.backup SET state = 'good', verified_at = now(), finished_at = now()
          WHERE id = ${backupId} AND state = 'running'`.compile(platformSql),
      )
      for (const kind of ['backup-failed', 'backup-missing'])
        await resolveAlert(tx, { kind, tenantId: backup.tenant_id })
    })
  }

  async #readBack(backup: BackupRow): Promise<void> {
    const storage = await this.#ports.storages.get(backup.storage_url)
    const hash = createHash('sha256')
    let sizeBytes = 0
    const hashed = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of storage.read(backup.file_name)) {
        hash.update(chunk)
        sizeBytes += chunk.byteLength
        yield chunk
      }
    }
    const archive = await this.#opened(backup, hashed())
    await archive.verify()
    if (sizeBytes !== backup.size_bytes || hash.digest('hex') !== backup.sha256)
      throw new ArchiveError('What lies there is not what was written')
  }

  async #letGo(backupId: string): Promise<void> {
    const { tenant_id: tenantId } = await this.#row(backupId)
    const expired = await this.#ports.gate.readPlatform(this.#actor, async (tx) => {
      const policy = await tx.row(
        platformSql
          .selectFrom('platform.tenant as t')
          .innerJoin('platform.plan as p', 'p.id', 't.plan_id')
          .select(['backup_keep_days as days', 'backup_keep_weeks as weeks', 'backup_keep_months as months'])
          .where('t.id', '=', tenantId),
      )
      const good = await tx.rows(
        platformSql
          .selectFrom('platform.backup')
          .select(['id', 'taken_at as takenAt', 'is_pinned as isPinned'])
          .where('tenant_id', '=', tenantId)
          .where('state', '=', 'good')
          .orderBy('taken_at', 'desc')
          .limit(BACKUPS_MAXIMUM),
      )
      return policy ? expiredBackups(good as KeptBackup[], policy, new Date()) : []
    })
    await this.expire(expired)
  }

  async #undo(backupId: string, reason: string): Promise<void> {
    const backup = await this.#row(backupId)
    if (backup.state !== 'running') return
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      await tx.run(
        sql`UPDATE platform.backup SET state = 'failed', finished_at = now(), error = ${reason.slice(0, 1_000)}
          WHERE id = ${backupId}`.compile(platformSql),
      )
      const { tenant_id: tenantId } = backup
      // A storage that was away for a moment must not cost a day.
      if (backup.reason === 'scheduled') {
        await tx.run(
          sql`UPDATE platform.tenant
            SET backup_due_at = least(backup_due_at, now() + ${FAILED_AGAIN_AFTER_MINUTES} * interval '1 minute')
            WHERE id = ${tenantId}`.compile(platformSql),
        )
      }
      await openAlert(tx, { kind: 'backup-failed', tenantId, message: `The backup failed: ${reason}` })
      await recordEvent(tx, {
        action: 'backup failed',
        entity: 'tenant',
        entityId: tenantId,
        tenantId,
        details: { backupId, reason: reason.slice(0, 1_000) },
      })
    })
    await this.#deleteFile(backup)
  }

  /** A storage that is away is tried again by `tend`: the row says what is still to go. */
  async #deleteFile(backup: BackupRow): Promise<void> {
    try {
      const storage = await this.#ports.storages.get(backup.storage_url)
      await storage.delete(backup.file_name)
    } catch (error) {
      this.#ports.log('warn', `Archive ${backup.file_name} could not be deleted yet: ${String(error)}`)
      return
    }
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        sql`UPDATE platform.backup SET file_deleted_at = now(),
            state = CASE state WHEN 'expiring' THEN 'deleted' ELSE state END
          WHERE id = ${backup.id}`.compile(platformSql),
      ),
    )
  }

  // ---- what is done every minute -----------------------------------------------------------------------

  /** By every process; each due tenant is taken by one. */
  async tend(): Promise<void> {
    await this.#beginDue()
    await this.#beginForgotten()
    await this.#deleteLeftFiles()
    await this.#ports.gate.writePlatform(this.#actor, (tx) => this.#refreshAlerts(tx))
  }

  /** As many as this process can begin now; the others wait for the next minute, or another process. */
  async #beginDue(): Promise<void> {
    const { schedule, gate, atOnce } = this.#ports
    const room = atOnce - this.#busy
    if (!schedule || room <= 0) return
    const planned = await gate.writePlatform(this.#actor, async (tx) => {
      const due = await tx.rows(
        sql<{ id: string; isNew: boolean }>`SELECT id, backup_due_at IS NULL AS "isNew" FROM platform.tenant
          WHERE status IN ('active', 'read_only') AND (backup_due_at IS NULL OR backup_due_at <= now())
          ORDER BY backup_due_at NULLS FIRST LIMIT ${TENDED_MAXIMUM} FOR UPDATE SKIP LOCKED`.compile(
          platformSql,
        ),
      )
      const ids: string[] = []
      for (const { id, isNew } of due) {
        if (!isNew && ids.length >= room) continue
        const next = nextBackupAt(id, schedule, new Date())
        await tx.run(
          platformSql
            .updateTable('platform.tenant')
            .set({ backup_due_at: next.toISOString() })
            .where('id', '=', id),
        )
        if (!isNew) ids.push(await this.plan(tx, id, 'scheduled'))
      }
      return ids
    })
    for (const id of planned) await this.begin(id)
  }

  /** Their process died between writing the row and beginning the workflow. */
  async #beginForgotten(): Promise<void> {
    const rows = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        platformSql
          .selectFrom('platform.backup')
          .select('id')
          .where('state', '=', 'running')
          .orderBy('created_at')
          .limit(TENDED_MAXIMUM),
      ),
    )
    for (const { id } of rows) {
      const workflow = await DBOS.getWorkflowStatus(operationIdOf(id))
      if (!workflow) await this.begin(id)
      else if (ENDED_WITHOUT_SUCCESS.has(workflow.status))
        await this.#undo(id, `its workflow ended as ${workflow.status}`)
    }
  }

  async #deleteLeftFiles(): Promise<void> {
    const rows = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        platformSql
          .selectFrom('platform.backup')
          .selectAll()
          .where('state', 'in', ['failed', 'expiring'])
          .where('file_deleted_at', 'is', null)
          .orderBy('created_at')
          .limit(TENDED_MAXIMUM),
      ),
    )
    for (const row of rows) await this.#deleteFile(row)
  }

  /** Pieces that killed processes left and no later backup of the same name took away; at every start. */
  async clearUnfinished(): Promise<void> {
    const storage = await this.#ports.storages.get(this.#ports.storages.current)
    const count = await storage.clearUnfinished(UNFINISHED_AFTER_MS)
    if (count > 0) this.#ports.log('info', `Cleared away ${count} unfinished file(s) of the storage`)
  }

  async #refreshAlerts(tx: PlatformTx): Promise<void> {
    const { schedule, provenWithinDays } = this.#ports
    const missing = `There is no good backup of the last ${MISSING_AFTER_HOURS} hours`
    const unproven = `No backup of the last ${provenWithinDays} days was restored and compared`
    await refresh(tx, 'backup-missing', missing, schedule ? `${MISSING_AFTER_HOURS} hours` : null, 'taken_at')
    await refresh(tx, 'backup-unproven', unproven, schedule ? `${provenWithinDays} days` : null, 'proven_at')
  }

  // ---- small parts -------------------------------------------------------------------------------------

  #opened(backup: BackupRow, bytes: AsyncIterable<Uint8Array>): Promise<OpenArchive> {
    return OpenArchive.open(bytes, (archiveId, sealedInFile) => {
      if (archiveId !== backup.id) throw new ArchiveError('The file is the archive of another backup')
      // The row's key is sealed anew when the master key changes; the file's stays as it was.
      return openArchiveKey(this.#ports.secrets, archiveId, backup.sealed_key ?? sealedInFile)
    })
  }

  async #row(backupId: string): Promise<BackupRow> {
    const row = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.row(platformSql.selectFrom('platform.backup').selectAll().where('id', '=', backupId)),
    )
    if (!row) throw new Problem(problems.notFound, { message: 'There is no such backup' })
    return row
  }

  async #tenant(tenantId: string) {
    const tenant = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.row(
        platformSql
          .selectFrom('platform.tenant')
          .select(['tenant_code', 'company_name', 'server_id', 'database_name'])
          .where('id', '=', tenantId),
      ),
    )
    if (!tenant || tenant.database_name === null) throw new Error('The tenant has no database any more')
    return tenant
  }
}

const ENDED_WITHOUT_SUCCESS = new Set(['ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'])

export function operationIdOf(backupId: string): string {
  return `${BACK_UP_TENANT}:${backupId}`
}

/** A step that was given up tells all its tries; the last one says enough. */
function reasonOf(error: unknown): string {
  const { errors } = error as { errors?: readonly unknown[] }
  const last = errors?.at(-1) ?? error
  return last instanceof Error ? last.message : String(last)
}

interface TenantPlace {
  readonly server_id: string
  readonly database_name: string | null
}

async function companyIds(address: DatabaseAddress): Promise<string[]> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<{ id: string }>('SELECT id FROM core.company')
    return rows.map(({ id }) => id)
  })
}

async function schemaVersionOf(snapshot: DatabaseSnapshot): Promise<string> {
  const row = await snapshot.row('SELECT name FROM migrations.migration ORDER BY name DESC LIMIT 1')
  const { name } = JSON.parse(row) as { name: string }
  return name
}

/** Opens the alert for tenants that lack such a backup, resolves it for those that have one by now. */
async function refresh(
  tx: PlatformTx,
  kind: string,
  message: string,
  within: string | null,
  column: 'taken_at' | 'proven_at',
): Promise<void> {
  const lacking = sql`SELECT t.id FROM platform.tenant t
    WHERE t.status IN ('active', 'read_only') AND t.created_at < now() - ${within}::interval AND NOT EXISTS (
      SELECT FROM platform.backup b WHERE b.tenant_id = t.id AND b.state = 'good'
        AND b.${sql.ref(column)} > now() - ${within}::interval)`
  await tx.run(
    sql`UPDATE platform.alert SET resolved_at = now()
      WHERE kind = ${kind} AND resolved_at IS NULL AND tenant_id NOT IN (${lacking})`.compile(platformSql),
  )
  await tx.run(
    sql`INSERT INTO platform.alert (kind, tenant_id, message) SELECT ${kind}, id, ${message} FROM (${lacking}) lacking
      ON CONFLICT (kind, tenant_id) WHERE resolved_at IS NULL DO NOTHING`.compile(platformSql),
  )
}
