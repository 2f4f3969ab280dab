import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type PlatformDoor, type Route } from '../../http/route.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import type { OperationView } from '../operations/operations.ts'
import {
  cancelFleetMigration,
  getFleetRehearsal,
  getSchemaReport,
  listFleetRehearsals,
  startFleetRehearsal,
  type FleetRehearsal,
  getFleetMigration,
  getFleetPlan,
  listFleetMigrations,
  listTenantMigrations,
  pauseFleetMigration,
  resumeFleetMigration,
  retryFleetMigration,
  rollBackFleetMigration,
  setTenantCanary,
  skipTenantMigrations,
  startFleetMigration,
  type FleetMigration,
  type FleetMigrationDetail,
  type TenantMigration,
} from './contract.ts'
import { MIGRATE_FLEET, operationIdOf, type FleetMigrations } from './fleet.ts'
import { planFleet } from './plan.ts'
import { rehearsalOperationId, type Rehearsals } from './rehearsal.ts'
import type { SchemaReports } from './schema-report.ts'

type Summary = Static<typeof FleetMigration>
type Detail = Static<typeof FleetMigrationDetail>

const FAILURES_SHOWN = 200

export interface FleetServices {
  readonly migrations: FleetMigrations
  readonly reports: SchemaReports
  readonly rehearsals: Rehearsals
}

export function fleetRoutes({ migrations: fleet, reports, rehearsals }: FleetServices): Route[] {
  /** The workflow is started behind the commit: it must find what was asked for. */
  const launched = async (door: PlatformDoor, id: string): Promise<Detail> => {
    await fleet.launch(id)
    return door.read((tx) => readDetail(tx, id))
  }
  return [
    implement(getFleetPlan, async (tx) => (await planFleet(tx, undefined)).plan),
    implement(startFleetMigration, async (door, { body }, context) => {
      const { waves, dryRun, parallel, failurePercent } = body ?? {}
      if (dryRun) {
        context.answer.status = 200
        const { plan } = await door.read((tx) => planFleet(tx, waves))
        return { id: null, operationId: null, status: 'planned' as const, plan }
      }
      const wish = {
        ...(waves ? { waves } : {}),
        ...(parallel === undefined ? {} : { parallel }),
        ...(failurePercent === undefined ? {} : { failurePercent }),
      }
      const { id, plan } = await door.write((tx) => fleet.start(tx, wish))
      const { status } = await launched(door, id)
      return { id, operationId: operationIdOf(id), status, plan }
    }),
    implement(listFleetMigrations, (tx, { query }) => list(tx, query)),
    implement(getFleetMigration, (tx, { params }) => readDetail(tx, params.id)),
    implement(listTenantMigrations, (tx, { params, query }) => listTenants(tx, params.id, query)),
    implement(pauseFleetMigration, async (tx, { params, body }) => {
      await fleet.pause(tx, params.id, body?.reason ?? null)
      return readDetail(tx, params.id)
    }),
    implement(resumeFleetMigration, async (door, { params }) => {
      await door.write((tx) => fleet.resume(tx, params.id))
      return launched(door, params.id)
    }),
    implement(retryFleetMigration, async (door, { params, body }) => {
      await door.write((tx) => fleet.retry(tx, params.id, body?.tenantIds))
      return launched(door, params.id)
    }),
    implement(skipTenantMigrations, async (tx, { params, body }) => {
      await fleet.skip(tx, params.id, body.tenantIds, body.reason)
      return readDetail(tx, params.id)
    }),
    implement(cancelFleetMigration, async (tx, { params, body }) => {
      await fleet.cancel(tx, params.id, body?.reason ?? null)
      return readDetail(tx, params.id)
    }),
    implement(rollBackFleetMigration, async (door, { params, body }) => {
      const id = await door.write((tx) => fleet.rollBack(tx, params.id, body?.tenantIds))
      return launched(door, id)
    }),
    implement(setTenantCanary, async (tx, { params, body }) => {
      const row = await tx.row(
        platformSql
          .updateTable('platform.tenant')
          .set({ is_canary: body.isCanary, updated_at: sql`now()` })
          .where('id', '=', params.id)
          .returning(['id as tenantId', 'tenant_code as tenantCode', 'is_canary as isCanary']),
      )
      if (!row) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
      const details = { isCanary: body.isCanary }
      const [entityId, tenantId] = [params.id, params.id]
      await recordEvent(tx, { action: 'set canary', entity: 'tenant', entityId, tenantId, details })
      return row
    }),
    implement(getSchemaReport, (door, { query }) => reports.report(door, query)),
    implement(startFleetRehearsal, async (door, { body }) => {
      const id = await door.write((tx) => rehearsals.plan(tx, body.tenantId))
      await rehearsals.launch(id)
      return door.read((tx) => readRehearsal(tx, id))
    }),
    implement(getFleetRehearsal, (tx, { params }) => readRehearsal(tx, params.id)),
    implement(listFleetRehearsals, async (tx, { query: { page = 1, limit = 50 } }) => {
      const [rows, counted] = await Promise.all([
        tx.rows(rehearsalRows(sql`true`, limit, (page - 1) * limit).compile(platformSql)),
        tx.row(
          platformSql
            .selectFrom('platform.fleet_rehearsal')
            .select((eb) => eb.fn.countAll<number>().as('total')),
        ),
      ])
      return {
        rehearsals: rows.map(presentRehearsal),
        pagination: paginationOf(Number(counted?.total ?? 0), page, limit),
      }
    }),
  ]
}

/** A fleet migration as an operation: its runs come and go, it stays one. */
export async function fleetOperation(
  tx: PlatformRead,
  operationId: string,
): Promise<OperationView | undefined> {
  const [kind, id = ''] = operationId.split(':')
  if (kind !== MIGRATE_FLEET) return undefined
  const migration = await readDetail(tx, id)
  return {
    kind: MIGRATE_FLEET,
    status: OPERATION_STATUSES[migration.status],
    progress: migration.progress,
    steps: migration.waves.map(({ name, status, startedAt, finishedAt }) => ({
      name,
      status: status === 'backing_up' ? ('running' as const) : status,
      startedAt,
      finishedAt,
    })),
    error: migration.statusReason,
  }
}

/** A paused or stopped one waits for an operator. */
const OPERATION_STATUSES = {
  running: 'running',
  paused: 'queued',
  stopped: 'queued',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
} as const

const counts = sql`json_build_object('total', count(m.id), 'waiting', count(m.id) FILTER (WHERE m.status = 'waiting'),
  'done', count(m.id) FILTER (WHERE m.status = 'done'), 'failed', count(m.id) FILTER (WHERE m.status = 'failed'),
  'skipped', count(m.id) FILTER (WHERE m.status = 'skipped'))`

function summaries(where: RawBuilder<unknown>, limit: number, offset: number): RawBuilder<Row> {
  return sql<Row>`SELECT f.id, f.direction, f.status, f.status_reason AS "statusReason", f.target_version AS "targetVersion",
      f.rolls_back_id AS "rollsBackId", f.parallel, f.failure_percent AS "failurePercent", f.started_by AS "startedBy",
      f.created_at AS "createdAt", f.finished_at AS "finishedAt",
      (SELECT ${counts} FROM platform.fleet_migration_tenant m WHERE m.fleet_migration_id = f.id) AS counts
    FROM platform.fleet_migration f WHERE ${where} ORDER BY f.created_at DESC, f.id DESC LIMIT ${limit} OFFSET ${offset}`
}

type Row = Omit<Summary, 'operationId' | 'progress'>

function present(row: Row): Summary {
  const { total, waiting } = row.counts
  const isOver = row.status === 'done' || row.status === 'failed'
  const progress = isOver || total === 0 ? 1 : (total - waiting) / total
  return { ...row, operationId: operationIdOf(row.id), progress }
}

async function list(
  tx: PlatformRead,
  query: Static<NonNullable<typeof listFleetMigrations.query>>,
): Promise<{ fleetMigrations: Summary[]; pagination: ReturnType<typeof paginationOf> }> {
  const { page = 1, limit = 50, status } = query
  const where = status === undefined ? sql`true` : sql`f.status = ${status}`
  const [rows, counted] = await Promise.all([
    tx.rows(summaries(where, limit, (page - 1) * limit).compile(platformSql)),
    tx.row(
      sql<{
        total: number
      }>`SELECT count(*)::int AS total FROM platform.fleet_migration f WHERE ${where}`.compile(platformSql),
    ),
  ])
  return { fleetMigrations: rows.map(present), pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

async function readDetail(tx: PlatformRead, id: string): Promise<Detail> {
  const [row] = await tx.rows(summaries(sql`f.id = ${id}`, 1, 0).compile(platformSql))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such fleet migration' })
  const [waves, failures, rolledBackBy] = await Promise.all([
    tx.rows(
      sql<Omit<Detail['waves'][number], keyof Summary['counts']> & { counts: Summary['counts'] }>`
        SELECT w.number, w.name, w.status, w.started_at AS "startedAt", w.finished_at AS "finishedAt", ${counts} AS counts
        FROM platform.fleet_migration_wave w LEFT JOIN platform.fleet_migration_tenant m
          ON m.fleet_migration_id = w.fleet_migration_id AND m.wave = w.number
        WHERE w.fleet_migration_id = ${id} GROUP BY w.id ORDER BY w.number`.compile(platformSql),
    ),
    tx.rows(
      tenantMigrations(sql`m.fleet_migration_id = ${id} AND m.status = 'failed'`, FAILURES_SHOWN, 0).compile(
        platformSql,
      ),
    ),
    tx.row(
      platformSql
        .selectFrom('platform.fleet_migration')
        .select('id')
        .where('rolls_back_id', '=', id)
        .orderBy('created_at', 'desc')
        .limit(1),
    ),
  ])
  return {
    ...present(row),
    rolledBackById: rolledBackBy?.id ?? null,
    waves: waves.map(({ counts: ofWave, ...wave }) => ({ ...wave, ...ofWave })),
    failures,
  }
}

type TenantRow = Static<typeof TenantMigration>

function tenantMigrations(where: RawBuilder<unknown>, limit: number, offset: number): RawBuilder<TenantRow> {
  return sql<TenantRow>`SELECT m.tenant_id AS "tenantId", t.tenant_code AS "tenantCode", m.wave, m.status,
      m.from_version AS "fromVersion", m.to_version AS "toVersion", t.schema_version AS "currentVersion", m.attempts, m.error,
      m.duration_ms AS "durationMs", m.finished_at AS "finishedAt"
    FROM platform.fleet_migration_tenant m JOIN platform.tenant t ON t.id = m.tenant_id
    WHERE ${where} ORDER BY m.wave, t.created_at, t.id LIMIT ${limit} OFFSET ${offset}`
}

async function listTenants(
  tx: PlatformRead,
  id: string,
  query: Static<NonNullable<typeof listTenantMigrations.query>>,
): Promise<{ tenants: TenantRow[]; pagination: ReturnType<typeof paginationOf> }> {
  const { page = 1, limit = 50, status, wave } = query
  const where = sql`m.fleet_migration_id = ${id} ${status === undefined ? sql`` : sql`AND m.status = ${status}`}
    ${wave === undefined ? sql`` : sql`AND m.wave = ${wave}`}`
  const [rows, counted] = await Promise.all([
    tx.rows(tenantMigrations(where, limit, (page - 1) * limit).compile(platformSql)),
    tx.row(
      sql<{
        total: number
      }>`SELECT count(*)::int AS total FROM platform.fleet_migration_tenant m WHERE ${where}`.compile(
        platformSql,
      ),
    ),
  ])
  return { tenants: rows, pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

// ---- rehearsals ----------------------------------------------------------------------------------------

type RehearsalRow = Omit<Static<typeof FleetRehearsal>, 'operationId'>

function rehearsalRows(where: RawBuilder<unknown>, limit: number, offset: number): RawBuilder<RehearsalRow> {
  return sql<RehearsalRow>`SELECT r.id, r.tenant_id AS "tenantId", t.tenant_code AS "tenantCode", r.status,
      r.from_version AS "fromVersion", r.to_version AS "toVersion", r.copy_ms AS "copyMs", r.migrate_ms AS "migrateMs",
      r.check_ms AS "checkMs", r.steps, r.findings, r.error, r.created_at AS "createdAt", r.finished_at AS "finishedAt"
    FROM platform.fleet_rehearsal r JOIN platform.tenant t ON t.id = r.tenant_id
    WHERE ${where} ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit} OFFSET ${offset}`
}

function presentRehearsal(row: RehearsalRow): Static<typeof FleetRehearsal> {
  return { ...row, operationId: rehearsalOperationId(row.id) }
}

async function readRehearsal(tx: PlatformRead, id: string): Promise<Static<typeof FleetRehearsal>> {
  const row = await tx.row(rehearsalRows(sql`r.id = ${id}`, 1, 0).compile(platformSql))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such rehearsal' })
  return presentRehearsal(row)
}
