/**
 * A noisy tenant beside a quiet one, in one process: the noisy one asks for ten times its share of the
 * connections, and the quiet one is to notice little. The work is waiting, not computing, so that what is
 * measured is who gets a connection, not how busy this machine is.
 */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SYSTEM } from '../server/product.ts'
import { startTestProduct, type TestProduct } from '../testing/product.ts'
import { Gate, type TenantLocation } from './gate.ts'
import { tenantSql } from './handles.ts'
import { ConnectionPools } from './pools.ts'

const SHARE = 4
const CEILING = 2 * SHARE
const NOISE = 10 * SHARE
const ROUNDS = 40
const WORK = sql`SELECT pg_sleep(0.04)`.compile(tenantSql)

let product: TestProduct
let noisy: TenantLocation
let quiet: TenantLocation

beforeAll(async () => {
  product = await startTestProduct()
  const [a, b] = [await product.createTenant(), await product.createTenant()]
  noisy = (await product.directory.byId(a.id))!.location
  quiet = (await product.directory.byId(b.id))!.location
})
afterAll(() => product.stop())

interface Measured {
  readonly aloneMs: number
  readonly besideMs: number
  readonly connectionsOfNoisy: number
}

/** The quiet one's 95th percentile, alone and beside the noise, in the same run. */
async function measure(noisyPlace: TenantLocation, quietPlace: TenantLocation): Promise<Measured> {
  const pools = new ConnectionPools({
    connectionsMaximum: CEILING,
    connectionsPerDatabaseMaximum: noisyPlace.tenantId === quietPlace.tenantId ? CEILING : SHARE,
    waitMs: 20_000,
  })
  const gate = new Gate({ tenantPools: pools, platformPools: pools, platformAddress: product.server.admin })
  const work = (place: TenantLocation): Promise<unknown> =>
    gate.readTenant(place, null, SYSTEM, (tx) => tx.rows(WORK))
  const p95 = async (): Promise<number> => {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now()
      await work(quietPlace)
      times.push(performance.now() - startedAt)
    }
    return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS * 0.95)] ?? 0
  }
  await work(quietPlace)
  const aloneMs = await p95()
  let isOver = false
  const noise = Array.from({ length: NOISE }, async () => {
    while (!isOver) await work(noisyPlace)
  })
  await work(quietPlace)
  const besideMs = await p95()
  const connectionsOfNoisy = pools.figures().connections - 1
  isOver = true
  await Promise.all(noise)
  await pools.closeAll()
  return { aloneMs, besideMs, connectionsOfNoisy }
}

test('a tenant at ten times its share leaves its neighbour less than twice as slow', async () => {
  const { aloneMs, besideMs, connectionsOfNoisy } = await measure(noisy, quiet)
  expect(besideMs).toBeLessThan(2 * aloneMs)
  expect(connectionsOfNoisy).toBeLessThanOrEqual(SHARE)
})

test('control: in one queue for everybody the neighbour is far slower', async () => {
  const { aloneMs, besideMs } = await measure(noisy, noisy)
  expect(besideMs).toBeGreaterThan(2 * aloneMs)
})
