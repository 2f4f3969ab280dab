/**
 * Fleet migrations as durable workflows. What is to be done and what is done are rows of the platform; a
 * workflow only drives them, wave by wave. Each start, resumption and handing over is a run with a workflow
 * of its own: a process that goes away, or is too old for the target, hands over by leaving the next run to
 * whoever finds it.
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { startWorkflow } from '../../jobs/workflows.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { landedMigrations, migrationsOf } from '../../tenancy/migrations.ts'
import { recordEvent } from '../audit.ts'
import { planFleet, type Planned } from './plan.ts'
import { fleetProblems } from './problems.ts'
import { oldestCodeVersions } from './rules/compatibility.ts'
import type { WaveWish } from './rules/waves.ts'
import { migrateWave, type WavePorts } from './wave.ts'

export const MIGRATE_FLEET = 'migrate-fleet'

export interface FleetSettings {
  readonly parallel: number
  readonly failurePercent: number
}

export interface WaveToBegin {
  readonly fleetMigrationId: string
  readonly number: number
  readonly name: string
  readonly direction: 'up' | 'down'
  readonly tenantIds: readonly string[]
}

export interface FleetPorts extends WavePorts {
  readonly settings: FleetSettings
  /** Backs up the tenants of a wave before it begins; may be repeated. A wave without its backup does not begin. */
  readonly beforeWave: (wave: WaveToBegin) => Promise<void>
  /** The template and the databases kept ready follow the fleet. */
  readonly afterMigration: () => Promise<void>
}

export interface FleetWish {
  readonly waves?: readonly WaveWish[]
  readonly parallel?: number
  readonly failurePercent?: number
}

export interface FleetOutcome {
  readonly migrated: number
  readonly failed: readonly { tenantCode: string; reason: string }[]
}

const FLEET_LOCK = 7_241_860_031
const LOOK_EVERY_MS = 3_000
const WAIT_EVERY_MS = 100
/** An outage of the platform's own database is waited for, over some four minutes. */
const RETRIES = { retriesAllowed: true, maxAttempts: 9, intervalSeconds: 0.5, backoffRate: 2 }
const SYSTEM: Actor = { kind: 'system', id: null, requestId: MIGRATE_FLEET, address: null }

export class FleetMigrations {
  readonly #ports: FleetPorts
  readonly #workflow: (id: string, run: number) => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #isStopping = false

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: FleetPorts) {
    this.#ports = ports
    this.#workflow = DBOS.registerWorkflow((id: string, run: number) => this.#drive(id, run), {
      name: MIGRATE_FLEET,
    })
  }

  /** From now on runs that nobody drives are taken up. */
  async begin(): Promise<void> {
    await this.#recordCompatibility()
    this.#timer = setInterval(() => void this.#takeUp(), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  /** Begins no further tenant; a run of ours is left to another process, or to the next start. */
  stop(): void {
    this.#isStopping = true
    clearInterval(this.#timer)
  }

  // ---- what an operator asks for -----------------------------------------------------------------------

  async start(tx: PlatformTx, wish: FleetWish): Promise<Planned & { id: string }> {
    await lockFleet(tx)
    const planned = await planFleet(tx, wish.waves)
    await refuseSecond(tx)
    const { settings } = this.#ports
    const id = await insertMigration(tx, {
      direction: 'up',
      target_version: planned.plan.targetVersion,
      parallel: wish.parallel ?? settings.parallel,
      failure_percent: wish.failurePercent ?? settings.failurePercent,
      started_by: startedBy(tx.actor),
    })
    const target = planned.plan.targetVersion
    await insertTenants(
      tx,
      id,
      planned.waves.map(({ number, name, tenants }) => ({
        number,
        name,
        tenants: tenants.map((tenant) => ({ id: tenant.id, from: tenant.version, to: target })),
      })),
    )
    const details = { target, tenants: planned.plan.behind }
    await recordEvent(tx, { action: 'start', entity: 'fleet migration', entityId: id, details })
    return { ...planned, id }
  }

  /** By the down parts, each tenant to where it was; the waves in the opposite order. */
  async rollBack(tx: PlatformTx, id: string, tenantIds: readonly string[] | undefined): Promise<string> {
    await lockFleet(tx)
    const original = await read(tx, id)
    if (original.direction !== 'up' || original.status === 'running') {
      const message =
        original.direction === 'up' ? 'Pause it first' : 'A rollback is undone by migrating again'
      throw new Problem(fleetProblems.wrongState, { message })
    }
    if (original.status === 'paused' || original.status === 'stopped') {
      await setStatus(tx, id, 'cancelled', 'Rolled back')
    }
    await refuseSecond(tx)
    const rows = await tx.rows(
      sql<{ wave: number; name: string; id: string; from: string; to: string | null }>`
        SELECT m.wave, w.name, m.tenant_id AS id, t.schema_version AS "from", m.from_version AS "to"
        FROM platform.fleet_migration_tenant m JOIN platform.tenant t ON t.id = m.tenant_id
        JOIN platform.fleet_migration_wave w ON w.fleet_migration_id = m.fleet_migration_id AND w.number = m.wave
        WHERE m.fleet_migration_id = ${id} AND t.schema_version > coalesce(m.from_version, '')
          AND (${tenantIds === undefined} OR m.tenant_id = ANY (${tenantIds ?? []}::uuid[]))
        ORDER BY m.wave DESC, t.created_at, t.id`.compile(platformSql),
    )
    const rollback = await insertMigration(tx, {
      direction: 'down',
      target_version: null,
      rolls_back_id: id,
      parallel: original.parallel,
      failure_percent: original.failure_percent,
      started_by: startedBy(tx.actor),
    })
    const waves = [...Map.groupBy(rows, ({ wave }) => wave).values()]
    await insertTenants(
      tx,
      rollback,
      waves.map((tenants, index) => ({ number: index + 1, name: tenants[0]?.name ?? '', tenants })),
    )
    const details = { rollsBack: id, tenants: rows.length }
    await recordEvent(tx, { action: 'roll back', entity: 'fleet migration', entityId: rollback, details })
    return rollback
  }

  /** Those under way are finished; whoever drives hears of it with what it writes down next. */
  async pause(tx: PlatformTx, id: string, reason: string | null): Promise<void> {
    await change(tx, id, ['running'], 'paused', reason)
    await recordEvent(tx, { action: 'pause', entity: 'fleet migration', entityId: id, details: { reason } })
  }

  async cancel(tx: PlatformTx, id: string, reason: string | null): Promise<void> {
    await change(tx, id, ['paused', 'stopped'], 'cancelled', reason)
    await recordEvent(tx, { action: 'cancel', entity: 'fleet migration', entityId: id, details: { reason } })
  }

  async resume(tx: PlatformTx, id: string): Promise<void> {
    await this.#refuseUnknownTarget(tx, id)
    await change(tx, id, ['paused', 'stopped'], 'running', null)
    await recordEvent(tx, { action: 'resume', entity: 'fleet migration', entityId: id })
  }

  /** Failed tenants wait again; a migration that was over runs again. */
  async retry(tx: PlatformTx, id: string, tenantIds: readonly string[] | undefined): Promise<void> {
    await lockFleet(tx)
    await this.#refuseUnknownTarget(tx, id)
    const { status } = await read(tx, id)
    if (status === 'failed') await refuseSecond(tx)
    await change(tx, id, ['failed', 'paused', 'stopped'], 'running', null)
    const count = await tx.run(
      sql`UPDATE platform.fleet_migration_tenant SET status = 'waiting', error = NULL, updated_at = now()
        WHERE fleet_migration_id = ${id} AND status = 'failed'
          AND (${tenantIds === undefined} OR tenant_id = ANY (${tenantIds ?? []}::uuid[]))`.compile(
        platformSql,
      ),
    )
    await tx.run(
      sql`UPDATE platform.fleet_migration_wave w SET status = 'waiting', finished_at = NULL, updated_at = now()
        WHERE fleet_migration_id = ${id} AND EXISTS (SELECT FROM platform.fleet_migration_tenant m
          WHERE m.fleet_migration_id = ${id} AND m.wave = w.number AND m.status = 'waiting')`.compile(
        platformSql,
      ),
    )
    await recordEvent(tx, {
      action: 'retry',
      entity: 'fleet migration',
      entityId: id,
      details: { tenants: count },
    })
  }

  async skip(tx: PlatformTx, id: string, tenantIds: readonly string[], reason: string): Promise<void> {
    const { status } = await read(tx, id)
    if (status === 'done' || status === 'cancelled') {
      throw new Problem(fleetProblems.wrongState, { message: `The fleet migration is ${status}` })
    }
    const count = await tx.run(
      sql`UPDATE platform.fleet_migration_tenant SET status = 'skipped', error = ${reason}, updated_at = now()
        WHERE fleet_migration_id = ${id} AND status IN ('waiting', 'failed') AND tenant_id = ANY (${[...tenantIds]}::uuid[])`.compile(
        platformSql,
      ),
    )
    if (status === 'failed') await settle(tx, id)
    const details = { tenants: count, reason }
    await recordEvent(tx, { action: 'skip tenants', entity: 'fleet migration', entityId: id, details })
  }

  /** Once the transaction that asked for it is committed. */
  async launch(id: string): Promise<void> {
    await this.#launch(id, await this.#runOf(id))
  }

  /** At the start of a process that may migrate by itself: every tenant that is behind, whatever fails. */
  async migrateAtStart(): Promise<FleetOutcome> {
    const { gate, log } = this.#ports
    const found = await gate.writePlatform(SYSTEM, async (tx) => {
      const { plan } = await planFleet(tx, undefined)
      if (plan.behind === 0) return undefined
      await lockFleet(tx)
      const active = await activeMigration(tx)
      if (active) return active
      const { id } = await this.start(tx, { failurePercent: 100 })
      return { id, status: 'running' }
    })
    if (!found) return { migrated: 0, failed: [] }
    if (found.status !== 'running') {
      log(
        'warn',
        `The fleet migration ${found.id} is ${found.status}: tenants that wait for it are answered 503`,
      )
      return { migrated: 0, failed: [] }
    }
    await this.launch(found.id)
    return this.outcome(found.id)
  }

  /** Waits until it runs no more, whoever drives it. */
  async outcome(id: string): Promise<FleetOutcome> {
    for (;;) {
      const outcome = await this.#ports.gate.readPlatform(SYSTEM, async (tx) => {
        const { status } = await read(tx, id)
        if (status === 'running') return undefined
        const rows = await tx.rows(
          sql<{ status: string; tenantCode: string; reason: string }>`
            SELECT m.status, t.tenant_code AS "tenantCode", coalesce(m.error, '') AS reason
            FROM platform.fleet_migration_tenant m JOIN platform.tenant t ON t.id = m.tenant_id
            WHERE m.fleet_migration_id = ${id} ORDER BY m.wave, t.created_at, t.id`.compile(platformSql),
        )
        const failed = rows.filter((row) => row.status === 'failed')
        return { migrated: rows.filter((row) => row.status === 'done').length, failed }
      })
      if (outcome) return outcome
      if (this.#isStopping)
        throw new Error('Stopped while the fleet was being migrated; it goes on with the next start')
      await new Promise((resolve) => setTimeout(resolve, WAIT_EVERY_MS))
    }
  }

  // ---- driving -----------------------------------------------------------------------------------------

  async #drive(id: string, run: number): Promise<void> {
    const waves = await DBOS.runStep(() => this.#unfinishedWaves(id, run), { name: 'waves', ...RETRIES })
    for (const number of waves) {
      const outcome = await DBOS.runStep(() => this.#wave(id, run, number), {
        name: `wave ${number}`,
        ...RETRIES,
      })
      if (outcome === 'interrupted')
        await DBOS.runStep(() => this.#handOver(id, run), { name: 'handing over', ...RETRIES })
      if (outcome !== 'done') return
    }
    await DBOS.runStep(() => this.#finish(id, run), { name: 'end', ...RETRIES })
  }

  #unfinishedWaves(id: string, run: number): Promise<number[]> {
    return this.#ports.gate.readPlatform(SYSTEM, async (tx) => {
      const current = await read(tx, id)
      if (current.run !== run || current.status !== 'running') return []
      const rows = await tx.rows(
        platformSql
          .selectFrom('platform.fleet_migration_wave')
          .select('number')
          .where('fleet_migration_id', '=', id)
          .where('status', '<>', 'done')
          .orderBy('number'),
      )
      return rows.map(({ number }) => number)
    })
  }

  async #wave(id: string, run: number, number: number): Promise<'done' | 'halted' | 'interrupted'> {
    const { gate, beforeWave } = this.#ports
    const migration = await gate.readPlatform(SYSTEM, (tx) => read(tx, id))
    if (migration.status !== 'running' || migration.run !== run) return 'halted'
    if (!this.#knows(migration.target_version)) return 'interrupted'
    const direction = migration.direction as 'up' | 'down'
    const wave = await gate.writePlatform(SYSTEM, (tx) => beginWave(tx, id, number))
    if (wave.status === 'backing_up') {
      await beforeWave({
        fleetMigrationId: id,
        number,
        name: wave.name,
        direction,
        tenantIds: wave.tenantIds,
      })
      await gate.writePlatform(SYSTEM, (tx) => setWave(tx, id, number, 'running'))
    }
    const outcome = await migrateWave(this.#ports, {
      fleetMigrationId: id,
      run,
      wave: number,
      direction,
      parallel: migration.parallel,
      failurePercent: migration.failure_percent,
      isStopping: () => this.#isStopping,
    })
    if (outcome === 'done') await gate.writePlatform(SYSTEM, (tx) => setWave(tx, id, number, 'done'))
    return outcome
  }

  async #finish(id: string, run: number): Promise<void> {
    const ended = await this.#ports.gate.writePlatform(SYSTEM, async (tx) => {
      const current = await read(tx, id)
      if (current.status !== 'running' || current.run !== run) return false
      await settle(tx, id)
      return true
    })
    if (ended) await this.#ports.afterMigration()
  }

  async #handOver(id: string, run: number): Promise<void> {
    await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE platform.fleet_migration SET run = run + 1, updated_at = now()
          WHERE id = ${id} AND run = ${run} AND status = 'running'`.compile(platformSql),
      ),
    )
  }

  // ---- runs that nobody drives -------------------------------------------------------------------------

  async #takeUp(): Promise<void> {
    try {
      const running = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
        tx.row(
          platformSql
            .selectFrom('platform.fleet_migration')
            .select(['id', 'run', 'target_version'])
            .where('status', '=', 'running'),
        ),
      )
      if (!running || this.#isStopping || !this.#knows(running.target_version)) return
      const state = await DBOS.getWorkflowStatus(workflowIdOf(running.id, running.run))
      if (!state) await this.#launch(running.id, running.run)
      else if (state.status === 'ERROR' || state.status === 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')
        await this.#stopBroken(running.id, running.run, state.error)
    } catch (error) {
      if (!this.#isStopping) this.#ports.log('warn', `Looking for fleet migrations failed: ${String(error)}`)
    }
  }

  /** Every try failed, e.g. the backup before a wave: an operator looks at it, and resumes it. */
  async #stopBroken(id: string, run: number, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error)
    await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE platform.fleet_migration SET status = 'stopped', status_reason = ${reason.slice(0, 2_000)}, updated_at = now()
          WHERE id = ${id} AND run = ${run} AND status = 'running'`.compile(platformSql),
      ),
    )
  }

  async #launch(id: string, run: number): Promise<void> {
    const { finished } = await startWorkflow(this.#workflow, workflowIdOf(id, run), id, run)
    finished.catch((error: unknown) => {
      if (!this.#isStopping) this.#ports.log('error', `The fleet migration ${id} broke off: ${String(error)}`)
    })
  }

  #runOf(id: string): Promise<number> {
    return this.#ports.gate.readPlatform(SYSTEM, async (tx) => (await read(tx, id)).run)
  }

  /** Code that is older than the target cannot take anybody there. */
  #knows(target: string | null): boolean {
    return target === null || migrationsOf('tenant').some(({ name }) => name === target)
  }

  async #refuseUnknownTarget(tx: PlatformTx, id: string): Promise<void> {
    const { target_version: target } = await read(tx, id)
    if (!this.#knows(target)) throw new Problem(fleetProblems.unknownVersion)
  }

  /** What older code may still serve; it cannot know that by itself. */
  async #recordCompatibility(): Promise<void> {
    const names = migrationsOf('tenant').map(({ name }) => name)
    const rows = JSON.stringify(oldestCodeVersions(names, landedMigrations()))
    await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`INSERT INTO platform.schema_version (version, oldest_code_version)
          SELECT version, "oldestCodeVersion" FROM jsonb_to_recordset(${rows}::jsonb) AS v (version text, "oldestCodeVersion" text)
          ON CONFLICT (version) DO NOTHING`.compile(platformSql),
      ),
    )
  }
}

export function operationIdOf(id: string): string {
  return `${MIGRATE_FLEET}:${id}`
}

function workflowIdOf(id: string, run: number): string {
  return `${MIGRATE_FLEET}:${id}:${run}`
}

function startedBy(actor: Actor): string {
  return actor.id ?? actor.requestId
}

// ---- rows ----------------------------------------------------------------------------------------------

/** Starting, resuming and rolling back take turns: only one fleet migration may be under way. */
async function lockFleet(tx: PlatformTx): Promise<void> {
  await tx.rows(sql`SELECT pg_advisory_xact_lock(${FLEET_LOCK})`.compile(platformSql))
}

function activeMigration(tx: PlatformTx): Promise<{ id: string; status: string } | undefined> {
  return tx.row(
    platformSql
      .selectFrom('platform.fleet_migration')
      .select(['id', 'status'])
      .where('status', 'in', ['running', 'paused', 'stopped']),
  )
}

async function refuseSecond(tx: PlatformTx): Promise<void> {
  const active = await activeMigration(tx)
  if (!active) return
  throw new Problem(fleetProblems.active, {
    message: `The fleet migration ${active.id} is ${active.status}; one at a time`,
    details: { fleetMigrationId: active.id, status: active.status },
  })
}

async function read(tx: Pick<PlatformTx, 'row'>, id: string) {
  const row = await tx.row(
    platformSql
      .selectFrom('platform.fleet_migration')
      .select(['status', 'direction', 'run', 'target_version', 'parallel', 'failure_percent'])
      .where('id', '=', id),
  )
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such fleet migration' })
  return row
}

/** A new run, when it is to run: what the former one still has under way is no longer listened to. */
async function change(
  tx: PlatformTx,
  id: string,
  from: readonly string[],
  to: string,
  reason: string | null,
): Promise<void> {
  const { status } = await read(tx, id)
  const changed = await tx.run(
    sql`UPDATE platform.fleet_migration SET status = ${to}, status_reason = ${reason}, updated_at = now(),
        run = run + ${to === 'running' ? 1 : 0}, finished_at = CASE WHEN ${to === 'cancelled'} THEN now() END
      WHERE id = ${id} AND status = ANY (${[...from]})`.compile(platformSql),
  )
  if (changed === 0)
    throw new Problem(fleetProblems.wrongState, { message: `The fleet migration is ${status}` })
}

async function setStatus(tx: PlatformTx, id: string, status: string, reason: string | null): Promise<void> {
  await tx.run(
    sql`UPDATE platform.fleet_migration SET status = ${status}, status_reason = ${reason}, finished_at = now(), updated_at = now()
      WHERE id = ${id}`.compile(platformSql),
  )
}

/** It is over: done, or failed when a tenant has. */
async function settle(tx: PlatformTx, id: string): Promise<void> {
  const counted = await tx.row(
    sql<{
      failed: number
      total: number
    }>`SELECT count(*)::int AS total, count(*) FILTER (WHERE status = 'failed')::int AS failed
      FROM platform.fleet_migration_tenant WHERE fleet_migration_id = ${id}`.compile(platformSql),
  )
  const { failed, total } = counted ?? { failed: 0, total: 0 }
  const reason = failed === 0 ? null : `${failed} of ${total} tenants failed`
  await setStatus(tx, id, failed === 0 ? 'done' : 'failed', reason)
}

async function insertMigration(
  tx: PlatformTx,
  values: {
    direction: 'up' | 'down'
    target_version: string | null
    rolls_back_id?: string
    parallel: number
    failure_percent: number
    started_by: string
  },
): Promise<string> {
  const row = await tx.row(
    platformSql
      .insertInto('platform.fleet_migration')
      .values({ ...values, status: 'running' })
      .returning('id'),
  )
  if (!row) throw new Error('A fleet migration that was written down must come back')
  return row.id
}

interface InsertedWave {
  readonly number: number
  readonly name: string
  readonly tenants: readonly { id: string; from: string | null; to: string | null }[]
}

async function insertTenants(tx: PlatformTx, id: string, waves: readonly InsertedWave[]): Promise<void> {
  const tenants = waves.flatMap(({ number, tenants: members }) =>
    members.map(({ id: tenantId, from, to }) => ({ tenantId, wave: number, from, to })),
  )
  await tx.run(
    sql`INSERT INTO platform.fleet_migration_wave (fleet_migration_id, number, name)
      SELECT ${id}, number, name FROM jsonb_to_recordset(${JSON.stringify(waves)}::jsonb) AS w (number int, name text)`.compile(
      platformSql,
    ),
  )
  await tx.run(
    sql`INSERT INTO platform.fleet_migration_tenant (fleet_migration_id, tenant_id, wave, from_version, to_version)
      SELECT ${id}, "tenantId", wave, "from", "to" FROM jsonb_to_recordset(${JSON.stringify(tenants)}::jsonb)
        AS m ("tenantId" uuid, wave int, "from" text, "to" text)`.compile(platformSql),
  )
}

/** A wave begins with its backup; one that was begun before goes on where it was. */
async function beginWave(
  tx: PlatformTx,
  id: string,
  number: number,
): Promise<{ name: string; status: string; tenantIds: string[] }> {
  const wave = await tx.row(
    sql<{ name: string; status: string }>`UPDATE platform.fleet_migration_wave SET
        status = CASE status WHEN 'running' THEN 'running' ELSE 'backing_up' END,
        started_at = coalesce(started_at, now()), updated_at = now()
      WHERE fleet_migration_id = ${id} AND number = ${number} RETURNING name, status`.compile(platformSql),
  )
  const rows = await tx.rows(
    platformSql
      .selectFrom('platform.fleet_migration_tenant')
      .select('tenant_id')
      .where('fleet_migration_id', '=', id)
      .where('wave', '=', number)
      .where('status', '=', 'waiting'),
  )
  return {
    name: wave?.name ?? '',
    status: wave?.status ?? '',
    tenantIds: rows.map(({ tenant_id }) => tenant_id),
  }
}

async function setWave(
  tx: PlatformTx,
  id: string,
  number: number,
  status: 'running' | 'done',
): Promise<void> {
  await tx.run(
    sql`UPDATE platform.fleet_migration_wave SET status = ${status}, updated_at = now(),
        finished_at = CASE WHEN ${status === 'done'} THEN now() END
      WHERE fleet_migration_id = ${id} AND number = ${number}`.compile(platformSql),
  )
}
