/** Whoever acts is named in the audit log and in a user's activity, and both fit their schemas. */
import { randomUUID } from 'node:crypto'
import type { Static } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf } from '../../attacks/answers.ts'
import type { Operation } from '../../http/contract.ts'
import { actorKinds, type ActorKind } from '../../kernel/actors.ts'
import { beginSupportSession } from '../../platform/support/contract.ts'
import { query } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { addOperator, type TestOperator } from '../../testing/operators.ts'
import { rawRequest, type RawAnswer } from '../../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { addUser, type TestUser } from '../../testing/users.ts'
import { createApiKey } from '../identity/api-keys/contract.ts'
import { createRole } from '../identity/roles/contract.ts'
import { createJournalEntry } from '../ledger/contract.ts'
import { entryBody } from '../../testing/entries.ts'
import { listUserActivity, updateUser, type UserEvent } from '../identity/users/contract.ts'
import { updateSupportAccess } from '../support/contract.ts'
import { listAuditLog, type AuditEntry } from './contract.ts'

type Entry = Static<typeof AuditEntry>

const HOUR_MS = 3_600_000
const NOBODY = '00000000-0000-4000-8000-000000000001'

let product: TestProduct
let tenant: TestTenant
let key: { id: string; client: Client }
let byToken: Client
let helper: TestOperator
let support: Client
let viewer: TestUser

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  viewer = await addUser(product, tenant, 'Viewer')
  const at = product.anonymous.with({ tenant: tenant.code })
  // Nobody changes who may do more than themselves.
  const scopes = ['journal-entries:*', 'users:edit', '*:view']
  const made = (
    await tenant.admin.call(createApiKey, { body: { name: 'Robot of the shop', scopes } as never })
  ).ok()
  key = { id: made.apiKey.id, client: at.with({ token: made.secret }) }
  byToken = at.with({ token: await exchanged(made.apiKey.id, made.secret) })
  helper = await addOperator(product, 'support', 'Hal Helper')
  const writeUntil = new Date(Date.now() + HOUR_MS).toISOString()
  ;(await tenant.admin.call(updateSupportAccess, { body: { writeUntil } })).ok()
  const wish = { reason: 'Ticket 4711: a role is missing', access: 'write' as const }
  const params = { id: tenant.id }
  const begun = (await helper.client.call(beginSupportSession, { params, body: wish })).ok()
  support = at.with({ token: begun.token })
})
afterAll(() => product.stop())

async function exchanged(id: string, secret: string): Promise<string> {
  const answer = await fetch(`${product.url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'x-tenant-id': tenant.code },
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret }),
  })
  const { access_token: token } = (await answer.json()) as { access_token: string }
  return token
}

/** As it comes over the wire, held against the schema that the document promises. */
async function read(operation: Operation, path: string): Promise<RawAnswer> {
  const answer = await rawRequest(product.url, 'GET', path, {
    authorization: `Bearer ${tenant.admin.options.token ?? ''}`,
    'x-tenant-id': tenant.code,
  })
  expect([answer.status, faultsOf(operation, answer)]).toEqual([200, []])
  return answer
}

async function auditLog(asked: Record<string, string>): Promise<Entry[]> {
  await product.refusals.write()
  const answer = await read(listAuditLog, `/api/v1/audit-log?${new URLSearchParams(asked).toString()}`)
  return (JSON.parse(answer.text) as { data: { auditEntries: Entry[] } }).data.auditEntries
}

/** What a request left in the log, by whom it says it was. */
async function leftBy(client: Client, work: (client: Client) => Promise<unknown>): Promise<Entry[]> {
  const requestId = `actor-${randomUUID()}`
  await work(client.with({ headers: { 'x-request-id': requestId } }))
  return auditLog({ requestId })
}

const post = async (client: Client): Promise<unknown> =>
  (await client.call(createJournalEntry, { body: entryBody('1.00', 'By whom') })).ok()

describe('the audit log', () => {
  test('names the API key, whether it comes itself or as the token it was exchanged for', async () => {
    for (const client of [key.client, byToken]) {
      const left = await leftBy(client, post)
      expect(left).toMatchObject([
        { action: 'post', entity: 'finance.journal_entry', actorKind: 'integration', actorId: key.id, actorName: 'Robot of the shop' }, // prettier-ignore
      ])
    }
  })

  test('names the operator who was let in, and the user', async () => {
    expect(await leftBy(support, post)).toMatchObject([
      { action: 'post', actorKind: 'operator', actorId: helper.id, actorName: 'Hal Helper' },
    ])
    expect(await leftBy(tenant.admin, post)).toMatchObject([
      { action: 'post', actorKind: 'user', actorName: 'Ann Keeper' },
    ])
  })

  test('names who was refused', async () => {
    const wrong = async (client: Client) =>
      expect((await client.call(createRole, { body: { name: 'Mine', permissions: [] } })).status).toBe(403)
    expect(await leftBy(key.client, wrong)).toMatchObject([
      { action: 'refused', actorKind: 'integration', actorName: 'Robot of the shop' },
    ])
  })

  test('is filtered by kind, and searched by these names', async () => {
    await Promise.all([key.client, support, tenant.admin].map(post))
    const left = Object.fromEntries(
      await Promise.all(
        actorKinds.map(
          async (actorKind) => [actorKind, await auditLog({ actorKind, limit: '200' })] as const,
        ),
      ),
    ) as Record<ActorKind, Entry[]>
    for (const kind of actorKinds) {
      expect(left[kind].length, kind).toBeGreaterThan(0)
      expect([...new Set(left[kind].map(({ actorKind }) => actorKind))]).toEqual([kind])
    }
    const named = (kind: ActorKind) => [...new Set(left[kind].map(({ actorName }) => actorName))]
    expect(named('integration')).toEqual(['Robot of the shop'])
    expect(named('operator')).toEqual(['Hal Helper'])
    expect(named('system')).toEqual([null])
    for (const [search, kind] of [
      ['robot of the shop', 'integration'],
      ['hal helper', 'operator'],
    ] as const) {
      const found = await auditLog({ search, action: 'post' })
      expect(found.map(({ actorKind }) => actorKind)).toContain(kind)
    }
    const wrong = await tenant.admin.send('GET', '/api/v1/audit-log?actorKind=robot')
    expect([wrong.status, wrong.refusals]).toEqual([400, ['actorKind NOT_ALLOWED']])
  })

  test('control: an operator who was never let in has no name; a kind that nobody knows fits no schema', async () => {
    const insert = (kind: string) =>
      query(product, tenant, `INSERT INTO audit.change (actor_kind, actor_id, request_id, action, entity) VALUES ($1, $2, $1, 'update', 'core.role')`, [kind, NOBODY]) // prettier-ignore
    await insert('operator')
    expect(await auditLog({ requestId: 'operator' })).toMatchObject([{ actorName: null }])
    await insert('ghost')
    await expect(auditLog({ requestId: 'ghost' })).rejects.toThrow(/does not fit its schema|to deeply equal/)
  })
})

describe("a user's activity", () => {
  test('names them as well', async () => {
    const params = { id: viewer.id }
    for (const [index, client] of [tenant.admin, key.client, byToken].entries()) {
      ;(await client.call(updateUser, { params, body: { phone: `+49 30 ${index}` } })).ok()
    }
    const answer = await read(listUserActivity, `/api/v1/users/${viewer.id}/activity`)
    const { activity } = (JSON.parse(answer.text) as { data: { activity: Static<typeof UserEvent>[] } }).data
    expect(activity.map(({ actorKind, actorName }) => [actorKind, actorName])).toEqual([
      ['integration', 'Robot of the shop'],
      ['integration', 'Robot of the shop'],
      ['user', 'Ann Keeper'],
      ['user', 'Viewer Person'],
      ['system', null],
    ])
  })
})
