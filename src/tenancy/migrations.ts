/**
 * Migrations: numbered plain SQL, up and down, in the folder of the module they belong to. A database's
 * version is the name of the newest migration it has.
 *
 * Our own runner, over the files and the bookkeeping table of node-pg-migrate (see ADR 0016): one connection,
 * one question (which are there?) and one round trip for each migration, each in a transaction of its own. Whoever comes at
 * the same moment waits for the lock on the bookkeeping, finds that it is no longer as it was, and looks again.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { RUNTIME_GROUP_ROLE } from './databases.ts'
import { connect, type DatabaseAddress } from './pools.ts'
import { literal } from './sql-text.ts'
import { statementsOf } from './sql-statements.ts'

export type MigrationSet = 'platform' | 'tenant'

export interface Migration {
  readonly name: string
  /** What is said before the up part: declarations, as comments. */
  readonly head: string
  readonly up: string
  readonly down: string
  /** For CREATE INDEX CONCURRENTLY; such a migration must be repeatable (tools/migrations.ts sees to it). */
  readonly isOutsideTransaction: boolean
}

export interface MigrationStep {
  readonly name: string
  readonly milliseconds: number
}

export interface MigrationOutcome {
  readonly from: string | null
  readonly version: string | null
  /** What was carried out (or undone, when it went down), in that order. */
  readonly applied: readonly string[]
  readonly steps: readonly MigrationStep[]
}

/** For each statement of a migration. */
export interface StepLimits {
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
}

/** A migration failed: which one, and how far the database had come before it. Nothing of it is left. */
export class MigrationFailure extends Error {
  readonly migration: string
  readonly version: string | null
  /** Five characters of PostgreSQL's, where it was PostgreSQL that refused. */
  readonly code: string | undefined

  constructor(migration: string, version: string | null, cause: unknown) {
    const { message, code } = cause as { message?: string; code?: string }
    super(`${migration}: ${message ?? String(cause)}`, { cause })
    this.name = 'MigrationFailure'
    this.migration = migration
    this.version = version
    this.code = code
  }
}

const ROOT = join(import.meta.dirname, '..')
const LANDED = join(import.meta.dirname, 'landed-migrations.txt')
const patterns: Record<MigrationSet, string[]> = {
  platform: [join(ROOT, 'platform/*/migrations/*.sql')],
  tenant: [join(ROOT, 'erp/*/migrations/*.sql'), join(ROOT, 'erp/masters/*/migrations/*.sql')],
}
/** Recorded in a schema of its own, out of the runtime role's sight. */
const BOOKKEEPING = 'migrations.migration'
const CHANGED_MEANWHILE = 'ERP01'
const NO_BOOKKEEPING = new Set(['3F000', '42P01'])
const MADE_BY_ANOTHER = new Set(['23505', '42P06', '42P07', '42710'])
const CONNECT_TIMEOUT_MS = 10_000
const ATTEMPTS_MAXIMUM = 20
const TRY_LOCK_EVERY_MS = 50
/** Key of the session lock under which a migration outside a transaction runs, one database at a time. */
const OUTSIDE_LOCK = 7_241_860_030
const PATIENT: StepLimits = { lockTimeoutMs: 60_000, statementTimeoutMs: 600_000 }

// ---- what there is -------------------------------------------------------------------------------------

const known = new Map<MigrationSet, readonly Migration[]>()

/** In order of their names. */
export function migrationsOf(set: MigrationSet): readonly Migration[] {
  const kept = known.get(set)
  if (kept) return kept
  const files = patterns[set].flatMap((pattern) => globSync(pattern))
  const read = files.map(readMigration).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  known.set(set, read)
  return read
}

/** Tests and measurements only: migrations of a release that does not exist. To be called before anything is read. */
export function addMigrationFolder(set: MigrationSet, folder: string): void {
  patterns[set].push(join(folder, '*.sql'))
  known.delete(set)
}

export function newestVersion(set: MigrationSet): string {
  return migrationsOf(set).at(-1)?.name ?? ''
}

/** Changes whenever any migration does: names the template that fits this code. */
export function fingerprint(set: MigrationSet): string {
  const hash = createHash('sha256')
  for (const { name, up, down } of migrationsOf(set)) hash.update(`${name}\n${up}\n${down}\n`)
  return hash.digest('hex').slice(0, 12)
}

/** The schema as one SQL script that psql runs on an empty database, for those who take their data elsewhere. */
export function schemaScript(set: MigrationSet): string {
  const role = `DO $$ BEGIN CREATE ROLE ${RUNTIME_GROUP_ROLE} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;`
  const parts = migrationsOf(set).map(({ name, up, isOutsideTransaction }) => {
    // Nobody is in an empty database whom an index would have to be made beside.
    const script = isOutsideTransaction ? up.replaceAll(/\bCONCURRENTLY /g, '') : up
    return `-- ${name}\n${script}\n`
  })
  return ['BEGIN;', 'SET LOCAL client_min_messages = warning;', role, ...parts, 'COMMIT;', ''].join('\n')
}

export interface LandedMigration {
  readonly release: string
  readonly set: string
  readonly name: string
  readonly checksum: string
}

/** The committed list of what has landed, and in which release; kept by tools/migrations.ts. */
export function landedMigrations(): LandedMigration[] {
  const lines = readFileSync(LANDED, 'utf8').split('\n')
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [release = '', set = '', name = '', checksum = ''] = line.split(/\s+/)
      return { release, set, name, checksum }
    })
}

function readMigration(file: string): Migration {
  const text = readFileSync(file, 'utf8')
  const [head = '', up, down] = text.split(/^\s*--[\s-]*(?:up|down)\s+migration.*$/im)
  if (up === undefined || down === undefined)
    throw new Error(`${file} needs "-- Up Migration" and "-- Down Migration"`)
  return {
    name: basename(file, '.sql'),
    head: head.trim(),
    up: up.trim(),
    down: down.trim(),
    isOutsideTransaction: /^--\s*outside a transaction/im.test(head),
  }
}

// ---- moving a database ---------------------------------------------------------------------------------

/** To the newest version; a database that is there, or further, costs one question. */
export function migrate(
  address: DatabaseAddress,
  set: MigrationSet,
  limits: StepLimits = PATIENT,
): Promise<MigrationOutcome> {
  return moveTo(address, set, newestVersion(set), 'up', limits)
}

/** Undoes the newest so many migrations. */
export async function rollBack(
  address: DatabaseAddress,
  set: MigrationSet,
  count: number,
): Promise<MigrationOutcome> {
  const applied = await withConnection(address, PATIENT, appliedNames)
  return moveTo(address, set, applied.at(-1 - count) ?? null, 'down')
}

/** Up to a version, or down to it (null: to nothing at all); never both. */
export async function moveTo(
  address: DatabaseAddress,
  set: MigrationSet,
  target: string | null,
  direction: 'up' | 'down',
  limits: StepLimits = PATIENT,
): Promise<MigrationOutcome> {
  return withConnection(address, limits, async (client) => {
    const steps: MigrationStep[] = []
    // Whoever was changed meanwhile finds another's step done: as often as there are steps, that is no failure.
    const attemptsMaximum = ATTEMPTS_MAXIMUM + migrationsOf(set).length
    let from: string | null | undefined
    for (let attempt = 1; ; attempt++) {
      const applied = await appliedNames(client)
      if (from === undefined) from = applied.at(-1) ?? null
      const planned = plannedSteps(set, applied, target, direction)
      try {
        if (applied.length === 0 && planned.length > 0) await makeBookkeeping(client)
        await takeSteps(client, planned, applied.length, limits, steps)
        const touched = new Set(planned.map(({ migration }) => migration.name))
        const left = applied.filter((name) => !touched.has(name))
        const version = (direction === 'up' ? [...left, ...touched].toSorted() : left).at(-1) ?? null
        return { from, version, applied: steps.map(({ name }) => name), steps }
      } catch (error) {
        const { code } = error as { code?: string }
        if (code !== CHANGED_MEANWHILE || attempt === attemptsMaximum) throw error
        await client.query('ROLLBACK')
      }
    }
  })
}

export function currentVersion(address: DatabaseAddress): Promise<string | null> {
  return withConnection(address, PATIENT, async (client) => (await appliedNames(client)).at(-1) ?? null)
}

interface Step {
  readonly direction: 'up' | 'down'
  readonly migration: Migration
  /** The database's version when this step has not been taken. */
  readonly before: string | null
}

function plannedSteps(
  set: MigrationSet,
  applied: readonly string[],
  target: string | null,
  direction: 'up' | 'down',
): Step[] {
  const migrations = migrationsOf(set)
  if (direction === 'up') {
    const missing = migrations.filter(({ name }) => !applied.includes(name) && name <= (target ?? ''))
    return missing.map((migration, index) => {
      const before = index === 0 ? applied.at(-1) : missing[index - 1]?.name
      return { direction, migration, before: before ?? null }
    })
  }
  const surplus = applied.filter((name) => target === null || name > target).toReversed()
  return surplus.map((name) => {
    const migration = migrations.find((candidate) => candidate.name === name)
    if (!migration) throw new Error(`This code does not know the migration ${name}, so it cannot undo it`)
    return { direction, migration, before: name }
  })
}

async function takeSteps(
  client: pg.Client,
  planned: readonly Step[],
  appliedCount: number,
  limits: StepLimits,
  taken: MigrationStep[],
): Promise<void> {
  let count = appliedCount
  for (const step of planned) {
    const startedAt = performance.now()
    try {
      if (step.migration.isOutsideTransaction) await takeOutside(client, step, limits)
      else await client.query(transactionOf(step, count))
    } catch (error) {
      if ((error as { code?: string }).code === CHANGED_MEANWHILE) throw error
      throw new MigrationFailure(step.migration.name, step.before, error)
    }
    count += step.direction === 'up' ? 1 : -1
    taken.push({ name: step.migration.name, milliseconds: performance.now() - startedAt })
  }
}

/**
 * One migration as one message: the lock, the proof that the bookkeeping is still as it was read, the work and
 * its record are committed together or not at all.
 */
function transactionOf({ direction, migration }: Step, appliedCount: number): string {
  const isThere = `EXISTS (SELECT FROM ${BOOKKEEPING} WHERE name = ${literal(migration.name)})`
  const asRead = `(SELECT count(*) FROM ${BOOKKEEPING}) = ${appliedCount} AND ${direction === 'up' ? `NOT ${isThere}` : isThere}`
  return `BEGIN;
LOCK TABLE ${BOOKKEEPING} IN SHARE ROW EXCLUSIVE MODE;
DO $guard$ BEGIN
  IF NOT (${asRead}) THEN RAISE EXCEPTION 'migrated by another meanwhile' USING ERRCODE = '${CHANGED_MEANWHILE}'; END IF;
END $guard$;
${direction === 'up' ? migration.up : migration.down}
;${recordOf(direction, migration)};
COMMIT`
}

function recordOf(direction: 'up' | 'down', { name }: Migration): string {
  return direction === 'up'
    ? `INSERT INTO ${BOOKKEEPING} (name, run_on) VALUES (${literal(name)}, now())`
    : `DELETE FROM ${BOOKKEEPING} WHERE name = ${literal(name)}`
}

/**
 * Statement by statement, under a session lock: what was done before a kill is done again, which such a
 * migration must bear. The lock is tried for, not waited for: CONCURRENTLY waits for every statement that runs.
 */
async function takeOutside(
  client: pg.Client,
  { direction, migration }: Step,
  limits: StepLimits,
): Promise<void> {
  const deadline = Date.now() + limits.lockTimeoutMs
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      `SELECT pg_try_advisory_lock(${OUTSIDE_LOCK}) AS taken`,
    )
    if (rows[0]?.taken) break
    if (Date.now() > deadline) throw new Error('another process is at this migration')
    await sleep(TRY_LOCK_EVERY_MS)
  }
  const isThere = (await appliedNames(client)).includes(migration.name)
  if (isThere === (direction === 'up')) {
    await client.query(`SELECT pg_advisory_unlock(${OUTSIDE_LOCK})`)
    throw Object.assign(new Error('migrated by another meanwhile'), { code: CHANGED_MEANWHILE })
  }
  const script = direction === 'up' ? migration.up : migration.down
  for (const statement of statementsOf(script)) await client.query(statement)
  await client.query(recordOf(direction, migration))
  await client.query(`SELECT pg_advisory_unlock(${OUTSIDE_LOCK})`)
}

async function appliedNames(client: pg.Client): Promise<string[]> {
  try {
    const { rows } = await client.query<{ name: string }>(`SELECT name FROM ${BOOKKEEPING} ORDER BY name`)
    return rows.map(({ name }) => name).toSorted()
  } catch (error) {
    if (NO_BOOKKEEPING.has((error as { code?: string }).code ?? '')) return []
    throw error
  }
}

/** As node-pg-migrate makes it. */
async function makeBookkeeping(client: pg.Client): Promise<void> {
  try {
    await client.query(`CREATE SCHEMA IF NOT EXISTS migrations;
      CREATE TABLE IF NOT EXISTS ${BOOKKEEPING} (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)`)
  } catch (error) {
    if (!MADE_BY_ANOTHER.has((error as { code?: string }).code ?? '')) throw error
  }
}

/** The limits travel with the connection's opening: setting them would be a round trip more for every tenant. */
async function withConnection<Result>(
  address: DatabaseAddress,
  limits: StepLimits,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const settings = { statement_timeout: limits.statementTimeoutMs, lock_timeout: limits.lockTimeoutMs }
  const client = await connect({ ...address, ...settings } as DatabaseAddress, CONNECT_TIMEOUT_MS)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
