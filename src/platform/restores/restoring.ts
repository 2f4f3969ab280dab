/**
 * Restoring: durable workflows that bring a backup back. First into a side database, where it is compared with
 * what was backed up, brought to this code's schema and proven; only then, if so asked, in the place of the
 * live one (swap), as a new tenant (clone), or away again (drill). Each step may be repeated. What cannot be
 * finished is undone: no side database, no role, and the live one untouched.
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { reasonOf, stepRunner, type StepRunner } from '../../jobs/steps.ts'
import { isTakenOver } from '../../jobs/workflows.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { openAlert, resolveAlert } from '../alerts/alerts.ts'
import { recordEvent } from '../audit.ts'
import { adopt, dropClone, settleClone } from './cloning.ts'
import type { RestoreWork, RestoringPorts } from './ports.ts'
import { RestoreRecords, setRestore, setTenant, type RestoreRecord } from './records.ts'
import { checkSide, compareSide, loadSide, migrateSide } from './side-work.ts'
import * as swapping from './swapping.ts'

export const RESTORE_TENANT = 'restore-tenant'
export const SWAP_RESTORE = 'swap-restore'
export const UNDO_RESTORE = 'undo-restore'

const SIDE = ['side-load', 'side-migration', 'side-check'] as const
export const swapSteps = [
  'swap-claim',
  'swap-backup',
  'swap-access',
  'swap-exchange',
  'swap-settled',
] as const
export const undoSteps = ['undo-claim', 'undo-backup', 'undo-exchange', 'undo-settled'] as const
export const restoreSteps = {
  side: [...SIDE, 'side-difference', 'side-ready'],
  swap: [...SIDE, 'side-difference', ...swapSteps],
  clone: [...SIDE, 'clone-adopted', 'clone-settled'],
  drill: [...SIDE, 'drill-dropped', 'drill-proven'],
} as const

const DRILL_FAILED = 'restore-drill-failed'
/** Between writing the row and starting the workflow lies no more than a moment. */
const FORGOTTEN_AFTER = '5 seconds'

type Workflow = (restoreId: string) => Promise<void>

export class Restoring {
  readonly records: RestoreRecords
  readonly #work: RestoreWork
  readonly #step: StepRunner
  readonly #workflows: Readonly<Record<string, Workflow>>

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: RestoringPorts) {
    this.records = new RestoreRecords(ports.gate)
    this.#work = { ...ports, records: this.records }
    this.#step = stepRunner(ports.atStep)
    const register = (name: string, work: Workflow): Workflow => DBOS.registerWorkflow(work, { name })
    this.#workflows = {
      [RESTORE_TENANT]: register(RESTORE_TENANT, (id) => this.#restore(id)),
      [SWAP_RESTORE]: register(SWAP_RESTORE, (id) => this.#swapReady(id)),
      [UNDO_RESTORE]: register(UNDO_RESTORE, (id) => this.#undo(id)),
    }
  }

  /** Begins the workflow that the restore's row names, once however often it is called. */
  async start(restore: Pick<RestoreRecord, 'id' | 'operationId'>): Promise<{ finished: Promise<void> }> {
    const [kind = ''] = restore.operationId.split(':')
    const workflow = this.#workflows[kind]
    if (!workflow) throw new Error(`There is no workflow ${kind}`)
    const handle = await DBOS.startWorkflow(workflow, { workflowID: restore.operationId })(restore.id)
    return { finished: handle.getResult() }
  }

  /** Those whose process died between writing their row and starting their workflow. */
  async startForgotten(): Promise<void> {
    const forgotten = sql`state IN ('restoring', 'swapping') AND updated_at < now() - ${FORGOTTEN_AFTER}::interval`
    for (const restore of await this.records.restores(forgotten)) {
      if (await DBOS.getWorkflowStatus(restore.operationId)) continue
      const { finished } = await this.start(restore)
      finished.catch(() => {})
    }
  }

  /** Side databases nobody came for, and replaced ones whose days are over. */
  async dropExpired(): Promise<void> {
    const expired = await this.records.restores(
      sql`(state = 'swapped' AND kept_until < now()) OR (state IN ('ready', 'undone') AND side_database IS NOT NULL
        AND updated_at < now() - make_interval(days => ${this.#work.keptDays}))`,
    )
    for (const { id } of expired) await this.discard(id)
  }

  /** Drops what a restore keeps. A swap that began meanwhile goes first: the locked row says so. */
  async discard(restoreId: string): Promise<void> {
    const restore = await this.records.restore(restoreId)
    const server = await this.#work.servers.get(restore.serverId)
    await this.records.write(async (tx) => {
      const row = await tx.row(
        sql<{ state: string; side: string | null; kept: string | null }>`SELECT state, side_database AS side,
            kept_database AS kept FROM platform.restore WHERE id = ${restoreId} FOR UPDATE`.compile(
          platformSql,
        ),
      )
      const database = row?.state === 'swapped' ? row.kept : row?.side
      if (!row || !database || !['ready', 'undone', 'swapped'].includes(row.state)) return
      await server.drop(database)
      if (row.state === 'ready' && restore.sideRole !== null) await server.dropRole(restore.sideRole)
      const state = row.state === 'ready' ? 'discarded' : row.state
      await setRestore(tx, restoreId, sql`state = ${state}, side_database = NULL, side_role = NULL,
        sealed_side_password = NULL, kept_database = NULL, kept_until = NULL`) // prettier-ignore
      await recordEvent(tx, { action: 'discard', entity: 'restore', entityId: restoreId, tenantId: restore.tenantId }) // prettier-ignore
    })
  }

  // ---- workflows ---------------------------------------------------------------------------------------

  async #restore(restoreId: string): Promise<void> {
    const work = this.#work
    try {
      const { mode, ...figures } = await this.#step('side-load', () => loadSide(work, restoreId))
      await this.#step('side-migration', () => migrateSide(work, restoreId))
      await this.#step('side-check', () => checkSide(work, restoreId, figures))
      if (mode === 'side' || mode === 'swap')
        await this.#step('side-difference', () => compareSide(work, restoreId))
      if (mode === 'side') await this.#step('side-ready', () => this.#ready(restoreId))
      if (mode === 'swap') await this.#swap(restoreId)
      if (mode === 'clone') await this.#clone(restoreId)
      if (mode === 'drill') await this.#prove(restoreId)
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      work.log('error', `Restore ${restoreId} failed and is undone: ${reason}`)
      await this.#step('restore-undone', () => this.#undoRestore(restoreId, reason), 'persistent')
      throw error
    }
  }

  #ready(restoreId: string): Promise<void> {
    return this.records.set(restoreId, sql`state = 'ready', finished_at = now()`)
  }

  async #swap(restoreId: string): Promise<void> {
    const work = this.#work
    const { hasLive, tenantId } = await this.#step('swap-claim', async () => {
      await refuseFindings(work, restoreId)
      return swapping.claim(work, restoreId)
    })
    if (hasLive) {
      const backupId = await this.#step('swap-backup', () => this.#planBackup(restoreId, tenantId))
      await work.backups.finish(backupId)
    }
    await this.#step('swap-access', () => swapping.endOldAccess(work, restoreId))
    await this.#step('swap-exchange', () => swapping.exchange(work, restoreId))
    await this.#step('swap-settled', () => swapping.settle(work, restoreId), 'persistent')
  }

  async #swapReady(restoreId: string): Promise<void> {
    try {
      await this.#swap(restoreId)
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      this.#work.log('error', `Swapping restore ${restoreId} failed: ${reason}`)
      await this.#step('swap-undone', () => this.#releaseUnlessDone(restoreId, 'ready', reason), 'persistent')
      throw error
    }
  }

  async #undo(restoreId: string): Promise<void> {
    const work = this.#work
    try {
      const { tenantId } = await this.#step('undo-claim', () => swapping.claim(work, restoreId))
      // What was written since the swap is only there.
      const backupId = await this.#step('undo-backup', () => this.#planBackup(restoreId, tenantId))
      await work.backups.finish(backupId)
      await this.#step('undo-exchange', () => swapping.exchangeBack(work, restoreId))
      await this.#step('undo-settled', () => swapping.settleBack(work, restoreId), 'persistent')
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      work.log('error', `Undoing restore ${restoreId} failed: ${reason}`)
      await this.#step(
        'undo-undone',
        async () => {
          if (await swapping.isExchangedBack(work, restoreId)) await swapping.settleBack(work, restoreId)
          else await swapping.release(work, restoreId, 'swapped', reason)
        },
        'persistent',
      )
      throw error
    }
  }

  /** Of the live database, before another one takes its place. */
  async #planBackup(restoreId: string, tenantId: string): Promise<string> {
    const backupId = await this.#work.backups.plan(tenantId, 'restore')
    await this.records.set(restoreId, sql`safety_backup_id = ${backupId}`)
    return backupId
  }

  async #clone(restoreId: string): Promise<void> {
    await this.#step('clone-adopted', () => adopt(this.#work, restoreId))
    await this.#step('clone-settled', () => settleClone(this.#work, restoreId), 'persistent')
  }

  /** Restored, compared and proven: that was the purpose; nothing of it stays. */
  async #prove(restoreId: string): Promise<void> {
    const { backups } = this.#work
    await this.#step('drill-dropped', async () => {
      await refuseFindings(this.#work, restoreId)
      await this.#dropSide(restoreId)
    })
    await this.#step(
      'drill-proven',
      async () => {
        const restore = await this.records.restore(restoreId)
        await this.records.write(async (tx) => {
          await setTenant(tx, restore.tenantId, sql`last_proven_restore_at = now()`)
          await resolveAlert(tx, { kind: DRILL_FAILED, tenantId: restore.tenantId })
          await setRestore(tx, restoreId, sql`state = 'proven', side_database = NULL, side_role = NULL,
            sealed_side_password = NULL, finished_at = now()`) // prettier-ignore
        })
        await backups.proven(restore.backupId)
      },
      'persistent',
    )
  }

  // ---- undoing -----------------------------------------------------------------------------------------

  async #undoRestore(restoreId: string, reason: string): Promise<void> {
    const restore = await this.records.restore(restoreId)
    if (restore.state !== 'restoring' && restore.state !== 'swapping') return
    if (restore.state === 'swapping') {
      if (await swapping.isExchanged(this.#work, restoreId)) return swapping.settle(this.#work, restoreId)
      await swapping.release(this.#work, restoreId, 'restoring', reason)
    }
    if (restore.mode === 'clone') await dropClone(this.#work, restore, reason)
    await this.#dropSide(restoreId)
    await this.records.write(async (tx) => {
      await setRestore(tx, restoreId, sql`state = 'failed', side_database = NULL, side_role = NULL,
        sealed_side_password = NULL, error = ${reason.slice(0, 500)}, finished_at = now()`) // prettier-ignore
      if (restore.mode === 'drill')
        await openAlert(tx, { kind: DRILL_FAILED, tenantId: restore.tenantId, message: `The backup could not be restored: ${reason}` }) // prettier-ignore
      await recordEvent(tx, { action: 'restore failed', entity: 'restore', entityId: restoreId, tenantId: restore.tenantId, details: { reason } }) // prettier-ignore
    })
  }

  async #releaseUnlessDone(restoreId: string, state: string, reason: string): Promise<void> {
    if (await swapping.isExchanged(this.#work, restoreId)) await swapping.settle(this.#work, restoreId)
    else await swapping.release(this.#work, restoreId, state, reason)
  }

  async #dropSide(restoreId: string): Promise<void> {
    const { serverId, sideDatabase, sideRole } = await this.records.restore(restoreId)
    const server = await this.#work.servers.get(serverId)
    await this.#work.gate.closeTenant(restoreId)
    if (sideDatabase !== null) await server.drop(sideDatabase)
    if (sideRole !== null) await server.dropRole(sideRole)
  }
}

/** Nobody is given books that are known to be wrong without looking at them first. */
async function refuseFindings({ records }: RestoreWork, restoreId: string): Promise<void> {
  const { verification, state } = await records.restore(restoreId)
  const findings = verification?.findings ?? []
  // One that was ready, and is swapped all the same, was looked at.
  if (findings.length === 0 || state !== 'restoring') return
  throw new Error(`The check of the restored books found ${findings.length}, first: ${findings[0]}`)
}
