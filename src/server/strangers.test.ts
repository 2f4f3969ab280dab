/** Who is not known is counted by address, whatever they ask for and however it fails; nobody else is. */
import { existsSync } from 'node:fs'
import { request as send } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endSession, listSessions, me } from '../erp/identity/contract.ts'
import { listTenants } from '../platform/tenants/contract.ts'
import { rawRequest, type RawAnswer } from '../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { startWeakServer } from '../testing/weak-server.ts'

const PER_MINUTE = 60
const ORIGIN = 'https://app.example.com'
const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct({
    limitsRates: true,
    anonymousRequestsPerMinute: PER_MINUTE,
    corsOrigins: [ORIGIN],
  })
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

let addresses = 0
const newAddress = (): string => `198.18.${++addresses >> 8}.${addresses & 255}`

interface Way {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** What it is answered below the limit. */
  readonly status: number
  /** `{code}` stands for the tenant's, `{n}` for another number each time. */
}

const LOGIN = { method: 'POST', path: '/api/v1/auth/login' }
const ways: Record<string, Way> = {
  'no token': { headers: { 'x-tenant-id': '{code}' }, status: 401 },
  'no token, and no tenant': { status: 404 },
  'any token, and no tenant': { headers: { authorization: 'Bearer x' }, status: 401 },
  'any token, and tenants that may be there': {
    headers: { authorization: 'Bearer x', 'x-tenant-id': 'GUESS_{n}' },
    status: 404,
  },
  'a token that is none, at a tenant': {
    headers: { authorization: 'Bearer a.b.c', 'x-tenant-id': '{code}' },
    status: 401,
  },
  'a key that is none, at a tenant': {
    headers: {
      authorization: 'Bearer erp_0197f0c2-7b1e-7000-8000-000000000000_abc',
      'x-tenant-id': '{code}',
    },
    status: 401,
  },
  'any token at the platform': {
    path: '/api/v1/platform/tenants',
    headers: { authorization: 'Bearer x' },
    status: 401,
  },
  'a body that the contract refuses': {
    ...LOGIN,
    headers: { 'x-tenant-id': '{code}', ...JSON_TYPE },
    body: '{"email":7}',
    status: 400,
  },
  'a body that is no JSON': {
    ...LOGIN,
    headers: { 'x-tenant-id': '{code}', ...JSON_TYPE },
    body: '{"email":',
    status: 400,
  },
  'a body of a megabyte': {
    ...LOGIN,
    headers: { 'x-tenant-id': '{code}', ...JSON_TYPE },
    body: `{"email":"${'x'.repeat(1_000_000)}"}`,
    status: 400,
  },
  'a body of another kind': {
    ...LOGIN,
    headers: { 'x-tenant-id': '{code}', 'content-type': 'text/plain' },
    body: 'x',
    status: 415,
  },
  'a body where nobody is known': {
    method: 'POST',
    path: '/api/v1/users',
    headers: { 'x-tenant-id': '{code}', ...JSON_TYPE },
    body: '{"email":',
    status: 401,
  },
  'a form without a grant': { method: 'POST', path: '/api/v1/auth/token', headers: FORM_TYPE, body: 'a=b', status: 400 }, // prettier-ignore
  'no form where one is wanted': {
    method: 'POST',
    path: '/api/v1/platform/auth/token',
    headers: JSON_TYPE,
    body: '{}',
    status: 415,
  },
  'an address that is nowhere': { path: '/api/v1/nowhere-{n}', status: 404 },
  'an address that is nowhere, with any token': {
    path: '/api/v1/nowhere-{n}',
    headers: { authorization: 'Bearer x' },
    status: 404,
  },
  'a file that is nowhere': { path: '/nowhere-{n}.php', status: 404 },
  'a file of the docs page that is nowhere': { path: '/api/v1/docs/static/nowhere-{n}.js', status: 404 },
  'a method that is not there': { method: 'DELETE', path: '/api/v1/companies', status: 404 },
  'a question of a foreign page': {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    status: 404,
  },
  'the description': { path: '/api/v1/openapi.json', status: 200 },
  'the description, at the page that shows it': { path: '/api/v1/docs/json', status: 200 },
  'the same as YAML': { path: '/api/v1/docs/yaml', status: 200 },
  'the docs page': { path: '/api/v1/docs/', status: 200 },
  'the head of what needs a token': { method: 'HEAD', headers: { 'x-tenant-id': '{code}' }, status: 401 },
}

function ask(url: string, way: Way, from: string, n: number): Promise<RawAnswer> {
  const filled = (text: string): string => text.replace('{code}', tenant.code).replace('{n}', String(n))
  const headers = Object.entries(way.headers ?? {}).map(([name, value]) => [name, filled(value)])
  return rawRequest(
    url,
    way.method ?? 'GET',
    filled(way.path ?? '/api/v1/companies'),
    { ...Object.fromEntries(headers), 'x-forwarded-for': from },
    way.body,
  )
}

describe.each(Object.entries(ways))('%s', (name, way) => {
  test('is answered sixty times a minute', async () => {
    const from = newAddress()
    for (let n = 0; n < PER_MINUTE; n++) {
      const { status, headers } = await ask(product.url, way, from, n)
      const told = [headers['x-ratelimit-limit'], headers['x-ratelimit-remaining']]
      expect([n, status, ...told]).toEqual([n, way.status, '60', String(PER_MINUTE - 1 - n)])
    }
    const over = await ask(product.url, way, from, PER_MINUTE)
    expect(over.status).toBe(429)
    if (way.method !== 'HEAD') expect(JSON.parse(over.text).error.code).toBe('RATE_LIMIT_EXCEEDED')
    const after = Number(over.headers['x-ratelimit-reset-after'])
    expect(after).toBeGreaterThan(0)
    expect(after).toBeLessThanOrEqual(60)
    expect(over.headers).toMatchObject({
      'x-ratelimit-limit': '60',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': expect.stringMatching(/^\d{10}$/),
      'retry-after': String(after),
    })
    // Somebody else does not notice, and nor does who is known there.
    expect((await ask(product.url, way, newAddress(), 0)).status).toBe(way.status)
    expect((await tenant.admin.call(me, {}, { 'x-forwarded-for': from })).status).toBe(200)
    expect(name).not.toBe('')
  }, 60_000)
})

test('control: where nobody counts, the sixty-first is answered as the first', async () => {
  const open = await startWeakServer(product, product.routes, {})
  try {
    for (const way of [ways['no token']!, ways['an address that is nowhere']!, ways['the description']!]) {
      const from = newAddress()
      for (let n = 0; n <= PER_MINUTE; n++)
        expect((await ask(open.url, way, from, n)).status).toBe(way.status)
    }
  } finally {
    await open.stop()
  }
}, 60_000)

describe('is not counted', () => {
  const isBuilt = existsSync(join(import.meta.dirname, '..', '..', 'dist', 'portal', 'index.html'))
  test.each<[string, Way]>([
    ['what watches over us', { path: '/health', status: 200 }],
    ['whether we live', { path: '/health/live', status: 200 }],
    ['what is measured', { path: '/metrics', status: 200 }],
    ['a file of the docs page', { path: '/api/v1/docs/static/swagger-ui.css', status: 200 }],
    ...(isBuilt ? [['a page of the portal', { path: '/erp', status: 200 }] as [string, Way]] : []),
    [
      'a question of a page of ours',
      {
        method: 'OPTIONS',
        headers: { origin: ORIGIN, 'access-control-request-method': 'PUT' },
        status: 204,
      },
    ],
  ])('%s', async (_name, way) => {
    const from = newAddress()
    for (let n = 0; n <= PER_MINUTE; n++) {
      const { status, headers } = await ask(product.url, way, from, n)
      expect([status, headers['x-ratelimit-limit']]).toEqual([way.status, undefined])
    }
    // Control: what a stranger asks from there is, from the first.
    const { headers } = await ask(product.url, ways['no token']!, from, 0)
    expect(headers['x-ratelimit-remaining']).toBe(String(PER_MINUTE - 1))
  })

  test('an operator, however much they ask', async () => {
    const from = { 'x-forwarded-for': newAddress() }
    for (let n = 0; n <= PER_MINUTE; n++) (await product.operator.call(listTenants, {}, from)).ok()
  })
})

test('who is signed in is counted by the plan, whatever becomes of the request', async () => {
  const remaining = async (method: string, path: string, body?: string, status = 400): Promise<number> => {
    const answer = await tenant.admin.send(method, path, body)
    expect([path, answer.status]).toEqual([path, status])
    return Number(answer.headers.get('x-ratelimit-remaining'))
  }
  const before = await remaining('GET', '/api/v1/auth/me', undefined, 200)
  expect(before).toBeGreaterThan(0)
  expect(await remaining('GET', '/api/v1/companies?page=none')).toBe(before - 1)
  expect(await remaining('POST', '/api/v1/finance/journal-entries', '{"lines":7}')).toBe(before - 2)
  expect(await remaining('POST', '/api/v1/finance/journal-entries', '{"lines":')).toBe(before - 3)
  expect(await remaining('POST', '/api/v1/finance/journal-entries', `"${'x'.repeat(1_100_000)}"`, 413)).toBe(before - 4) // prettier-ignore
  expect(await remaining('GET', '/api/v1/auth/me', undefined, 200)).toBe(before - 5)
})

test('who loses their session while they send a body is not let in by how they began', async () => {
  const user = await addUser(product, tenant, 'Administrator')
  const text = JSON.stringify({ name: `Role ${addresses}`, permissions: [] })
  const slowly = (meanwhile: () => Promise<unknown>): Promise<number> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(product.url)
      const headers = {
        ...JSON_TYPE,
        authorization: `Bearer ${user.client.options.token}`,
        'x-tenant-id': tenant.code,
        'content-length': Buffer.byteLength(text),
      }
      const sent = send(
        { hostname, port, method: 'POST', path: '/api/v1/roles', headers, agent: false },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        },
      )
      sent.on('error', reject)
      sent.write(text.slice(0, 10))
      void meanwhile().then(() => sent.end(text.slice(10)), reject)
    })
  // Control: who keeps it is heard, however long it takes.
  expect(await slowly(() => sleep(5_300))).toBe(201)
  const ended = await slowly(async () => {
    await sleep(300)
    const { sessions } = (await user.client.call(listSessions)).ok()
    const current = sessions.find(({ isCurrent }) => isCurrent)
    ;(await user.client.call(endSession, { params: { id: current?.id ?? '' } })).ok()
    await sleep(5_300)
  })
  expect(ended).toBe(401)
}, 30_000)
