/** Every limit that a contract declares, over two processes: as often as it says, and not once more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { login } from '../erp/identity/contract.ts'
import { listUsers } from '../erp/identity/users/contract.ts'
import { BASE_PATHS } from '../http/server.ts'
import type { Operation } from '../http/contract.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { Client } from '../testing/client.ts'
import { rawRequest, startProcess, type RawAnswer, type ServerProcess } from '../testing/process.ts'
import { ADMIN_PASSWORD, OPERATOR, tenantBody, testEnvironment } from '../testing/product.ts'
import { hasRedis, RedisServer } from '../testing/redis.ts'
import { sampleOf } from '../testing/samples.ts'
import { routesForReading } from './openapi.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000001'
const operations = routesForReading().map(({ operation }) => operation)
const limited = operations.filter(({ rateLimit }) => rateLimit !== undefined)
/** Of SPEC 6, by hand: [how often, within how many seconds]. */
const SPEC: Readonly<Record<string, readonly [number, number]>> = {
  login: [5, 900],
  operatorLogin: [5, 900],
  requestPasswordReset: [3, 3_600],
  operatorRequestPasswordReset: [3, 3_600],
  listUsers: [100, 60],
  createUser: [10, 60],
  updateUser: [20, 60],
  deleteUser: [5, 60],
}

const body = tenantBody({ planCode: 'professional' })
let redis: RedisServer | undefined
let environment: Record<string, string>
/** Two where they count together. */
let servers: ServerProcess[] = []
let tokens: Record<Operation['audience'], string>

beforeAll(async () => {
  environment = testEnvironment({ RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '100000' })
  if (hasRedis) {
    redis = await RedisServer.start()
    environment['REDIS_URL'] = redis.url
  }
  servers = [await startProcess(environment)]
  if (redis) servers.push(await startProcess(environment))
  const anonymous = new Client(servers[0]!.url)
  const { token: platform } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  ;(await anonymous.with({ token: platform }).call(createTenant, { body })).ok()
  const credentials = { email: body.adminEmail, password: ADMIN_PASSWORD }
  const { token: tenant } = (await anonymous.with({ tenant: body.tenantCode }).call(login, { body: credentials })).ok() // prettier-ignore
  tokens = { platform, tenant }
}, 120_000)
afterAll(async () => {
  for (const server of servers) await server.stop()
  await redis?.kill()
})

let addresses = 0
const newAddress = (): string => `198.18.${++addresses >> 8}.${addresses & 255}`

/** What passes validation, and is nowhere: so often, in turns. */
async function answersOf(
  operation: Operation,
  times: number,
  urls: readonly string[] = servers.map(({ url }) => url),
): Promise<RawAnswer[]> {
  const from = newAddress()
  const { audience, method, permission } = operation
  const query = operation.query ? new URLSearchParams(sampleOf(operation.query, NOWHERE) as never).toString() : '' // prettier-ignore
  const path = `${BASE_PATHS[audience]}${operation.path.replaceAll(/\{\w+\}/g, NOWHERE)}`
  const headers = {
    'x-forwarded-for': from,
    ...(audience === 'tenant' ? { 'x-tenant-id': body.tenantCode } : {}),
    ...(permission === 'anonymous' ? {} : { authorization: `Bearer ${tokens[audience]}` }),
    ...(operation.accepts?.[0] ? { 'content-type': operation.accepts[0] } : {}),
  }
  const sent = operation.accepts ? 'a file' : operation.body ? sampleOf(operation.body, NOWHERE) : undefined
  const answers: RawAnswer[] = []
  for (let n = 0; n < times; n++) {
    const url = urls[n % urls.length] ?? ''
    answers.push(await rawRequest(url, method, query === '' ? path : `${path}?${query}`, headers, sent))
  }
  return answers
}

const LIMIT_HEADERS = ['limit', 'remaining', 'reset', 'reset-after'].map((name) => `x-ratelimit-${name}`)

describe('as SPEC 6 says', () => {
  test.each(Object.entries(SPEC))('%s %j', (name, [maximum, windowSeconds]) => {
    const operation = operations.find((one) => one.name === name)
    expect(operation?.rateLimit).toMatchObject({ maximum, windowSeconds })
  })
})

test.each(limited.map((operation) => [operation.name, operation] as const))(
  '%s',
  async (_name, operation) => {
    const { maximum, windowSeconds } = operation.rateLimit!
    const answers = await answersOf(operation, maximum + 1)
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status >= 500)).toEqual([])
    expect(statuses.map((status) => status === 429)).toEqual([
      ...Array.from({ length: maximum }, () => false),
      true,
    ])
    for (const { headers } of answers)
      expect(LIMIT_HEADERS.filter((name) => !/^\d+$/.test(String(headers[name] ?? '')))).toEqual([])
    const { headers, text } = answers.at(-1)!
    expect(JSON.parse(text).error.code).toBe('RATE_LIMIT_EXCEEDED')
    expect(headers).toMatchObject({ 'x-ratelimit-limit': String(maximum), 'x-ratelimit-remaining': '0' })
    const after = Number(headers['x-ratelimit-reset-after'])
    expect(headers['retry-after']).toBe(String(after))
    expect(after).toBeGreaterThan(0)
    expect(after).toBeLessThanOrEqual(windowSeconds)
    expect(Math.abs(Number(headers['x-ratelimit-reset']) - Date.now() / 1000 - after)).toBeLessThan(5)
  },
  120_000,
)

test('API keys that are none are tried twenty times', async () => {
  const from = newAddress()
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: NOWHERE,
    client_secret: 'x',
  })
  const statuses: number[] = []
  for (let n = 0; n <= 20; n++) {
    const headers = { 'x-tenant-id': body.tenantCode, 'x-forwarded-for': from }
    const url = `${servers[n % servers.length]?.url}/api/v1/auth/token`
    statuses.push((await fetch(url, { method: 'POST', body: form, headers })).status)
  }
  expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429])
})

test('without Redis one process holds to it by itself, and two do not: the control', async () => {
  const alone = { ...environment, REDIS_URL: '' }
  const apart = [await startProcess(alone), await startProcess(alone)]
  try {
    const urls = apart.map(({ url }) => url)
    const refused = async (at: readonly string[], times: number): Promise<number> =>
      (await answersOf(listUsers, times, at)).filter(({ status }) => status === 429).length
    expect(await refused(urls.slice(0, 1), 101)).toBe(1)
    expect(await refused(urls, 102)).toBe(51) // the first knows of its hundred; the other has counted none
  } finally {
    for (const server of apart) await server.stop()
  }
}, 60_000)

test('control: where limits are off, nobody is refused', async () => {
  const open = await startProcess({ ...environment, RATE_LIMIT_ENABLED: 'false' })
  try {
    for (const [name, [maximum]] of Object.entries(SPEC)) {
      const operation = operations.find((one) => one.name === name)!
      const answers = await answersOf(operation, maximum + 1, [open.url])
      expect([name, answers.filter(({ status }) => status === 429).length]).toEqual([name, 0])
      expect(answers[0]?.headers['x-ratelimit-limit']).toBeUndefined()
    }
  } finally {
    await open.stop()
  }
}, 60_000)
