/** What every answer has in common, and the addresses that are no operation. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJournalEntry, listJournalEntries } from '../erp/ledger/contract.ts'
import type { Operation } from '../http/contract.ts'
import { failureSchema } from '../http/failures.ts'
import { schemaOf } from '../http/openapi.ts'
import { BASE_PATHS } from '../http/server.ts'
import { compileValidator } from '../http/validation.ts'
import { listTenants } from '../platform/tenants/contract.ts'
import { rawRequest, type RawAnswer } from '../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { openApiDocument } from './openapi.ts'
import { PORTAL_FOLDER, VERSION } from './product.ts'

let product: TestProduct
let tenant: TestTenant

/** Every route of the product, as Fastify knows it; HEAD is made beside each GET. */
const mounted: string[] = []
const UNDESCRIBED = [
  'GET /api/v1/docs',
  'GET /api/v1/docs/json',
  'GET /api/v1/docs/static/*',
  'GET /api/v1/docs/static/index.html',
  'GET /api/v1/docs/static/swagger-initializer.js',
  'GET /api/v1/docs/yaml',
  'GET /api/v1/openapi.json',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'GET /metrics',
  'OPTIONS *',
]
const isOfApi = (route: string): boolean =>
  route.includes(' /api/') && !route.startsWith('PATCH ') && !UNDESCRIBED.includes(route)

function listen(message: unknown): void {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat())
      if (one !== 'HEAD') mounted.push(`${one} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
  })
}

beforeAll(async () => {
  subscribe('fastify.initialization', listen)
  product = await startTestProduct({ corsOrigins: ['https://app.example.com'] })
  unsubscribe('fastify.initialization', listen)
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

const get = (path: string, headers: Record<string, string> = {}) =>
  rawRequest(product.url, 'GET', path, headers)

describe('a request id', () => {
  test.each(['abc-123', 'x'.repeat(128), '0197f0c2-7b1e-7000-8000-000000000000'])(
    '%s is taken and given back',
    async (id) => {
      const answer = await get('/api/v1/companies', { 'x-request-id': id })
      expect(answer.headers['x-request-id']).toBe(id)
      expect(JSON.parse(answer.text)).toMatchObject({ error: { requestId: id } })
    },
  )

  test.each([undefined, '', 'x'.repeat(129), 'with space', 'tab\tinside'])(
    '%j is none: one is made',
    async (id) => {
      const answer = await get('/api/v1/companies', id === undefined ? {} : { 'x-request-id': id })
      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
      expect(answer.headers['x-request-id']).not.toBe(id)
    },
  )

  test('is kept with what was changed', async () => {
    const answer = await tenant.admin.call(
      createJournalEntry,
      { body: { transactionDate: '', lines: [] as never } },
      { 'x-request-id': 'seen-1' },
    )
    expect(answer.error.requestId).toBe('seen-1')
  })
})

describe('an answer', () => {
  test('names the version of the API, whatever it is', async () => {
    for (const path of ['/health/live', '/api/v1/companies', '/api/v1/nowhere', '/metrics']) {
      expect((await get(path)).headers['x-api-version']).toBe('v1')
    }
  })

  test('of failure has the whole envelope', async () => {
    const answer = await get('/api/v1/companies?page=1', { 'x-tenant-id': tenant.code })
    expect(answer.status).toBe(401)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const { success, error } = JSON.parse(answer.text) as { success: boolean; error: Record<string, unknown> }
    expect(success).toBe(false)
    expect(error).toEqual({
      code: 'AUTH_REQUIRED',
      message: 'Sign in first',
      details: [],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      requestId: answer.headers['x-request-id'],
      path: '/api/v1/companies',
    })
  })

  test('protects the browser', async () => {
    const { headers } = await get('/health/live')
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    })
    expect(headers['content-security-policy']).toContain("default-src 'self'")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['content-security-policy']).not.toMatch(/script-src[^;]*unsafe/)
    expect(headers['x-powered-by']).toBeUndefined()
    expect(headers['server']).toBeUndefined()
  })
})

describe('origins', () => {
  test('one of the list is allowed', async () => {
    const answer = await get('/health/live', { origin: 'https://app.example.com' })
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example.com')
  })
  test.each([
    'https://evil.example.com',
    'https://app.example.com.evil.example',
    'http://app.example.com',
    'null',
  ])('%s is not', async (origin) => {
    expect((await get('/health/live', { origin })).headers['access-control-allow-origin']).toBeUndefined()
    const preflight = await rawRequest(product.url, 'OPTIONS', '/api/v1/companies', {
      origin,
      'access-control-request-method': 'GET',
    })
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined()
  })

  const HEARD = 'authorization,content-type,idempotency-key,if-match,x-company-id,x-request-id,x-tenant-id'
  const ask = (url: string, origin: string, method: string) =>
    rawRequest(url, 'OPTIONS', '/api/v1/companies', {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': HEARD,
    })
  const listed = (header: unknown): string[] => String(header ?? '').split(', ')
  const methodsOf = (answer: RawAnswer): string[] => listed(answer.headers['access-control-allow-methods'])

  test.each(['PUT', 'PATCH', 'DELETE', 'POST', 'GET'])('one of the list may %s', async (method) => {
    const answer = await ask(product.url, 'https://app.example.com', method)
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example.com')
    expect(methodsOf(answer)).toContain(method)
    expect(answer.headers['access-control-allow-headers']).toBe(HEARD)
    // A foreign one is told nothing at all.
    const foreign = await ask(product.url, 'https://evil.example.com', method)
    expect(Object.keys(foreign.headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
  })

  test('control: a server that names no methods, as ours did, allows no update', async () => {
    const silent = Fastify()
    await silent.register(cors, { origin: ['https://app.example.com'] })
    const url = await silent.listen({ host: '127.0.0.1', port: 0 })
    const answer = await ask(url, 'https://app.example.com', 'PUT')
    expect(methodsOf(answer).filter((method) => ['PUT', 'PATCH', 'DELETE'].includes(method))).toEqual([])
    await silent.close()
  })

  test('one of the list may read every header that our answers say something by', async () => {
    const { headers } = await get('/api/v1/companies', { origin: 'https://app.example.com' })
    const exposed = listed(headers['access-control-expose-headers']).map((name) => name.toLowerCase())
    expect(exposed.toSorted()).toEqual([
      'content-disposition',
      'etag',
      'retry-after',
      'x-api-version',
      'x-ratelimit-limit',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'x-ratelimit-reset-after',
      'x-request-id',
    ])
  })
})

describe('a body', () => {
  const url = '/api/v1/finance/journal-entries'
  const body = {
    transactionDate: '2026-03-01',
    status: 'draft',
    description: 'never',
    lines: [
      { accountCode: '6340', debit: '10.00' },
      { accountCode: '4120', credit: '10.00' },
    ],
  }
  const countEntries = async (): Promise<number> =>
    (await tenant.admin.call(listJournalEntries)).ok().pagination.total

  test('without a token is never carried out', async () => {
    const before = await countEntries()
    for (const headers of [
      {},
      { 'x-tenant-id': tenant.code },
      { 'x-tenant-id': tenant.code, authorization: 'Bearer x.y.z' },
    ]) {
      const answer = await rawRequest(product.url, 'POST', url, headers as Record<string, string>, body)
      expect([401, 404]).toContain(answer.status)
    }
    expect(await countEntries()).toBe(before)
    // Control: the same body with the token is.
    expect((await tenant.admin.send('POST', url, body)).status).toBe(201)
    expect(await countEntries()).toBe(before + 1)
  })

  test.each([
    ['text/plain', '{}', 415],
    ['application/xml', '<a/>', 415],
    ['multipart/form-data; boundary=x', '--x--', 415],
    ['application/json', '{"a":', 400],
    ['application/json', '', 400],
    ['application/json', '"text"', 400],
    ['application/json', '[]', 400],
    ['application/json', 'null', 400],
    ['application/json', '{"__proto__":{"x":1},"transactionDate":"2026-01-01"}', 400],
    ['application/json', `{"description":"${'x'.repeat(1_100_000)}"}`, 413],
    ['application/json', '{"description":"\\u0000"}', 400],
    ['application/json', '{"description":"\\ud800"}', 400],
    ['application/json', '['.repeat(50_000) + ']'.repeat(50_000), 400],
  ])('of %s %.20s is refused with %#', async (type, text, status) => {
    const token = tenant.admin.options.token ?? ''
    const answer = await rawRequest(
      product.url,
      'POST',
      url,
      {
        'x-tenant-id': tenant.code,
        authorization: `Bearer ${token}`,
        'content-type': type,
      },
      text,
    )
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toMatchObject({ success: false })
    expect(answer.text).not.toMatch(/at \w+ \(|node_modules|SELECT|INSERT/)
  })

  test('of a form is no JSON, also where only the token endpoints take forms', async () => {
    const type = 'application/x-www-form-urlencoded'
    const form = 'email=a%40b.example&password=x'
    const answer = await rawRequest(
      product.url,
      'POST',
      '/api/v1/auth/login',
      { 'x-tenant-id': tenant.code, 'content-type': type },
      form,
    )
    expect(answer.status).toBe(415)
  })

  test('with many wrong fields names every one', async () => {
    const answer = await tenant.admin.send('POST', url, {
      transactionDate: 7,
      status: 'maybe',
      lines: [{ debit: [], credit: {} }],
      extra: 1,
    })
    expect(answer.status).toBe(400)
    for (const field of ['transactionDate', 'status', 'lines', 'lines[0].debit', 'extra']) {
      expect(answer.error.details.map((detail) => detail.field)).toContain(field)
    }
  })
})

describe('health', () => {
  test.each(['/health', '/health/live', '/health/ready'])('%s is well', async (path) => {
    const answer = await get(path)
    expect([answer.status, JSON.parse(answer.text).status]).toEqual([200, 'ok'])
  })
})

describe('metrics', () => {
  test('count requests by route and status, and never by tenant', async () => {
    await tenant.admin.call(listJournalEntries)
    const { text, headers, status } = await get('/metrics')
    expect(status).toBe(200)
    expect(headers['content-type']).toContain('text/plain')
    for (const line of [
      /erp_http_request_seconds_count\{method="GET",route="\/api\/v1\/finance\/journal-entries",status="2xx"\} \d+/,
      /erp_tenant_connections \d+/,
      /erp_tenant_databases_open \d+/,
      /erp_tenants_active 1/,
      /process_cpu_seconds_total/,
    ])
      expect(text).toMatch(line)
    expect(text).not.toContain(tenant.code)
    expect(text).not.toContain(tenant.id)
  })

  test('an address nobody knows makes no series of its own', async () => {
    await get('/api/v1/some/random/unlisted-address')
    expect((await get('/metrics')).text).not.toContain('unlisted')
  })
})

describe('the schemas of the contract, compiled when they are first used', () => {
  /** A server that compiles all that it is told while it starts. */
  const eager = async (operations: readonly Operation[]): Promise<void> => {
    const app = Fastify()
    app.setValidatorCompiler((definition) => {
      const validate = compileValidator(definition as never)
      void validate({})
      return validate
    })
    app.addSchema(failureSchema)
    for (const operation of operations) {
      const { method, path, audience } = operation
      const url = `${BASE_PATHS[audience]}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
      app.route({ method, url, schema: schemaOf(operation), handler: () => null })
    }
    await app.ready()
  }
  const broken = Type.Unsafe({ type: 'nonsense' })

  test('are right, every one', async () => {
    const operations = product.routes.map(({ operation }) => operation)
    await expect(eager(operations)).resolves.toBeUndefined()
  })

  test.each([
    ['query', { query: broken }],
    ['body', { body: broken }],
    ['answer', { data: broken }],
  ])('control: a broken one of a %s is found', async (_part, part) => {
    const wrong = { ...createJournalEntry, ...part } as unknown as Operation
    await expect(eager([wrong])).rejects.toThrow(/schema/i)
  })
})

describe('the description', () => {
  type Document = {
    openapi: string
    paths: Record<string, Record<string, { operationId?: string; 'x-permission'?: string }>>
  }

  test('is served as it is committed', async () => {
    const committed = JSON.parse(
      readFileSync(join(import.meta.dirname, '..', '..', 'openapi.json'), 'utf8'),
    ) as unknown
    expect(JSON.parse(JSON.stringify(await openApiDocument(VERSION)))).toEqual(committed)
    expect(JSON.parse((await get('/api/v1/openapi.json')).text)).toEqual(committed)
  })

  test('has every route that is mounted, and no other', async () => {
    const document = (await openApiDocument(VERSION)) as Document
    expect(document.openapi).toBe('3.1.0')
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.toSorted()).toEqual(mounted.filter(isOfApi).toSorted())
    expect(described).toContain('POST /api/v1/auth/token')
    const names = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(product.routes.map(({ operation }) => operation.name)))
    // What is no operation, by name; and each PATCH is its PUT.
    const portal = (route: string): boolean =>
      route === 'GET /*' || existsSync(join(PORTAL_FOLDER, route.slice('GET /'.length)))
    expect(mounted.filter((route) => !isOfApi(route) && !portal(route)).toSorted()).toEqual(
      [...UNDESCRIBED, ...mounted.filter((route) => route.startsWith('PATCH '))].toSorted(),
    )
    expect(mounted.filter((route) => route.startsWith('PATCH ')).filter((route) => !described.includes(route.replace('PATCH', 'PUT')))).toEqual([]) // prettier-ignore
  })

  test('control: the list it was compared with before does not know the token endpoints', () => {
    const known = product.routes.map(
      ({ operation: { audience, path } }) => `POST ${BASE_PATHS[audience]}${path}`,
    )
    const forgotten = mounted.filter((route) => isOfApi(route) && route.endsWith('/auth/token'))
    expect(forgotten).toEqual(['POST /api/v1/auth/token', 'POST /api/v1/platform/auth/token'])
    expect(known.filter((route) => forgotten.includes(route))).toEqual([])
  })

  test('has a page to read it on', async () => {
    const moved = await get('/api/v1/docs')
    const path = moved.status === 302 ? String(moved.headers['location']) : '/api/v1/docs'
    const answer = await get(path.replace(/^\.?\/?(?=docs)/, '/api/v1/'))
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toContain('text/html')
    expect(answer.text).toContain('swagger-ui')
  })

  test('can sign in from there: OAuth2 password grant, for tenants and for operators', async () => {
    const form = (values: Record<string, string>): string => new URLSearchParams(values).toString()
    const post = (path: string, values: Record<string, string>) =>
      rawRequest(
        product.url,
        'POST',
        path,
        { 'content-type': 'application/x-www-form-urlencoded' },
        form(values),
      )
    const email = (await tenant.admin.send<{ email: string }>('GET', '/api/v1/auth/me')).ok().email
    const good = await post('/api/v1/auth/token', {
      grant_type: 'password',
      username: `${tenant.code}/${email}`,
      password: 'Str0ng-pass!',
    })
    expect(good.status).toBe(200)
    expect(good.headers['cache-control']).toBe('no-store')
    expect(JSON.parse(good.text)).toMatchObject({ token_type: 'Bearer', expires_in: 86_400 })
    const operator = await post('/api/v1/platform/auth/token', {
      grant_type: 'password',
      username: 'operator@example.com',
      password: 'Operator-pass-1',
    })
    const { access_token: token } = JSON.parse(operator.text) as { access_token: string }
    expect((await product.anonymous.with({ token }).call(listTenants)).status).toBe(200)
    for (const [values, error] of [
      [{ grant_type: 'password', username: `${tenant.code}/${email}`, password: 'wrong' }, 'invalid_grant'],
      [{ grant_type: 'password', username: `nowhere/${email}`, password: 'Str0ng-pass!' }, 'invalid_grant'],
      [{ grant_type: 'password', username: email, password: 'Str0ng-pass!' }, 'invalid_grant'],
      [{ grant_type: 'password', username: 'a\0b', password: 'x' }, 'invalid_request'],
      [{ grant_type: 'password' }, 'invalid_request'],
      [{ grant_type: 'authorization_code' }, 'unsupported_grant_type'],
    ] as [Record<string, string>, string][]) {
      const answer = await post('/api/v1/auth/token', values)
      expect([answer.status, JSON.parse(answer.text).error]).toEqual([400, error])
    }
  })
})

test.each([
  '/api/v1/nowhere',
  '/api/v2/companies',
  '/.env',
  '/api/v1/../../etc/passwd',
  '/api/v1/companies/../../../package.json',
  '/package.json',
])('%s is nowhere', async (path) => {
  const answer = await get(path)
  expect(answer.status).toBe(404)
  expect(answer.text).not.toContain('solution-erp"')
})
