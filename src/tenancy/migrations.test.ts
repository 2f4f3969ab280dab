import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { SECRET_KEY } from '../testing/product.ts'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import { currentVersion, fingerprint, migrate, newestVersion, rollBack } from './migrations.ts'
import type { DatabaseAddress } from './pools.ts'
import { describeSchema } from './schema-description.ts'
import { Secrets } from './secrets.ts'

const sets = ['platform', 'tenant'] as const
const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const nameOf = (set: string): string => `migrations_test_${process.pid}_${set}`
const addressOfSet = (set: string): DatabaseAddress => server.migratorAddress(nameOf(set))

beforeAll(async () => {
  await server.prepare()
  for (const set of sets) await server.create(nameOf(set))
})
afterAll(async () => {
  for (const set of sets) await server.drop(nameOf(set))
})

function rowsOf(address: DatabaseAddress, text: string): Promise<string[]> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<[string]>({ text, rowMode: 'array' })
    return rows.map(([line]) => line)
  })
}

const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema', 'migrations', 'pg_toast')`

/** Everything a migration makes, told as text; two databases that were made alike tell the same. */
async function everythingIn(address: DatabaseAddress): Promise<string[]> {
  const described = [...(await describeSchema(address, null))].filter(
    ([object]) => object !== 'schema public',
  )
  return described.map(([object, definition]) => `${object}: ${definition}`)
}

describe.each(sets)('the %s set', (set) => {
  test('goes up, down to nothing, and up again to the same', async () => {
    const address = addressOfSet(set)
    const empty = await everythingIn(address)
    const first = await migrate(address, set)
    expect(first.applied.length).toBeGreaterThan(2)
    expect(first.version).toBe(newestVersion(set))
    const made = await everythingIn(address)
    expect(made.length).toBeGreaterThan(50)
    expect(made.filter((line) => typeof line !== 'string')).toEqual([])

    const down = await rollBack(address, set, first.applied.length)
    expect(down.applied.toSorted()).toEqual([...first.applied].toSorted())
    expect(await currentVersion(address)).toBeNull()
    expect(await everythingIn(address)).toEqual(empty)

    expect((await migrate(address, set)).applied).toEqual(first.applied)
    expect(await everythingIn(address)).toEqual(made)
  })

  test('goes down one by one and up again to the same', async () => {
    const address = addressOfSet(set)
    const { version } = await migrate(address, set)
    const made = await everythingIn(address)
    const { applied } = await rollBack(address, set, 1)
    expect(applied).toEqual([version])
    expect(await everythingIn(address)).not.toEqual(made) // control: the comparison sees one migration
    await migrate(address, set)
    expect(await everythingIn(address)).toEqual(made)
  })

  test('does nothing where there is nothing to do, also for several at once', async () => {
    const address = addressOfSet(set)
    await rollBack(address, set, 1)
    const outcomes = await Promise.all([1, 2, 3].map(() => migrate(address, set)))
    expect(outcomes.flatMap(({ applied }) => applied)).toEqual([newestVersion(set)])
    expect((await migrate(address, set)).applied).toEqual([])
  })

  test('every table has id uuid as its key, created_at and updated_at', async () => {
    const address = addressOfSet(set)
    await migrate(address, set)
    expect(await tablesAgainstTheRule(address)).toEqual([])
    // Control: a table without them is found.
    await withClient(address, (client) =>
      client.query(
        'CREATE SCHEMA bad; CREATE TABLE bad.short (id bigint PRIMARY KEY, created_at timestamptz)',
      ),
    )
    expect(await tablesAgainstTheRule(address)).toEqual(['bad.short'])
    await withClient(address, (client) => client.query('DROP SCHEMA bad CASCADE'))
  })
})

/** node-pg-migrate's own table is not ours to shape. */
function tablesAgainstTheRule(address: DatabaseAddress): Promise<string[]> {
  return rowsOf(
    address,
    `SELECT format('%s.%s', n.nspname, c.relname) AS line
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND ${OURS} AND NOT (
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1 AND a.attname = 'id'
           AND a.atttypid = 'uuid'::regtype AND a.atthasdef)
       AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnotnull
         AND a.attname IN ('created_at', 'updated_at') AND a.atttypid = 'timestamptz'::regtype) = 2)
     ORDER BY 1`,
  )
}

test("every tenant's ids made by the database are of version 7, and in order", async () => {
  const address = addressOfSet('tenant')
  await migrate(address, 'tenant')
  const ids = await rowsOf(
    address,
    'SELECT core.uuid_v7()::text AS line FROM generate_series(1, 200), pg_sleep(0.002)',
  )
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set(ids).size).toBe(200)
  const later = await rowsOf(address, 'SELECT core.uuid_v7()::text AS line')
  expect((later[0] ?? '') >= (ids[0] ?? '')).toBe(true)
})

test('the fingerprint names the set of migrations', () => {
  expect(fingerprint('tenant')).toMatch(/^[0-9a-f]{12}$/)
  expect(fingerprint('tenant')).toBe(fingerprint('tenant'))
  expect(fingerprint('tenant')).not.toBe(fingerprint('platform'))
})
