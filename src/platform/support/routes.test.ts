/** Every route of a tenant, as support: looking alone, and with the tenant's consent. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { updateSupportAccess } from '../../erp/support/contract.ts'
import type { Operation } from '../../http/contract.ts'
import { BASE_PATHS } from '../../http/server.ts'
import { withClient } from '../../tenancy/databases.ts'
import { addOperator } from '../../testing/operators.ts'
import { rawRequest } from '../../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { sampleOf } from '../../testing/samples.ts'
import { beginSupportSession } from './contract.ts'

let product: TestProduct
let tenant: TestTenant
let operations: Operation[]

beforeAll(async () => {
  product = await startTestProduct({}, { onlyAsked: true })
  tenant = await product.createTenant()
  operations = product.routes
    .map(({ operation }) => operation)
    .filter(({ audience, permission }) => audience === 'tenant' && permission !== 'anonymous')
    .filter(({ name }) => name !== 'logout')
})
afterAll(() => product.stop())

async function enter(access: 'read' | 'write'): Promise<string> {
  const { client } = await addOperator(product, 'support')
  const body = { reason: 'Every route of the tenant is tried', access }
  return (await client.call(beginSupportSession, { params: { id: tenant.id }, body })).ok().token
}

/** Asks for what is nowhere, or for somebody who is there. */
async function ask(operation: Operation, token: string, id: string): Promise<string> {
  const path = operation.path.replaceAll(/\{\w+\}/g, id)
  const query = operation.query ? new URLSearchParams(sampleOf(operation.query, id) as never).toString() : ''
  const answer = await rawRequest(
    product.url,
    operation.method,
    `${BASE_PATHS.tenant}${path}${query === '' ? '' : `?${query}`}`,
    {
      authorization: `Bearer ${token}`,
      ...(operation.accepts?.[0] ? { 'content-type': operation.accepts[0] } : {}),
    },
    operation.accepts ? 'a file' : operation.body ? sampleOf(operation.body, id) : undefined,
  )
  const { error } = JSON.parse(answer.text.startsWith('{') ? answer.text : '{}') as {
    error?: { code: string }
  }
  return `${answer.status} ${error?.code ?? ''}`.trim()
}

const isRefused = (answer: string): boolean => /^403 (PERMISSION_DENIED|SUPPORT_READ_ONLY)$/.test(answer)
const nowhere = '00000000-0000-4000-8000-000000000001'

/** What came back to each, asked for by an id of nobody, of the administrator and of the operator. */
async function answersTo(token: string): Promise<Map<string, string[]>> {
  const { id: administrator } = (await tenant.admin.call(me)).ok()
  const { id: operator } = (await product.anonymous.with({ token }).call(me)).ok()
  const answers = new Map<string, string[]>()
  for (const operation of operations) {
    const ids = operation.params ? [nowhere, administrator, operator] : [nowhere]
    answers.set(operation.name, await Promise.all(ids.map((id) => ask(operation, token, id))))
  }
  return answers
}

/** Every row of the tenant but the evidence of support itself. */
async function digest(): Promise<string> {
  const { location } = (await product.directory.byId(tenant.id))!
  const { database } = await location.address()
  return withClient({ ...product.server.admin, database }, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname IN ('core', 'masters', 'finance', 'inventory', 'sales', 'purchasing', 'audit')
         AND tablename NOT IN ('session', 'support_session', 'mail', 'seal') ORDER BY 1`,
    )
    const hash = createHash('sha256')
    for (const { name } of tables) {
      const { rows } = await client.query<{ line: string }>(
        `SELECT t::text AS line FROM ${name} t ${name === 'audit.change' ? `WHERE action <> 'refused'` : ''} ORDER BY 1`,
      )
      hash.update(name).update(JSON.stringify(rows.map(({ line }) => line)))
    }
    return hash.digest('hex')
  })
}

test('looking: whatever would change something is refused, on every route, and nothing has changed', async () => {
  const token = await enter('read')
  const before = await digest()
  const answers = await answersTo(token)
  const changing = operations.filter(({ access }) => access !== 'read')
  expect(changing.length).toBeGreaterThan(30)
  for (const { name } of changing) expect([name, ...(answers.get(name) ?? [])].filter((one) => !isRefused(one))).toEqual([name]) // prettier-ignore
  expect(await digest()).toBe(before)
  const read = operations.filter(
    ({ access, permission }) => access === 'read' && permission.endsWith(':view'),
  )
  const closed = read.filter(({ name }) => answers.get(name)?.every(isRefused)).map(({ name }) => name)
  expect(closed).toEqual(['getSupportAccess'])
})

test('with consent: identity, secrets, consent itself and exports stay out of reach, on every route', async () => {
  const writeUntil = new Date(Date.now() + 3_600_000).toISOString()
  ;(await tenant.admin.call(updateSupportAccess, { body: { writeUntil } })).ok()
  const answers = await answersTo(await enter('write'))
  const refused = operations.filter(({ name }) => answers.get(name)?.every(isRefused))
  const reached = operations.filter(({ name }) => !answers.get(name)?.some(isRefused))
  // Each route is wholly open or wholly closed, whoever's id it is asked with.
  expect(refused.length + reached.length).toBe(operations.length)
  const own = /^\/(users|roles|api-keys|single-sign-on|sign-in|auth|tenant|support-access)/
  const mustBeClosed = operations.filter(
    ({ path, method, name }) => own.test(path) && method !== 'GET' && name !== 'me',
  )
  expect(mustBeClosed.length).toBeGreaterThan(15)
  expect(mustBeClosed.filter((operation) => !refused.includes(operation)).map(({ name }) => name)).toEqual([])
  // Control: consent is of use.
  const changes = reached.filter(({ access }) => access !== 'read').map(({ name }) => name)
  expect(changes).toEqual(
    expect.arrayContaining(['createJournalEntry', 'postJournalEntry', 'createGlAccount', 'closePeriod']),
  )
  const secrets = ['getEmailSettings', 'listOwnExports', 'downloadOwnExport', 'changePassword', 'createUser', 'updateRole'] // prettier-ignore
  expect(secrets.filter((name) => !refused.some((operation) => operation.name === name))).toEqual([])
})

test('control: the same questions of an administrator are not refused', async () => {
  const { token = '' } = tenant.admin.options
  const changing = operations.filter(
    ({ access, path }) => access !== 'read' && !/password|sessions/.test(path),
  )
  const refused = []
  for (const operation of changing)
    if (isRefused(await ask(operation, token, nowhere))) refused.push(operation.name)
  expect(refused).toEqual([])
})
