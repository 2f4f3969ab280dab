/** The runner itself, with migrations that exist for this test only. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runner as nodePgMigrate } from 'node-pg-migrate'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { SECRET_KEY } from '../testing/product.ts'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import {
  addMigrationFolder,
  currentVersion,
  migrate,
  MigrationFailure,
  moveTo,
  newestVersion,
  type StepLimits,
} from './migrations.ts'
import { clientConfig } from './pools.ts'
import { Secrets } from './secrets.ts'
import { statementsOf } from './sql-statements.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-runner-'))
const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const database = `runner_test_${process.pid}`
const address = server.migratorAddress(database)
const OLD = newestVersion('tenant')
const ADDS = '299901010001_adds'
const INDEX = '299901010002_index'
const FAILS = '299901010003_fails'
const QUICK: StepLimits = { lockTimeoutMs: 200, statementTimeoutMs: 500 }

function write(name: string, up: string, down: string, head = ''): void {
  writeFileSync(
    join(directory, `${name}.sql`),
    `${head}\n-- Up Migration\n${up}\n-- Down Migration\n${down}\n`,
  )
}

beforeAll(async () => {
  write(
    ADDS,
    'CREATE TABLE core.counted (id int); INSERT INTO core.counted VALUES (1)',
    'DROP TABLE core.counted -- the end',
  )
  write(
    INDEX,
    'DROP INDEX CONCURRENTLY IF EXISTS core.counted_id; CREATE INDEX CONCURRENTLY counted_id ON core.counted (id);',
    'DROP INDEX CONCURRENTLY IF EXISTS core.counted_id;',
    '-- outside a transaction',
  )
  write(FAILS, 'INSERT INTO core.counted VALUES (2); SELECT 1 / 0', 'SELECT 1')
  addMigrationFolder('tenant', directory)
  await server.prepare()
  await server.create(database)
  await moveTo(address, 'tenant', OLD, 'up')
})
beforeEach(() => moveTo(address, 'tenant', OLD, 'down'))
afterAll(async () => {
  await server.drop(database)
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

async function valueOf<Value>(text: string): Promise<Value | undefined> {
  const { rows } = await withClient(address, (client) => client.query<{ value: Value }>(text))
  return rows[0]?.value
}
const rowsCounted = (): Promise<number | undefined> =>
  valueOf('SELECT count(*)::int AS value FROM core.counted')

describe('a migration', () => {
  test('is undone whole when it fails; those before it stay, and it is named', async () => {
    const failure = await migrate(address, 'tenant').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(MigrationFailure)
    expect(failure).toMatchObject({
      migration: FAILS,
      version: INDEX,
      code: '22012',
      message: `${FAILS}: division by zero`,
    })
    expect(await currentVersion(address)).toBe(INDEX)
    expect(await rowsCounted()).toBe(1)
  })

  test('is carried out once, however many come at the same moment', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, () => moveTo(address, 'tenant', INDEX, 'up')),
    )
    expect(outcomes.flatMap(({ applied }) => applied)).toEqual([ADDS, INDEX])
    expect(outcomes.map(({ version }) => version)).toEqual(outcomes.map(() => INDEX))
    expect(await rowsCounted()).toBe(1) // a second time would not fail: it would insert another row
    expect(
      await valueOf(
        `SELECT indisvalid AS value FROM pg_index WHERE indexrelid = 'core.counted_id'::regclass`,
      ),
    ).toBe(true)
  })

  test('is undone once, however many come at the same moment', async () => {
    await moveTo(address, 'tenant', INDEX, 'up')
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () => moveTo(address, 'tenant', OLD, 'down')),
    )
    expect(outcomes.flatMap(({ applied }) => applied)).toEqual([INDEX, ADDS])
    expect(await currentVersion(address)).toBe(OLD)
  })

  test('does not wait for locks longer than it may', async () => {
    await withClient(address, async (client) => {
      await client.query('BEGIN; LOCK TABLE core.company')
      write(ADDS, 'SELECT 1', 'SELECT 1') // what is read is kept: the file is of no matter any more
      const startedAt = Date.now()
      const holding = client.query('LOCK TABLE migrations.migration IN SHARE ROW EXCLUSIVE MODE')
      await holding
      const failure = await moveTo(address, 'tenant', ADDS, 'up', QUICK).catch((error: unknown) => error)
      expect(failure).toMatchObject({ migration: ADDS, version: OLD, code: '55P03' })
      expect(Date.now() - startedAt).toBeLessThan(10_000)
      await client.query('ROLLBACK')
    })
    expect(await moveTo(address, 'tenant', ADDS, 'up', QUICK)).toMatchObject({ applied: [ADDS] }) // control
  })

  test('outside a transaction is made again when a kill has left it unfinished', async () => {
    await moveTo(address, 'tenant', ADDS, 'up')
    await withClient(address, (client) => client.query('CREATE INDEX counted_id ON core.counted (id)')) // made, not recorded
    expect(await moveTo(address, 'tenant', INDEX, 'up')).toMatchObject({ applied: [INDEX] })
  })
})

test('node-pg-migrate finds what we recorded, and we what it did', async () => {
  await moveTo(address, 'tenant', ADDS, 'up')
  const silent = (): void => {}
  const theirs = (direction: 'up' | 'down') =>
    nodePgMigrate({
      databaseUrl: clientConfig(address),
      dir: [join(directory, '*.sql')],
      useGlob: true,
      direction,
      count: 1,
      migrationsSchema: 'migrations',
      migrationsTable: 'migration',
      checkOrder: false,
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    })
  expect((await theirs('down')).map(({ name }) => name)).toEqual([ADDS])
  expect(await currentVersion(address)).toBe(OLD)
  expect((await theirs('up')).map(({ name }) => name)).toEqual([ADDS])
  expect(await moveTo(address, 'tenant', ADDS, 'up')).toMatchObject({ from: ADDS, applied: [] })
})

test.each([
  ['SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
  ["SELECT ';' || E'\\';' ; -- a; b\nSELECT 2;", ["SELECT ';' || E'\\';'", 'SELECT 2']],
  [
    'CREATE FUNCTION f() AS $$ BEGIN; END $$; SELECT $a$ ; $$ ; $a$',
    ['CREATE FUNCTION f() AS $$ BEGIN; END $$', 'SELECT $a$ ; $$ ; $a$'],
  ],
  [
    'CREATE TABLE a (b text DEFAULT \';\'); /* ; */ SELECT ";" FROM "a;b"',
    ["CREATE TABLE a (b text DEFAULT ';')", 'SELECT ";" FROM "a;b"'],
  ],
  ['', []],
])('%j is cut into its statements', (script, statements) => {
  expect(statementsOf(script)).toEqual(statements)
})
