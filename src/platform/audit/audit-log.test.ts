/** The platform's audit log: what operators did, with old and new values, and who was refused. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { hash } from '@node-rs/bcrypt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { platformSql } from '../../tenancy/handles.ts'
import { SYSTEM } from '../../server/product.ts'
import type { Client } from '../../testing/client.ts'
import { CHEAP_HASH_COST, OPERATOR, startTestProduct, type TestProduct } from '../../testing/product.ts'
import { operatorLogin, operatorLogout } from '../operators/contract.ts'
import { changeServer, listServers } from '../servers/contract.ts'
import { suspendTenant } from '../tenants/contract.ts'
import { listPlatformAuditLog } from './contract.ts'

const PASSWORD = 'Operator-pass-2'
const REQUEST = { 'user-agent': 'Test browser', 'x-forwarded-for': '203.0.113.9' }
let product: TestProduct
let passwordHash: string

beforeAll(async () => {
  product = await startTestProduct()
  passwordHash = await hash(PASSWORD, { cost: CHEAP_HASH_COST })
})
afterAll(() => product.stop())

async function run(text: ReturnType<typeof sql>): Promise<void> {
  await product.gate.writePlatform(SYSTEM, (tx) => tx.run(text.compile(platformSql)))
}

async function addOperator(role: string): Promise<{ client: Client; email: string }> {
  const email = `${role}-${randomUUID().slice(0, 8)}@operators.example`
  await run(sql`INSERT INTO platform.operator (full_name, email, password_hash, role) VALUES (${role}, ${email}, ${passwordHash}, ${role})`) // prettier-ignore
  const { token } = (
    await product.anonymous.call(operatorLogin, { body: { email, password: PASSWORD } })
  ).ok()
  return { client: product.anonymous.with({ token }), email }
}

async function written(work: (headers: Record<string, string>) => Promise<unknown>) {
  const requestId = `test-${randomUUID()}`
  await work({ 'x-request-id': requestId, ...REQUEST })
  await product.refusals.write()
  return (await product.operator.call(listPlatformAuditLog, { query: { requestId } })).ok().auditEntries
}

test('an unknown parameter is refused: nobody takes the first page for the second', async () => {
  for (const path of ['audit-log', 'mails']) {
    const at = `/api/v1/platform/${path}`
    const answer = await product.operator.send('GET', `${at}?limit=5&pages=2`)
    expect([path, answer.status, answer.refusals]).toEqual([path, 400, ['pages UNKNOWN_FIELD']])
    expect((await product.operator.send('GET', `${at}?limit=5`)).status).toBe(200) // control
  }
  expect((await product.operator.send('GET', '/api/v1/platform/audit-log?page=2')).status).toBe(400)
})

test("an operator's sign-in, sign-out and refusal: who, from where, why", async () => {
  const { email, client } = await addOperator('support')
  const [signedIn] = await written((headers) =>
    product.anonymous.call(operatorLogin, { body: { email, password: PASSWORD } }, headers),
  )
  expect(signedIn).toMatchObject({ action: 'sign-in', entity: 'operator', actorKind: 'operator', actorName: 'support', address: '203.0.113.9', userAgent: 'Test browser' }) // prettier-ignore
  const [refused] = await written((headers) =>
    product.anonymous.call(operatorLogin, { body: { email, password: 'Wrong-pass-9' } }, headers),
  )
  expect(refused).toMatchObject({ action: 'refused', entity: 'operatorLogin', actorKind: 'system', details: { code: 'AUTH_FAILED', account: email, count: 1 } }) // prettier-ignore
  const [signedOut] = await written((headers) => client.call(operatorLogout, {}, headers))
  expect(signedOut).toMatchObject({
    action: 'sign-out',
    actorName: 'support',
    details: { reason: 'signed out' },
  })
})

test('a change: old and new values, of what is said about it too', async () => {
  const [server] = (await product.operator.call(listServers)).ok().servers
  const changed = await written(
    async (headers) =>
    (await product.operator.call(changeServer, { params: { id: server!.id }, body: { region: 'eu-north' } }, headers)).ok(), // prettier-ignore
  )
  expect(changed.find(({ action }) => action === 'update')).toMatchObject({
    entity: 'server',
    entityId: server!.id,
    actorKind: 'operator',
    oldValues: { region: null },
    newValues: { region: 'eu-north' },
  })
  const tenant = await product.createTenant()
  const suspended = await written((headers) =>
    product.operator.call(suspendTenant, { params: { id: tenant.id }, body: { reason: 'a test' } }, headers),
  )
  const told = suspended.filter(({ action }) => action !== 'back up') // by itself, where none is recent
  expect(told.map(({ action, tenantCode }) => [action, tenantCode]).toSorted()).toEqual([
    ['suspend', tenant.code],
    ['update', tenant.code],
  ])
  expect(suspended.find(({ action }) => action === 'update')).toMatchObject({
    oldValues: { status: 'active' },
    newValues: { status: 'suspended' },
  })
  const ofTenant = (await product.operator.call(listPlatformAuditLog, { query: { tenantId: tenant.id, search: 'A TEST' } })).ok() // prettier-ignore
  expect(new Set(ofTenant.auditEntries.map(({ tenantId }) => tenantId))).toEqual(new Set([tenant.id]))
  expect(ofTenant.auditEntries.map(({ action }) => action)).toContain('suspend')
  expect((await product.operator.call(listPlatformAuditLog, { query: { tenantId: tenant.id, search: 'no such' } })).ok().auditEntries).toEqual([]) // prettier-ignore
})

test('how a server is, and that somebody signs in, is no change', async () => {
  const count = async () => {
    const row = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        sql<{
          count: number
        }>`SELECT count(*)::int AS count FROM platform.audit_event WHERE action = 'update'`.compile(
          platformSql,
        ),
      ),
    )
    return row!.count
  }
  const before = await count()
  await run(sql`UPDATE platform.server SET checked_at = now(), connection_count = 7`)
  await run(sql`UPDATE platform.operator SET last_login_at = now()`)
  expect(await count()).toBe(before)
  await run(sql`UPDATE platform.operator SET full_name = full_name || '!' WHERE email = ${OPERATOR.email}`)
  expect(await count()).toBe(before + 1) // control
})

test('a secret is not in it, whatever the column is called in a later migration', async () => {
  await run(sql`ALTER TABLE platform.operator ADD COLUMN sealed_second_factor text, ADD COLUMN recovery_code_hashes text[] NOT NULL DEFAULT '{}'`) // prettier-ignore
  const { email } = await addOperator('billing')
  await run(sql`UPDATE platform.operator SET sealed_second_factor = 'sealed-canary', recovery_code_hashes = '{hash-canary}',
    password_hash = password_hash || '-canary', full_name = 'name-canary' WHERE email = ${email}`) // prettier-ignore
  const rows = await product.gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(sql<{ line: string }>`SELECT e::text AS line FROM platform.audit_event e`.compile(platformSql)),
  )
  const text = rows.map(({ line }) => line).join('\n')
  for (const secret of ['sealed-canary', 'hash-canary', passwordHash, PASSWORD, OPERATOR.password])
    expect(text).not.toContain(secret)
  expect(text).toContain('name-canary') // control
  expect(text).toMatch(/recovery_code_hashes[" :]+\(changed\)/)
})

test('is for owners and support, not for those who only look or bill', async () => {
  for (const [role, status] of [['owner', 200], ['support', 200], ['billing', 403], ['read-only', 403]] as const) // prettier-ignore
    expect([role, (await (await addOperator(role)).client.call(listPlatformAuditLog)).status]).toEqual([role, status]) // prettier-ignore
})
