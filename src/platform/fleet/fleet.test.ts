/**
 * Fleet migrations, with real processes of a release that has one migration more than the code: the test's own
 * product plays the older code that is still running.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withClient } from '../../tenancy/databases.ts'
import { Client } from '../../testing/client.ts'
import { makeFleet, type FleetMember } from '../../testing/fleet.ts'
import { eventually, spawnTestProgram, whenReady, type ServerProcess } from '../../testing/process.ts'
import {
  signInAsOperator,
  startTestProduct,
  testEnvironment,
  type TestProduct,
} from '../../testing/product.ts'
import { readConfiguration } from '../../server/configuration.ts'
import { getFleetMigration, startFleetMigration } from './contract.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-fleet-'))
const EXTRA = '209901010001_extra'
writeFileSync(
  join(directory, `${EXTRA}.sql`),
  `-- Up Migration
ALTER TABLE core.company ADD COLUMN nickname text;
CREATE TABLE core.extra (id uuid PRIMARY KEY DEFAULT core.uuid_v7(), note text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());

-- Down Migration
DROP TABLE core.extra;
ALTER TABLE core.company DROP COLUMN nickname;
`,
)
const environment = testEnvironment({ EXTRA_MIGRATIONS: directory, MIGRATE_AT_START: 'false' })
let product: TestProduct
let fleet: FleetMember[]

beforeAll(async () => {
  product = await startTestProduct(readConfiguration(environment))
  fleet = await makeFleet(
    product,
    Array.from({ length: 50 }, (_, index) => `F${index + 100}`),
  )
})
afterAll(async () => {
  await product.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function release(
  how: Record<string, string> = {},
): Promise<{ server: ServerProcess; operator: Client }> {
  const server = await whenReady(spawnTestProgram('release-server.ts', [], { ...environment, ...how }))
  return { server, operator: await signInAsOperator(new Client(server.url)) }
}

async function over(operator: Client, id: string) {
  return eventually(async () => {
    const detail = (await operator.call(getFleetMigration, { params: { id } })).ok()
    expect(detail.status).not.toBe('running')
    return detail
  }, 60_000)
}

describe('one poisoned tenant in fifty', () => {
  test('49 are done, it is reported; a second run does nothing', async () => {
    const { server, operator } = await release()
    const poisoned = fleet[17] as FleetMember
    await withClient(product.server.migratorAddress(poisoned.database), (client) =>
      client.query('CREATE TABLE core.extra (id uuid)'),
    )
    const { id } = (await operator.call(startFleetMigration)).ok()
    const detail = await over(operator, id ?? '')
    expect(detail).toMatchObject({ status: 'failed', counts: { total: 50, done: 49, failed: 1 } })
    console.log(server.output(), JSON.stringify(detail))
    await server.stop()
  })
})
