/**
 * sqlmap over every parameter of every operation: path, query, body and headers; over the forms of the token
 * endpoints, and over what every request carries. It finds none; with the same settings it finds those of a server
 * that puts them into its SQL as they come (control).
 */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { Operation } from '../http/contract.ts'
import { BASE_PATHS } from '../http/server.ts'
import { createApiKey } from '../erp/identity/api-keys/contract.ts'
import { me } from '../erp/identity/contract.ts'
import { untypedOperations } from '../testing/books.ts'
import { createRole } from '../erp/identity/roles/contract.ts'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { exchangeRate } from '../erp/masters/exchange-rates/definition.ts'
import { entryBody } from '../testing/entries.ts'
import { addUser } from '../testing/users.ts'
import { postEntry } from '../testing/books.ts'
import { startProcess, type ServerProcess } from '../testing/process.ts'
import {
  isHere,
  DEEP,
  MARK,
  markedForm,
  markedJson,
  NAMING,
  QUICK,
  sqlmap,
  type Report,
  type Target,
} from './sqlmap.ts'
import { startTestProduct, testEnvironment, type TestProduct, type TestTenant } from '../testing/product.ts'
import { operatorMe } from '../platform/operators/contract.ts'
import { sampleOf } from '../testing/samples.ts'

const AT_ONCE = 2
/** Some minutes where nothing else is going on; three times as many where much is. */
const TIMEOUT_MS = 1_200_000

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000001'
const PASSWORD = 'Kettle-Drum-4711!'
const PERMISSION = 'gl-accounts:view'
/** A list, a look-up, what makes a row and what changes one: in the words of our house all others are the same. */
const LOOKED_AT_LONGER = new Set(['listRoles', 'getRole', 'createRole', 'updateRole', 'listAuditLog'])

// ---- the product ---------------------------------------------------------------------------------------

let product: TestProduct
let server: ServerProcess
let tenant: TestTenant
let apiKey: string

beforeAll(async () => {
  // Told to come again once, and let in the next time, would look to it as if it had made the difference.
  const environment = testEnvironment({ CONNECTION_WAIT_MS: '20000' })
  product = await startTestProduct({}, {}, environment)
  server = await startProcess(environment)
  tenant = await product.createTenant({ planCode: 'unlimited' })
  await postEntry(tenant.admin, '12.34')
  await addUser(product, tenant, 'Viewer')
  const { admin } = tenant
  const draft = { ...entryBody('1.00', 'A draft'), status: 'draft' as const }
  ;(await admin.call(createJournalEntry, { body: draft })).ok()
  ;(await admin.call(createRole, { body: { name: 'Clerk', permissions: [PERMISSION] } })).ok()
  const key = { name: 'A key', scopes: [PERMISSION], allCompanies: true }
  apiKey = (await admin.call(createApiKey, { body: key })).ok().secret
  await product.createTenant() // whatever the platform does to a tenant, it does to this one
  const rate = { fromCurrency: 'EUR', toCurrency: 'USD', rateDate: '2026-01-01', mid: '1.1' }
  ;(await admin.call(untypedOperations(exchangeRate).create, { body: rate })).ok()
})
afterAll(async () => {
  await server?.stop()
  await product?.stop()
})

/** Everything that an operation can be told in its path, query and body; undefined: nothing. */
function targetOf(operation: Operation, id: string): Target | undefined {
  const { name, method, path, params, query, body, accepts, audience } = operation
  if (!params && !query && !body) return undefined
  const filled = path.replaceAll(/\{\w+\}/g, `${id}${MARK}`)
  const search = query
    ? `?${markedForm(plausible(sampleOf(query, id, true)) as object)}`
    : `?${NAMING}${name}=1`
  // To it requests are the same whose addresses and names are: each has a name of its own in its query.
  // A file is none of its parameters.
  const sent = body && !accepts ? markedJson(plausible(sampleOf(body, id, true))) : undefined
  return { name, method, path: `${BASE_PATHS[audience]}${filled}${search}`, headers: headersFor(audience), body: sent } // prettier-ignore
}

/**
 * The headers that its document tells of, in a request of their own: with a key used before nothing is carried out,
 * nor with a version that is not the newest. Something else must be marked beside it, or sqlmap marks all.
 */
function headerTargetOf(operation: Operation, id: string): Target | undefined {
  const { name, method, path, body, accepts, audience, idempotent, versioned } = operation
  if (!idempotent && !versioned) return undefined
  const headers = { ...headersFor(audience), ...(idempotent ? { 'Idempotency-Key': `sqlmap${MARK}` } : { 'If-Match': `"1${MARK}"` }) } // prettier-ignore
  const filled = path.replaceAll(/\{\w+\}/g, id)
  const sent = body && !accepts ? JSON.stringify(plausible(sampleOf(body, id, true))) : undefined
  const address = `${BASE_PATHS[audience]}${filled}?${name}Headers=1${MARK}`
  return { name: `${name}, headers`, method, path: address, headers, body: sent }
}

/** What every request carries, once; and the forms of the token endpoints, which no operation is. */
function sharedTargets(apiKey: string): Target[] {
  const { Authorization: bearer = '', 'X-Tenant-Id': code = '', ...rest } = headersFor('tenant')
  const get = (name: string, headers: Record<string, string>): Target =>
    ({ name, method: 'GET', path: `${BASE_PATHS.tenant}/auth/me?${name.replaceAll(' ', '')}=1${MARK}`, headers: { ...rest, ...headers }, body: undefined }) // prettier-ignore
  const tenantCode = { 'X-Tenant-Id': code }
  const form = (audience: Operation['audience'], values: object): Target =>
    ({ name: `a token of ${audience}: ${Object.keys(values).join(', ')}`, method: 'POST', path: `${BASE_PATHS[audience]}/auth/token`, headers: audience === 'tenant' ? { ...rest, ...tenantCode } : rest, body: `${markedForm(values)}`, contentType: 'application/x-www-form-urlencoded' }) // prettier-ignore
  const grants = [{ grant_type: 'password', username: 'nobody@users.example', password: PASSWORD }, { grant_type: 'refresh_token', refresh_token: 'none' }] // prettier-ignore
  return [
    get('the header of the tenant', { Authorization: bearer, 'X-Tenant-Id': `${code}${MARK}` }),
    // sqlmap goes where it points.
    get('the host', { Authorization: bearer, ...tenantCode, Host: `${new URL(server.url).host}${MARK}` }),
    get('the token', { Authorization: `${bearer}${MARK}`, ...tenantCode }),
    get('the API key', { Authorization: `Bearer ${apiKey}${MARK}`, ...tenantCode }),
    get('the user agent', { Authorization: bearer, ...tenantCode, 'User-Agent': `sqlmap${MARK}` }),
    ...grants.flatMap((values) => [form('tenant', values), form('platform', values)]),
    form('tenant', { grant_type: 'client_credentials', client_id: UNKNOWN_ID, client_secret: 'none', scope: PERMISSION }), // prettier-ignore
  ]
}

function headersFor(audience: Operation['audience']): Record<string, string> {
  const token = (audience === 'tenant' ? tenant.admin : product.operator).options.token ?? ''
  return {
    Authorization: `Bearer ${token}`,
    // Answers that differ in nothing but a name of their own would look to it as if it had changed them.
    'X-Request-Id': 'sqlmap',
    ...(audience === 'tenant' ? { 'X-Tenant-Id': tenant.code } : {}),
  }
}

/**
 * A row of each list, so that what is asked for or changed is there; but not whom it all is done as, nor what it is
 * done in. On the platform not where steps are taken: those move, restore and close tenants.
 */
async function idsInLists(operations: readonly Operation[]): Promise<(operation: Operation) => string> {
  const own = new Set([
    (await tenant.admin.call(me)).ok().id,
    (await product.operator.call(operatorMe)).ok().id,
    tenant.id,
  ])
  const ids = new Map<string, string>()
  for (const { method, path, params, audience, isDownload } of operations) {
    if (method !== 'GET' || params || isDownload || path.startsWith('/auth/')) continue
    const answer = await fetch(`${server.url}${BASE_PATHS[audience]}${path}?limit=100`, { headers: headersFor(audience) }) // prettier-ignore
    if (answer.status !== 200) continue
    const { data } = (await answer.json()) as { data: Record<string, unknown> }
    const rows = Object.values(data).find((value) => Array.isArray(value)) as { id?: string }[] | undefined
    const id = rows?.find(({ id: one }) => one !== undefined && !own.has(one))?.id
    if (id !== undefined) ids.set(`${audience} ${path}`, id)
  }
  return ({ audience, path, access }) =>
    (audience === 'platform' && access === 'steps' ? undefined : ids.get(`${audience} ${path.split('/{')[0]}`)) ?? UNKNOWN_ID // prettier-ignore
}

/** What the rules of an operation ask of a value and its schema does not say: the rest is reached then too. */
function plausible(value: unknown): unknown {
  const { hostname, port } = new URL(inject('adminUrl'))
  // A server that is to be connected to is one that answers: for who does not is waited, at every try.
  const server = { host: hostname, port: Number(port) }
  const amounts = Object.fromEntries(['mid', 'buy', 'sell', 'factor', 'debit', 'exchangeRate', 'discountPercentMaximum', 'discountAmountMaximum'].map((name) => [name, '1.5'])) // prettier-ignore
  const known: Record<string, unknown> = { ...server, ...amounts, credit: '0', symbol: '$', password: PASSWORD, adminPassword: PASSWORD, newPassword: PASSWORD, permissions: [PERMISSION], scopes: [PERMISSION], allowedAddresses: ['127.0.0.1'], allowedDomains: ['users.example'], endDate: '2026-12-31', tenantCodes: [tenant.code] } // prettier-ignore
  if (Array.isArray(value)) return value.map(plausible)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, known[name] ?? plausible(inner)])) // prettier-ignore
}

describe.runIf(isHere)('sqlmap', () => {
  test('finds nothing to inject into', { timeout: TIMEOUT_MS }, async () => {
    const operations = product.routes.map(({ operation }) => operation)
    const idFor = await idsInLists(operations)
    const targets = [
      ...sharedTargets(apiKey),
      ...operations.map((operation) => targetOf(operation, idFor(operation))),
      ...operations.map((operation) => headerTargetOf(operation, idFor(operation))),
    ].filter((target) => target !== undefined)
    const told = (part: 'params' | 'query' | 'body'): number => operations.filter((operation) => operation[part]).length // prettier-ignore
    expect(targets.length).toBeGreaterThan(Math.max(told('params'), told('query'), told('body')))
    await withstands('every one', sharesOf(targets), QUICK)
    // To the end they were let in: nothing that was sent has closed the door on the rest.
    for (const audience of ['tenant', 'platform'] as const) {
      const { status } = await fetch(`${server.url}${BASE_PATHS[audience]}/auth/me`, { headers: headersFor(audience) }) // prettier-ignore
      expect(status).toBe(200)
    }
  })

  test('nor, looking longer, in one of each shape', { timeout: TIMEOUT_MS }, async () => {
    const operations = product.routes.map(({ operation }) => operation)
    const idFor = await idsInLists(operations)
    const targets = operations
      .filter(({ name }) => LOOKED_AT_LONGER.has(name))
      .map((operation) => targetOf(operation, idFor(operation))!)
    expect(targets.map(({ name }) => name).toSorted()).toEqual([...LOOKED_AT_LONGER].toSorted())
    await withstands('one of each shape', targets.map((target) => [target]), DEEP) // prettier-ignore
  })

  test(
    'control: with the same settings it finds every one that is there, and says what it did not try',
    { timeout: TIMEOUT_MS },
    async () => {
      const vulnerable = await startVulnerable()
      const nothing = { headers: {}, body: undefined }
      const form = 'application/x-www-form-urlencoded'
      try {
        const report = await sqlmap(
          vulnerable.url,
          [
            { name: 'path', method: 'GET', path: '/path/one*?page=1*', ...nothing },
            { name: 'query', method: 'GET', path: '/query/7*?page=1*&search=one*', ...nothing },
            { name: 'body', method: 'POST', path: '/body', headers: {}, body: markedJson({ count: 1, names: [{ name: 'two' }, { name: 'one' }] }) }, // prettier-ignore
            { name: 'form', method: 'POST', path: '/form', headers: {}, body: markedForm({ kind: 'x', name: 'one' }), contentType: form }, // prettier-ignore
            { name: 'header', method: 'GET', path: '/header?page=1*', headers: { 'If-Match': '"one*"' }, body: undefined }, // prettier-ignore
            { name: 'harmless', method: 'GET', path: '/harmless?search=one*', ...nothing },
          ],
          QUICK,
        )
        // What it has found a way into it tries no further, nor what stands behind it in the same request.
        expect(report.untried, report.output.slice(-2_000)).toEqual(['path: #1', 'path: #2', 'query: #3', 'body: #3', 'form: #2', 'header: #1', 'header: if-match #1']) // prettier-ignore
        expect(report.injectable).toHaveLength(5)
      } finally {
        await vulnerable.stop()
      }
    },
  )
})

/** Within one sqlmap a mark of an address that it has seen is done with, whatever the method: no address twice. */
function sharesOf(targets: readonly Target[]): Target[][] {
  const shares: Target[][] = Array.from({ length: AT_ONCE }, () => [])
  const addressOf = ({ path }: Target): string => path.split('?')[0] ?? ''
  for (const target of targets) {
    const free = shares.filter((share) => !share.some((one) => addressOf(one) === addressOf(target)))
    const [smallest] = free.toSorted((one, other) => one.length - other.length)
    if (smallest) smallest.push(target)
    else shares.push([target])
  }
  return shares
}

/** What a busy machine has made up is not found a second time; what is there is found every time (control). */
const TRIED_AGAIN_MAXIMUM = 12

async function withstands(
  what: string,
  shares: readonly (readonly Target[])[],
  depth: readonly string[],
): Promise<void> {
  const startedAt = performance.now()
  const first = await tried(shares, depth)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const withstood = first.reduce((sum, report) => sum + report.withstood, 0)
  const unsettled = first.flatMap((report) => report.unsettled)
  const named = unsettled.length === 0 ? '' : `; again: ${unsettled.map(({ name }) => name).join(', ')}`
  process.stderr.write(
    `sqlmap: ${what}: ${shares.flat().length} requests, ${withstood} parameters in ${seconds} s${named}\n`,
  )
  const isFew = unsettled.length <= TRIED_AGAIN_MAXIMUM
  const reports = unsettled.length > 0 && isFew ? await tried(unsettled.map((target) => [target]), depth) : first // prettier-ignore
  if (process.env['SQLMAP_OUTPUT']) writeFileSync(process.env['SQLMAP_OUTPUT'], [...first, ...reports].map(({ output }) => output).join('\n')) // prettier-ignore
  const all = <Key extends 'injectable' | 'proofs' | 'faults' | 'untried'>(key: Key): string[] => reports.flatMap((report) => report[key]) // prettier-ignore
  expect(all('injectable'), all('proofs').join('\n')).toEqual([])
  expect(all('untried'), all('faults').join('\n')).toEqual([])
}

/** So many sqlmaps at once, one for each share. */
async function tried(
  shares: readonly (readonly Target[])[],
  depth: readonly string[],
): Promise<readonly Report[]> {
  const reports: Report[] = []
  const waiting = [...shares]
  const next = async (): Promise<void> => {
    for (let share = waiting.shift(); share; share = waiting.shift())
      reports.push(await sqlmap(server.url, share, depth))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next))
  return reports
}

interface Named {
  readonly names: readonly { readonly name: string }[]
}

/** As blind as the product: what goes wrong is a 500 without a word. */
async function startVulnerable(): Promise<{ url: string; stop: () => Promise<void> }> {
  const pool = new pg.Pool({ connectionString: inject('adminUrl'), max: 4 })
  const rowsWhere = (name: string): Promise<pg.QueryResult> =>
    pool.query(`SELECT * FROM (VALUES ('one'), ('two')) AS t (name) WHERE name = '${name}'`)
  const vulnerable = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://x')
      const [, kind, last = ''] = pathname.split('/')
      const answer = async (): Promise<unknown> => {
        if (kind === 'path') return (await rowsWhere(decodeURIComponent(last))).rows
        if (kind === 'query') return (await rowsWhere(searchParams.get('search') ?? '')).rows
        if (kind === 'body') return (await rowsWhere((JSON.parse(body) as Named).names[1]?.name ?? '')).rows
        if (kind === 'form') return (await rowsWhere(new URLSearchParams(body).get('name') ?? '')).rows
        if (kind === 'header') return (await rowsWhere(String(request.headers['if-match']).slice(1, -1))).rows
        return (await pool.query('SELECT $1::text AS name', [searchParams.get('search')])).rows
      }
      answer().then(
        (rows) => response.setHeader('content-type', 'application/json').end(JSON.stringify(rows)),
        () => response.writeHead(500).end('{}'),
      )
    })
  })
  await new Promise<void>((resolve) => vulnerable.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(vulnerable.address() as AddressInfo).port}`,
    stop: async () => {
      vulnerable.closeAllConnections()
      vulnerable.close()
      await pool.end()
    },
  }
}
