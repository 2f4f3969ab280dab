/**
 * Closing: durable workflows that archive a tenant and, later, delete it. Nothing is dropped before the final
 * backup was restored, compared with the live database table by table, and its books proven. Until then
 * everything is undone when something fails; from then on there is no way but forward.
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { reasonOf, stepRunner, type StepRunner, type StepWatch } from '../../jobs/steps.ts'
import { isTakenOver } from '../../jobs/workflows.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { holdWrites, letWrite } from '../../tenancy/hold.ts'
import { platformSql, type Actor } from '../../tenancy/handles.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import { RestoreRecords, setTenant, type TenantRecord } from '../restores/records.ts'
import { writeRequest } from '../restores/requests.ts'
import type { Restoring } from '../restores/restoring.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import { claimTenant, isHeldFor, releaseTenant } from '../tenants/busy.ts'
import { keepCertificate, signCertificate } from './certificates.ts'

export const ARCHIVE_TENANT = 'archive-tenant'
export const DELETE_TENANT = 'delete-tenant'
export const archiveSteps = [
  'archive-claim',
  'archive-access',
  'archive-backup',
  'archive-proof',
  'archive-compared',
  'archive-dropped',
  'archive-settled',
] as const
export const deleteSteps = ['delete-claim', 'delete-backups', 'delete-exports', 'delete-settled'] as const

/** What is written of a backup into a certificate. */
export interface BackupFacts {
  readonly id: string
  readonly takenAt: string
  readonly sizeBytes: number
  readonly checksum: string
  readonly rows: number
  readonly schemaVersion: string
}

/** What closing asks of the backups and exports. */
export interface ClosingBackups {
  plan(tenantId: string, reason: 'archive'): Promise<string>
  /** Takes it and waits for it; called by workflows, outside of their steps. */
  finish(backupId: string): Promise<void>
  facts(backupId: string): Promise<BackupFacts>
  /** What the live database holds otherwise than the backup, in words. */
  differences(backupId: string, database: TenantRecord): Promise<readonly string[]>
  /** Removes every backup of the tenant, files and all; may be repeated. What there was. */
  removeAll(tenantId: string): Promise<readonly BackupFacts[]>
}

export interface ClosingPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly restoring: Restoring
  readonly backups: ClosingBackups
  readonly removeExports: (tenantId: string) => Promise<number>
  readonly endSessions: (tenantId: string, reason: string) => Promise<void>
  readonly archiveRetentionDays: number
  readonly trialArchiveAfterDays: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  readonly atStep?: StepWatch | undefined
}

export interface ClosingOrder {
  readonly tenantId: string
  readonly operationId: string
  readonly reason: string
  readonly actor: Actor
}

/** What the tenant was before, so that it can be so again. */
interface Before extends Pick<
  TenantRecord,
  'id' | 'tenantCode' | 'status' | 'serverId' | 'databaseName' | 'runtimeRole'
> {
  readonly companyName: string
  readonly statusReason: string | null
}

export const ARCHIVABLE = ['active', 'read_only', 'suspended', 'cancelled']
const TRIALS_AT_ONCE = 5

export class Closing {
  readonly #ports: ClosingPorts
  readonly #step: StepRunner
  readonly #records: RestoreRecords
  readonly #archiving: (order: ClosingOrder) => Promise<void>
  readonly #deleting: (order: ClosingOrder) => Promise<void>

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: ClosingPorts) {
    this.#ports = ports
    this.#step = stepRunner(ports.atStep)
    this.#records = new RestoreRecords(ports.gate)
    this.#archiving = DBOS.registerWorkflow((order: ClosingOrder) => this.#archive(order), {
      name: ARCHIVE_TENANT,
    })
    this.#deleting = DBOS.registerWorkflow((order: ClosingOrder) => this.#delete(order), {
      name: DELETE_TENANT,
    })
  }

  async archive(order: ClosingOrder): Promise<{ finished: Promise<void> }> {
    const handle = await DBOS.startWorkflow(this.#archiving, { workflowID: order.operationId })(order)
    return { finished: handle.getResult() }
  }

  async delete(order: ClosingOrder): Promise<{ finished: Promise<void> }> {
    const handle = await DBOS.startWorkflow(this.#deleting, { workflowID: order.operationId })(order)
    return { finished: handle.getResult() }
  }

  /**
   * Trials that nobody paid for, suspended for so long. Their operation is named by when they were suspended:
   * of several processes that find the same one, one begins it; and one that failed is not begun again until
   * somebody has looked and suspended it anew.
   */
  async archiveOldTrials(): Promise<void> {
    const { gate, trialArchiveAfterDays } = this.#ports
    const due = await gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{
          id: string
          since: string
        }>`SELECT t.id, extract(epoch FROM t.status_changed_at)::bigint::text AS since
          FROM platform.tenant t JOIN platform.plan p ON p.id = t.plan_id
          WHERE p.code = 'trial' AND t.status = 'suspended' AND t.busy_with IS NULL
            AND t.status_changed_at < now() - make_interval(days => ${trialArchiveAfterDays})
          ORDER BY t.status_changed_at LIMIT ${TRIALS_AT_ONCE}`.compile(platformSql),
      ),
    )
    for (const { id, since } of due) {
      const reason = `trial suspended for ${trialArchiveAfterDays} days`
      const order = { tenantId: id, operationId: `${ARCHIVE_TENANT}:${id}:${since}`, reason, actor: SYSTEM }
      const { finished } = await this.archive(order)
      finished.catch(() => {}) // told by the operation
    }
  }

  // ---- archive -----------------------------------------------------------------------------------------

  async #archive(order: ClosingOrder): Promise<void> {
    const { tenantId } = order
    const { backups, log } = this.#ports
    let before: Before | undefined
    let isProven = false
    try {
      before = await this.#step('archive-claim', () => this.#claim(order, ARCHIVABLE, true))
      const was = before
      await this.#step('archive-access', () => this.#shut(was))
      const backupId = await this.#step('archive-backup', () => backups.plan(tenantId, 'archive'))
      await backups.finish(backupId)
      const proof = await this.#step(
        'archive-proof',
        () => this.#requestProof(tenantId, backupId),
        'persistent', // another drill of the tenant may be running
      )
      const { finished } = await this.#ports.restoring.start(proof)
      await finished
      await this.#step('archive-compared', () => this.#compare(tenantId, backupId))
      isProven = true
      await this.#step('archive-dropped', () => this.#drop(was), 'persistent')
      await this.#step(
        'archive-settled',
        () => this.#settleArchive(order, was, backupId, proof.id),
        'persistent',
      )
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      log('error', `Archiving tenant ${tenantId} failed: ${reason}`)
      const was = before
      if (was && !isProven)
        await this.#step('archive-undone', () => this.#restoreState(order, was, reason), 'persistent')
      throw error
    }
  }

  /** The tenant to itself; closed to its users (its data do not change any more) if it is to be archived. */
  async #claim(
    { tenantId, operationId, actor }: ClosingOrder,
    from: readonly string[],
    isClosing: boolean,
  ): Promise<Before> {
    return this.#ports.gate.writePlatform(actor, async (tx) => {
      if (!(await claimTenant(tx, tenantId, operationId)))
        throw new Problem(problems.conflict, { message: 'Other work has this tenant to itself' })
      const row = await tx.row(
        sql<
          Before & { claimed: string | null }
        >`SELECT id, tenant_code AS "tenantCode", status, server_id AS "serverId",
            database_name AS "databaseName", runtime_role AS "runtimeRole", company_name AS "companyName",
            status_reason AS "statusReason", (SELECT details ->> 'was' FROM platform.audit_event
              WHERE tenant_id = t.id AND details ->> 'operationId' = ${operationId} LIMIT 1) AS claimed
          FROM platform.tenant t WHERE id = ${tenantId}`.compile(platformSql),
      )
      if (!row) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
      const { claimed, ...tenant } = row
      // The step is repeated after a crash: what it was before is what the first time wrote down.
      const status = claimed ?? tenant.status
      if (!from.includes(status)) throw new Problem(problems.conflict, { message: `The tenant is ${status}` })
      if (claimed === null) {
        const details = { operationId, was: tenant.status }
        await recordEvent(tx, { action: 'close', entity: 'tenant', entityId: tenantId, tenantId, details })
        if (isClosing)
          await setTenant(tx, tenantId, sql`status = 'suspended', status_reason = 'being archived'`)
        await announce(tx, { kind: 'tenant', tenantId })
      }
      return { ...tenant, status }
    })
  }

  /** Sessions end, and what is backed up then is what there is to the end: writes under way end first. */
  async #shut({ id, databaseName: database, serverId, runtimeRole: role }: Before): Promise<void> {
    const { servers, gate, endSessions } = this.#ports
    if (database === null || role === null) throw new Error('The tenant has no database')
    const held = { server: await servers.get(serverId), database, role }
    await letWrite(held) // a step that is repeated finds writes held, and sessions are ended by writing
    await endSessions(id, 'the account is archived')
    await holdWrites(held, () =>
      gate.writePlatform(SYSTEM, (tx) => announce(tx, { kind: 'tenant', tenantId: id, reconnect: true })),
    )
  }

  /** A drill of this very backup; the same one when the step is repeated. */
  async #requestProof(tenantId: string, backupId: string): Promise<{ id: string; operationId: string }> {
    return this.#ports.gate.writePlatform(SYSTEM, async (tx) => {
      const known = await tx.row(
        sql<{
          id: string
          operationId: string
        }>`SELECT id, operation_id AS "operationId" FROM platform.restore
          WHERE tenant_id = ${tenantId} AND backup_id = ${backupId} AND mode = 'drill'`.compile(platformSql),
      )
      return (
        known ?? writeRequest(tx, { id: newId(), tenantId, backupId, mode: 'drill' }, this.#ports.secrets)
      )
    })
  }

  /** Restored and proven it is; and the database that is about to go says the same as it. */
  async #compare(tenantId: string, backupId: string): Promise<void> {
    const tenant = await this.#records.tenant(tenantId)
    const differences = await this.#ports.backups.differences(backupId, tenant)
    if (differences.length > 0)
      throw new Error(`The final backup differs from the database: ${differences.slice(0, 5).join('; ')}`)
  }

  async #drop({ id, serverId, databaseName, runtimeRole }: Before): Promise<void> {
    const { gate, servers, restoring } = this.#ports
    for (const restore of await this.#records.restores(
      sql`tenant_id = ${id} AND (kept_database IS NOT NULL OR side_database IS NOT NULL)`,
    )) {
      await restoring.discard(restore.id)
    }
    const server = await servers.get(serverId)
    await gate.closeTenant(id)
    if (databaseName !== null) await server.drop(databaseName)
    if (runtimeRole !== null) await server.dropRole(runtimeRole)
  }

  async #settleArchive(
    order: ClosingOrder,
    before: Before,
    backupId: string,
    restoreId: string,
  ): Promise<void> {
    const { gate, secrets, backups } = this.#ports
    const { tenantId, operationId, reason, actor } = order
    const { verification } = await this.#records.restore(restoreId)
    const certificate = signCertificate(secrets, {
      certificate: 'archive',
      at: new Date().toISOString(),
      by: { kind: actor.kind, id: actor.id },
      reason,
      operationId,
      tenant: { id: tenantId, code: before.tenantCode, companyName: before.companyName },
      backup: await backups.facts(backupId),
      proof: { restoreId, ...verification },
      dropped: { database: before.databaseName, role: before.runtimeRole },
    })
    await gate.writePlatform(actor, async (tx) => {
      if (!(await releaseTenant(tx, tenantId, operationId))) return
      await setTenant(tx, tenantId, sql`status = 'archived', status_reason = ${reason}, archive_backup_id = ${backupId},
        database_name = NULL, runtime_role = NULL, sealed_runtime_password = NULL, schema_version = NULL`) // prettier-ignore
      await keepCertificate(tx, tenantId, 'archive', operationId, certificate)
      await recordEvent(tx, { action: 'archive', entity: 'tenant', entityId: tenantId, tenantId, details: { reason, backupId } }) // prettier-ignore
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }

  async #restoreState(
    { tenantId, operationId, actor }: ClosingOrder,
    before: Before,
    reason: string,
  ): Promise<void> {
    const { gate, servers } = this.#ports
    const { databaseName: database, runtimeRole: role, serverId } = before
    if (!(await gate.readPlatform(actor, (tx) => isHeldFor(tx, tenantId, operationId)))) return
    if (database !== null && role !== null)
      await letWrite({ server: await servers.get(serverId), database, role })
    await gate.writePlatform(actor, async (tx) => {
      if (!(await releaseTenant(tx, tenantId, operationId))) return
      await setTenant(tx, tenantId, sql`status = ${before.status}, status_reason = ${before.statusReason}`)
      await recordEvent(tx, { action: 'archive failed', entity: 'tenant', entityId: tenantId, tenantId, details: { reason } }) // prettier-ignore
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }

  // ---- delete ------------------------------------------------------------------------------------------

  async #delete(order: ClosingOrder): Promise<void> {
    const { tenantId } = order
    try {
      const before = await this.#step('delete-claim', () => this.#claim(order, ['archived'], false))
      const removed = await this.#step(
        'delete-backups',
        () => this.#ports.backups.removeAll(tenantId),
        'persistent',
      )
      const exports = await this.#step(
        'delete-exports',
        () => this.#ports.removeExports(tenantId),
        'persistent',
      )
      await this.#step(
        'delete-settled',
        () => this.#settleDeletion(order, before, removed, exports),
        'persistent',
      )
    } catch (error) {
      if (isTakenOver(error)) throw error
      this.#ports.log('error', `Deleting tenant ${tenantId} failed: ${reasonOf(error)}`)
      await this.#step(
        'delete-released',
        () =>
          this.#ports.gate.writePlatform(order.actor, async (tx) => {
            await releaseTenant(tx, tenantId, order.operationId)
          }),
        'persistent',
      )
      throw error
    }
  }

  async #settleDeletion(
    { tenantId, operationId, reason, actor }: ClosingOrder,
    before: Before,
    backups: readonly BackupFacts[],
    exports: number,
  ): Promise<void> {
    const { gate, secrets } = this.#ports
    const certificate = signCertificate(secrets, {
      certificate: 'deletion',
      at: new Date().toISOString(),
      by: { kind: actor.kind, id: actor.id },
      reason,
      operationId,
      tenant: { id: tenantId, code: before.tenantCode, companyName: before.companyName },
      removed: { backups, exports },
    })
    await gate.writePlatform(actor, async (tx) => {
      if (!(await releaseTenant(tx, tenantId, operationId))) return
      // Its code and subdomain stay taken: nobody else is to be met under them.
      await setTenant(tx, tenantId, sql`status = 'deleted', status_reason = ${reason}, company_name = 'deleted',
        admin_name = 'deleted', admin_email = 'deleted', archive_backup_id = NULL`) // prettier-ignore
      await keepCertificate(tx, tenantId, 'deletion', operationId, certificate)
      await recordEvent(tx, {
        action: 'delete',
        entity: 'tenant',
        entityId: tenantId,
        tenantId,
        details: { reason },
      })
      await announce(tx, { kind: 'tenant', tenantId })
    })
  }
}

const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'closing', address: null }
