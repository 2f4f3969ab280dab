/** Every refusal is on the log: what, when, whom, from where; and nothing that was typed as a secret. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { login } from '../erp/identity/contract.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { Client } from '../testing/client.ts'
import { eventually, startProcess, type ServerProcess } from '../testing/process.ts'
import { ADMIN_PASSWORD, OPERATOR, tenantBody, testEnvironment } from '../testing/product.ts'

const FROM = '198.51.100.7'
const body = tenantBody()

let server: ServerProcess
let admin: Client
let adminId: string
let operator: Client

beforeAll(async () => {
  const limited = { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '100000' }
  server = await startProcess(testEnvironment({ LOG_LEVEL: 'info', ...limited }))
  const anonymous = new Client(server.url, { headers: { 'x-forwarded-for': FROM } })
  const { token } = (await anonymous.call(operatorLogin, { body: OPERATOR })).ok()
  operator = anonymous.with({ token })
  ;(await operator.call(createTenant, { body })).ok()
  const at = anonymous.with({ tenant: body.tenantCode })
  const session = (await at.call(login, { body: { email: body.adminEmail, password: ADMIN_PASSWORD } })).ok()
  admin = at.with({ token: session.token })
  adminId = session.user.id
}, 120_000)
afterAll(() => server?.stop())

interface Line {
  readonly reqId?: string
  readonly msg?: string
  readonly code?: string
  readonly status?: number
  readonly address?: string
  readonly userId?: string
  readonly tenant?: string
}

function logged(): Line[] {
  return server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
}

let count = 0
async function refusal(client: Client, method: string, path: string, sent?: unknown): Promise<Line> {
  const id = `refused-${++count}`
  const answer = await client.send(method, path, sent, { 'x-request-id': id })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  return eventually(async () => {
    const line = logged().find(({ reqId, msg }) => reqId === id && msg === 'refused')
    if (!line) throw new Error(`No refusal of ${method} ${path} is on the log`)
    expect([line.code, line.status]).toEqual([answer.error.code, answer.status])
    return line
  }, 5_000)
}

test('of somebody who is signed in: with who it was, where from, and of which tenant', async () => {
  for (const [method, path, sent] of [
    ['GET', '/api/v1/users/00000000-0000-4000-8000-000000000001', undefined],
    ['POST', '/api/v1/users', { nonsense: true }],
    ['GET', '/api/v1/users?page=-1', undefined],
    ['DELETE', `/api/v1/users/${adminId}`, undefined],
  ] as const) {
    const line = await refusal(admin, method, path, sent)
    expect(line).toMatchObject({ address: FROM })
    // What is wrong with the form of a request is said before anybody asks who sent it.
    if (line.code !== 'VALIDATION_ERROR')
      expect(line).toMatchObject({ userId: adminId, tenant: body.tenantCode })
  }
  const { userId } = await refusal(
    operator,
    'GET',
    '/api/v1/platform/tenants/00000000-0000-4000-8000-000000000001',
  )
  expect(userId).toMatch(/^[0-9a-f-]{36}$/)
})

test('of somebody nobody knows: with where from', async () => {
  const stranger = new Client(server.url, { headers: { 'x-forwarded-for': FROM }, tenant: body.tenantCode })
  const wrong = { email: body.adminEmail, password: 'Wrong-pass-4711' }
  const lines = [
    await refusal(stranger, 'POST', '/api/v1/auth/login', wrong),
    await refusal(stranger, 'POST', '/api/v1/platform/auth/login', wrong),
    await refusal(stranger, 'GET', '/api/v1/users'),
    await refusal(stranger.with({ token: 'a.b.c' }), 'GET', '/api/v1/users'),
    await refusal(stranger.with({ tenant: 'NOBODY' }), 'GET', '/api/v1/users'),
    await refusal(stranger.with({ token: admin.options.token ?? '' }), 'GET', '/api/v1/platform/tenants'),
    await refusal(stranger, 'POST', '/api/v1/auth/refresh', { refreshToken: 'nonsense' }),
  ]
  for (const line of lines) expect(line.address).toBe(FROM)
  expect(lines.map(({ status }) => status)).toEqual([401, 401, 401, 401, 404, 401, 401])
  for (let attempt = 0; attempt < 5; attempt++) await stranger.call(login, { body: wrong })
  expect(await refusal(stranger, 'POST', '/api/v1/auth/login', wrong)).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    address: FROM,
  })
  expect(server.output()).not.toContain('Wrong-pass-4711')
})

test('control: what is not refused is not on the log as refused', async () => {
  const id = 'not-refused'
  expect((await admin.send('GET', '/api/v1/users', undefined, { 'x-request-id': id })).status).toBe(200)
  await eventually(async () =>
    expect(logged().some(({ reqId, msg }) => reqId === id && msg === 'request')).toBe(true),
  )
  expect(logged().filter(({ reqId, msg }) => reqId === id && msg === 'refused')).toEqual([])
})
