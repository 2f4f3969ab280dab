/**
 * What every request meets before any operation (SPEC 7): sizes, times, kinds of content, names of hosts, origins,
 * methods. Written to the socket byte by byte where a client would not let us.
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestPasswordReset } from '../erp/identity/contract.ts'
import { createHttpServer } from '../http/server.ts'
import { postEntry } from '../testing/books.ts'
import { mailedTo } from '../testing/mailed.ts'
import { eventually, rawRequest, type RawAnswer } from '../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'

const ENTRIES = '/api/v1/finance/journal-entries'
const ORIGIN = 'https://app.example.com'

let product: TestProduct
let tenant: TestTenant
let headers: Record<string, string>

beforeAll(async () => {
  product = await startTestProduct({ corsOrigins: [ORIGIN] })
  tenant = await product.createTenant()
  await postEntry(tenant.admin, '12.34')
  headers = { authorization: `Bearer ${tenant.admin.options.token ?? ''}`, 'x-tenant-id': tenant.code }
})
afterAll(() => product.stop())

const ask = (
  method: string,
  path: string,
  more: Record<string, string> = {},
  body?: unknown,
): Promise<RawAnswer> => rawRequest(product.url, method, path, { ...headers, ...more }, body)

/** Bytes as they are; everything that comes back until the server hangs up or the time is over. */
async function spoken(
  url: string,
  text: string,
  waitMs = 3_000,
): Promise<{ said: string; isClosed: boolean }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let said = ''
  let isClosed = false
  socket.on('data', (part) => (said += part.toString('latin1')))
  socket.on('error', () => {})
  socket.on('close', () => (isClosed = true))
  socket.write(text, 'latin1')
  const until = Date.now() + waitMs
  while (!isClosed && Date.now() < until && !/\r\n\r\n[\s\S]*\}$/.test(said)) await sleep(20)
  socket.destroy()
  return { said, isClosed }
}

const PROTECTED =
  /x-content-type-options: nosniff[\s\S]*x-frame-options: SAMEORIGIN|x-frame-options: SAMEORIGIN[\s\S]*x-content-type-options: nosniff/i

describe('what is no request', () => {
  const lines = (...parts: string[]): string => `${parts.join('\r\n')}\r\n\r\n`
  test.each<[string, string, number, string]>([
    ['no HTTP', 'HELLO\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'headers of 20 kB',
      lines('GET /health/live HTTP/1.1', 'Host: x', `X-Long: ${'x'.repeat(20_000)}`),
      431,
      'HEADERS_TOO_LARGE',
    ],
    [
      'an address of 20 kB',
      lines(`GET /${'x'.repeat(20_000)} HTTP/1.1`, 'Host: x'),
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['a header with NUL', lines('GET /health/live HTTP/1.1', 'Host: x', 'X-Odd: a\0b'), 400, 'BAD_REQUEST'],
    [
      'a header that goes on in the next line',
      lines('GET /health/live HTTP/1.1', 'Host: x', 'X-Odd: a', ' b'),
      400,
      'BAD_REQUEST',
    ],
    [
      'two lengths',
      lines('POST /api/v1/auth/login HTTP/1.1', 'Host: x', 'Content-Length: 2', 'Content-Length: 3'),
      400,
      'BAD_REQUEST',
    ],
    [
      'a length and chunks',
      lines('POST /api/v1/auth/login HTTP/1.1', 'Host: x', 'Content-Length: 2', 'Transfer-Encoding: chunked'),
      400,
      'BAD_REQUEST',
    ],
    [
      'a length below nothing',
      lines('POST /api/v1/auth/login HTTP/1.1', 'Host: x', 'Content-Length: -1'),
      400,
      'BAD_REQUEST',
    ],
  ])('%s is refused like anything else', async (_name, text, status, code) => {
    const { said } = await spoken(product.url, text)
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(said).toContain(`"code":"${code}"`)
    expect(said).toMatch(PROTECTED)
    expect(said).toMatch(/x-request-id: [0-9a-f-]{36}/i)
  })

  test('thousands of headers are cut off, and reach nobody', async () => {
    const many = Array.from({ length: 1_500 }, (_, index) => `a${index}: b`)
    const { said } = await spoken(product.url, lines('GET /health/live HTTP/1.1', 'Host: x', ...many))
    expect(said).toMatch(/^HTTP\/1\.1 (?:200|431) /) // Node takes the first two thousand, within 16 kB
  })

  test('control: a proper one is answered', async () => {
    const { said } = await spoken(
      product.url,
      lines('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close'),
    )
    expect(said).toMatch(/^HTTP\/1\.1 200 /)
    expect(said).toMatch(PROTECTED)
  })
})

describe('a caller who takes their time', () => {
  test('is hung up on: each request has a time to have come, and idle connections one to be of use', async () => {
    const app = await createHttpServer([], {} as never, {
      corsOrigins: [],
      isProduction: true,
      logLevel: 'silent',
      version: '',
      trustedProxies: [],
    })
    const { headersTimeout, requestTimeout, keepAliveTimeout } = app.server
    expect(requestTimeout).toBeGreaterThan(0)
    expect(requestTimeout).toBeLessThanOrEqual(60_000)
    expect(headersTimeout).toBeGreaterThan(0)
    expect(headersTimeout).toBeLessThanOrEqual(60_000)
    expect(keepAliveTimeout).toBeGreaterThan(0)
    // The same server with less patience: what it does when the time is over.
    app.server.headersTimeout = 300
    app.server.requestTimeout = 300
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    try {
      const half = 'GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: '
      const { said, isClosed } = await spoken(url, half, 20_000)
      expect([said.slice(0, 12), isClosed || said.includes('REQUEST_TIMEOUT')]).toEqual([
        'HTTP/1.1 408',
        true,
      ])
      // Control: with all the time in the world nothing is said.
      app.server.headersTimeout = 0
      app.server.requestTimeout = 0
      expect(await spoken(url, half, 3_000)).toEqual({ said: '', isClosed: false })
    } finally {
      app.server.closeAllConnections()
      await app.close()
    }
  })
})

describe('a body', () => {
  const body = {
    transactionDate: '2026-03-01',
    status: 'draft',
    lines: [
      { accountCode: '1190', debit: '1.00' },
      { accountCode: '4110', credit: '1.00' },
    ],
  }

  test.each([
    'application/jsonp',
    'application/x-json',
    'text/json',
    'application/vnd.api+json',
    'application/json;charset=utf-16',
    'multipart/form-data',
  ])('of %s is not taken for JSON', async (type) => {
    const answer = await ask('POST', ENTRIES, { 'content-type': type }, body)
    expect([type, answer.status < 300]).toEqual([type, type.endsWith('utf-16')])
  })

  test('as deep as anything sensible is taken, deeper is not', async () => {
    const nestedTo = (levels: number): object => (levels === 0 ? {} : { a: nestedTo(levels - 1) })
    const { id } = await addUser(product, tenant, 'Viewer')
    const put = (levels: number) => ask('PUT', `/api/v1/users/${id}`, {}, { metadata: nestedTo(levels) })
    expect((await put(10)).status).not.toBe(500)
    const deep = await put(40)
    expect([deep.status, deep.text]).toEqual([400, expect.stringContaining('TOO_DEEP')])
  })

  test('packed is not unpacked: a small one cannot grow', async () => {
    const answer = await ask('POST', ENTRIES, { 'content-encoding': 'gzip' }, body)
    expect([201, 400, 415]).toContain(answer.status) // taken as it is, never unpacked
  })
})

describe('a method', () => {
  test.each(['x-http-method-override', 'x-method-override', 'x-http-method'])(
    'named in %s counts for nothing',
    async (name) => {
      const [entry] = (await tenant.admin.send<{ journalEntries: { id: string }[] }>('GET', ENTRIES)).ok()
        .journalEntries
      const answer = await ask('POST', `${ENTRIES}/${entry!.id}`, { [name]: 'DELETE' }, {})
      expect(answer.status).toBe(404)
      expect((await ask('GET', `${ENTRIES}/${entry!.id}`, { [name]: 'DELETE' })).status).toBe(200)
      expect((await ask('GET', `${ENTRIES}/${entry!.id}?_method=DELETE`)).status).toBe(200)
      expect((await ask('GET', `${ENTRIES}/${entry!.id}`)).status).toBe(200)
    },
  )

  test.each(['TRACE', 'CONNECT', 'PROPFIND', 'LOCK'])('%s is none of ours', async (method) => {
    const { said } = await spoken(
      product.url,
      `${method} ${ENTRIES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${headers['authorization']}\r\n\r\n`,
      2_000,
    )
    expect(said).not.toMatch(/^HTTP\/1\.1 2/)
    expect(said).not.toContain(headers['authorization'] ?? '')
  })

  test('HEAD tells what GET would, without a word of it; without a token as little', async () => {
    const head = await ask('HEAD', ENTRIES)
    expect([head.status, head.text]).toEqual([200, ''])
    expect((await rawRequest(product.url, 'HEAD', ENTRIES, { 'x-tenant-id': tenant.code })).status).toBe(401)
  })
})

describe('a parameter', () => {
  test('given twice is refused, not chosen from', async () => {
    for (const query of ['page=1&page=2', 'limit=1&limit=200', 'search=a&search=b']) {
      const answer = await ask('GET', `/api/v1/users?${query}`)
      expect([query, answer.status]).toEqual([query, 400])
    }
    expect((await ask('GET', '/api/v1/users?page=1&limit=2')).status).toBe(200) // control
  })

  test('of a kind that turns into an object stays a name nobody knows', async () => {
    for (const query of ['page[$gt]=1', 'filter[a]=b', '__proto__[x]=1', 'constructor.prototype.x=1']) {
      expect([query, (await ask('GET', `/api/v1/users?${query}`)).status]).toEqual([query, 400])
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })
})

describe('an answer protects the browser, whatever it is', () => {
  const kinds: [string, string, string, Record<string, string>?][] = [
    ['a success', 'GET', '/api/v1/companies'],
    ['a refusal', 'POST', '/api/v1/users'],
    ['nobody known', 'GET', '/api/v1/companies', { authorization: '' }],
    ['nowhere', 'GET', '/api/v1/nowhere'],
    ['what cannot be read', 'GET', '/api/v1/users/%ff'],
    ['what is too long', 'GET', `/api/v1/users/${'x'.repeat(500)}`],
    ['HEAD', 'HEAD', '/api/v1/companies'],
    ['the document', 'GET', '/api/v1/openapi.json'],
    ['the page of documents', 'GET', '/api/v1/docs/'],
    ['a figure', 'GET', '/metrics'],
    ['a page of the portal, or that there is none', 'GET', '/erp'],
    ['a file of the portal, or that there is none', 'GET', '/favicon.svg'],
    [
      'a question of a browser',
      'OPTIONS',
      '/api/v1/companies',
      { origin: ORIGIN, 'access-control-request-method': 'GET' },
    ],
  ]
  test.each(kinds)('%s', async (_name, method, path, more = {}) => {
    const answer = await ask(method, path, more)
    expect(answer.status).toBeLessThan(500)
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    })
    expect(String(answer.headers['content-security-policy'])).not.toMatch(/script-src[^;]*'unsafe/)
    expect(answer.headers['x-powered-by']).toBeUndefined()
  })
})

describe('an origin', () => {
  test.each([
    ORIGIN,
    'https://evil.example',
    'null',
    `${ORIGIN}.evil.example`,
    'https://app.example.com:8443',
    'http://app.example.com',
  ])('%s', async (origin) => {
    for (const [method, path] of [
      ['GET', '/api/v1/companies'],
      ['POST', '/api/v1/auth/login'],
      ['OPTIONS', ENTRIES],
      ['GET', '/api/v1/nowhere'],
    ]) {
      const answer = await ask(method!, path!, {
        origin,
        ...(method === 'OPTIONS' ? { 'access-control-request-method': 'POST' } : {}),
      })
      expect([path, answer.headers['access-control-allow-origin']]).toEqual([
        path,
        origin === ORIGIN ? ORIGIN : undefined,
      ])
      // A browser sends no cookies for us: there are none.
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined()
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })
})

describe('the name of the host', () => {
  test.each(['evil.example', 'evil.example:80', 'localhost@evil.example', 'x.localhost.evil.example'])(
    '%s is in no link that is mailed',
    async (host) => {
      const { email } = await addUser(product, tenant, 'Viewer')
      const answer = await rawRequest(
        product.url,
        'POST',
        '/api/v1/auth/reset-password-request',
        {
          host,
          'x-tenant-id': tenant.code,
          'x-forwarded-host': 'evil.example',
          forwarded: 'host=evil.example',
          'x-original-host': 'evil.example',
        },
        { email },
      )
      expect(answer.status).toBeLessThan(300)
      const [mail] = await eventually(async () => {
        const mails = await mailedTo(product, tenant.id, email)
        expect(mails.length).toBeGreaterThan(0)
        return mails
      })
      expect(mail?.text).not.toContain('evil')
      expect(mail?.address).toMatch(/^http:\/\/[\w-]+\.localhost(?::\d+)?$/)
      // Control: the link is there, and it is good.
      expect(mail?.token.length).toBeGreaterThan(20)
    },
  )

  test('is repeated in no answer', async () => {
    for (const path of ['/health/live', '/api/v1/nowhere', '/api/v1/docs', '/erp', '/api/v1/openapi.json']) {
      const answer = await rawRequest(product.url, 'GET', path, {
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'javascript',
      })
      expect([path, `${answer.text}${JSON.stringify(answer.headers)}`.includes('evil.example')]).toEqual([
        path,
        false,
      ])
    }
    expect(
      (
        await product.anonymous
          .with({ tenant: tenant.code })
          .call(requestPasswordReset, { body: { email: 'x@y.example' } })
      ).status,
    ).toBeLessThan(300)
  })
})
