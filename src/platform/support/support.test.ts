/** Operators in a tenant: let in with a reason, shown on both sides, sent away at once. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { logout, me, redeemSupportCode } from '../../erp/identity/contract.ts'
import { createJournalEntry, listJournalEntries } from '../../erp/ledger/contract.ts'
import { endSupportVisit, getSupportAccess, updateSupportAccess } from '../../erp/support/contract.ts'
import { CommandRunner } from '../../http/commands.ts'
import { newId } from '../../tenancy/new-id.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql, tenantSql } from '../../tenancy/handles.ts'
import type { Client } from '../../testing/client.ts'
import { entryBody } from '../../testing/entries.ts'
import { mailedTo } from '../../testing/mailed.ts'
import { addOperator, type TestOperator } from '../../testing/operators.ts'
import { eventually, startProcess, type ServerProcess } from '../../testing/process.ts'
import {
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { operatorLogout, updateOperator } from '../operators/contract.ts'
import { suspendTenant } from '../tenants/contract.ts'
import {
  beginSupportSession,
  endSupportSession,
  enterAgain,
  listSupportSessions,
  listTenantSupportSessions,
} from './contract.ts'

const REASON = 'Ticket 4711: the trial balance does not load'
let product: TestProduct
let other: ServerProcess
let helper: TestOperator

beforeAll(async () => {
  const environment = testEnvironment()
  product = await startTestProduct({}, { onlyAsked: true }, environment)
  other = await startProcess(environment)
  helper = await addOperator(product, 'support', 'Hal Helper')
})
afterAll(async () => {
  await other?.stop()
  await product?.stop()
})

async function enter(
  tenant: TestTenant,
  { by = helper, ...wish }: { by?: TestOperator; access?: 'read' | 'write'; minutes?: number } = {},
) {
  const begun = (
    await by.client.call(beginSupportSession, {
      params: { id: tenant.id },
      body: { reason: REASON, ...wish },
    })
  ).ok()
  return { ...begun, client: product.anonymous.with({ token: begun.token }) }
}

/** Whether a token is let in, by this process and by the other one. */
async function isLetIn(client: Client): Promise<(number | string)[]> {
  const { token = '' } = client.options
  const elsewhere = await fetch(`${other.url}/api/v1/auth/me`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return [(await client.call(me)).status, elsewhere.status]
}

const IN = [200, 200]
const OUT = [401, 401]
const sentAway = (client: Client) => eventually(async () => expect(await isLetIn(client)).toEqual(OUT))

function platformRows<Row>(statement: ReturnType<typeof sql<Row>>): Promise<Row[]> {
  return product.gate.readPlatform(SYSTEM, (tx) => tx.rows(statement.compile(platformSql)))
}
function changePlatform(statement: ReturnType<typeof sql>): Promise<number> {
  return product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql)))
}
async function tenantRows<Row>(tenant: TestTenant, statement: ReturnType<typeof sql<Row>>): Promise<Row[]> {
  const { location } = (await product.directory.byId(tenant.id))!
  return product.gate.readTenant(location, tenant.companyId, SYSTEM, (tx) =>
    tx.rows(statement.compile(tenantSql)),
  )
}
async function changeTenant(tenant: TestTenant, statement: ReturnType<typeof sql>): Promise<number> {
  const { location } = (await product.directory.byId(tenant.id))!
  return product.gate.writeTenant(location, null, SYSTEM, (tx) => tx.run(statement.compile(tenantSql)))
}
const eventsOf = (id: string) =>
  platformRows(
    sql<{ action: string; actor: string | null }>`SELECT action, actor_id AS actor FROM platform.audit_event
      WHERE entity_id = ${id} ORDER BY id`,
  )
const changesOf = (tenant: TestTenant, id: string) =>
  tenantRows(
    tenant,
    sql<{
      action: string
      kind: string
      actor: string | null
      reason: string | null
    }>`SELECT action, actor_kind AS kind,
      actor_id AS actor, new_values ->> 'end_reason' AS reason FROM audit.change
      WHERE entity = 'core.support_session' AND entity_id = ${id} ORDER BY id`,
  )

describe('entering', () => {
  let tenant: TestTenant
  let visit: Awaited<ReturnType<typeof enter>>
  beforeAll(async () => {
    tenant = await product.createTenant()
    visit = await enter(tenant)
  })

  test('gives a token for looking, to both processes', async () => {
    expect(await isLetIn(visit.client)).toEqual(IN)
    expect(visit.session).toMatchObject({
      state: 'active',
      access: 'read',
      reason: REASON,
      operatorName: 'Hal Helper',
    })
    expect(visit.expiresIn).toBeGreaterThan(59 * 60)
    expect(visit.expiresIn).toBeLessThanOrEqual(60 * 60)
    expect((await visit.client.call(listJournalEntries)).status).toBe(200)
  })

  test('tells the operator, and the administrator, that support is there', async () => {
    const told = {
      operatorName: 'Hal Helper',
      reason: REASON,
      access: 'read',
      endsAt: visit.session.expiresAt,
    }
    const own = (await visit.client.call(me)).ok()
    expect(own).toMatchObject({
      id: helper.id,
      fullName: 'Hal Helper',
      roleId: null,
      companyId: tenant.companyId,
    })
    expect(own.support).toMatchObject({ ...told, isCaller: true, sessionId: visit.session.id })
    expect(own.companies).toHaveLength(1)
    expect(own.permissions.filter((permission) => !permission.endsWith(':view'))).toEqual([])
    expect((await tenant.admin.call(me)).ok().support).toMatchObject({ ...told, isCaller: false })
  })

  test('is written down on both sides, by name', async () => {
    const events = (await eventsOf(visit.session.id)).map(({ action, actor }) => [action, actor])
    expect(events).toEqual([['request', helper.id], ['begin', helper.id]]) // prettier-ignore
    expect(await changesOf(tenant, visit.session.id)).toEqual([
      { action: 'insert', kind: 'operator', actor: helper.id, reason: null },
    ])
    const named = await tenantRows(
      tenant,
      sql<{ name: string }>`SELECT DISTINCT s.operator_name AS name FROM audit.change c
        JOIN core.support_session s ON s.operator_id = c.actor_id WHERE c.actor_kind = 'operator'`,
    )
    expect(named).toEqual([{ name: 'Hal Helper' }])
    const listed = (
      await product.operator.call(listTenantSupportSessions, { params: { id: tenant.id } })
    ).ok()
    expect(listed.supportSessions.map(({ id }) => id)).toEqual([visit.session.id])
    const running = (await product.operator.call(listSupportSessions, { query: { status: 'running' } })).ok()
    expect(running.supportSessions.map(({ id }) => id)).toContain(visit.session.id)
  })

  test('is searched for and sorted, on either list', async () => {
    const by = await addOperator(product, 'support', 'Wilma Wanderer')
    const [one, elsewhere] = [await product.createTenant(), await product.createTenant()]
    const [early, late] = [await enter(one, { by }), await enter(elsewhere, { by })].map(({ session }) => session.id) // prettier-ignore
    const listed = async (query: { search?: string; sort?: 'tenantCode'; order?: 'asc' | 'desc' }) =>
      (await product.operator.call(listSupportSessions, { query })).ok().supportSessions.map(({ id }) => id)
    expect(await listed({ search: 'wilma' })).toEqual([late, early])
    expect(await listed({ search: 'wilma', order: 'asc' })).toEqual([early, late])
    const byCode = one.code < elsewhere.code ? [early, late] : [late, early]
    expect(await listed({ search: 'wilma', sort: 'tenantCode' })).toEqual(byCode)
    expect(await listed({ search: 'wilma', sort: 'tenantCode', order: 'desc' })).toEqual(byCode.toReversed())
    const params = { id: one.id }
    const here = await product.operator.call(listTenantSupportSessions, {
      params,
      query: { search: 'wilma' },
    })
    expect(here.ok().supportSessions.map(({ id }) => id)).toEqual([early])
    expect(await listed({ search: 'ticket 4712' })).toEqual([])
    expect(
      (await product.operator.send('GET', '/api/v1/platform/support-sessions?sort=code_hash')).status,
    ).toBe(400)
  })

  test('is mailed to the administrators, with the reason', async () => {
    const { email } = (await tenant.admin.call(me)).ok()
    const [mail] = await mailedTo(product, tenant.id, email)
    expect(mail?.template).toBe('support-began')
    expect(mail?.text).toContain(REASON)
    expect(mail?.text).toContain('/settings/support-access')
    expect(mail?.text).toContain('change nothing')
  })

  test('leaves evidence of what was looked at, before it is shown', async () => {
    await visit.client.call(listJournalEntries)
    const { sessions } = (await tenant.admin.call(getSupportAccess)).ok()
    const names = sessions[0]?.operations.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['me', 'listJournalEntries']))
    await product.support.witness.writeAll()
    const [counted] = (await tenant.admin.call(getSupportAccess)).ok().sessions
    expect(counted?.operations.find(({ name }) => name === 'listJournalEntries')?.count).toBe(2)
    expect(counted?.lastRequestAt).not.toBeNull()
  })

  test('is refused without a reason, for too long, where one is already, and to unknown tenants', async () => {
    const begin = (body: object, id = tenant.id) =>
      helper.client.send('POST', `/api/v1/platform/tenants/${id}/support-sessions`, body)
    const elsewhere = await product.createTenant()
    expect((await begin({}, elsewhere.id)).refusals).toEqual(['reason REQUIRED'])
    expect((await begin({ reason: 'look' }, elsewhere.id)).refusals).toEqual(['reason TOO_SHORT'])
    expect((await begin({ reason: REASON, minutes: 4 }, elsewhere.id)).refusals).toEqual(['minutes MINIMUM'])
    expect((await begin({ reason: REASON, minutes: 241 }, elsewhere.id)).refusals).toEqual([
      'minutes MAXIMUM',
    ])
    expect((await begin({ reason: REASON, companyCode: 'NONE' }, elsewhere.id)).status).toBe(404)
    expect((await begin({ reason: REASON }, '00000000-0000-4000-8000-000000000001')).status).toBe(404)
    expect((await begin({ reason: REASON })).error.code).toBe('SUPPORT_SESSION_RUNNING')
    expect((await begin({ reason: REASON }, elsewhere.id)).status).toBe(201) // control
  })

  test('a reason of blanks is none', async () => {
    const elsewhere = await product.createTenant()
    const blank = await helper.client.call(beginSupportSession, {
      params: { id: elsewhere.id },
      body: { reason: '             ' },
    })
    expect(blank.status).toBe(400)
  })

  test.each(['read-only', 'billing'] as const)('is not for operators of the role %s', async (role) => {
    const by = await addOperator(product, role)
    const refused = await by.client.call(beginSupportSession, {
      params: { id: tenant.id },
      body: { reason: REASON },
    })
    expect([refused.status, refused.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    const owner = await addOperator(product, 'owner') // control
    expect(await isLetIn((await enter(tenant, { by: owner })).client)).toEqual(IN)
  })

  test('a token is of no use at another tenant, nor at the platform, nor as a refresh token', async () => {
    const elsewhere = await product.createTenant()
    const there = await visit.client.with({ tenant: elsewhere.code }).call(me)
    expect([there.status, there.error.code]).toEqual([401, 'TOKEN_INVALID'])
    expect((await visit.client.call(listSupportSessions, {})).status).toBe(401)
    expect(
      (await visit.client.send('POST', '/api/v1/auth/refresh', { refreshToken: visit.token.slice(0, 200) }))
        .status,
    ).toBe(401)
    expect((await visit.client.with({ tenant: tenant.code }).call(me)).status).toBe(200) // control
  })

  test('the second wall: whoever gets past the first cannot write either', async () => {
    const { location } = (await product.directory.byId(tenant.id))!
    const route = product.routes.find(({ operation }) => operation.name === 'createJournalEntry')!
    const run = (mayChange: boolean): Promise<unknown> =>
      new CommandRunner(product.gate).run({
        route,
        input: { params: {}, query: {}, body: entryBody('5.00', 'Behind the first wall') },
        tenant: location,
        claim: undefined,
        context: {
          actor: { kind: 'operator', id: helper.id, requestId: 'wall', address: null },
          principal: {
            kind: 'operator',
            id: helper.id,
            sessionId: visit.session.id,
            companyId: tenant.companyId,
            permissions: new Set(['journal-entries:add', 'journal-entries:post']),
            support: { mayChange, witness: async () => {} },
          },
          now: new Date(),
          userAgent: null,
          ifMatch: undefined,
          newId,
          answer: {},
        },
      })
    await expect(run(false)).rejects.toThrow('read-only transaction')
    await expect(run(true)).resolves.toMatchObject({ status: 201 }) // control
  })
})

describe('leaving', () => {
  const ways: [
    string,
    string,
    (tenant: TestTenant, by: TestOperator, id: string, client: Client) => Promise<unknown>,
  ][] = [
    ['the tenant', 'ended by the tenant', async ({ admin }, _by, id) => (await admin.call(endSupportVisit, { params: { id } })).ok()], // prettier-ignore
    ['an operator', 'ended by an operator', async (_tenant, by, id) => (await by.client.call(endSupportSession, { params: { id } })).ok()], // prettier-ignore
    ['the operator, who signs out there', 'the operator left', async (_tenant, _by, _id, client) => (await client.call(logout)).ok()], // prettier-ignore
    ['the tenant, who lets nobody in any more', 'the tenant does not let support in any more', async ({ admin }) => (await admin.call(updateSupportAccess, { body: { allowsSupport: false } })).ok()], // prettier-ignore
    ['the suspension of the tenant', 'tenant suspended: not paid', async ({ id }) => (await product.operator.call(suspendTenant, { params: { id }, body: { reason: 'not paid' } })).ok()], // prettier-ignore
    ['the operator, who signs out of the platform', 'the operator signed out', async (_tenant, by) => (await by.client.call(operatorLogout)).ok()], // prettier-ignore
    ['another role of the operator', 'the operator was given another role', async (_tenant, by) => (await product.operator.call(updateOperator, { params: { id: by.id }, body: { role: 'billing' } })).ok()], // prettier-ignore
    ['another role that nobody was told of', 'the operator was given another role', (_tenant, by) => changePlatform(sql`UPDATE platform.operator SET role = 'read-only' WHERE id = ${by.id}`)], // prettier-ignore
    ['the deactivation of the operator', 'the operator was deactivated', (_tenant, by) => changePlatform(sql`UPDATE platform.operator SET is_active = false WHERE id = ${by.id}`)], // prettier-ignore
  ]

  test.each(ways)(
    'is caused by %s, on all processes, and written down on both sides',
    async (_who, reason, end) => {
      const tenant = await product.createTenant()
      const by = await addOperator(product, 'support')
      const { client, session } = await enter(tenant, { by })
      expect(await isLetIn(client)).toEqual(IN) // control
      await end(tenant, by, session.id, client)
      if (reason.startsWith('tenant suspended'))
        await eventually(async () => expect(await isLetIn(client)).toEqual([403, 403])) // prettier-ignore
      else await sentAway(client)
      await product.support.tend()
      const [, ended] = await changesOf(tenant, session.id)
      expect(ended).toMatchObject({ action: 'update', reason })
      expect((await eventsOf(session.id)).map(({ action }) => action)).toEqual(['request', 'begin', 'end'])
      const [row] = await platformRows(
        sql<{
          state: string
          reason: string
        }>`SELECT state, end_reason AS reason FROM platform.support_session
        WHERE id = ${session.id}`,
      )
      expect(row).toEqual({ state: 'ended', reason })
    },
  )

  test('is not caused by a role that may support as well', async () => {
    const tenant = await product.createTenant()
    const by = await addOperator(product, 'support')
    const { client, session } = await enter(tenant, { by })
    const raised = { params: { id: by.id }, body: { role: 'owner' as const } }
    ;(await product.operator.call(updateOperator, raised)).ok()
    await product.support.tend()
    expect(await isLetIn(client)).toEqual(IN)
    expect((await eventsOf(session.id)).map(({ action }) => action)).toEqual(['request', 'begin'])
  })

  test('comes by itself when the time is over: in the token, in either database', async () => {
    const tenant = await product.createTenant()
    const by = await addOperator(product, 'owner')
    const { client, session, token } = await enter(tenant, { by })
    const claims = await product.tokens.verify(['support'], token)
    const began = new Date(Date.now() - 3_600_000)
    const expired = await product.tokens.sign('support', { ...claims }, began, 3_599)
    const refused = await product.anonymous.with({ token: expired, tenant: tenant.code }).call(me)
    expect([refused.status, refused.error.code]).toEqual([401, 'TOKEN_EXPIRED'])
    const [over, later] = [sql`now() - interval '1 second'`, sql`now() + interval '1 hour'`]
    const here = (at: typeof over) =>
      changePlatform(sql`UPDATE platform.support_session SET expires_at = ${at} WHERE id = ${session.id}`)
    const there = (at: typeof over) =>
      changeTenant(tenant, sql`UPDATE core.support_session SET expires_at = ${at} WHERE id = ${session.id}`)
    for (const change of [there, here]) {
      await change(over)
      await product.support.tellConsent()
      await sentAway(client)
      await change(later)
      expect(await isLetIn(client)).toEqual(IN) // control
    }
    await here(over)
    await product.support.tend()
    expect((await changesOf(tenant, session.id)).at(-1)).toMatchObject({
      reason: 'its time was over',
      kind: 'system',
    })
    expect((await tenant.admin.call(me)).ok().support).toBeNull()
  })

  test('another tenant, or somebody without the permission, sends nobody away', async () => {
    const tenant = await product.createTenant()
    const elsewhere = await product.createTenant()
    const by = await addOperator(product, 'support')
    const { client, session } = await enter(tenant, { by })
    expect((await elsewhere.admin.call(endSupportVisit, { params: { id: session.id } })).status).toBe(404)
    expect((await client.call(endSupportVisit, { params: { id: session.id } })).status).toBe(403)
    expect((await client.call(updateSupportAccess, { body: { allowsSupport: true } })).status).toBe(403)
    expect((await client.call(me)).status).toBe(200)
  })
})

describe('consent', () => {
  const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString()

  test('is needed to change anything, ends with its time, and can be withdrawn at once', async () => {
    const tenant = await product.createTenant()
    const by = await addOperator(product, 'support')
    const asked = () =>
      by.client.call(beginSupportSession, {
        params: { id: tenant.id },
        body: { reason: REASON, access: 'write', minutes: 240 },
      })
    const post = (client: Client) =>
      client.call(createJournalEntry, { body: { ...entryBody('7.00', 'With consent'), status: 'draft' } })
    expect((await asked()).error.code).toBe('SUPPORT_WITHOUT_CONSENT')
    const writeUntil = inAnHour()
    expect((await tenant.admin.call(updateSupportAccess, { body: { writeUntil } })).ok().mayChangeNow).toBe(
      true,
    )
    const begun = (await asked()).ok()
    expect(new Date(begun.session.expiresAt).toISOString()).toBe(writeUntil) // and not four hours
    const client = product.anonymous.with({ token: begun.token })
    const entry = (await post(client)).ok()
    const [change] = await tenantRows(
      tenant,
      sql<{
        kind: string
        actor: string
      }>`SELECT DISTINCT actor_kind AS kind, actor_id AS actor FROM audit.change
        WHERE entity_id = ${entry.id}`,
    )
    expect(change).toEqual({ kind: 'operator', actor: by.id })
    ;(await tenant.admin.call(updateSupportAccess, { body: { writeUntil: null } })).ok()
    const refused = await post(client)
    expect([refused.status, refused.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    expect((await client.call(listJournalEntries)).status).toBe(200)
  })

  test('may be refused altogether', async () => {
    const tenant = await product.createTenant()
    const by = await addOperator(product, 'support')
    ;(await tenant.admin.call(updateSupportAccess, { body: { allowsSupport: false } })).ok()
    const body = { reason: REASON }
    const refused = await by.client.call(beginSupportSession, { params: { id: tenant.id }, body })
    expect([refused.status, refused.error.code]).toEqual([403, 'SUPPORT_REFUSED'])
    const [row] = (await product.operator.call(listTenantSupportSessions, { params: { id: tenant.id } })).ok().supportSessions // prettier-ignore
    expect(row).toMatchObject({ state: 'refused', endReason: 'SUPPORT_REFUSED' })
    ;(await tenant.admin.call(updateSupportAccess, { body: { allowsSupport: true } })).ok()
    expect((await by.client.call(beginSupportSession, { params: { id: tenant.id }, body })).status).toBe(201) // control
  })

  test.each([
    ['yesterday', 'IN_THE_PAST', -86_400_000],
    ['in 31 days', 'TOO_FAR_AHEAD', 31 * 86_400_000],
  ])('until %s is none', async (_when, code, ms) => {
    const tenant = await product.createTenant()
    const writeUntil = new Date(Date.now() + ms).toISOString()
    const refused = await tenant.admin.call(updateSupportAccess, { body: { writeUntil } })
    expect(refused.refusals).toEqual([`writeUntil ${code}`])
    const nonsense = await tenant.admin.call(updateSupportAccess, {
      body: { writeUntil: '2026-13-45T99:99:99Z' },
    })
    expect(nonsense.refusals).toEqual(['writeUntil FORMAT'])
  })
})

describe("the code of the operator's browser", () => {
  test('is exchanged once, at its own tenant, within a minute, for the same session', async () => {
    const tenant = await product.createTenant()
    const elsewhere = await product.createTenant()
    const by = await addOperator(product, 'support')
    const { entry, session } = await enter(tenant, { by })
    expect(entry.url).toMatch(/^http:\/\/[^?#]+\/support$/)
    const redeem = (at: TestTenant, code: string) =>
      product.anonymous.with({ tenant: at.code }).call(redeemSupportCode, { body: { code } })
    expect((await redeem(elsewhere, entry.code)).status).toBe(401)
    expect((await redeem(tenant, `${entry.code}x`)).status).toBe(401)
    const redeemed = (await redeem(tenant, entry.code)).ok()
    expect(redeemed.user).toMatchObject({ id: by.id, support: { isCaller: true, sessionId: session.id } })
    expect(await isLetIn(product.anonymous.with({ token: redeemed.token }))).toEqual(IN)
    expect((await redeem(tenant, entry.code)).status).toBe(401)

    const again = (await by.client.call(enterAgain, { params: { id: session.id } })).ok()
    await changePlatform(
      sql`UPDATE platform.support_session SET code_expires_at = now() WHERE id = ${session.id}`,
    )
    expect((await redeem(tenant, again.code)).status).toBe(401)
    const next = (await by.client.call(enterAgain, { params: { id: session.id } })).ok()
    const codes = await Promise.all([redeem(tenant, next.code), redeem(tenant, next.code)])
    expect(codes.map(({ status }) => status).toSorted()).toEqual([200, 401])
    expect((await helper.client.call(enterAgain, { params: { id: session.id } })).status).toBe(403)
    const last = (await by.client.call(enterAgain, { params: { id: session.id } })).ok()
    ;(await by.client.call(endSupportSession, { params: { id: session.id } })).ok()
    expect((await redeem(tenant, last.code)).status).toBe(401)
    expect((await by.client.call(enterAgain, { params: { id: session.id } })).status).toBe(409)
  })
})
