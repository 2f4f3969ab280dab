/**
 * A thousand tenants to a release with one new column and one new table, from the request to the state `done`;
 * against a bare script that runs the same SQL in the same databases, a connection and a transaction each,
 * with the same parallelism. Both are undone and done again, each going first in turn.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { addressOf, DatabaseServer } from '../../src/tenancy/databases.ts'
import { Secrets } from '../../src/tenancy/secrets.ts'
import { makeFleet } from '../fleet.ts'
import { median, type Bench, type Figure, type Scenario, type ServedProduct } from '../harness.ts'

const TENANTS = Number(process.env['FLEET_TENANTS'] ?? 1_000)
const ROUNDS = 2
const PARALLEL = 4
const RATIO_AIM = 0.7
const LOOK_EVERY_MS = 50

const UP = `ALTER TABLE core.company ADD COLUMN bench_note text;
CREATE TABLE core.bench_extra (id uuid PRIMARY KEY DEFAULT core.uuid_v7(), note text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT ON core.bench_extra TO erp_tenant_runtime;`
const DOWN = `DROP TABLE core.bench_extra;
ALTER TABLE core.company DROP COLUMN bench_note;`

export const fleetMigrate: Scenario = {
  names: ['fleet-migrate'],
  run: async (bench) => {
    await makeFleet(bench, TENANTS + 1)
    const folder = mkdtempSync(join(tmpdir(), 'erp-bench-release-'))
    writeFileSync(
      join(folder, '299901010001_bench.sql'),
      `-- Up Migration\n${UP}\n\n-- Down Migration\n${DOWN}\n`,
    )
    const release = await bench.serveRelease({
      EXTRA_MIGRATIONS: folder,
      MIGRATE_AT_START: 'false',
      // What a backup costs is measured by archive-1m.
      BACKUP_BEFORE_MIGRATION: 'false',
      FLEET_PARALLEL: String(PARALLEL),
    })
    const databases = await databasesOf(bench)
    const [ours, floor]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      const bare = async (): Promise<void> => {
        floor.push(await inAll(bench, databases, UP))
        await inAll(bench, databases, DOWN)
      }
      if (round % 2 === 0) await bare()
      ours.push(await migrateFleet(release, databases.length))
      if (round % 2 === 1) await bare()
    }
    await release.stop()
    rmSync(folder, { recursive: true, force: true })
    const ratio = median(floor) / median(ours)
    const figure: Figure = {
      name: 'fleet-migrate',
      unit: 'tenants/s',
      ours: perSecond(databases.length, median(ours)),
      floor: perSecond(databases.length, median(floor)),
      ratio,
      aim: `ratio ≥ ${RATIO_AIM}`,
      met: ratio >= RATIO_AIM,
      runs: ROUNDS,
      note: `${databases.length} tenants, ${PARALLEL} at once: ${(median(ours) / 1000).toFixed(1)} s, bare ${(median(floor) / 1000).toFixed(1)} s`,
    }
    return [figure]
  },
}

async function databasesOf(bench: Bench): Promise<string[]> {
  const platform = await bench.connect('erp_platform')
  const { rows } = await platform.query<{ name: string }>(
    `SELECT database_name AS name FROM platform.tenant WHERE status = 'active' ORDER BY created_at, id`,
  )
  await platform.end()
  return rows.map(({ name }) => name)
}

/** Milliseconds of the migration; its undoing is not measured. */
async function migrateFleet(release: ServedProduct, expected: number): Promise<number> {
  const startedAt = performance.now()
  const started = await release.asOperator('POST', '/fleet-migrations', {})
  await until(release, started.data.id, expected)
  const milliseconds = performance.now() - startedAt
  const undoing = await release.asOperator('POST', `/fleet-migrations/${started.data.id}/rollback`, {})
  await until(release, undoing.data.id, expected)
  return milliseconds
}

async function until(release: ServedProduct, id: string, expected: number): Promise<void> {
  for (;;) {
    const { data } = await release.asOperator('GET', `/fleet-migrations/${id}`)
    if (data.status === 'done' && data.counts.done === expected) return
    if (data.status !== 'running') throw new Error(`The fleet migration is ${JSON.stringify(data)}`)
    await sleep(LOOK_EVERY_MS)
  }
}

async function inAll(bench: Bench, databases: readonly string[], script: string): Promise<number> {
  const server = new DatabaseServer(
    addressOf(bench.adminUrl, false),
    new Secrets(bench.environment()['SECRET_KEY'] ?? ''),
  )
  const startedAt = performance.now()
  const queue = databases.values()
  const worker = async (): Promise<void> => {
    for (const database of queue) {
      const client = new pg.Client(server.migratorAddress(database) as pg.ClientConfig)
      await client.connect()
      await client.query(`BEGIN;\n${script}\nCOMMIT`)
      await client.end()
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  const milliseconds = performance.now() - startedAt
  await server.close()
  return milliseconds
}

function perSecond(count: number, milliseconds: number): number {
  return (count / milliseconds) * 1000
}
