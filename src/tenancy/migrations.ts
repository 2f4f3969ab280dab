/**
 * Migrations: numbered plain SQL, up and down, in the folder of the module they belong to. A database's
 * version is the name of the newest migration it has.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { runner } from 'node-pg-migrate'
import { clientConfig, type DatabaseAddress } from './pools.ts'
import { withClient } from './databases.ts'

export type MigrationSet = 'platform' | 'tenant'

const ROOT = join(import.meta.dirname, '..')
const FOLDERS: Record<MigrationSet, readonly string[]> = {
  platform: ['platform/*/migrations/*.sql'],
  tenant: ['erp/*/migrations/*.sql', 'erp/masters/*/migrations/*.sql'],
}
/** Tenants' migrations are recorded in a schema of their own, out of the runtime role's sight. */
const SCHEMA = 'migrations'
const TABLE = 'migration'

export interface MigrationOutcome {
  readonly applied: readonly string[]
  readonly version: string
}

export function newestVersion(set: MigrationSet): string {
  return migrationNames(set).at(-1) ?? ''
}

/** Changes whenever any migration does: names the template that fits this code. */
export function fingerprint(set: MigrationSet): string {
  const hash = createHash('sha256')
  for (const file of migrationFiles(set)) hash.update(basename(file)).update(readFileSync(file))
  return hash.digest('hex').slice(0, 12)
}

/** Asks for the version first: a database that is up to date costs one query. */
export async function migrate(address: DatabaseAddress, set: MigrationSet): Promise<MigrationOutcome> {
  const version = newestVersion(set)
  if ((await currentVersion(address)) === version) return { applied: [], version }
  return run(address, set, 'up', Number.MAX_SAFE_INTEGER)
}

export async function rollBack(
  address: DatabaseAddress,
  set: MigrationSet,
  count: number,
): Promise<MigrationOutcome> {
  return run(address, set, 'down', count)
}

export async function currentVersion(address: DatabaseAddress): Promise<string | null> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<{ table: string | null }>(
      `SELECT to_regclass('${SCHEMA}.${TABLE}')::text AS table`,
    )
    if (rows[0]?.table == null) return null
    const { rows: newest } = await client.query<{ name: string }>(
      `SELECT name FROM ${SCHEMA}.${TABLE} ORDER BY name DESC LIMIT 1`,
    )
    return newest[0]?.name ?? null
  })
}

async function run(
  address: DatabaseAddress,
  set: MigrationSet,
  direction: 'up' | 'down',
  count: number,
): Promise<MigrationOutcome> {
  const silent = (): void => {}
  const applied = await runner({
    databaseUrl: clientConfig(address),
    dir: FOLDERS[set].map((pattern) => join(ROOT, pattern)),
    useGlob: true,
    direction,
    count,
    migrationsSchema: SCHEMA,
    createMigrationsSchema: true,
    migrationsTable: TABLE,
    singleTransaction: true,
    advisoryLockMode: 'wait',
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  })
  return { applied: applied.map(({ name }) => name), version: (await currentVersion(address)) ?? '' }
}

function migrationFiles(set: MigrationSet): string[] {
  const files = FOLDERS[set].flatMap((pattern) => globSync(join(ROOT, pattern)))
  return files.toSorted((a, b) => (basename(a) < basename(b) ? -1 : 1))
}

function migrationNames(set: MigrationSet): string[] {
  return migrationFiles(set).map((file) => basename(file, '.sql'))
}
