/**
 * A tenant from the request to the 201 after which its administrator can sign in: cold (nothing prepared)
 * and from the ready pool, against a raw CREATE DATABASE … TEMPLATE of the same template. Hashing the
 * administrator's password (bcrypt, cost 12) is measured apart: the tenants here get a set-password link.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { median, PASSWORD, type Bench, type Figure, type Scenario, type ServedProduct } from '../harness.ts'

const ROUNDS = 9
const COLD_AIM = 1.3
const READY_AIM_MS = 300

export const tenants: Scenario = {
  names: ['tenant-cold', 'tenant-ready'],
  run: async (bench) => [await cold(bench), await ready(bench)],
}

async function cold(bench: Bench): Promise<Figure> {
  const product = await bench.serve()
  const [ours, floor, hashed]: [number[], number[], number[]] = [[], [], []]
  await product.createTenant('COLDWARM', undefined)
  for (let round = 0; round < ROUNDS; round++) {
    floor.push(await rawClone(bench, round))
    ours.push(await product.createTenant(`COLD${round}`, undefined))
    hashed.push(await product.createTenant(`COLDP${round}`, PASSWORD))
  }
  await product.stop()
  const ratio = median(ours) / median(floor)
  return {
    name: 'tenant-cold',
    unit: 'ms',
    ours: median(ours),
    floor: median(floor),
    ratio,
    aim: `ratio ≤ ${COLD_AIM}`,
    met: ratio <= COLD_AIM,
    runs: ROUNDS,
    note: `with a password to hash: ${median(hashed).toFixed(0)} ms`,
  }
}

async function ready(bench: Bench): Promise<Figure> {
  const product = await bench.serve({ READY_DATABASES: '3' })
  const [ours, floor, hashed]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round++) {
    floor.push(await rawClone(bench, round))
    await poolFilled(bench)
    ours.push(await product.createTenant(`READY${round}`, undefined))
    await poolFilled(bench)
    hashed.push(await product.createTenant(`READYP${round}`, PASSWORD))
  }
  await canSignIn(product, `READYP0`)
  await product.stop()
  return {
    name: 'tenant-ready',
    unit: 'ms',
    ours: median(ours),
    floor: median(floor),
    ratio: median(ours) / median(floor),
    aim: `≤ ${READY_AIM_MS} ms`,
    met: median(ours) <= READY_AIM_MS,
    runs: ROUNDS,
    note: `with a password to hash: ${median(hashed).toFixed(0)} ms`,
  }
}

async function canSignIn(product: ServedProduct, code: string): Promise<void> {
  const headers = await product.signIn(code)
  if (!headers['authorization']) throw new Error('The administrator cannot sign in')
}

async function rawClone(bench: Bench, round: number): Promise<number> {
  const client = await bench.connect('postgres')
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE datname LIKE 'erp\\_template\\_%'`,
  )
  const startedAt = performance.now()
  await client.query(`CREATE DATABASE floor_clone_${round} TEMPLATE ${rows[0]?.datname}`)
  const milliseconds = performance.now() - startedAt
  await client.query(`DROP DATABASE floor_clone_${round}`)
  await client.end()
  return milliseconds
}

async function poolFilled(bench: Bench): Promise<void> {
  const client = await bench.connect('erp_platform')
  for (;;) {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM platform.ready_database WHERE state = 'ready' AND claimed_by IS NULL`,
    )
    if ((rows[0]?.count ?? 0) >= 3) break
    await sleep(50)
  }
  await client.end()
}
