/**
 * Fleet migrations, with real processes of a release that has more migrations than the code. The test's own
 * product plays the older code that is still running, on the same platform.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { readConfiguration } from '../../server/configuration.ts'
import { withClient } from '../../tenancy/databases.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { Client } from '../../testing/client.ts'
import { makeFleet, type FleetMember } from '../../testing/fleet.ts'
import { eventually, spawnTestProgram, whenReady, type ServerProcess } from '../../testing/process.ts'
import {
  startTestProduct,
  tenantBody,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { getOperation } from '../operations/contract.ts'
import { createTenant } from '../tenants/contract.ts'
import {
  cancelFleetMigration,
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
} from './contract.ts'

const OLD = newestVersion('tenant')
const FIRST = '299901010001_nickname'
const SECOND = '299901010002_extra'
const directory = mkdtempSync(join(tmpdir(), 'erp-fleet-'))
/** Two migrations, so that a tenant could be seen between them. */
writeFileSync(
  join(directory, `${FIRST}.sql`),
  `-- Up Migration
ALTER TABLE core.company ADD COLUMN nickname text;

-- Down Migration
ALTER TABLE core.company DROP COLUMN nickname;
`,
)
writeFileSync(
  join(directory, `${SECOND}.sql`),
  `-- Up Migration
CREATE TABLE core.extra (id uuid PRIMARY KEY DEFAULT core.uuid_v7(), note text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
-- Counts how often it was carried out.
COMMENT ON SCHEMA core IS 'once';
INSERT INTO core.extra (note) VALUES ('born with the table');

-- Down Migration
DROP TABLE core.extra;
`,
)
const environment = testEnvironment({ EXTRA_MIGRATIONS: directory, MIGRATE_AT_START: 'false' })
let product: TestProduct
let real: TestTenant
let fleet: FleetMember[]
/** The release that stays; others come and go. */
let server: ServerProcess
let operator: Client

beforeAll(async () => {
  product = await startTestProduct(readConfiguration(environment))
  real = await product.createTenant({ tenantCode: 'REAL', planCode: 'enterprise' })
  const codes = Array.from({ length: 49 }, (_, index) => `F${index + 100}`)
  fleet = await makeFleet(product, codes)
  ;({ server, operator } = await release())
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await product.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Release {
  readonly server: ServerProcess
  readonly operator: Client
}

async function release(how: Record<string, string> = {}): Promise<Release> {
  const server = await whenReady(spawnTestProgram('release-server.ts', [], { ...environment, ...how }))
  // One session for all of them: an operator has a few at most, and the oldest would end.
  return { server, operator: new Client(server.url, product.operator.options) }
}

async function detailOf(operator: Client, id: string) {
  return (await operator.call(getFleetMigration, { params: { id } })).ok()
}

function until(operator: Client, id: string, statuses: readonly string[], timeoutMs = 60_000) {
  return eventually(async () => {
    const detail = await detailOf(operator, id)
    expect(statuses).toContain(detail.status)
    return detail
  }, timeoutMs)
}

async function start(
  operator: Client,
  body: Parameters<typeof operator.call<typeof startFleetMigration>>[1] = {},
) {
  const answer = await operator.call(startFleetMigration, body)
  expect(answer.status).toBe(202)
  return answer.ok().id ?? ''
}

interface Found {
  readonly versions: string[]
  readonly hasNickname: boolean
  readonly rows: number | null
}

/** What a database really is, asked of itself. */
async function found(database: string): Promise<Found> {
  return withClient(product.server.migratorAddress(database), async (client) => {
    // At one moment: somebody may be migrating it meanwhile.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const names = await client.query<{ name: string }>(
      `SELECT name FROM migrations.migration WHERE name >= '2999' ORDER BY name`,
    )
    const column = await client.query(
      `SELECT FROM information_schema.columns WHERE table_schema = 'core' AND column_name = 'nickname'`,
    )
    const table = await client.query(
      `SELECT FROM information_schema.tables WHERE table_schema = 'core' AND table_name = 'extra'`,
    )
    const rows = table.rowCount === 1 ? (await client.query('SELECT FROM core.extra')).rowCount : null
    return { versions: names.rows.map(({ name }) => name), hasNickname: column.rowCount === 1, rows }
  })
}

const AT_OLD: Found = { versions: [], hasNickname: false, rows: null }
const AT_FIRST: Found = { versions: [FIRST], hasNickname: true, rows: null }
const AT_NEW: Found = { versions: [FIRST, SECOND], hasNickname: true, rows: 1 }

const members = (): { id: string; database: string }[] => [
  ...fleet,
  { id: real.id, database: 'erp_tenant_real' },
]

async function allFound(): Promise<Found[]> {
  const all: Found[] = []
  for (const { database } of members()) all.push(await found(database))
  return all
}

async function recorded(): Promise<(string | null)[]> {
  const rows = await withClient(platformAddress(), (client) =>
    client.query<{ schema_version: string | null }>('SELECT schema_version FROM platform.tenant ORDER BY id'),
  )
  return rows.rows.map(({ schema_version }) => schema_version)
}

function platformAddress() {
  const url = new URL(environment['DATABASE_URL'] ?? '')
  return { ...product.server.admin, database: url.pathname.slice(1) }
}

/** Everybody back to where they were, by the mechanism itself. */
const undoneBefore = new Set<string>()
async function backToOld(): Promise<void> {
  const { fleetMigrations } = (await operator.call(listFleetMigrations)).ok()
  for (const { id, direction, status } of fleetMigrations) {
    if (direction === 'down' || undoneBefore.has(id)) continue
    if (status === 'paused' || status === 'stopped')
      await operator.call(cancelFleetMigration, { params: { id } })
    const undone = (await operator.call(rollBackFleetMigration, { params: { id } })).ok()
    await until(operator, undone.id, ['done'])
    undoneBefore.add(id)
  }
  expect(await recorded()).toEqual(members().map(() => OLD))
}

const poison = (member: FleetMember | undefined): Promise<unknown> =>
  withClient(product.server.migratorAddress(member?.database ?? ''), (client) =>
    client.query('CREATE TABLE core.extra (id uuid)'),
  )
const cure = (member: FleetMember | undefined): Promise<unknown> =>
  withClient(product.server.migratorAddress(member?.database ?? ''), (client) =>
    client.query('DROP TABLE core.extra'),
  )

describe('the plan', () => {
  test('tells who is where and who would go when; a dry run starts nothing', async () => {
    const params = { id: fleet[3]?.id ?? '' }
    expect((await operator.call(setTenantCanary, { params, body: { isCanary: true } })).ok().isCanary).toBe(
      true,
    )
    const plan = (await operator.call(getFleetPlan)).ok()
    expect(plan).toMatchObject({
      targetVersion: SECOND,
      tenants: 50,
      current: 0,
      behind: 50,
      ahead: 0,
      pendingMigrations: [FIRST, SECOND],
      versions: [{ version: OLD, tenants: 50, pendingMigrations: [FIRST, SECOND] }],
      servers: [{ tenants: 50, behind: 50 }],
      plans: expect.arrayContaining([{ planCode: 'enterprise', tenants: 1, behind: 1 }]),
    })
    // Canaries, then the smaller plan.
    expect(plan.waves.map(({ name, tenants, tenantCodes }) => [name, tenants, tenantCodes.length])).toEqual([
      ['canaries', 1, 1],
      ['professional', 48, 48],
      ['enterprise', 1, 1],
    ])
    const waves = [{ tenantCodes: ['real', 'F101'] }, { name: 'most', planCodes: ['professional'] }]
    const dry = await operator.call(startFleetMigration, { body: { waves, dryRun: true } })
    expect([dry.status, dry.ok().id, dry.ok().status]).toEqual([200, null, 'planned'])
    expect(dry.ok().plan.waves.map(({ name, tenants }) => [name, tenants])).toEqual([
      ['wave 1', 2],
      ['most', 48],
    ])
    const wrong = [{ tenantCodes: ['NOBODY'] }, { planCodes: ['gold'] }]
    expect((await operator.call(startFleetMigration, { body: { waves: wrong } })).refusals).toEqual([
      'waves[0].tenantCodes UNKNOWN_CODE',
      'waves[1].planCodes UNKNOWN_CODE',
    ])
    expect((await operator.call(listFleetMigrations)).ok().fleetMigrations).toEqual([])
    expect(await recorded()).toEqual(members().map(() => OLD))
    await operator.call(setTenantCanary, { params, body: { isCanary: false } })
  })
})

describe('old and new code at once', () => {
  test(
    'behind: 503; ahead by the next release: served; further ahead: 503',
    { timeout: 120_000 },
    async () => {
      const atNew = real.admin.with({}) // same token
      const newAdmin = new Client(server.url, atNew.options)
      const behind = await newAdmin.call(me)
      expect([behind.status, behind.headers.get('retry-after')]).toEqual([503, '30'])
      const id = await start(operator)
      await until(operator, id, ['done'])
      await eventually(async () => expect((await newAdmin.call(me)).status).toBe(200))
      // The older code goes on serving it.
      await eventually(async () => expect((await real.admin.call(me)).status).toBe(200))
      // Control: what the release after the next has made is not served by it.
      const setOldest = (version: string): Promise<unknown> =>
        withClient(platformAddress(), (client) =>
          client.query(`UPDATE platform.schema_version SET oldest_code_version = $1 WHERE version = $2`, [
            version,
            SECOND,
          ]),
        )
      await setOldest(FIRST)
      await eventually(async () => expect((await real.admin.call(me)).status).toBe(503), 15_000)
      await setOldest(OLD)
      await eventually(async () => expect((await real.admin.call(me)).status).toBe(200), 15_000)
      await backToOld()
    },
  )
})

describe('one poisoned tenant in fifty', () => {
  test(
    '49 are done, it is reported; a second run does nothing; cured, it is retried',
    { timeout: 180_000 },
    async () => {
      const poisoned = fleet[17]
      await poison(poisoned)
      const id = await start(operator)
      const detail = await until(operator, id, ['failed', 'done', 'stopped'])
      expect(detail).toMatchObject({
        status: 'failed',
        statusReason: '1 of 50 tenants failed',
        counts: { total: 50, waiting: 0, done: 49, failed: 1, skipped: 0 },
        failures: [{ tenantCode: poisoned?.code, attempts: 1, currentVersion: FIRST }],
      })
      expect(detail.failures[0]?.error).toMatch(/299901010002_extra: relation "extra" already exists/)
      const operation = (await operator.call(getOperation, { params: { id: detail.operationId } })).ok()
      expect(operation).toMatchObject({ status: 'failed', progress: 1, error: '1 of 50 tenants failed' })
      const versions = await recorded()
      expect([
        versions.filter((version) => version === SECOND).length,
        versions.filter((version) => version === FIRST).length,
      ]).toEqual([49, 1])

      const before = await stamps()
      const again = await start(operator)
      expect(await until(operator, again, ['failed', 'done'])).toMatchObject({
        counts: { total: 1, failed: 1 },
      })
      expect(await stamps()).toEqual(before)

      await cure(poisoned)
      expect((await operator.call(retryFleetMigration, { params: { id: again } })).status).toBe(202)
      expect(await until(operator, again, ['done', 'failed'])).toMatchObject({
        status: 'done',
        counts: { done: 1 },
      })
      expect(await stamps()).not.toEqual(before) // control: the stamps would have told
      expect(await allFound()).toEqual(members().map(() => AT_NEW))
      const nothing = await start(operator)
      expect(await until(operator, nothing, ['done'])).toMatchObject({ counts: { total: 0 } })
      await backToOld()
      expect(await allFound()).toEqual(members().map(() => AT_OLD))
    },
  )

  /** When each migration of each tenant was carried out. */
  async function stamps(): Promise<string[]> {
    const all: string[] = []
    for (const { database } of members()) {
      const { rows } = await withClient(product.server.migratorAddress(database), (client) =>
        client.query<{ line: string }>(
          `SELECT name || ' ' || run_on AS line FROM migrations.migration ORDER BY id`,
        ),
      )
      all.push(`${database}: ${rows.map(({ line }) => line).join(', ')}`)
    }
    return all
  }
})

describe('too many fail', () => {
  test('it stops by itself; skipped and resumed it goes on', { timeout: 120_000 }, async () => {
    const poisoned = fleet.slice(0, 3)
    for (const member of poisoned) await poison(member)
    const waves = [{ name: 'first', tenantCodes: fleet.slice(0, 20).map(({ code }) => code) }]
    const id = await start(operator, { body: { waves, failurePercent: 10, parallel: 1 } })
    const stopped = await until(operator, id, ['stopped', 'done', 'failed'])
    expect(stopped).toMatchObject({
      status: 'stopped',
      statusReason: 'Wave 1: 3 of 20 tenants failed, more than 10 %',
    })
    expect(stopped.counts.waiting).toBeGreaterThanOrEqual(30) // the second wave has not begun
    expect(stopped.waves[1]).toMatchObject({ status: 'waiting', done: 0, failed: 0 })
    expect((await operator.call(startFleetMigration, { body: {} })).error.code).toBe('FLEET_MIGRATION_ACTIVE')
    const body = { tenantIds: poisoned.map((member) => member.id), reason: 'looked at tomorrow' }
    const skipped = (await operator.call(skipTenantMigrations, { params: { id }, body })).ok()
    expect(skipped.counts).toMatchObject({ skipped: 3, failed: 0 })
    expect((await operator.call(resumeFleetMigration, { params: { id } })).status).toBe(202)
    expect(await until(operator, id, ['done', 'failed', 'stopped'])).toMatchObject({
      status: 'done',
      counts: { done: 47, skipped: 3 },
    })
    const query = { status: 'skipped' as const }
    const { tenants } = (await operator.call(listTenantMigrations, { params: { id }, query })).ok()
    expect(tenants.map(({ error }) => error)).toEqual(body.tenantIds.map(() => 'looked at tomorrow'))
    for (const member of poisoned) await cure(member)
    await backToOld()
    // Control: the same with a limit they keep below goes through.
    for (const member of poisoned) await poison(member)
    const patient = await start(operator, { body: { waves, failurePercent: 15, parallel: 1 } })
    expect(await until(operator, patient, ['stopped', 'failed'])).toMatchObject({
      status: 'failed',
      counts: { done: 47, failed: 3 },
    })
    for (const member of poisoned) await cure(member)
    await backToOld()
  })
})

describe('paused', () => {
  test(
    'nobody further is begun; resumed it ends; some are rolled back, then all',
    { timeout: 120_000 },
    async () => {
      const slow = await release({ SLOW_MS: '100' })
      const id = await start(slow.operator, { body: { parallel: 2 } })
      await eventually(async () => expect((await detailOf(operator, id)).counts.done).toBeGreaterThan(3))
      expect(
        (await operator.call(pauseFleetMigration, { params: { id }, body: { reason: 'lunch' } })).ok().status,
      ).toBe('paused')
      expect((await operator.call(pauseFleetMigration, { params: { id } })).error.code).toBe('WRONG_STATE')
      const counted = async (): Promise<number> => (await allFound()).filter(({ rows }) => rows === 1).length
      await sleep(1_000) // those under way end
      const done = await counted()
      expect(done).toBeLessThan(50)
      await sleep(1_000)
      expect(await counted()).toBe(done)
      const operation = (await operator.call(getOperation, { params: { id: `migrate-fleet:${id}` } })).ok()
      expect(operation.status).toBe('queued')
      await operator.call(resumeFleetMigration, { params: { id } })
      expect((await until(operator, id, ['done', 'failed'])).counts.done).toBe(50)

      const some = fleet.slice(0, 2).map((member) => member.id)
      const part = (
        await operator.call(rollBackFleetMigration, { params: { id }, body: { tenantIds: some } })
      ).ok()
      expect(part).toMatchObject({ direction: 'down', rollsBackId: id, counts: { total: 2 } })
      await until(operator, part.id, ['done'])
      expect((await detailOf(operator, id)).rolledBackById).toBe(part.id)
      expect((await allFound()).filter(({ rows }) => rows === null)).toEqual([AT_OLD, AT_OLD])
      const rest = (await operator.call(rollBackFleetMigration, { params: { id } })).ok()
      expect(await until(operator, rest.id, ['done'])).toMatchObject({ counts: { total: 48, done: 48 } })
      expect(await allFound()).toEqual(members().map(() => AT_OLD))
      expect(await recorded()).toEqual(members().map(() => OLD))
      expect(await slow.server.stop()).toBe(0)
    },
  )
})

describe('two workers at once', () => {
  test('each step of each tenant is taken once', { timeout: 120_000 }, async () => {
    const other = await release()
    const answers = await Promise.all(
      [operator, other.operator, operator, other.operator].map((asking) =>
        asking.call(startFleetMigration, { body: {} }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409, 409, 409])
    const id = answers.find(({ status }) => status === 202)?.ok().id ?? ''
    await until(operator, id, ['done'])
    // The second of the two would fail where a guard is missing, or leave a second row.
    expect(await allFound()).toEqual(members().map(() => AT_NEW))
    await backToOld()
    expect(await other.server.stop()).toBe(0)
  })

  test('a process that stops hands over to the other', { timeout: 120_000 }, async () => {
    const leaving = await release({ SLOW_MS: '200' })
    const id = await start(leaving.operator, { body: { parallel: 1 } })
    await eventually(async () => expect((await detailOf(operator, id)).counts.done).toBeGreaterThan(1))
    expect(await leaving.server.stop()).toBe(0)
    expect((await detailOf(operator, id)).counts.done).toBeLessThan(50) // control: there was something left
    await until(operator, id, ['done'], 30_000)
    expect(await allFound()).toEqual(members().map(() => AT_NEW))
    await backToOld()
  })
})

describe('killed', () => {
  test.each(['before:1', 'after:1', 'before:7', 'after:20', 'before:41', 'after:50'])(
    '%s: no tenant is between versions, and another process ends it within 30 seconds',
    { timeout: 120_000 },
    async (moment) => {
      const doomed = await release({ KILL_AT: moment })
      await doomed.operator.call(startFleetMigration, { body: { parallel: 3 } }).catch(() => {})
      await doomed.server.exited
      for (const one of await allFound()) expect([AT_OLD, AT_FIRST, AT_NEW]).toContainEqual(one)
      const { fleetMigrations } = (await operator.call(listFleetMigrations)).ok()
      const [cutOff] = fleetMigrations
      expect(cutOff?.counts.total).toBe(50)
      await until(operator, cutOff?.id ?? '', ['done'], 30_000)
      expect(await allFound()).toEqual(members().map(() => AT_NEW))
      await backToOld()
    },
  )

  test(
    'and nobody of the new release there: the older code leaves it alone, the next start ends it',
    { timeout: 120_000 },
    async () => {
      expect(await server.stop()).toBe(0)
      const doomed = await release({ KILL_AT: 'after:10' })
      await doomed.operator.call(startFleetMigration, { body: {} }).catch(() => {})
      await doomed.server.exited
      await sleep(12_000) // longer than it takes to look for the dead
      const { fleetMigrations } = (await product.operator.call(listFleetMigrations)).ok()
      expect(fleetMigrations[0]).toMatchObject({ status: 'running', counts: { failed: 0 } })
      // Control: it was cut off, and without anybody to end it, it stays so.
      expect((await allFound()).filter(({ rows }) => rows === null).length).toBeGreaterThan(20)
      ;({ server, operator } = await release())
      await until(operator, fleetMigrations[0]?.id ?? '', ['done'], 30_000)
      expect(await allFound()).toEqual(members().map(() => AT_NEW))
      await backToOld()
    },
  )
})

describe('at a start', () => {
  test(
    'tenants are brought up to date where that is wished for, whoever fails; new ones are born at the newest',
    { timeout: 120_000 },
    async () => {
      await poison(fleet[5])
      const starting = await release({ MIGRATE_AT_START: 'true' })
      const { fleetMigrations } = (await starting.operator.call(listFleetMigrations)).ok()
      expect(fleetMigrations[0]).toMatchObject({
        status: 'failed',
        counts: { total: 50, done: 49, failed: 1 },
      })
      const body = tenantBody({ tenantCode: 'BORN' })
      const born = (await starting.operator.call(createTenant, { body })).ok()
      expect(born.tenant.schemaVersion).toBe(SECOND)
      expect(await found('erp_tenant_born')).toEqual(AT_NEW)
      await cure(fleet[5])
      expect(await starting.server.stop()).toBe(0)
    },
  )
})
