/**
 * One tenant back to a moment, with the cluster's archive: what docs/runbooks/point-in-time-recovery.md says,
 * done with Debian's PostgreSQL and pgBackRest and the configuration in deploy/pgbackrest.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { trialBalance } from '../../erp/reports/contract.ts'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import { ArchivedCluster, missingPrograms } from '../../testing/archived-cluster.ts'
import { postEntry, SALES } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { eventually } from '../../testing/process.ts'
import { signIn, startTestProduct, type TestProduct } from '../../testing/product.ts'

import { createRestore, getRestore } from './contract.ts'

const isWanted = missingPrograms.length === 0 || process.env['REQUIRE_PGBACKREST'] === '1'
if (!isWanted) {
  console.warn(
    `${missingPrograms.join(', ')} not there: point-in-time recovery is NOT proven (REQUIRE_PGBACKREST=1 makes this a failure)`,
  )
}

let cluster: ArchivedCluster
let product: TestProduct

beforeAll(async () => {
  if (!isWanted) return
  cluster = new ArchivedCluster()
  const url = new URL(await cluster.start())
  url.pathname = '/erp_platform'
  product = await startTestProduct({ databaseUrl: url.href })
})
afterAll(async () => {
  await product?.stop()
  await cluster?.stop()
})

async function salesOf(client: Client): Promise<string | undefined> {
  const { rows } = (await client.call(trialBalance)).ok()
  return rows.find(({ accountCode }) => accountCode === SALES)?.credit
}

async function sql(url: string, database: string, text: string): Promise<Record<string, unknown>[]> {
  return withClient({ ...addressOf(url, false), database }, async (client) => (await client.query(text)).rows)
}

test.skipIf(!isWanted)(
  'a tenant damaged by a slip is taken out of the past',
  { timeout: 300_000 },
  async () => {
    const live = product.configuration.databaseUrl ?? ''
    const damaged = await product.createTenant()
    const neighbour = await product.createTenant()
    await postEntry(damaged.admin, '100.00')
    cluster.pgbackrest('--type=full', 'backup')
    await sleep(1_100) // its end is kept in whole seconds, and only a later moment can be gone back to
    // After the backup: only the archived changes know of these.
    await postEntry(damaged.admin, '23.00')
    await postEntry(neighbour.admin, '7.00')
    const [{ moment } = {}] = await sql(live, 'postgres', 'SELECT clock_timestamp()::text AS moment')

    const database = `erp_tenant_${damaged.code.toLowerCase()}`
    await sql(live, database, `SET session_replication_role = replica; DELETE FROM finance.journal_line; DELETE FROM finance.account_balance`) // prettier-ignore
    await postEntry(neighbour.admin, '1.00')
    expect(await salesOf(damaged.admin)).not.toBe('123.00')
    cluster.pgbackrest('check') // the changes up to now are in the repository, not only on their way

    const beside = await cluster.restoreBeside(String(moment), database)
    const lines = await sql(beside, database, 'SELECT sum(credit)::text AS sum FROM finance.journal_line')
    expect(lines).toEqual([{ sum: '123.0000' }])

    // Out of the past as a backup, and in by the same door as any other.
    const source = { ...addressOf(beside, false), database }
    await expect(product.backups.takeFrom(neighbour.id, source)).rejects.toThrow(/is one of this tenant's/) // prettier-ignore
    const backupId = await product.backups.takeFrom(damaged.id, source)
    const restore = (
      await product.operator.call(createRestore, {
        params: { id: damaged.id },
        body: { backupId, mode: 'swap' },
      })
    ).ok()
    await eventually(async () => {
      const found = (await product.operator.call(getRestore, { params: { id: restore.id } })).ok()
      expect(found).toMatchObject({ state: 'swapped', verification: { findings: [] } })
    })
    const email = `ann@${damaged.code.toLowerCase().replaceAll('_', '-')}.example`
    const { client } = await signIn(product.anonymous.with({ tenant: damaged.code }), email)
    expect(await salesOf(client)).toBe('123.00')
    // Nobody else went back.
    expect(await salesOf(neighbour.admin)).toBe('8.00')
  },
)
