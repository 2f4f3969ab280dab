/** Schemas as they are: the report of what has drifted, and the rehearsal of a migration on a copy. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import { moveTo, newestVersion, migrationsOf } from '../../tenancy/migrations.ts'
import { entryBody } from '../../testing/entries.ts'
import { createJournalEntry } from '../../erp/ledger/contract.ts'
import { eventually, spawnTestProgram, whenReady } from '../../testing/process.ts'
import {
  signInAsOperator,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { Client } from '../../testing/client.ts'
import { readConfiguration } from '../../server/configuration.ts'
import { getOperation } from '../operations/contract.ts'
import { getFleetRehearsal, getSchemaReport, listFleetRehearsals, startFleetRehearsal } from './contract.ts'

const environment = testEnvironment()
let product: TestProduct
let [tidy, torn]: TestTenant[] = []

beforeAll(async () => {
  product = await startTestProduct(readConfiguration(environment))
  tidy = await product.createTenant()
  torn = await product.createTenant()
})
afterAll(() => product.stop())

const databaseOf = (tenant: TestTenant | undefined): string =>
  `erp_tenant_${tenant?.code.toLowerCase() ?? ''}`

function inDatabase(tenant: TestTenant | undefined, text: string): Promise<unknown> {
  return withClient(product.server.migratorAddress(databaseOf(tenant)), (client) => client.query(text))
}

function asSuperuser(tenant: TestTenant | undefined, text: string): Promise<unknown> {
  const admin = addressOf(environment['DATABASE_URL'] ?? '', false)
  return withClient({ ...admin, database: databaseOf(tenant) }, (client) => client.query(text))
}

async function reportOn(tenant: TestTenant | undefined) {
  const query = { tenantCode: tenant?.code ?? '' }
  const { tenants } = (await product.operator.call(getSchemaReport, { query })).ok()
  expect(tenants).toHaveLength(1)
  return tenants[0]
}

describe('the schema report', () => {
  test('finds every tenant as the template is, whatever it is called', async () => {
    const { tenants, codeVersion } = (await product.operator.call(getSchemaReport)).ok()
    expect(codeVersion).toBe(newestVersion('tenant'))
    expect(tenants.map(({ tenantCode }) => tenantCode).toSorted()).toEqual(
      [tidy?.code, torn?.code].toSorted(),
    )
    for (const line of tenants) {
      expect(line).toMatchObject({ status: 'same', actualVersion: codeVersion, differences: [], error: null })
      expect(line.fingerprint).toMatch(/^[0-9a-f]{16}$/)
      expect(line.fingerprint).toBe(line.templateFingerprint)
    }
  })

  test.each([
    ['an index', 'DROP INDEX finance.journal_line_account', 'missing index finance.journal_line_account'],
    [
      'a function',
      'CREATE OR REPLACE FUNCTION core.current_company() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT NULL::uuid $$',
      'different function core.current_company()',
    ],
    ['a column', 'ALTER TABLE core.company ADD COLUMN note text', 'unexpected column core.company.note'],
    [
      'a default',
      `ALTER TABLE core.company ALTER COLUMN country SET DEFAULT 'US'`,
      'different column core.company.country',
    ],
    [
      'a trigger',
      'ALTER TABLE finance.journal_line DISABLE TRIGGER USER',
      /^different trigger finance\.journal_line\./,
    ],
    [
      'a policy',
      'ALTER TABLE masters.gl_account DISABLE ROW LEVEL SECURITY',
      'different table masters.gl_account',
    ],
    [
      'a right',
      'GRANT DELETE ON finance.journal_line TO erp_tenant_runtime',
      'different table finance.journal_line',
    ],
    ['a table', 'CREATE TABLE core.forgotten (id int)', 'unexpected table core.forgotten'],
  ])('names %s that is not as it should be', async (_what, change, expected) => {
    const before = await reportOn(torn)
    await inDatabase(torn, change)
    const after = await reportOn(torn)
    expect(after?.status).toBe('drifted')
    expect(after?.fingerprint).not.toBe(before?.fingerprint)
    const named = after?.differences.map(({ kind, object }) => `${kind} ${object}`)
    expect(named).toContainEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
    expect((await reportOn(tidy))?.status).toBe('same') // control: it is this tenant's
  })

  test('names a way in for another role', async () => {
    await withClient(product.server.admin, (client) =>
      client.query(`GRANT CONNECT ON DATABASE ${databaseOf(torn)} TO erp_tenant_runtime`),
    )
    const objects = (await reportOn(torn))?.differences.map(({ object }) => object)
    expect(objects).toContain('way in for erp_tenant_runtime')
  })

  test('leaves no copy of the template behind', async () => {
    expect(await product.server.databaseNames('erp_scratch_')).toEqual([])
  })
})

describe('a rehearsal', () => {
  const newest = newestVersion('tenant')
  const former = migrationsOf('tenant').at(-2)?.name ?? null

  async function rehearse(tenant: TestTenant | undefined) {
    const started = (
      await product.operator.call(startFleetRehearsal, { body: { tenantId: tenant?.id ?? '' } })
    ).ok()
    const params = { id: started.id }
    const rehearsal = await eventually(async () => {
      const found = (await product.operator.call(getFleetRehearsal, { params })).ok()
      expect(found.status).not.toBe('running')
      return found
    })
    const operation = await eventually(async () => {
      const found = (await product.operator.call(getOperation, { params: { id: started.operationId } })).ok()
      expect(found.status).not.toBe('running') // the row tells a moment before the workflow has ended
      return found
    })
    return { rehearsal, operation }
  }

  async function nothingIsLeft(): Promise<void> {
    expect(await product.server.databaseNames('erp_rehearsal_')).toEqual([])
    const roles = await withClient(product.server.admin, (client) =>
      client.query(`SELECT rolname FROM pg_roles WHERE rolname ~ '^erp_runtime_rehearsal_'`),
    )
    expect(roles.rows).toEqual([])
  }

  test('migrates a copy, checks its books, and leaves the tenant and nothing else', async () => {
    const tenant = await product.createTenant()
    await tenant.admin.call(createJournalEntry, { body: entryBody('12.50', 'Rehearsed') })
    await moveTo(product.server.migratorAddress(databaseOf(tenant)), 'tenant', former, 'down')
    const { rehearsal, operation } = await rehearse(tenant)
    expect(rehearsal).toMatchObject({
      status: 'done',
      fromVersion: former,
      toVersion: newest,
      findings: [],
      error: null,
    })
    expect(rehearsal.steps).toEqual([{ name: newest, milliseconds: expect.any(Number) }])
    for (const ms of [rehearsal.copyMs, rehearsal.migrateMs, rehearsal.checkMs]) expect(ms).toBeGreaterThan(0)
    expect(operation).toMatchObject({ status: 'done', progress: 1 })
    expect((await reportOn(tenant))?.actualVersion).toBe(former) // the tenant itself was left alone
    await nothingIsLeft()
  })

  test('tells what the checks find on the copy, and what keeps it from being migrated', async () => {
    const tenant = await product.createTenant()
    await tenant.admin.call(createJournalEntry, { body: entryBody('12.50', 'Rehearsed') })
    await asSuperuser(
      tenant,
      `SET session_replication_role = replica; UPDATE finance.account_balance SET debit = debit + 1`,
    )
    const checked = await rehearse(tenant)
    expect(checked.rehearsal.status).toBe('failed')
    expect(checked.rehearsal.findings).toContainEqual(
      expect.stringContaining('daily balances equal the lines'),
    )
    expect(checked.operation.status).toBe('failed')
    const kept = await rehearse(torn) // has a table that no migration makes
    expect(kept.rehearsal.status).toBe('failed')
    expect(kept.rehearsal.error).toContain('core.forgotten')
    await nothingIsLeft()
  })

  test(
    'killed in the middle: another process ends it and removes the copy',
    { timeout: 90_000 },
    async () => {
      const crashing = await whenReady(
        spawnTestProgram('crashing-server.ts', [], { ...environment, CRASH_AT: 'rehearsal migration:after' }),
      )
      const operator = await signInAsOperator(new Client(crashing.url))
      await operator.call(startFleetRehearsal, { body: { tenantId: tidy?.id ?? '' } })
      await crashing.exited
      expect(await product.server.databaseNames('erp_rehearsal_')).toHaveLength(1) // control: there is something to remove
      await eventually(nothingIsLeft, 30_000)
      const { rehearsals } = (await product.operator.call(listFleetRehearsals)).ok()
      await eventually(async () => expect(rehearsals[0]).toMatchObject({ tenantCode: tidy?.code }))
    },
  )
})
