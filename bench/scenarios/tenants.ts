/**
 * A tenant from the request to the 201 after which its administrator can sign in: cold (nothing prepared)
 * and from the ready pool, against a raw CREATE DATABASE … TEMPLATE of the same template. Hashing the
 * administrator's password (bcrypt, cost 12) is measured apart: the tenants here get a set-password link.
 */
import {
  median,
  PASSWORD,
  poolFilled,
  rawClone,
  type Bench,
  type Figure,
  type Scenario,
  type ServedProduct,
} from '../harness.ts'

const ROUNDS = 9
const READY = 3
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
  const product = await bench.serve({ READY_DATABASES: String(READY) })
  const [ours, floor, hashed]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round++) {
    floor.push(await rawClone(bench, round))
    await poolFilled(bench, READY)
    ours.push(await product.createTenant(`READY${round}`, undefined))
    await poolFilled(bench, READY)
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
