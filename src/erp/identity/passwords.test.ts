/** Passwords through HTTP: changed, reset, remembered, grown old. */
import { sql } from 'kysely'
import { hash } from '@node-rs/bcrypt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/product.ts'
import { tenantSql } from '../../tenancy/handles.ts'
import { sampleOf } from '../../testing/samples.ts'
import { mailedTo } from '../../testing/mailed.ts'
import { rawRequest } from '../../testing/process.ts'
import {
  CHEAP_HASH_COST,
  ADMIN_PASSWORD,
  signIn,
  startTestProduct,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { addUser } from '../../testing/users.ts'
import { changePassword, login, logout, me, requestPasswordReset, resetPassword } from './contract.ts'
import { createUser, getUser, listUsers, sendPasswordReset } from './users/contract.ts'

let product: TestProduct
let tenant: TestTenant
let at: TestProduct['anonymous']

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

async function rows(text: string): Promise<Record<string, unknown>[]> {
  const entry = await product.directory.byId(tenant.id)
  return product.gate.writeTenant(entry!.location, tenant.companyId, SYSTEM, (tx) =>
    tx.rows(sql.raw(text).compile(tenantSql)),
  ) as never
}
const signInStatus = async (email: string, password: string): Promise<number> =>
  (await at.call(login, { body: { email, password } })).status
const change = (client: TestProduct['anonymous'], currentPassword: string, newPassword: string) =>
  client.call(changePassword, { body: { currentPassword, newPassword } })

/** What is told of `abc`. */
const breaches = (field: string) => ['DIGIT', 'SPECIAL', 'UPPER'].map((what) => `${field} PASSWORD_NEEDS_${what}`).concat(`${field} PASSWORD_TOO_SHORT`) // prettier-ignore

describe("changing one's password", () => {
  test('needs the present one, ends every session, and is told by mail', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const other = await signIn(at, user.email)
    const wrong = await change(user.client, 'Not-mine-1!', 'Harvest-Moon-47!')
    expect([wrong.status, ...wrong.refusals]).toEqual([400, 'currentPassword WRONG_PASSWORD'])
    expect((await user.client.call(me)).status).toBe(200)
    ;(await change(user.client, ADMIN_PASSWORD, 'Harvest-Moon-47!')).ok()
    for (const client of [user.client, other.client]) expect((await client.call(me)).status).toBe(401)
    expect(await signInStatus(user.email, ADMIN_PASSWORD)).toBe(401)
    expect(await signInStatus(user.email, 'Harvest-Moon-47!')).toBe(200)
    expect((await mailedTo(product, tenant.id, user.email)).map(({ template }) => template)).toEqual([
      'password-changed',
    ])
  })

  test('every broken rule is named by itself', async () => {
    const { client } = await addUser(product, tenant, 'Viewer', { fullName: 'Xanthippe' })
    const refusals = async (password: string) => (await change(client, ADMIN_PASSWORD, password)).refusals
    expect(await refusals('xanthippe')).toEqual([
      'newPassword PASSWORD_CONTAINS_NAME',
      'newPassword PASSWORD_NEEDS_DIGIT',
      'newPassword PASSWORD_NEEDS_SPECIAL',
      'newPassword PASSWORD_NEEDS_UPPER',
    ])
    // Too short, or too long, is one rule among them.
    expect(await refusals('abc')).toEqual(breaches('newPassword'))
    expect(await refusals('x'.repeat(73))).toEqual([
      'newPassword PASSWORD_NEEDS_DIGIT',
      'newPassword PASSWORD_NEEDS_SPECIAL',
      'newPassword PASSWORD_NEEDS_UPPER',
      'newPassword PASSWORD_TOO_LONG',
    ])
    expect(await refusals('P@ssw0rd1!')).toEqual(['newPassword PASSWORD_COMMON'])
    expect(await refusals(ADMIN_PASSWORD)).toEqual(['newPassword PASSWORD_USED_BEFORE'])
  })
})

describe('the last five', () => {
  test('are not used again, the sixth is', { timeout: 120_000 }, async () => {
    const user = await addUser(product, tenant, 'Viewer')
    // As if four had been used before the present one; made cheap, since comparing is what takes time.
    const words = ['Autumn-Leaf-1!', 'Autumn-Leaf-2!', 'Autumn-Leaf-3!', 'Autumn-Leaf-4!']
    const hashes = await Promise.all(words.map((word) => hash(word, { cost: CHEAP_HASH_COST })))
    await rows(
      `UPDATE core.app_user SET previous_password_hashes = '{${hashes.join(',')}}' WHERE id = '${user.id}'`,
    )
    for (const used of [ADMIN_PASSWORD, ...words]) {
      expect((await change(user.client, ADMIN_PASSWORD, used)).refusals).toEqual([
        'newPassword PASSWORD_USED_BEFORE',
      ])
    }
    ;(await change(user.client, ADMIN_PASSWORD, 'Winter-Leaf-5!')).ok()
    const { client } = await signIn(at, user.email, 'Winter-Leaf-5!')
    // Of the five before, the oldest is forgotten now; the one just left is not.
    expect((await change(client, 'Winter-Leaf-5!', ADMIN_PASSWORD)).status).toBe(400)
    ;(await change(client, 'Winter-Leaf-5!', 'Autumn-Leaf-4!')).ok()
    const [row] = await rows(
      `SELECT cardinality(previous_password_hashes) AS count FROM core.app_user WHERE id = '${user.id}'`,
    )
    expect(row).toEqual({ count: 4 })
  })
})

describe('a password that has grown old, or was set by somebody else', () => {
  test('lets in, to nothing but changing it', async () => {
    const user = await addUser(product, tenant, 'Administrator')
    await rows(
      `UPDATE core.app_user SET password_changed_at = now() - interval '89 days' WHERE id = '${user.id}'`,
    )
    const young = await signIn(at, user.email)
    expect((await young.client.call(listUsers)).status).toBe(200) // control
    await rows(
      `UPDATE core.app_user SET password_changed_at = now() - interval '91 days' WHERE id = '${user.id}'`,
    )
    const { token, user: data } = (
      await at.call(login, { body: { email: user.email, password: ADMIN_PASSWORD } })
    ).ok()
    expect(data).toMatchObject({ restriction: 'password-expired', permissions: [] })
    const client = at.with({ token })
    expect((await client.call(me)).ok().restriction).toBe('password-expired')
    const open: string[] = []
    for (const { operation } of product.routes.filter((route) => route.operation.audience === 'tenant')) {
      if (operation.permission === 'anonymous' || operation.params || operation.body) continue
      if (operation.name === 'logout') continue // it is open, and would end the test's session
      const query = operation.query ? sampleOf(operation.query, user.id) : undefined
      const answer = await client.call(operation, { query } as never)
      if (answer.body.error?.code !== 'PASSWORD_EXPIRED') open.push(operation.name)
    }
    expect(open).toEqual(['me'])
    ;(await change(client, ADMIN_PASSWORD, 'Harvest-Moon-47!')).ok()
    const renewed = await signIn(at, user.email, 'Harvest-Moon-47!')
    expect((await renewed.client.call(listUsers)).status).toBe(200)
    ;(await renewed.client.call(logout)).ok()
  })

  test('a password given by an administrator is good for one sign-in', async () => {
    const roleId = (await rows(`SELECT id FROM core.role WHERE name = 'Viewer'`))[0]?.['id'] as string
    const body = { fullName: 'Given One', email: 'given@users.example', roleId, password: 'Harvest-Moon-47!' }
    const refused = await tenant.admin.call(createUser, { body: { ...body, password: 'abc' } })
    expect(refused.refusals).toEqual(breaches('password'))
    ;(await tenant.admin.call(createUser, { body })).ok()
    const { client } = await signIn(at, body.email, body.password)
    expect((await client.call(listUsers)).error.code).toBe('PASSWORD_EXPIRED')
    expect(await mailedTo(product, tenant.id, body.email)).toEqual([])
  })
})

describe('a forgotten password', () => {
  const ask = (email: string) => at.call(requestPasswordReset, { body: { email } })

  test('is set anew under a link, good once; every session ends', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    ;(await ask(user.email.toUpperCase())).ok()
    const [mail] = await mailedTo(product, tenant.id, user.email)
    expect(mail?.template).toBe('reset-password')
    const stored = await rows(`SELECT t::text AS text FROM core.password_token t`)
    expect(JSON.stringify(stored)).not.toContain(mail?.token)
    const set = (password: string) => at.call(resetPassword, { body: { token: mail?.token ?? '', password } })
    expect((await set(ADMIN_PASSWORD)).refusals).toEqual(['password PASSWORD_USED_BEFORE'])
    expect((await set('abc')).refusals).toEqual(breaches('password'))
    const both = await Promise.all([set('Harvest-Moon-47!'), set('Harvest-Moon-48!')])
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400])
    expect((await user.client.call(me)).status).toBe(401)
    expect((await set('Harvest-Moon-49!')).refusals).toEqual(['token TOKEN_INVALID'])
    const [first, second] = both.map(({ status }) => status)
    expect(await signInStatus(user.email, first === 200 ? 'Harvest-Moon-47!' : 'Harvest-Moon-48!')).toBe(200)
    expect(second === 200 || first === 200).toBe(true)
  })

  test('the link lives an hour, and no longer than another one that was used', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    ;(await ask(user.email)).ok()
    const [row] = await rows(`SELECT round(extract(epoch FROM expires_at - created_at) / 60)::int AS minutes
      FROM core.password_token WHERE user_id = '${user.id}'`)
    expect(row).toEqual({ minutes: 60 })
    ;(await ask(user.email)).ok()
    const [second, first] = await mailedTo(product, tenant.id, user.email)
    const set = (token = '') => at.call(resetPassword, { body: { token, password: 'Harvest-Moon-47!' } })
    await rows(
      `UPDATE core.password_token SET expires_at = now() - interval '1 second' WHERE user_id = '${user.id}'`,
    )
    expect((await set(first?.token)).refusals).toEqual(['token TOKEN_INVALID'])
    await rows(
      `UPDATE core.password_token SET expires_at = now() + interval '1 hour' WHERE user_id = '${user.id}'`,
    )
    ;(await set(second?.token)).ok() // control: it was its age
    expect((await set(first?.token)).refusals).toEqual(['token TOKEN_INVALID'])
  })

  test('is mailed a link by an administrator, too; not to who has none yet, or too many links', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const reset = (id: string) => tenant.admin.call(sendPasswordReset, { params: { id } })
    ;(await reset(user.id)).ok()
    expect((await user.client.call(me)).status).toBe(200) // until it is used
    const [mail] = await mailedTo(product, tenant.id, user.email)
    const set = { token: mail?.token ?? '', password: 'Harvest-Moon-47!' }
    ;(await at.call(resetPassword, { body: set })).ok()
    const { roleId } = (await tenant.admin.call(getUser, { params: { id: user.id } })).ok()
    const body = { fullName: 'Guest', email: 'guest-of-reset@users.example', roleId }
    const guest = (await tenant.admin.call(createUser, { body })).ok()
    expect((await reset(guest.id)).error.code).toBe('NOT_JOINED')
    for (let links = 0; links < 5; links++) (await reset(user.id)).ok()
    expect((await reset(user.id)).error.code).toBe('LINKS_ENOUGH')
  })

  test('links on their way are bounded', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    await Promise.all(Array.from({ length: 12 }, () => ask(user.email)))
    await ask(user.email)
    const [row] = await rows(`SELECT count(*) AS count FROM core.password_token WHERE user_id = '${user.id}'`)
    expect(Number(row?.['count'])).toBeGreaterThanOrEqual(5) // what comes at one moment may pass together
    const before = Number(row?.['count'])
    await ask(user.email)
    const [after] = await rows(
      `SELECT count(*) AS count FROM core.password_token WHERE user_id = '${user.id}'`,
    )
    expect(after).toEqual({ count: before })
  })
})

test('whether an address exists is not told by the words of the answer (src/attacks: nor by its time)', async () => {
  const known = await addUser(product, tenant, 'Viewer')
  const gone = await addUser(product, tenant, 'Viewer')
  await rows(`UPDATE core.app_user SET is_active = false WHERE id = '${gone.id}'`)
  for (const email of [known.email, 'nobody@users.example', gone.email]) {
    const answer = await rawRequest(product.url, 'POST', '/api/v1/auth/reset-password-request', { 'x-tenant-id': tenant.code }, { email }) // prettier-ignore
    expect([answer.status, answer.text]).toEqual([
      200,
      '{"success":true,"data":{},"message":"If there is an account with this address, a mail is on its way to it"}',
    ])
  }
  // Control: a mail was written for one of them.
  expect((await mailedTo(product, tenant.id, known.email)).length).toBe(1)
  expect(await mailedTo(product, tenant.id, gone.email)).toEqual([])
  expect(await mailedTo(product, tenant.id, 'nobody@users.example')).toEqual([])
})
