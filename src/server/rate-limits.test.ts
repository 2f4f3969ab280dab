/** Rate limits through HTTP, over two processes, with Redis well and unwell. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { login, me } from '../erp/identity/contract.ts'
import { clientOf } from '../http/rate-limits.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { Client, type Answer } from '../testing/client.ts'
import { eventually, startProcess, type ServerProcess } from '../testing/process.ts'
import { ADMIN_PASSWORD, OPERATOR, tenantBody, testEnvironment } from '../testing/product.ts'
import { hasRedis, RedisServer } from '../testing/redis.ts'

const HOURLY = 40
const LIMITED = { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '100000' }
const body = tenantBody({ planCode: 'starter' })

let redis: RedisServer
let environment: Record<string, string>
let servers: ServerProcess[]
let clients: Client[]
let platform: pg.Client

beforeAll(async () => {
  environment = testEnvironment(LIMITED)
  if (hasRedis) {
    redis = await RedisServer.start()
    environment['REDIS_URL'] = redis.url
  }
  const first = await startProcess(environment)
  platform = new pg.Client({ connectionString: environment['DATABASE_URL'] })
  await platform.connect()
  const anonymous = new Client(first.url)
  const { token } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  ;(await anonymous.with({ token }).call(createTenant, { body })).ok()
  servers = [first, await startProcess(environment)]
  clients = servers.map(({ url }) => new Client(url, { tenant: body.tenantCode }))
}, 120_000)
afterAll(async () => {
  await platform?.end()
  for (const server of servers ?? []) await server.stop()
  await redis?.kill()
})

type SignIn = Awaited<ReturnType<typeof signIn>>

/** From an address of its own for each name: proxies on this machine are believed. */
function signIn(client: Client, password: 'right' | 'wrong', from: string, email = body.adminEmail) {
  const given = password === 'right' ? ADMIN_PASSWORD : 'Wrong-pass-1!'
  return client.call(login, { body: { email, password: given } }, { 'x-forwarded-for': addressOf(from) })
}

const addresses = new Map<string, string>()
function addressOf(name: string): string {
  const known = addresses.get(name)
  if (known !== undefined) return known
  const n = addresses.size + 1
  const address = `198.18.${n >> 8}.${n & 255}`
  addresses.set(name, address)
  return address
}

async function inTurn<Result>(count: number, atOnce: number, work: (index: number) => Promise<Result>) {
  const results: Result[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) results.push(await work(next++))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}

function codes(answers: readonly Answer<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { body: { error, success } } of answers) counts[success ? 'ok' : (error?.code ?? '')] = (counts[success ? 'ok' : (error?.code ?? '')] ?? 0) + 1 // prettier-ignore
  return counts
}

async function timePasses(): Promise<void> {
  await platform.query(`UPDATE platform.rate_count SET window_ends_at = now() - interval '1 second'`)
  await sleep(5_100) // what a process remembers of a key that is over its limit
}

test('the sixth try at an account from one address is refused, with the headers; the window over, it is not', async () => {
  const answers: SignIn[] = []
  for (let n = 0; n < 6; n++) answers.push(await signIn(clients[n % 2]!, 'wrong', 'cafe'))
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429])
  const [firstAnswer, last] = [answers[0]!, answers[5]!]
  expect(firstAnswer.headers.get('x-ratelimit-limit')).toBe('5')
  expect(firstAnswer.headers.get('x-ratelimit-remaining')).toBe('4')
  expect(last.error.code).toBe('RATE_LIMIT_EXCEEDED')
  expect(last.headers.get('x-ratelimit-remaining')).toBe('0')
  const after = Number(last.headers.get('x-ratelimit-reset-after'))
  expect(after).toBeGreaterThan(800)
  expect(after).toBeLessThanOrEqual(900)
  expect(last.headers.get('retry-after')).toBe(String(after))
  expect(Math.abs(Number(last.headers.get('x-ratelimit-reset')) - Date.now() / 1000 - after)).toBeLessThan(3)
  // The right password does not help there either, but its owner signs in from elsewhere.
  expect((await signIn(clients[1]!, 'right', 'cafe')).status).toBe(429)
  ;(await signIn(clients[1]!, 'right', 'home')).ok()
  await timePasses()
  ;(await signIn(clients[0]!, 'right', 'cafe')).ok()
})

test('signing in rightly as often as one likes is no try', async () => {
  for (let n = 0; n < 7; n++) (await signIn(clients[n % 2]!, 'right', 'office')).ok()
})

test('the token endpoint counts with the sign-in', async () => {
  const form = { grant_type: 'password', username: 'nobody@b.example', password: 'Wrong-pass-1!' }
  const ask = () =>
    fetch(`${servers[0]!.url}/api/v1/auth/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: { 'x-tenant-id': body.tenantCode, 'x-forwarded-for': addressOf('docs page') },
    })
  for (let n = 0; n < 5; n++) expect((await ask()).status).toBe(400)
  expect((await ask()).status).toBe(429)
  expect((await signIn(clients[1]!, 'right', 'docs page', 'nobody@b.example')).status).toBe(429)
})

describe('brute force', () => {
  test('10,000 tries at one account from everywhere, over two processes: at most 10 are answered', async () => {
    await timePasses()
    const startedAt = performance.now()
    const answers = await inTurn(10_000, 32, (n) => signIn(clients[n % 2]!, 'wrong', `bot ${n % 3_000}`))
    const found = codes(answers)
    expect(found['AUTH_FAILED']).toBeLessThanOrEqual(10)
    // An overloaded machine may say so (503); nobody gets an answer about the password.
    expect(Object.keys(found).filter((code) => !['AUTH_FAILED', 'RATE_LIMIT_EXCEEDED', 'UNAVAILABLE'].includes(code))).toEqual([]) // prettier-ignore
    expect(found['RATE_LIMIT_EXCEEDED']).toBeGreaterThanOrEqual(9_900)
    process.stderr.write(`10,000 tries: ${JSON.stringify(found)} in ${Math.round(performance.now() - startedAt)} ms\n`) // prettier-ignore
    // A process that is started anew knows nothing and yet holds to it.
    await servers[1]!.kill()
    servers[1] = await startProcess(environment)
    clients[1] = new Client(servers[1].url, { tenant: body.tenantCode })
    expect((await signIn(clients[1], 'right', 'after the restart')).status).toBe(429)
  }, 240_000)

  test('one password at 140 accounts from one address: at most 100 are answered', async () => {
    const answers = await inTurn(140, 8, (n) =>
      signIn(clients[n % 2]!, 'wrong', 'one bot', `user-${n}@b.example`),
    )
    expect(codes(answers)['AUTH_FAILED']).toBeLessThanOrEqual(100)
  }, 120_000)

  test('the control: without limits every try is answered', async () => {
    const open = await startProcess({ ...environment, RATE_LIMIT_ENABLED: 'false' })
    const client = new Client(open.url, { tenant: body.tenantCode })
    const answers = await inTurn(25, 5, () => signIn(client, 'wrong', 'one bot'))
    expect(codes(answers)).toEqual({ AUTH_FAILED: 25 })
    expect(answers[0]?.headers.get('x-ratelimit-limit')).toBeNull()
    await open.stop()
  }, 60_000)
})

test('who has not signed in may ask so often a minute, and so may who sends tokens that are none', async () => {
  const strict = await startProcess({ ...environment, RATE_LIMIT_PER_MINUTE: '10', REDIS_URL: '' })
  const client = new Client(strict.url, { tenant: body.tenantCode })
  const from = (name: string) => ({ 'x-forwarded-for': addressOf(name) })
  const asked = await inTurn(12, 1, () => client.call(me, {}, from('nobody')))
  expect(codes(asked)).toEqual({ AUTH_REQUIRED: 10, RATE_LIMIT_EXCEEDED: 2 })
  expect(asked[0]?.headers.get('x-ratelimit-limit')).toBe('10')
  const forged = client.with({ token: 'a.b.c' })
  expect(codes(await inTurn(12, 1, () => forged.call(me, {}, from('forger'))))).toEqual({
    TOKEN_INVALID: 10,
    RATE_LIMIT_EXCEEDED: 2,
  })
  // Others, and who has signed in, do not notice.
  expect((await client.call(me, {}, from('another'))).error.code).toBe('AUTH_REQUIRED')
  await timePasses()
  const { token } = (await signIn(client, 'right', 'nobody in a minute')).ok()
  ;(await client.with({ token }).call(me, {}, from('nobody'))).ok()
  // One IPv6 network is one caller.
  const six = (n: number) => client.call(me, {}, { 'x-forwarded-for': `2001:db8:1:2:${n.toString(16)}::1` })
  expect(codes(await inTurn(12, 1, six))['RATE_LIMIT_EXCEEDED']).toBe(2)
  await strict.stop()
}, 60_000)

test('addresses of one IPv6 network are one client', () => {
  expect(clientOf('2001:db8:0:5::1')).toBe(clientOf('2001:0DB8::5:ffff:0:0:9'))
  expect(clientOf('2001:db8:0:5::1')).not.toBe(clientOf('2001:db8:0:6::1'))
  expect(clientOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
})

async function onPlan(requestsPerHour: number): Promise<void> {
  const code = `plan-${randomUUID().slice(0, 8)}`
  await platform.query(
    `WITH made AS (INSERT INTO platform.plan (code, name, monthly_price, storage_gigabytes_limit,
        requests_per_hour_limit, support) VALUES ($1, $1, 0, 1, $2, 'e-mail') RETURNING id)
     UPDATE platform.tenant SET plan_id = (SELECT id FROM made) WHERE tenant_code = $3`,
    [code, requestsPerHour, body.tenantCode],
  )
  await sleep(5_100) // what a process remembers of a tenant
}

describe.runIf(hasRedis)("a tenant's requests an hour", () => {
  // Three sessions at most: the tests before have ended the first.
  let token = ''
  beforeAll(async () => {
    await timePasses()
    token = (await signIn(clients[0]!, 'right', 'an office')).ok().token
  })
  const known = () => clients.map((client) => client.with({ token }))

  test('are counted by two processes together; without Redis, the control, by each for itself', async () => {
    await redis.command('FLUSHALL')
    await onPlan(HOURLY)
    const together = await inTurn(100, 8, (n) => known()[n % 2]!.call(me))
    expect(codes(together)).toEqual({ ok: HOURLY, RATE_LIMIT_EXCEEDED: 100 - HOURLY })
    expect(together[0]?.headers.get('x-ratelimit-limit')).toBe(String(HOURLY))
    await redis.kill()
    const apart = await inTurn(200, 8, (n) => known()[n % 2]!.call(me))
    expect(codes(apart)).toEqual({ ok: 2 * HOURLY, RATE_LIMIT_EXCEEDED: 200 - 2 * HOURLY })
    await redis.begin()
    await onPlan(100_000)
  }, 120_000)

  test('Redis killed, flushed and hanging under load: requests go on, sign-in stays limited, all is well within 5 s', async () => {
    await timePasses()
    for (let n = 0; n < 5; n++) await signIn(clients[n % 2]!, 'wrong', 'lurker')
    const counted = async () => Number(/erp_redis_up (\d)/.exec(await (await fetch(`${servers[0]!.url}/metrics`)).text())?.[1]) // prettier-ignore
    let isOver = false
    const statuses: number[] = []
    let slowestMs = 0
    const load = inTurn(4, 4, async (n) => {
      while (!isOver) {
        const startedAt = performance.now()
        statuses.push((await known()[n % 2]!.call(me)).status)
        slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      }
    })
    await redis.kill()
    await eventually(async () => expect(await counted()).toBe(0), 10_000)
    expect((await signIn(clients[0]!, 'right', 'lurker')).status).toBe(429)
    await redis.begin()
    const backAt = performance.now()
    await eventually(async () => expect(await counted()).toBe(1), 10_000)
    expect(performance.now() - backAt).toBeLessThan(5_000)
    await redis.command('FLUSHALL')
    expect((await signIn(clients[1]!, 'right', 'lurker')).status).toBe(429)
    redis.hang(true)
    await sleep(2_000)
    redis.hang(false)
    await eventually(async () => expect(await counted()).toBe(1), 10_000)
    isOver = true
    await load
    // A machine that is overloaded may say so; nobody is refused, and nothing breaks.
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(statuses.filter((status) => status === 503).length).toBeLessThan(statuses.length / 100)
    process.stderr.write(`Redis unwell: ${statuses.length} requests, slowest ${Math.round(slowestMs)} ms\n`)
  }, 120_000)
})
