/**
 * A thousand tenants through one API process, each touched once: found, authenticated and read from, over a
 * connection that has to be opened for it. Against a bare client that opens a connection as the same role and
 * runs the same statements. Connections are counted by PostgreSQL, memory by the kernel.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { makeFleet, type FleetTenant } from '../fleet.ts'
import {
  percentile,
  request,
  type Bench,
  type Figure,
  type Scenario,
  type ServedProduct,
} from '../harness.ts'

const TENANTS = Number(process.env['FLEET_TENANTS'] ?? 1_000)
const AT_ONCE = 2
/** Ours and floor in turn. Ours first: it meets the databases cold, the floor warm. */
const CHUNK = 100
const WARMING = 50
const P99_AIM_MS = 100
const CONNECTIONS_AIM = 100
const MEMORY_AIM_MB = 400

export const fleetTouch: Scenario = {
  names: ['fleet-touch'],
  run: async (bench) => {
    const fleet = await makeFleet(bench, TENANTS + 1)
    const product = await bench.serve()
    const [warming, ...touched] = fleet
    for (let round = 0; warming && round < WARMING; round++) await touch(product, warming) // the process, not the fleet
    const watching = watch(bench, product)
    const [ours, floor]: [number[], number[]] = [[], []]
    for (let from = 0; from < touched.length; from += CHUNK) {
      const chunk = touched.slice(from, from + CHUNK)
      ours.push(...(await inTurn(chunk, (tenant) => touch(product, tenant))))
      floor.push(...(await inTurn(chunk, bareTouch)))
    }
    const { connections, megabytes } = await watching.stop()
    await product.stop()
    const [p99, floorP99] = [percentile(ours, 99), percentile(floor, 99)]
    const figure: Figure = {
      name: 'fleet-touch',
      unit: 'ms (p99)',
      ours: p99,
      floor: floorP99,
      ratio: p99 / floorP99,
      aim: `≤ ${P99_AIM_MS} ms, ≤ ${CONNECTIONS_AIM} connections, ≤ ${MEMORY_AIM_MB} MB`,
      met: p99 <= P99_AIM_MS && connections <= CONNECTIONS_AIM && megabytes <= MEMORY_AIM_MB,
      runs: touched.length,
      note: `median ${percentile(ours, 50).toFixed(1)} ms (floor ${percentile(floor, 50).toFixed(1)}), at most ${connections} connections, ${megabytes.toFixed(0)} MB`,
    }
    return [figure]
  },
}

async function inTurn(
  tenants: readonly FleetTenant[],
  work: (tenant: FleetTenant) => Promise<void>,
): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let tenant = tenants[next++]; tenant; tenant = tenants[next++]) {
      const startedAt = performance.now()
      await work(tenant)
      times.push(performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return times
}

async function touch(product: ServedProduct, tenant: FleetTenant): Promise<void> {
  const { status, text } = await request(product.url, 'GET', '/api/v1/companies', { ...tenant.headers })
  if (status !== 200 || !text.includes('"code":"MAIN"')) throw new Error(`${tenant.code}: ${status} ${text}`)
}

async function bareTouch({ address }: FleetTenant): Promise<void> {
  const client = new pg.Client(address as pg.ClientConfig)
  await client.connect()
  await client.query('BEGIN READ ONLY')
  await client.query(
    'SELECT * FROM core.session JOIN core.app_user u ON u.id = user_id JOIN core.role r ON r.id = role_id',
  )
  await client.query('SELECT * FROM core.company')
  await client.query('COMMIT')
  await client.end()
}

interface Watched {
  readonly connections: number
  readonly megabytes: number
}

/** The most that there were at any moment. */
function watch(bench: Bench, product: ServedProduct): { stop(): Promise<Watched> } {
  let isOver = false
  const watched = (async () => {
    const client = await bench.connect('postgres')
    let [connections, megabytes] = [0, 0]
    while (!isOver) {
      // The watcher is one of them, and so is the floor's: neither is the product's.
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      )
      connections = Math.max(connections, rows[0]?.count ?? 0)
      megabytes = Math.max(megabytes, residentMegabytes(product.pid))
      await sleep(20)
    }
    await client.end()
    return { connections, megabytes }
  })()
  return {
    stop: () => {
      isOver = true
      return watched
    },
  }
}

function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}
