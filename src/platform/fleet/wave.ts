/**
 * The work of one wave: its tenants a few at a time, each on a connection of its own, servers taking turns.
 * What became of them is written down in batches; the tenants' own bookkeeping is the truth, so that whoever
 * repeats a wave finds what was done before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Problem } from '../../kernel/problem.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor } from '../../tenancy/handles.ts'
import { MigrationFailure, moveTo, type StepLimits } from '../../tenancy/migrations.ts'
import { isConnectionLoss, type DatabaseAddress } from '../../tenancy/pools.ts'
import { announceTenants } from '../announcements.ts'
import { MIGRATED_STATUSES } from './plan.ts'
import { tooManyFailed } from './rules/waves.ts'

export interface WavePorts {
  readonly gate: Gate
  /** As the role that owns the objects. */
  readonly addressOf: (serverId: string, database: string) => Promise<DatabaseAddress>
  readonly limits: StepLimits
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop the process or fail here; nothing else does. */
  readonly atTenant?: (tenantCode: string, moment: 'before' | 'after') => void | Promise<void>
}

export interface WaveTask {
  readonly fleetMigrationId: string
  readonly run: number
  readonly wave: number
  readonly direction: 'up' | 'down'
  readonly parallel: number
  readonly failurePercent: number
  readonly isStopping: () => boolean
}

/** `halted`: paused by an operator, or by too many failures; `interrupted`: this process is going away. */
export type WaveOutcome = 'done' | 'halted' | 'interrupted'

interface Row {
  readonly tenantId: string
  readonly code: string
  readonly status: string
  readonly busyWith: string | null
  readonly serverId: string
  readonly database: string | null
  readonly target: string | null
}

interface Result {
  readonly tenantId: string
  readonly status: 'done' | 'failed' | 'skipped'
  /** What the database is at now; undefined: not known. */
  readonly version: string | null | undefined
  readonly attempts: number
  readonly error: string | null
  readonly milliseconds: number
}

const BATCH = 500
const RECORD_EVERY_MS = 200
const ATTEMPTS = 3
const RETRY_AFTER_MS = 500
/** Locks not had in time, deadlocks, shutdowns and pauses of writing pass; what a migration finds in the data does not. */
const PASSING = new Set(['55P03', '40P01', '25006', '53300', '57P01', '57P02', '57P03', '3D000'])
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'migrate-fleet', address: null }

export async function migrateWave(ports: WavePorts, task: WaveTask): Promise<WaveOutcome> {
  const recorder = new Recorder(ports, task, await standing(ports.gate, task))
  for (;;) {
    const rows = await waiting(ports.gate, task)
    if (rows.length === 0) return 'done'
    await workOff(ports, task, rows, recorder)
    if (recorder.isHalted) return 'halted'
    if (task.isStopping()) return 'interrupted'
  }
}

// ---- taking turns --------------------------------------------------------------------------------------

async function workOff(
  ports: WavePorts,
  task: WaveTask,
  rows: readonly Row[],
  recorder: Recorder,
): Promise<void> {
  const queues = [...Map.groupBy(rows, ({ serverId }) => serverId).values()].map((waitingRows) => ({
    waitingRows: [...waitingRows].reverse(),
    underWay: 0,
  }))
  const worker = async (): Promise<void> => {
    while (!recorder.isHalted && !task.isStopping()) {
      // The server with the least to do: a slow one does not take every worker from the others.
      const open = queues.filter(({ waitingRows }) => waitingRows.length > 0)
      const queue = open.toSorted((a, b) => a.underWay - b.underWay)[0]
      const row = queue?.waitingRows.pop()
      if (!queue || !row) return
      queue.underWay++
      recorder.add(await migrateTenant(ports, task.direction, row))
      queue.underWay--
    }
  }
  const recording = recorder.start()
  await Promise.all(Array.from({ length: Math.min(task.parallel, rows.length) }, worker))
  recorder.end()
  await recording
}

async function migrateTenant(ports: WavePorts, direction: 'up' | 'down', row: Row): Promise<Result> {
  const startedAt = performance.now()
  const result = (outcome: Omit<Result, 'tenantId' | 'milliseconds'>): Result => ({
    tenantId: row.tenantId,
    milliseconds: Math.round(performance.now() - startedAt),
    ...outcome,
  })
  const { database } = row
  if (database === null || !(MIGRATED_STATUSES as readonly string[]).includes(row.status)) {
    return result({
      status: 'skipped',
      version: undefined,
      attempts: 0,
      error: `The tenant is ${row.status}`,
    })
  }
  for (let attempts = 1; ; attempts++) {
    try {
      if (row.busyWith !== null)
        throw new Error(`The tenant is busy with ${row.busyWith}; retry when that is over`)
      await ports.atTenant?.(row.code, 'before')
      const address = await ports.addressOf(row.serverId, database)
      const { version } = await moveTo(address, 'tenant', row.target, direction, ports.limits)
      await ports.atTenant?.(row.code, 'after')
      return result({ status: 'done', version, attempts, error: null })
    } catch (error) {
      if (isPassing(error) && attempts < ATTEMPTS) {
        await sleep(RETRY_AFTER_MS * 2 ** (attempts - 1))
        continue
      }
      const reason = error instanceof Error ? error.message : String(error)
      ports.log('error', `Tenant ${row.code} could not be migrated and stays as it is: ${reason}`)
      const version = error instanceof MigrationFailure ? error.version : undefined
      return result({ status: 'failed', version, attempts, error: reason.slice(0, 2_000) })
    }
  }
}

function isPassing(error: unknown): boolean {
  const cause = error instanceof MigrationFailure ? error.cause : error
  if (cause instanceof Problem || isConnectionLoss(cause)) return true
  return PASSING.has((cause as { code?: string }).code ?? '')
}

// ---- what is written down ------------------------------------------------------------------------------

interface Standing {
  readonly tenants: number
  readonly failed: number
}

/** How big the wave is, and how many of it have failed in this run. */
async function standing(gate: Gate, { fleetMigrationId, run, wave }: WaveTask): Promise<Standing> {
  const row = await gate.readPlatform(SYSTEM, (tx) =>
    tx.row(
      sql<Standing>`SELECT count(*)::int AS tenants, count(*) FILTER (WHERE status = 'failed' AND run = ${run})::int AS failed
        FROM platform.fleet_migration_tenant WHERE fleet_migration_id = ${fleetMigrationId} AND wave = ${wave}`.compile(
        platformSql,
      ),
    ),
  )
  return row ?? { tenants: 0, failed: 0 }
}

function waiting(gate: Gate, { fleetMigrationId, wave }: WaveTask): Promise<Row[]> {
  return gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(
      sql<Row>`SELECT m.tenant_id AS "tenantId", t.tenant_code AS code, t.status, t.busy_with AS "busyWith",
          t.server_id AS "serverId", t.database_name AS database, m.to_version AS target
        FROM platform.fleet_migration_tenant m JOIN platform.tenant t ON t.id = m.tenant_id
        WHERE m.fleet_migration_id = ${fleetMigrationId} AND m.wave = ${wave} AND m.status = 'waiting'
        ORDER BY t.created_at, t.id LIMIT ${BATCH}`.compile(platformSql),
    ),
  )
}

/** Writes results down as they gather, and hears with each writing whether it is to go on. */
class Recorder {
  readonly #ports: WavePorts
  readonly #task: WaveTask
  readonly #tenants: number
  #failed: number
  #results: Result[] = []
  #isOver = false
  #wake = (): void => {}
  #isFailing = false
  #isTold = false

  constructor(ports: WavePorts, task: WaveTask, { tenants, failed }: Standing) {
    this.#ports = ports
    this.#task = task
    this.#tenants = tenants
    this.#failed = failed
  }

  /** By too many failures, or by what was heard. */
  get isHalted(): boolean {
    return this.#isFailing || this.#isTold
  }

  add(result: Result): void {
    this.#results.push(result)
    if (result.status !== 'failed') return
    this.#failed++
    if (tooManyFailed(this.#failed, this.#tenants, this.#task.failurePercent)) this.#isFailing = true
  }

  async start(): Promise<void> {
    this.#isOver = false
    while (!this.#isOver) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RECORD_EVERY_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      // A platform database that is away for a moment must not take a worker with it: the results wait.
      await this.#record().catch((error: unknown) =>
        this.#ports.log(
          'warn',
          `Results of the fleet migration could not be written down yet: ${String(error)}`,
        ),
      )
    }
    await this.#record()
  }

  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async #record(): Promise<void> {
    const { fleetMigrationId, run, wave, failurePercent } = this.#task
    const results = this.#results
    // It may begin to fail while this is being written: then the next writing stops it.
    const isFailing = this.#isFailing
    this.#results = []
    const state = await this.#ports.gate
      .writePlatform(SYSTEM, async (tx) => {
        if (results.length > 0) {
          const recorded = JSON.stringify(results)
          await tx.run(
            sql`UPDATE platform.fleet_migration_tenant m SET status = r.status, attempts = m.attempts + r.attempts,
                error = r.error, duration_ms = r.milliseconds, run = ${run}, finished_at = now(), updated_at = now()
              FROM jsonb_to_recordset(${recorded}::jsonb) AS r ("tenantId" uuid, status text, attempts int, error text, milliseconds int)
              WHERE m.fleet_migration_id = ${fleetMigrationId} AND m.tenant_id = r."tenantId"`.compile(
              platformSql,
            ),
          )
          await tx.run(
            sql`UPDATE platform.tenant t SET schema_version = r.version, updated_at = now()
              FROM jsonb_to_recordset(${recorded}::jsonb) AS r ("tenantId" uuid, version text)
              WHERE t.id = r."tenantId" AND t.schema_version IS DISTINCT FROM r.version
                AND r."tenantId" = ANY (${moved(results)}::uuid[])`.compile(platformSql),
          )
          await announceTenants(tx, moved(results))
        }
        if (isFailing) {
          const reason = `Wave ${wave}: ${this.#failed} of ${this.#tenants} tenants failed, more than ${failurePercent} %`
          await tx.run(
            sql`UPDATE platform.fleet_migration SET status = 'stopped', status_reason = ${reason}, updated_at = now()
              WHERE id = ${fleetMigrationId} AND status = 'running' AND run = ${run} AND EXISTS (
                SELECT FROM platform.fleet_migration_tenant WHERE fleet_migration_id = ${fleetMigrationId} AND status = 'waiting')`.compile(
              platformSql,
            ),
          )
        }
        return tx.row(
          platformSql
            .selectFrom('platform.fleet_migration')
            .select(['status', 'run'])
            .where('id', '=', fleetMigrationId),
        )
      })
      .catch((error: unknown) => {
        this.#results = [...results, ...this.#results]
        throw error
      })
    // Paused, or another run has taken its place: a process that was thought dead has nothing more to do.
    this.#isTold = state?.status !== 'running' || state.run !== run
    // Nobody was left to be kept from it: that is no halt, but the end.
    if (isFailing && !this.#isTold) this.#isFailing = false
  }
}

function moved(results: readonly Result[]): string[] {
  return results.filter(({ version }) => version !== undefined).map(({ tenantId }) => tenantId)
}
