/**
 * From every earlier version in the repository to the newest and back, with data in it: a tenant that has kept
 * books, and the platform that it belongs to. The data of an earlier version is what going down leaves of it.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { entryBody } from '../testing/entries.ts'
import { SECRET_KEY, startTestProduct } from '../testing/product.ts'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import { migrationsOf, moveTo, newestVersion, type MigrationSet } from './migrations.ts'
import type { DatabaseAddress } from './pools.ts'
import { compareSchemas, describeSchema, type SchemaDescription } from './schema-description.ts'
import { Secrets } from './secrets.ts'

const sets = ['platform', 'tenant'] as const
const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const copies: Record<MigrationSet, string> = {
  platform: `with_data_${process.pid}_platform`,
  tenant: `with_data_${process.pid}_tenant`,
}
/** The platform's database belongs to the administrator here, a tenant's to the migrator. */
const addressOfCopy = (set: MigrationSet): DatabaseAddress =>
  set === 'tenant' ? server.migratorAddress(copies.tenant) : { ...server.admin, database: copies.platform }

beforeAll(async () => {
  const product = await startTestProduct()
  const tenant = await product.createTenant()
  for (const amount of ['10.00', '20.50', '0.01']) {
    ;(await tenant.admin.call(createJournalEntry, { body: entryBody(amount, 'Kept') })).ok()
  }
  const platform = new URL(product.configuration.databaseUrl ?? '').pathname.slice(1)
  await product.stop()
  await server.create(copies.platform, platform, server.admin.user)
  await server.create(copies.tenant, `erp_tenant_${tenant.code.toLowerCase()}`)
})
afterAll(async () => {
  for (const set of sets) await server.drop(copies[set])
  await server.close()
})

/** Every table's rows: how many, and a digest of what they say. A row's version is not data: it may be touched. */
function rowsOf(address: DatabaseAddress): Promise<ReadonlyMap<string, string>> {
  return withClient(address, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'migrations') ORDER BY 1`,
    )
    const found = new Map<string, string>()
    for (const { name } of tables) {
      const { rows } = await client.query<{ digest: string }>(
        `SELECT count(*) || ' ' || coalesce(md5(string_agg(row, E'\\n' ORDER BY row)), '') AS digest
         FROM (SELECT (to_jsonb(t) - 'updated_at')::text AS row FROM ${name} t) rows`,
      )
      found.set(name, rows[0]?.digest ?? '')
    }
    return found
  })
}

describe.each(sets)('the %s', (set) => {
  const versions = migrationsOf(set).map(({ name }) => name)
  let newest: SchemaDescription

  test('has data in it', async () => {
    newest = await describeSchema(addressOfCopy(set), null)
    const filled = [...(await rowsOf(addressOfCopy(set))).values()].filter(
      (digest) => !digest.startsWith('0 '),
    )
    expect(filled.length).toBeGreaterThan(set === 'tenant' ? 12 : 6)
  })

  // From the newest down: each one finds the data that the one before it has brought back.
  test.each(versions.slice(0, -1).toReversed())('from %s to the newest and back', async (version) => {
    const address = addressOfCopy(set)
    await moveTo(address, set, version, 'down')
    const [schema, rows] = [await describeSchema(address, null), await rowsOf(address)]
    expect(compareSchemas(newest, schema)).not.toEqual([]) // control: the comparison sees one migration

    const outcome = await moveTo(address, set, newestVersion(set), 'up')
    expect(outcome).toMatchObject({ from: version, version: newestVersion(set) })
    expect(compareSchemas(newest, await describeSchema(address, null))).toEqual([])

    await moveTo(address, set, version, 'down')
    expect(compareSchemas(schema, await describeSchema(address, null))).toEqual([])
    const after = await rowsOf(address)
    // What a migration changes on its way up is written down like any other change.
    const others = [...after].filter(([table]) => table !== 'audit.change')
    expect(others.filter(([table, digest]) => rows.get(table) !== digest)).toEqual([])
    expect(after.size).toBe(rows.size)
  })
})
