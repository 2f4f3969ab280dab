/** What a tenant's audit log holds: who did what, from where; sign-ins; refusals, however many. Secrets have a test of their own. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Static } from 'typebox'
import { Refusals, type Refusal } from '../../audit/refusals.ts'
import type { InputOf } from '../../http/contract.ts'
import type { TenantLocation } from '../../tenancy/gate.ts'
import { addCompany, entryBody, postEntry, query, signInTo } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { eventually } from '../../testing/process.ts'
import { ADMIN_PASSWORD, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { addUser } from '../../testing/users.ts'
import { login, logout, refresh } from '../identity/contract.ts'
import { createRole, listRoles, updateRole } from '../identity/roles/contract.ts'
import {
  createJournalEntry,
  deleteJournalEntry,
  postJournalEntry,
  reverseJournalEntry,
  updateJournalEntry,
} from '../ledger/contract.ts'
import { suspendTenant } from '../../platform/tenants/contract.ts'
import { listAuditLog, type AuditEntry } from './contract.ts'

type Entry = Static<typeof AuditEntry>

let product: TestProduct
let tenant: TestTenant
let location: TenantLocation
let at: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  location = (await product.directory.byId(tenant.id))!.location
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

/** Refusals are written some seconds behind the answers. */
async function entries(
  asked: InputOf<typeof listAuditLog>['query'],
  client: Client = tenant.admin,
): Promise<Entry[]> {
  await product.refusals.write()
  return (await client.call(listAuditLog, { query: asked })).ok().auditEntries
}

/** Of one request, by the id it was given. */
async function written(work: (headers: Record<string, string>) => Promise<unknown>): Promise<Entry[]> {
  const requestId = `test-${randomUUID()}`
  await work({ 'x-request-id': requestId, 'user-agent': 'Test browser', 'x-forwarded-for': '203.0.113.9' })
  return entries({ requestId })
}

async function roleNamed(name: string): Promise<string> {
  const { roles } = (await tenant.admin.call(listRoles, { query: { search: name } })).ok()
  return roles.find((role) => role.name === name)!.id
}

describe('a change', () => {
  test('is there with old and new values, who, when, from where, with what, in which request', async () => {
    const id = await roleNamed('Sales')
    const [entry, ...others] = await written(async (headers) =>
      (
        await tenant.admin.call(updateRole, { params: { id }, body: { description: 'Sells a lot' } }, headers)
      ).ok(),
    )
    expect(others).toEqual([])
    expect(entry).toMatchObject({
      actorKind: 'user',
      actorName: 'Ann Keeper',
      action: 'update',
      entity: 'core.role',
      entityId: id,
      address: '203.0.113.9',
      userAgent: 'Test browser',
      oldValues: { name: 'Sales', description: 'Sells; sees the masters it needs' },
      newValues: { name: 'Sales', description: 'Sells a lot' },
    })
    expect(Math.abs(Date.parse(entry!.at) - Date.now())).toBeLessThan(60_000)
  })

  test('that was refused in the middle leaves nothing: it is in the same transaction', async () => {
    const id = await roleNamed('Sales')
    const left = await written(async (headers) => {
      const name = 'Viewer' // taken
      expect((await tenant.admin.call(updateRole, { params: { id }, body: { name } }, headers)).status).toBe(
        409,
      )
    })
    expect(left).toEqual([])
  })

  test('posting and reversing: each entry is its own, also when they are carried out together', async () => {
    const posted = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const requestId = `post-${index}-${randomUUID()}`
        const body = entryBody(`${index + 1}.00`)
        const { id } = (await tenant.admin.call(createJournalEntry, { body }, { 'x-request-id': requestId, 'user-agent': `Agent ${index}` })).ok() // prettier-ignore
        return { id, requestId, index }
      }),
    )
    for (const { id, requestId, index } of posted) {
      expect(await entries({ requestId })).toMatchObject([
        { action: 'post', entity: 'finance.journal_entry', entityId: id, userAgent: `Agent ${index}`, newValues: { total: index + 1, reverses_id: null } }, // prettier-ignore
      ])
    }
    const [reversed] = await written(
      async (headers) =>
      (await tenant.admin.call(reverseJournalEntry, { params: { id: posted[0]!.id }, body: { reason: 'wrong', transactionDate: '2026-03-20' } }, headers)).ok(), // prettier-ignore
    )
    expect(reversed).toMatchObject({ action: 'reverse', newValues: { reverses_id: posted[0]!.id } })
  })

  test('of a draft: its lines before and after, in one row each', async () => {
    const draft = { ...entryBody('10.00'), status: 'draft' } as const
    const { id } = (await tenant.admin.call(createJournalEntry, { body: draft })).ok()
    const changed = await written(
      async (headers) =>
      (await tenant.admin.call(updateJournalEntry, { params: { id }, body: { ...draft, ...entryBody('11.00'), status: 'draft' } }, headers)).ok(), // prettier-ignore
    )
    const lines = changed.filter(({ entity }) => entity === 'finance.journal_draft_line')
    expect(lines.map(({ action, entityId }) => [action, entityId]).toSorted()).toEqual([
      ['delete', id],
      ['insert', id],
    ])
    const text = (entry?: Entry) => JSON.stringify([entry?.oldValues, entry?.newValues])
    expect(text(lines.find(({ action }) => action === 'delete'))).toContain('"debit":10')
    expect(text(lines.find(({ action }) => action === 'insert'))).toContain('"debit":11')
    const removed = await written((headers) =>
      tenant.admin.call(deleteJournalEntry, { params: { id } }, headers),
    )
    expect(removed.map(({ entity, action }) => `${action} ${entity}`).toSorted()).toEqual([
      'delete finance.journal_draft',
      'delete finance.journal_draft_line',
    ])
    // Control: one that is posted says so.
    const other = (await tenant.admin.call(createJournalEntry, { body: draft })).ok()
    const kept = await written((headers) =>
      tenant.admin.call(postJournalEntry, { params: { id: other.id } }, headers),
    )
    expect(kept.map(({ action }) => action)).toContain('post')
  })
})

describe('signing in and out', () => {
  test('is there, with whom, from where and why it ended', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const [signedIn] = await written((headers) =>
      at.call(login, { body: { email: user.email, password: ADMIN_PASSWORD } }, headers),
    )
    expect(signedIn).toMatchObject({
      action: 'sign-in',
      entity: 'core.session',
      actorKind: 'user',
      actorId: user.id,
      address: '203.0.113.9',
      userAgent: 'Test browser',
      newValues: { user_id: user.id, company_id: tenant.companyId },
    })
    const [signedOut] = await written((headers) => user.client.call(logout, {}, headers))
    expect(signedOut).toMatchObject({
      action: 'sign-out',
      actorId: user.id,
      newValues: { reason: 'signed out' },
    })
  })

  test('a refresh token that comes back: who was signed out, and why', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const body = { refreshToken: user.refreshToken }
    ;(await at.call(refresh, { body })).ok()
    const ended = await written((headers) => at.call(refresh, { body }, headers))
    expect(ended.find(({ action }) => action === 'sign-out')).toMatchObject({
      actorKind: 'system',
      newValues: { user_id: user.id, reason: 'refresh token used twice' },
    })
    expect(ended.find(({ action }) => action === 'refused')).toMatchObject({ entity: 'refresh', newValues: { code: 'TOKEN_INVALID' } }) // prettier-ignore
  })
})

describe('a refusal', () => {
  test('401 and 403: who, from where, which operation and code; never what was sent', async () => {
    const viewer = await addUser(product, tenant, 'Viewer')
    const [forbidden] = await written((headers) =>
      viewer.client.call(createRole, { body: { name: 'Secret-plan-77', permissions: [] } }, headers),
    )
    expect(forbidden).toMatchObject({
      action: 'refused',
      entity: 'createRole',
      actorKind: 'user',
      actorId: viewer.id,
      address: '203.0.113.9',
      newValues: { code: 'PERMISSION_DENIED', status: 403, count: 1 },
    })
    const [unknown] = await written((headers) =>
      at.call(login, { body: { email: viewer.email, password: 'Wrong-pass-77' } }, headers),
    )
    expect(unknown).toMatchObject({
      actorKind: 'system',
      actorId: null,
      newValues: { code: 'AUTH_FAILED', status: 401, account: viewer.email },
    })
    const [stranger] = await written((headers) => at.send('GET', '/api/v1/roles', undefined, headers))
    expect(stranger).toMatchObject({ entity: 'listRoles', newValues: { code: 'AUTH_REQUIRED' } })
    const kept = await query<{ text: string }>(product, tenant, `SELECT string_agg(c::text, '') AS text FROM audit.change c WHERE action = 'refused'`) // prettier-ignore
    for (const secret of ['Secret-plan-77', 'Wrong-pass-77']) expect(kept[0]?.text).not.toContain(secret)
  })

  test('by the token endpoint, which answers 400', async () => {
    const form = new URLSearchParams({ grant_type: 'password', username: 'eve@b.example', password: 'Wrong-pass-78' }) // prettier-ignore
    const requestId = `form-${randomUUID()}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-tenant-id': tenant.code, 'x-request-id': requestId } // prettier-ignore
    const answer = await fetch(`${product.url}/api/v1/auth/token`, { method: 'POST', headers, body: form })
    expect(answer.status).toBe(400)
    expect(await entries({ requestId })).toMatchObject([{ action: 'refused', newValues: { code: 'AUTH_FAILED', account: 'eve@b.example' } }]) // prettier-ignore
  })

  test('control: what is answered, or wrong in itself, is none', async () => {
    const none = await written(async (headers) => {
      ;(await tenant.admin.call(listRoles, {}, headers)).ok()
      expect((await tenant.admin.send('GET', '/api/v1/roles?limit=0', undefined, headers)).status).toBe(400)
      expect((await tenant.admin.send('GET', '/api/v1/nowhere', undefined, headers)).status).toBe(404)
    })
    expect(none).toEqual([])
  })

  test('a flood: alike ones are one row, strange ones a hundred at most, and all are counted', async () => {
    const refusals = new Refusals(product.gate, () => {})
    const code = `FLOOD_${randomUUID()}`
    const refusal = (address: string): Refusal => ({
      tenant: location,
      tenantId: location.tenantId,
      actorKind: 'system',
      actorId: null,
      requestId: 'flood',
      address,
      userAgent: null,
      operation: 'login',
      code,
      status: 401,
      account: null,
    })
    const rowsOf = () =>
      query<{ entity: string; count: number }>(product, tenant, `SELECT entity, (new_values ->> 'count')::int AS count
        FROM audit.change WHERE action = 'refused' AND new_values ->> 'code' = $1 ORDER BY number`, [code]) // prettier-ignore
    const HOUR_MS = 3_600_000
    for (let count = 0; count < 10_000; count++) refusals.note(refusal('198.51.100.7'), 0)
    await refusals.write(false, 0)
    expect(await rowsOf()).toEqual([{ entity: 'login', count: 10_000 }]) // control: it is written at all
    for (let round = 0; round < 10; round++) {
      for (let count = 0; count < 5_000; count++) refusals.note(refusal(`address ${round}/${count}`), 0)
      await refusals.write(false, 0)
    }
    const detailed = await rowsOf()
    expect(detailed).toHaveLength(100)
    // Nobody is refused any more; what was not written in detail is counted, when its time has come.
    await refusals.write(false, 700_000)
    const all = await rowsOf()
    expect(all).toHaveLength(101)
    expect(all.at(-1)?.entity).toBe('several')
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(60_000)
    // After an hour there is room again.
    for (let count = 0; count < 500; count++) refusals.note(refusal(`later ${count}`), HOUR_MS)
    await refusals.write(true, HOUR_MS)
    expect((await rowsOf()).slice(101).map(({ entity }) => entity)).toEqual([...Array.from({ length: 100 }, () => 'login'), 'several']) // prettier-ignore
  })

  test('at a door that is closed goes into the log of the platform', async () => {
    const other = await product.createTenant()
    ;(await product.operator.call(suspendTenant, { params: { id: other.id }, body: { reason: 'test' } })).ok()
    const requestId = `closed-${randomUUID()}`
    await eventually(async () => {
      const answer = await other.admin.send('GET', '/api/v1/roles', undefined, { 'x-request-id': requestId })
      expect(answer.status).toBe(403)
    })
    await product.refusals.write()
    const answer = await product.operator.send<{ auditEntries: Entry[] }>('GET', `/api/v1/platform/audit-log?tenantId=${other.id}&requestId=${requestId}`) // prettier-ignore
    expect(answer.ok().auditEntries).toMatchObject([{ action: 'refused', entity: 'listRoles' }])
  })
})

describe('the list', () => {
  test('is paged by key, newest first, without a row twice or left out', async () => {
    const all = await entries({ limit: 200 })
    expect(all.length).toBeGreaterThan(20)
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    )
    const paged: string[] = []
    let after: string | null | undefined
    while (paged.length < 20 && after !== null) {
      const page = (
        await tenant.admin.call(listAuditLog, { query: { limit: 7, ...(after ? { after } : {}) } })
      ).ok()
      paged.push(...page.auditEntries.map(({ id }) => id))
      after = page.next
    }
    expect(paged.slice(0, 20)).toEqual(all.slice(0, 20).map(({ id }) => id))
    const last = (await tenant.admin.call(listAuditLog, { query: { to: '2020-01-01' } })).ok()
    expect(last).toEqual({ auditEntries: [], next: null })
  })

  test('is filtered by who, what, which, when; searched through in old and new values', async () => {
    const user = await addUser(product, tenant, 'Viewer', { fullName: 'Zoe Searched' })
    const id = await roleNamed('Warehouse')
    const description = `Stock 100% of ${randomUUID()}_`
    ;(await tenant.admin.call(updateRole, { params: { id }, body: { description } })).ok()
    const adminId = (await entries({ limit: 1, action: 'update' }))[0]?.actorId ?? ''
    for (const asked of [
      { actorId: adminId, entityId: id },
      { action: 'update', entityId: id },
      { entity: 'core.role', entityId: id },
      { entityId: id, from: new Date(Date.now() - 60_000).toISOString(), to: new Date(Date.now() + 60_000).toISOString() }, // prettier-ignore
      { search: description.toUpperCase() },
    ]) {
      const found = await entries(asked)
      expect([found[0]?.entityId, found[0]?.action]).toEqual([id, 'update'])
    }
    expect((await entries({ search: 'Zoe Searched' })).map(({ entityId }) => entityId)).toContain(user.id)
    // Control: what differs in one letter, and wildcards, find nothing.
    expect(await entries({ search: `${description}x` })).toEqual([])
    expect(await entries({ search: 'Stock 100_ of' })).toEqual([])
    expect(await entries({ actorId: user.id, entityId: id })).toEqual([])
    const wrong = await tenant.admin.call(listAuditLog, { query: { from: 'soon', after: 'x' } })
    expect([wrong.status, wrong.refusals]).toEqual([400, ['after UUID']])
    expect((await tenant.admin.call(listAuditLog, { query: { from: 'soon' } })).refusals).toEqual([
      'from INSTANT',
    ])
  })

  test('looks through so many rows at a time, and says where to go on', async () => {
    const other = await product.createTenant()
    await query(product, other, `UPDATE core.role SET description = 'The needle' WHERE name = 'Sales'`)
    await query(product, other, `INSERT INTO audit.change (action, entity) SELECT 'insert', 'hay' FROM generate_series(1, 25000)`) // prettier-ignore
    const first = (await other.admin.call(listAuditLog, { query: { search: 'needle' } })).ok()
    expect(first).toMatchObject({ auditEntries: [], next: expect.any(String) })
    const second = (
      await other.admin.call(listAuditLog, { query: { search: 'needle', after: first.next! } })
    ).ok()
    expect([second.auditEntries.length, second.next]).toEqual([1, null])
  })

  test('refuses what it does not know, as every list does: it is paged otherwise than most', async () => {
    for (const [client, path] of [
      [tenant.admin, '/audit-log'],
      [product.operator, '/platform/audit-log'],
    ] as const) {
      // prettier-ignore
      const answer = await client.send('GET', `/api/v1${path}?page=2`)
      expect([answer.status, answer.refusals]).toEqual([400, ['page UNKNOWN_FIELD']])
      expect((await client.send('GET', `/api/v1${path}?limit=2`)).status).toBe(200) // control
    }
    const careless = product.routes
      .map(({ operation }) => operation)
      .filter(
        ({ query }) => query && (query as { additionalProperties?: unknown }).additionalProperties !== false,
      )
    expect(careless.map(({ name }) => name)).toEqual([])
  })

  test("shows what belongs to this company and to none, and nothing of the tenant's other companies", async () => {
    const email = (await query<{ email: string }>(product, tenant, `SELECT email FROM core.app_user WHERE full_name = 'Ann Keeper'`))[0]!.email // prettier-ignore
    const secondId = await addCompany(product, tenant, 'SECOND')
    const { client: inSecond } = await signInTo(product, tenant, email, secondId)
    await postEntry(inSecond, '55.00', { description: 'Of the second alone' })
    const search = { search: 'Of the second alone' }
    expect(await entries(search)).toEqual([])
    expect(await entries(search, inSecond)).toMatchObject([{ companyId: secondId }]) // control
    const seen = new Set((await entries({ limit: 200 })).map(({ companyId }) => companyId))
    expect(seen).toEqual(new Set([tenant.companyId, null]))
  })

  test('is for those who have the permission', async () => {
    const sales = await addUser(product, tenant, 'Sales')
    expect((await sales.client.call(listAuditLog)).error.code).toBe('PERMISSION_DENIED')
    expect((await at.call(listAuditLog)).error.code).toBe('AUTH_REQUIRED')
    expect((await (await addUser(product, tenant, 'Viewer')).client.call(listAuditLog)).status).toBe(200)
  })
})
