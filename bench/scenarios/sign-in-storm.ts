/**
 * A hundred users sign in at the same moment: what that does to everybody else's requests. The floor is the same
 * requests on the same process before the storm.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { call, PASSWORD, percentile, request, type Bench, type Figure, type Scenario } from '../harness.ts'

const SIGN_INS = 100
const MADE_AT_ONCE = 4
const QUIET_MS = 5_000
const EVERY_MS = 20
const P95_AIM_MS = 200

export const signInStorm: Scenario = {
  names: ['sign-in-storm'],
  run: async (bench: Bench) => {
    const product = await bench.serve()
    await product.createTenant('STORM', PASSWORD)
    const headers = await product.signIn('STORM')
    const people = await users(product.url, headers)
    const one = async (): Promise<number> => {
      const startedAt = performance.now()
      const { status } = await request(product.url, 'GET', '/api/v1/masters/gl-accounts?limit=50', headers)
      if (status !== 200) throw new Error(`A request beside the storm was answered ${status}`)
      return performance.now() - startedAt
    }
    for (let turn = 0; turn < 100; turn++) await one()
    const quiet = await beside(one, () => sleep(QUIET_MS))
    const statuses: number[] = []
    const startedAt = performance.now()
    const stormy = await beside(one, async () => {
      statuses.push(...(await Promise.all(people.map((email) => signIn(product.url, email)))))
    })
    const seconds = (performance.now() - startedAt) / 1_000
    await product.stop()
    const [ours, floor] = [percentile(stormy, 95), percentile(quiet, 95)]
    const refused = statuses.filter((status) => status !== 200).length
    const figure: Figure = {
      name: 'sign-in-storm',
      unit: 'ms (p95 beside it)',
      ours,
      floor,
      ratio: ours / floor,
      aim: `≤ ${P95_AIM_MS} ms, all ${SIGN_INS} let in`,
      met: ours <= P95_AIM_MS && refused === 0,
      runs: stormy.length,
      note: `the storm took ${seconds.toFixed(1)} s, ${refused} refused; worst ${percentile(stormy, 100).toFixed(0)} ms beside it`,
    }
    return [figure]
  },
}

/** One request after another, at a steady pace, for as long as something else lasts. */
async function beside(one: () => Promise<number>, something: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  let isOver = false
  const lasting = something().finally(() => (isOver = true))
  while (!isOver) {
    times.push(await one())
    await sleep(EVERY_MS)
  }
  await lasting
  return times
}

/** A hundred users, each with a row, a role and a hash of their own. */
async function users(url: string, headers: Record<string, string>): Promise<string[]> {
  const { data } = await call(url, 'GET', '/api/v1/roles?search=Viewer', headers)
  const roleId = data.roles[0].id
  const emails = Array.from({ length: SIGN_INS }, (_, index) => `person-${index}@storm.example`)
  const waiting = [...emails]
  const next = async (): Promise<void> => {
    for (let email = waiting.pop(); email !== undefined; email = waiting.pop())
      await call(url, 'POST', '/api/v1/users', headers, { fullName: 'One of many', email, roleId, password: PASSWORD }) // prettier-ignore
  }
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, next))
  return emails
}

async function signIn(url: string, email: string): Promise<number> {
  const body = JSON.stringify({ email, password: PASSWORD })
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-tenant-id': 'STORM' },
    body,
    signal: AbortSignal.timeout(120_000),
  })
  await response.arrayBuffer()
  return response.status
}
