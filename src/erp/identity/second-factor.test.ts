/** Two-step sign-in of users: set up, asked for, good once, required by a role, reset; and what cannot be got by guessing. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/product.ts'
import { tenantSql } from '../../tenancy/handles.ts'
import { codeOf, wrongCodeOf } from '../../testing/authenticator.ts'
import { Client } from '../../testing/client.ts'
import { mailedTo } from '../../testing/mailed.ts'
import { heard, rawRequest, startProcess, type ServerProcess } from '../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { sampleOf } from '../../testing/samples.ts'
import { addUser, type TestUser } from '../../testing/users.ts'
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  endOtherSessions,
  endSession,
  listSessions,
  login,
  me,
  removeSecondFactor,
  renewRecoveryCodes,
  requestPasswordReset,
  resetPassword,
} from './contract.ts'
import { listRoles, updateRole } from './roles/contract.ts'
import { getUser, listUserActivity, resetUserSecondFactor } from './users/contract.ts'

let product: TestProduct
let other: ServerProcess
let tenant: TestTenant
let at: Client

beforeAll(async () => {
  const environment = testEnvironment()
  product = await startTestProduct({}, {}, environment)
  other = await startProcess(environment)
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
}, 120_000)
afterAll(async () => {
  await other?.stop()
  await product.stop()
})

const isOut = (client: Client): Promise<void> =>
  heard(async () => expect((await client.call(me)).status).toBe(401))

async function rows(text: string): Promise<Record<string, unknown>[]> {
  const entry = await product.directory.byId(tenant.id)
  return product.gate.writeTenant(entry!.location, tenant.companyId, SYSTEM, (tx) =>
    tx.rows(sql.raw(text).compile(tenantSql)),
  ) as never
}

interface Enrolled extends TestUser {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
}

async function enrol(client: Client): Promise<{ secret: string; recoveryCodes: string[] }> {
  const { secret } = (await client.call(beginSecondFactor)).ok()
  const { recoveryCodes } = (
    await client.call(confirmSecondFactor, { body: { code: codeOf(secret, -1) } })
  ).ok()
  return { secret, recoveryCodes }
}

async function enrolled(role = 'Viewer'): Promise<Enrolled> {
  const user = await addUser(product, tenant, role)
  return { ...user, ...(await enrol(user.client)) }
}

function signIn(email: string, totp?: string, { password = ADMIN_PASSWORD, from = at } = {}) {
  return from.call(login, { body: { email, password, ...(totp === undefined ? {} : { totp }) } })
}

async function outcome(...given: Parameters<typeof signIn>): Promise<string> {
  const { status, body } = await signIn(...given)
  return status === 200 ? 'in' : (body.error?.code ?? String(status))
}

/** As if the codes used so far were of long ago: tests do not wait for half a minute. */
function timePasses(user: TestUser): Promise<unknown> {
  return rows(`UPDATE core.second_factor SET last_used_step = 0 WHERE user_id = '${user.id}'`)
}

describe('setting it up', () => {
  test('takes two steps: a secret, and a code made of it; until then nothing is asked for', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const first = (await user.client.call(beginSecondFactor)).ok()
    const second = (await user.client.call(beginSecondFactor)).ok()
    expect(second.secret).toMatch(/^[A-Z2-7]{32}$/)
    expect(second.secret).not.toBe(first.secret)
    const uri = new URL(second.uri)
    expect([uri.protocol, uri.host, decodeURIComponent(uri.pathname)]).toEqual(['otpauth:', 'totp', `/Solution ERP ${tenant.code}:${user.email}`]) // prettier-ignore
    expect(uri.searchParams.get('secret')).toBe(second.secret)
    expect(await outcome(user.email)).toBe('in')
    // The code of a secret that was replaced is none, nor is one of long ago.
    for (const code of [
      codeOf(first.secret),
      wrongCodeOf(second.secret),
      codeOf(second.secret, -3),
      codeOf(second.secret, 3),
    ]) {
      const answer = await user.client.call(confirmSecondFactor, { body: { code } })
      expect([answer.status, ...answer.refusals]).toEqual([400, 'code WRONG_CODE'])
    }
    const { recoveryCodes } = (
      await user.client.call(confirmSecondFactor, { body: { code: codeOf(second.secret) } })
    ).ok()
    expect(new Set(recoveryCodes).size).toBe(10)
    for (const code of recoveryCodes) expect(code).toMatch(/^([a-z2-7]{4}-){3}[a-z2-7]{4}$/)
    expect((await user.client.call(me)).ok().secondFactor).toEqual({
      isOn: true,
      isRequired: false,
      recoveryCodesLeft: 10,
    })
    expect(await outcome(user.email)).toBe('TOTP_REQUIRED')
    expect((await user.client.call(beginSecondFactor)).error.code).toBe('SECOND_FACTOR_ON')
    expect((await mailedTo(product, tenant.id, user.email)).map(({ subject }) => subject)).toEqual([
      'Two-step sign-in was turned on',
    ])
  })

  test('keeps neither secret nor recovery codes in clear, nor in the audit', async () => {
    const user = await enrolled()
    const kept = JSON.stringify(await rows('SELECT * FROM core.second_factor'))
    const audited = JSON.stringify(
      await rows(`SELECT * FROM audit.change WHERE entity = 'core.second_factor'`),
    )
    expect(audited).toContain(user.id) // control: it is there
    for (const secret of [user.secret, ...user.recoveryCodes]) {
      expect(kept.toLowerCase()).not.toContain(secret.toLowerCase())
      expect(audited.toLowerCase()).not.toContain(secret.toLowerCase())
    }
    expect(audited).not.toMatch(/"(?:sealed_secret|recovery_hashes)":(?!"\(changed\)")/)
    const [factor] = await rows(`SELECT sealed_secret FROM core.second_factor WHERE user_id = '${user.id}'`)
    const sealed = String(factor?.['sealed_secret'])
    expect(product.secrets.open(sealed, `second-factor/${user.id}`)).toBe(user.secret)
    expect(() => product.secrets.open(sealed, `second-factor/${tenant.id}`)).toThrow() // of another row
  })
})

describe('signing in', () => {
  test('asks for the code only who knows the password', async () => {
    const [user, plain] = [await enrolled(), await addUser(product, tenant, 'Viewer')]
    const wrong = { password: 'Wrong-pass-1!' }
    const answers = [
      await signIn(user.email, undefined, wrong),
      await signIn(user.email, codeOf(user.secret), wrong),
      await signIn(plain.email, undefined, wrong),
      await signIn('nobody@users.example', '123456', wrong),
      await signIn(user.email, wrongCodeOf(user.secret)),
    ]
    for (const { status, error } of answers) {
      expect([status, error.code, error.message]).toEqual([401, 'AUTH_FAILED', answers[0]!.error.message])
    }
    expect(await outcome(user.email)).toBe('TOTP_REQUIRED')
    expect(await outcome(user.email, codeOf(user.secret))).toBe('in')
    expect(await outcome(plain.email, '123456')).toBe('in') // nothing to ask for
  })

  test('takes a code of the step before or after, as apps write it, and none from farther away', async () => {
    const user = await enrolled()
    await timePasses(user)
    for (const steps of [-3, 3]) expect(await outcome(user.email, codeOf(user.secret, steps))).toBe('AUTH_FAILED') // prettier-ignore
    const spaced = codeOf(user.secret, 1).replace(/^(...)/, '$1 ')
    expect(await outcome(user.email, spaced)).toBe('in')
  })

  test('takes a code once; an earlier one neither', async () => {
    const user = await enrolled()
    const now = Date.now()
    const code = codeOf(user.secret, 0, now)
    expect(await outcome(user.email, code)).toBe('in')
    expect(await outcome(user.email, code)).toBe('AUTH_FAILED')
    expect(await outcome(user.email, codeOf(user.secret, -1, now))).toBe('AUTH_FAILED')
    expect(await outcome(user.email, codeOf(user.secret, 1, now))).toBe('in')
    await timePasses(user)
    expect(await outcome(user.email, codeOf(user.secret))).toBe('in') // control: it was the use that spent it
  })

  test('of many who use one code at the same moment at two processes one is let in', async () => {
    const user = await enrolled()
    const there = new Client(other.url, { tenant: tenant.code })
    const atOnce = (codes: readonly string[]): Promise<string[]> =>
      Promise.all(codes.map((code, n) => outcome(user.email, code, { from: n % 2 === 0 ? at : there })))
    const same = (code: string): string[] => Array.from({ length: 6 }, () => code)
    const inOf = (outcomes: string[]): number => outcomes.filter((one) => one === 'in').length
    expect(inOf(await atOnce(same(codeOf(user.secret))))).toBe(1)
    expect(inOf(await atOnce(same(user.recoveryCodes[0]!)))).toBe(1)
    // Control: with a code of their own each is let in, so it was not the crowd that kept them out.
    expect(inOf(await atOnce(user.recoveryCodes.slice(1, 7)))).toBe(6)
    expect((await signIn(user.email, user.recoveryCodes[7])).ok().user.secondFactor.recoveryCodesLeft).toBe(2)
  })

  test('takes a recovery code once, however it is typed', async () => {
    const user = await enrolled()
    const [code = ''] = user.recoveryCodes
    expect(await outcome(user.email, code.toUpperCase().replaceAll('-', ' '))).toBe('in')
    expect(await outcome(user.email, code)).toBe('AUTH_FAILED')
    expect(await outcome(user.email, user.recoveryCodes[1])).toBe('in')
    expect(await outcome(user.email, 'abcd-efgh-ijkl-mnop')).toBe('AUTH_FAILED')
  })

  test('after ten wrong codes asks the owner to set a new password, which they do', async () => {
    const user = await enrolled()
    for (let n = 0; n < 10; n++)
      expect(await outcome(user.email, wrongCodeOf(user.secret))).toBe('AUTH_FAILED')
    expect(await outcome(user.email, codeOf(user.secret))).toBe('AUTH_FAILED')
    // Nor is more looked at by an open session.
    const renewed = await user.client.call(renewRecoveryCodes, { body: { code: codeOf(user.secret) } })
    expect(renewed.refusals).toEqual(['code WRONG_CODE'])
    expect(await outcome(user.email, user.recoveryCodes[0])).toBe('in') // control: it is not the account
    expect((await mailedTo(product, tenant.id, user.email))[0]?.subject).toBe('Somebody knows your password')
    ;(await at.call(requestPasswordReset, { body: { email: user.email } })).ok()
    const { token } = (await mailedTo(product, tenant.id, user.email))[0]!
    const password = 'Harvest-Moon-47!'
    ;(await at.call(resetPassword, { body: { token, password } })).ok()
    expect(await outcome(user.email, codeOf(user.secret), { password })).toBe('in')
  })

  test('at the token endpoint asks for the same', async () => {
    const user = await enrolled()
    const ask = async (totp?: string) => {
      const form = new URLSearchParams({
        grant_type: 'password',
        username: user.email,
        password: ADMIN_PASSWORD,
        ...(totp === undefined ? {} : { totp }),
      })
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-tenant-id': tenant.code }
      return (await rawRequest(product.url, 'POST', '/api/v1/auth/token', headers, form.toString())).status
    }
    expect([await ask(), await ask(wrongCodeOf(user.secret)), await ask(codeOf(user.secret))]).toEqual([400, 400, 200]) // prettier-ignore
  })
})

describe('afterwards', () => {
  test('new recovery codes need a code, and void the old', async () => {
    const user = await enrolled()
    const renew = (code: string) => user.client.call(renewRecoveryCodes, { body: { code } })
    expect((await renew(wrongCodeOf(user.secret))).refusals).toEqual(['code WRONG_CODE'])
    const { recoveryCodes } = (await renew(codeOf(user.secret))).ok()
    expect(await outcome(user.email, user.recoveryCodes[0])).toBe('AUTH_FAILED')
    expect(await outcome(user.email, recoveryCodes[0])).toBe('in')
    const plain = await addUser(product, tenant, 'Viewer')
    const none = await plain.client.call(renewRecoveryCodes, { body: { code: '123456' } })
    expect(none.error.code).toBe('SECOND_FACTOR_OFF')
  })

  test('turning it off needs password and code', async () => {
    const user = await enrolled()
    const remove = (password: string, code: string) =>
      user.client.call(removeSecondFactor, { body: { password, code } })
    expect((await remove('Wrong-pass-1!', codeOf(user.secret))).refusals).toEqual(['password WRONG_PASSWORD'])
    expect((await remove(ADMIN_PASSWORD, wrongCodeOf(user.secret))).refusals).toEqual(['code WRONG_CODE'])
    expect(await outcome(user.email)).toBe('TOTP_REQUIRED')
    ;(await remove(ADMIN_PASSWORD, codeOf(user.secret))).ok()
    expect(await outcome(user.email)).toBe('in')
  })

  test('an administrator resets it: signed out everywhere at once, told by mail', async () => {
    const user = await enrolled()
    const there = new Client(other.url, { tenant: tenant.code, token: user.client.options.token! })
    expect((await there.call(me)).status).toBe(200)
    const params = { id: user.id }
    expect((await tenant.admin.call(getUser, { params })).ok().hasSecondFactor).toBe(true)
    const viewer = await addUser(product, tenant, 'Viewer')
    expect((await viewer.client.call(resetUserSecondFactor, { params })).status).toBe(403)
    ;(await tenant.admin.call(resetUserSecondFactor, { params })).ok()
    expect((await user.client.call(me)).status).toBe(401)
    await isOut(there)
    expect(await outcome(user.email)).toBe('in')
    expect((await mailedTo(product, tenant.id, user.email))[0]?.subject).toBe('Two-step sign-in was reset')
    expect((await tenant.admin.call(resetUserSecondFactor, { params })).error.code).toBe('SECOND_FACTOR_OFF')
    const { id } = (await tenant.admin.call(me)).ok()
    const { activity } = (await tenant.admin.call(listUserActivity, { params: { id } })).ok()
    expect(activity.map(({ entity, action }) => `${entity} ${action}`)).toContain('core.second_factor delete')
  })

  test('nobody resets the one of somebody who holds more', async () => {
    await rows(`INSERT INTO core.role (name, permissions) VALUES ('Keeper', '{users:*,*:view}')`)
    const keeper = await addUser(product, tenant, 'Keeper')
    const [above, below] = [await enrolled('Administrator'), await enrolled()]
    const reset = async ({ id }: TestUser) =>
      (await keeper.client.call(resetUserSecondFactor, { params: { id } })).status
    expect([await reset(above), await reset(below)]).toEqual([403, 200])
  })
})

describe('a role that requires it', () => {
  test('confines its holders to setting it up, at once; then they go on in the same session', async () => {
    const name = `Careful-${randomBytes(3).toString('hex')}`
    await rows(`INSERT INTO core.role (name, permissions) VALUES ('${name}', '{*:view}')`)
    const { roles } = (await tenant.admin.call(listRoles, { query: { search: name } })).ok()
    const role = roles[0]!
    expect(role.requiresSecondFactor).toBe(false)
    const user = await addUser(product, tenant, name)
    expect((await user.client.call(listRoles)).status).toBe(200) // control
    const required = { params: { id: role.id }, body: { requiresSecondFactor: true } }
    expect((await tenant.admin.call(updateRole, required)).ok().requiresSecondFactor).toBe(true)
    expect((await user.client.call(listRoles)).error.code).toBe('SECOND_FACTOR_REQUIRED')
    const session = (await signIn(user.email)).ok()
    expect(session.user).toMatchObject({
      restriction: 'second-factor-missing',
      permissions: [],
      secondFactor: { isOn: false, isRequired: true },
    })
    const client = at.with({ token: session.token })
    const open: string[] = []
    for (const { operation } of product.routes) {
      if (operation.audience !== 'tenant' || operation.permission === 'anonymous') continue
      if (operation.name === 'logout') continue
      const path = operation.path.replaceAll(/\{\w+\}/g, user.id)
      const answer = await rawRequest(
        product.url,
        operation.method,
        `/api/v1${path}`,
        {
          'x-tenant-id': tenant.code,
          authorization: `Bearer ${session.token}`,
          ...(operation.accepts?.[0] ? { 'content-type': operation.accepts[0] } : {}),
        },
        operation.accepts ? 'a file' : operation.body ? sampleOf(operation.body, user.id) : undefined,
      )
      if (!answer.text.includes('SECOND_FACTOR_REQUIRED') && !answer.text.includes('VALIDATION_ERROR'))
        open.push(operation.name)
    }
    expect(open.toSorted()).toEqual(['beginSecondFactor', 'me'])
    const change = { body: { currentPassword: ADMIN_PASSWORD, newPassword: 'Harvest-Moon-47!' } }
    expect((await client.call(changePassword, change)).error.code).toBe('SECOND_FACTOR_REQUIRED')
    await enrol(client)
    expect((await client.call(listRoles)).status).toBe(200)
    expect((await client.call(me)).ok().restriction).toBeNull()
  })

  test('may be the Administrator, of whom nothing else is changed', async () => {
    const { roles } = (await tenant.admin.call(listRoles, { query: { search: 'Administrator' } })).ok()
    const params = { id: roles[0]!.id }
    const update = (body: object) => tenant.admin.call(updateRole, { params, body })
    expect((await update({ requiresSecondFactor: true, name: 'Boss' })).error.code).toBe('ROLE_FIXED')
    expect((await update({ requiresSecondFactor: true })).ok().requiresSecondFactor).toBe(true)
    // Whoever turned it on is the first to be asked.
    expect((await update({ requiresSecondFactor: false })).error.code).toBe('SECOND_FACTOR_REQUIRED')
    await rows(`UPDATE core.role SET requires_second_factor = false WHERE name = 'Administrator'`)
  })

  test('an expired password comes first', async () => {
    const name = `Careful-${randomBytes(3).toString('hex')}`
    await rows(
      `INSERT INTO core.role (name, permissions, requires_second_factor) VALUES ('${name}', '{*:view}', true)`,
    )
    const user = await addUser(product, tenant, name)
    await rows(`UPDATE core.app_user SET must_change_password = true WHERE id = '${user.id}'`)
    const session = (await signIn(user.email)).ok()
    expect(session.user.restriction).toBe('password-expired')
    const client = at.with({ token: session.token })
    expect((await client.call(beginSecondFactor)).error.code).toBe('PASSWORD_EXPIRED')
  })
})

describe("one's sessions", () => {
  test('are listed and ended, one or all others, at once on every process', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const [second, third] = [(await signIn(user.email)).ok(), (await signIn(user.email)).ok()]
    const there = (token: string) => new Client(other.url, { tenant: tenant.code, token })
    for (const { token } of [second, third]) expect((await there(token).call(me)).status).toBe(200)
    const { sessions } = (await user.client.call(listSessions)).ok()
    expect(sessions.map(({ isCurrent }) => isCurrent).toSorted()).toEqual([false, false, true])
    const idOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sessionId // prettier-ignore
    ;(await user.client.call(endSession, { params: { id: idOf(second.token) } })).ok()
    await isOut(there(second.token))
    expect((await there(third.token).call(me)).status).toBe(200) // control
    ;(await user.client.call(endOtherSessions)).ok()
    await isOut(there(third.token))
    expect((await user.client.call(me)).status).toBe(200)
    const stranger = await addUser(product, tenant, 'Viewer')
    const params = { id: idOf(stranger.client.options.token!) }
    expect((await user.client.call(endSession, { params })).status).toBe(404)
    expect((await stranger.client.call(me)).status).toBe(200)
  })
})
