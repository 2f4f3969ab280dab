/**
 * A hundred tenants in a row, each from the request to the 201 after which its administrator can be let in,
 * from the pool of ready databases, which is being filled up again meanwhile. Against a raw CREATE DATABASE …
 * TEMPLATE of the same template now and then in between. The tenants get a set-password link: hashing a
 * password is measured by tenant-ready.
 */
import { median, percentile, poolFilled, rawClone, type Figure, type Scenario } from '../harness.ts'

const TENANTS = 100
const FLOOR_EVERY = 10
const P95_AIM_MS = 300

export const provision100: Scenario = {
  names: ['provision-100'],
  run: async (bench) => {
    const product = await bench.serve({ READY_DATABASES: String(TENANTS) })
    await poolFilled(bench, TENANTS)
    await product.createTenant('ROWWARM', undefined)
    const [ours, floor]: [number[], number[]] = [[], []]
    for (let number = 0; number < TENANTS; number++) {
      if (number % FLOOR_EVERY === 0) floor.push(await rawClone(bench, number))
      ours.push(await product.createTenant(`ROW${number}`, undefined))
    }
    await product.stop()
    const p95 = percentile(ours, 95)
    const figure: Figure = {
      name: 'provision-100',
      unit: 'ms (p95)',
      ours: p95,
      floor: median(floor),
      ratio: p95 / median(floor),
      aim: `≤ ${P95_AIM_MS} ms`,
      met: p95 <= P95_AIM_MS,
      runs: TENANTS,
      note: `median ${median(ours).toFixed(0)} ms; floor: median of a raw clone`,
    }
    return [figure]
  },
}
