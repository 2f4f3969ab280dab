/**
 * At least a thousand generated requests to every route there is (GENERATED_REQUESTS_PER_ROUTE; `npm test` sends
 * fewer, .ci/run the thousand), over the list of routes, to a process of its own: none is answered 500 or above,
 * nothing internal is said, every answer fits its schema, the process lives and a neighbour has lost nothing.
 *
 * GENERATED_SEED gives the seed that a failure has printed.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operation, type Operation } from '../http/contract.ts'
import { digestOf } from '../testing/digest.ts'
import { Client } from '../testing/client.ts'
import { postEntry } from '../testing/books.ts'
import { startProcess, type RawAnswer, type ServerProcess } from '../testing/process.ts'
import {
  signInAsOperator,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { faultsOf, faultsOfToken } from './answers.ts'
import { formsTo, requestsTo, type GeneratedRequest } from './generated-requests.ts'
import { Known } from './generated-values.ts'
import { Sender } from './sending.ts'

const PER_ROUTE = Number(process.env['GENERATED_REQUESTS_PER_ROUTE'] ?? 100)
const SEED = Number(process.env['GENERATED_SEED'] ?? Date.now() % 2 ** 31)
const AT_ONCE = 16
/** What takes steps hashes passwords, makes databases, takes backups: of those so many are let through to it. */
const SLOW_ALLOWED_MAXIMUM = 12
/** Each thing that nobody should send is among them, whatever the seed. */
const CONTROL_REQUESTS = 3_000
const FAULTS_SHOWN_MAXIMUM = 20
/** More than is ever generated: what Node refuses by itself is not for the routes of a control to answer. */
const HEADERS_MAXIMUM_BYTES = 1_048_576
const TIMEOUT_MS = 30_000 + PER_ROUTE * 600

let product: TestProduct
let server: ServerProcess
let own: TestTenant
let neighbour: TestTenant
let sender: Sender

beforeAll(async () => {
  process.stderr.write(`GENERATED_SEED=${SEED} GENERATED_REQUESTS_PER_ROUTE=${PER_ROUTE}\n`)
  // On a busy machine a connection takes its time: told to come again is no answer that is looked for here.
  const environment = testEnvironment({ LOG_LEVEL: 'error', CONNECTION_WAIT_MS: '20000' })
  product = await startTestProduct({}, {}, environment)
  server = await startProcess(environment)
  own = await product.createTenant({ planCode: 'unlimited' })
  neighbour = await product.createTenant()
  await postEntry(own.admin, '12.34')
  await postEntry(neighbour.admin, '12.34')
  sender = new Sender(server.url, AT_ONCE)
})
afterAll(async () => {
  sender?.close()
  await server?.stop()
  await product?.stop()
})

// ---- sending -------------------------------------------------------------------------------------------

/** Who sends: signed in anew when a request has ended the session. */
class Caller {
  readonly #signIn: () => Promise<Record<string, string>>
  #headers: Promise<Record<string, string>> | undefined

  constructor(signIn: () => Promise<Record<string, string>>) {
    this.#signIn = signIn
  }

  headers(): Promise<Record<string, string>> {
    this.#headers ??= this.#signIn()
    return this.#headers
  }

  renew(used: Record<string, string>): void {
    void this.#headers?.then((current) => {
      if (current === used) this.#headers = undefined
    })
  }
}

/** Sends what was generated for one operation; what was wrong with the answers. */
async function attack(
  to: Sender,
  target: Operation,
  known: Known,
  caller: Caller,
  count = PER_ROUTE,
): Promise<string[]> {
  const isSlow = target.access === 'steps' && !leavesNoChoice(target)
  return attackWith(
    to,
    target.name,
    drawn(target.name, requestsTo(target, known), isSlow, count),
    caller,
    (answer) => {
      // prettier-ignore
      const found = faultsOf(target, answer)
      if (found.length === 0 && answer.status < 300 && target.isDownload !== true) known.learn(JSON.parse(answer.text)) // prettier-ignore
      return found
    },
  )
}

async function attackWith(
  to: Sender,
  name: string,
  requests: readonly GeneratedRequest[],
  caller: Caller,
  judge: (answer: RawAnswer) => string[],
): Promise<string[]> {
  const faults = new Map<string, string>()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < requests.length) {
      const request = requests[next++] as GeneratedRequest
      const headers = await caller.headers()
      const answer = await to.send(
        request.method,
        request.path,
        { ...headers, ...request.headers },
        request.body,
      )
      if (answer.status === 401 && request.headers['authorization'] === undefined) caller.renew(headers)
      const found = judge(answer)
      // One of each kind is told.
      if (found.length > 0) faults.set(found.join(), described(name, request, answer, found))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return [...faults.values()]
}

function drawn(
  name: string,
  arbitrary: fc.Arbitrary<GeneratedRequest>,
  isSlow: boolean,
  count: number,
): GeneratedRequest[] {
  const requests: GeneratedRequest[] = []
  let allowed = 0
  for (let round = 0; requests.length < count; round++) {
    const seed = SEED + round * 7_919 + [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 1_000_003 // prettier-ignore
    for (const request of fc.sample(arbitrary, { seed, numRuns: count })) {
      if (isSlow && request.isAllowed && ++allowed > SLOW_ALLOWED_MAXIMUM) continue
      requests.push(request)
    }
  }
  return requests.slice(0, count)
}

/** Nothing goes in that could be wrong. */
function leavesNoChoice({ body, params }: Operation): boolean {
  return body === undefined && params === undefined
}

function described(
  name: string,
  request: GeneratedRequest,
  answer: RawAnswer,
  found: readonly string[],
): string {
  const { method, path, headers, body } = request
  const sent = `${method} ${path.slice(0, 200)} ${JSON.stringify(headers).slice(0, 200)} ${(body ?? '').slice(0, 300)}`
  return `${name}: ${found.join('; ')}\n  ${sent}\n  ${answer.status} ${answer.text.slice(0, 300)}`
}

// ---- the product ---------------------------------------------------------------------------------------

/** Everything that lists answer with, so that what is generated names rows that are there. */
async function learned(
  known: Known,
  operations: readonly Operation[],
  caller: Caller,
  base: string,
): Promise<void> {
  for (const { method, path, params, isDownload } of operations) {
    if (method !== 'GET' || params || isDownload) continue
    const answer = await sender.send('GET', `${base}${path}`, await caller.headers())
    if (answer.status === 200) known.learn(JSON.parse(answer.text))
  }
}

async function attackAll(audience: Operation['audience'], base: string, caller: Caller): Promise<void> {
  const operations = product.routes
    .map(({ operation }) => operation)
    .filter((one) => one.audience === audience)
  const known = new Known([neighbour.id, neighbour.code])
  await learned(known, operations, caller, base)
  const faults: string[] = []
  const slowest: [number, string][] = []
  for (const target of operations) {
    const startedAt = performance.now()
    faults.push(...(await attack(sender, target, known, caller)))
    slowest.push([Math.round(performance.now() - startedAt), target.name])
  }
  const told = slowest
    .toSorted(([a], [b]) => b - a)
    .slice(0, 6)
    .map(([ms, name]) => `${name} ${ms} ms`)
  process.stderr.write(
    `${operations.length} routes × ${PER_ROUTE} requests; the slowest: ${told.join(', ')}\n`,
  )
  expect(
    faults.slice(0, FAULTS_SHOWN_MAXIMUM),
    `${faults.length} faults; ${server.output().slice(-3_000)}`,
  ).toEqual([])
}

describe('every route answers whatever is sent to it', () => {
  let before: string
  beforeAll(async () => {
    before = await digestOf(product, neighbour.id)
  })

  test("a tenant's", { timeout: TIMEOUT_MS }, async () => {
    const caller = new Caller(async () => {
      const { client } = await addUser(product, own, 'Administrator')
      return { authorization: `Bearer ${client.options.token ?? ''}`, 'x-tenant-id': own.code }
    })
    await attackAll('tenant', '/api/v1', caller)
  })

  test("an operator's", { timeout: TIMEOUT_MS }, async () => {
    const caller = new Caller(async () => {
      const { options } = await signInAsOperator(product.anonymous)
      return { authorization: `Bearer ${options.token ?? ''}` }
    })
    await attackAll('platform', '/api/v1/platform', caller)
  })

  test.each([
    ["a tenant's", '/api/v1/auth/token'],
    ["an operator's", '/api/v1/platform/auth/token'],
  ])('%s token endpoint', { timeout: TIMEOUT_MS }, async (_whose, path) => {
    const known = new Known([neighbour.id, neighbour.code])
    known.learn([own.id, own.companyId, own.code], 'id')
    const forms = drawn(path, formsTo(path, known), true, PER_ROUTE)
    const nobody = new Caller(async () => (path.includes('platform') ? {} : { 'x-tenant-id': own.code }))
    expect(await attackWith(sender, path, forms, nobody, faultsOfToken)).toEqual([])
  })

  test('the process lives, and its neighbour has lost nothing', async () => {
    const health = await sender.send('GET', '/health/ready', {})
    expect(health.status).toBe(200)
    expect(server.output()).not.toMatch(/unhandled|uncaught|heap out of memory/i)
    expect(await digestOf(product, neighbour.id)).toBe(before)
    expect(
      (await new Client(server.url).with(neighbour.admin.options).send('GET', '/api/v1/companies')).status,
    ).toBe(200)
    // Control: a row more is seen.
    await postEntry(neighbour.admin, '1.00')
    expect(await digestOf(product, neighbour.id)).not.toBe(before)
  })
})

// ---- controls ------------------------------------------------------------------------------------------

test.each([
  ['a fault that the standard does not know', 400, '{"error":"wrong_password"}', 'does not fit its schema'],
  ['words outside its characters', 400, '{"error":"invalid_grant","error_description":"caf\u00e9"}', 'does not fit'],
  ['our own envelope', 400, '{"success":false}', 'does not fit its schema'],
  ['a token without its type', 200, '{"access_token":"x","expires_in":1}', 'does not fit its schema'],
])('control: a token endpoint that answers %s is reported', (_what, status, text, fault) => {
  expect(faultsOfToken({ status, headers: {}, text }).join()).toContain(fault)
}) // prettier-ignore

describe('control: a route that is broken is reported', () => {
  const thing = operation({
    name: 'createThing',
    method: 'POST',
    path: '/things',
    summary: '',
    tag: '',
    audience: 'tenant',
    permission: 'anonymous',
    access: 'write',
    body: Type.Object({ name: Type.String({ maxLength: 40 }), count: Type.Integer() }),
    data: Type.Object({ id: Type.String(), name: Type.String() }),
  })
  const good = {
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': 'x',
    'x-api-version': 'v1',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "frame-ancestors 'none'",
  }
  const fine = { success: true, data: { id: 'x', name: 'y' } }
  const refusal = (message: string): object => ({
    success: false,
    error: { code: 'X', message, details: [], timestamp: '', requestId: '', path: '' },
  })
  type Answered = readonly [number, object | string, Record<string, string>?]

  async function faultsBehind(answer: (body: string) => Answered): Promise<string> {
    const broken: Server = createServer({ maxHeaderSize: HEADERS_MAXIMUM_BYTES }, (request, response) => {
      let body = ''
      request.on('data', (part: Buffer) => (body += part.toString()))
      request.on('end', () => {
        const [status, content, headers = good] = answer(body)
        response
          .writeHead(status, headers)
          .end(typeof content === 'string' ? content : JSON.stringify(content))
      })
    })
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve))
    const to = new Sender(`http://127.0.0.1:${(broken.address() as AddressInfo).port}`, AT_ONCE)
    try {
      return (await attack(to, thing, new Known(), new Caller(async () => ({})), CONTROL_REQUESTS)).join('\n')
    } finally {
      to.close()
      broken.close()
    }
  }

  test('and one that is not, is not', async () => {
    expect(await faultsBehind(() => [200, fine])).toBe('')
  })
  test.each<[string, (body: string) => Answered, string]>([
    [
      'falls over NUL',
      (body) => (body.includes('\\u0000') ? [500, refusal('?')] : [200, fine]),
      'answered 500',
    ],
    [
      'falls over what is too deep',
      (body) => (body.includes('[[[[') ? [500, refusal('?')] : [200, fine]),
      'answered 500',
    ],
    [
      'falls over numbers out of range',
      (body) => (body.includes('1e400') ? [503, refusal('?')] : [200, fine]),
      'answered 503',
    ],
    [
      'falls over lone surrogates',
      (body) => (body.includes('\\ud800') ? [502, refusal('?')] : [200, fine]),
      'answered 502',
    ],
    ['answers another shape', () => [200, { success: true, data: { id: 7 } }], 'does not fit its schema'],
    ['refuses in another shape', () => [400, { message: 'no' }], 'does not fit its schema'],
    ['answers no JSON', () => [200, 'fine'], 'is no JSON'],
    [
      'says what the database said',
      () => [400, refusal('duplicate key value in app_user')],
      'says duplicate key value',
    ],
    ['shows its stack', () => [400, refusal('at login (/srv/x.ts:7)')], 'says at login'],
    [
      'forgets the headers',
      () => [200, fine, { 'content-type': 'application/json' }],
      'header x-content-type-options',
    ],
  ])('one that %s', async (_name, answer, fault) => {
    expect(await faultsBehind(answer)).toContain(fault)
  })
})
