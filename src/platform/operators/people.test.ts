/** Operators as people: invited, changed, confined; the last owner stays; nobody rises by themselves. */
import { randomBytes } from 'node:crypto'
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listTenants } from '../tenants/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import { codeOf, wrongCodeOf } from '../../testing/authenticator.ts'
import { Client } from '../../testing/client.ts'
import { platformMailedTo } from '../../testing/mailed.ts'
import { meeting } from '../../testing/meeting.ts'
import { heard, runErp, startProcess, type ServerProcess } from '../../testing/process.ts'
import {
  CHEAP_HASH_COST,
  OPERATOR,
  startTestProduct,
  testEnvironment,
  type TestProduct,
} from '../../testing/product.ts'
import {
  createOperator,
  deleteOperator,
  getOperator,
  inviteOperator,
  listOperators,
  operatorBeginSecondFactor,
  operatorChangePassword,
  operatorConfirmSecondFactor,
  operatorEndOtherSessions,
  operatorListSessions,
  operatorLogin,
  operatorMe,
  operatorRemoveSecondFactor,
  operatorRequestPasswordReset,
  operatorResetPassword,
  resetOperatorSecondFactor,
  updateOperator,
} from './contract.ts'
import { isWithin, operatorPermissions } from './rules/permissions.ts'

const PASSWORD = 'Harvest-Moon-47!'
let environment: Record<string, string>
let product: TestProduct
let other: ServerProcess

beforeAll(async () => {
  environment = testEnvironment()
  product = await startTestProduct({}, {}, environment)
  other = await startProcess(environment)
}, 120_000)
afterAll(async () => {
  await other?.stop()
  await product.stop()
})

const inPlatform = <Result>(work: (tx: PlatformTx) => Promise<Result>): Promise<Result> =>
  product.gate.writePlatform(SYSTEM, work)
const rows = (text: string): Promise<Record<string, unknown>[]> =>
  inPlatform((tx) => tx.rows(sql.raw(text).compile(platformSql))) as never
const as = (token: string): Client => product.anonymous.with({ token })
const there = (token: string): Client => new Client(other.url, { token })
const isOut = (client: Client): Promise<void> =>
  heard(async () => expect((await client.call(operatorMe)).status).toBe(401))
const newEmail = (): string => `${randomBytes(4).toString('hex')}@operators.example`

function login(email: string, password = PASSWORD, totp?: string) {
  const body = { email, password, ...(totp === undefined ? {} : { totp }) }
  return product.anonymous.call(operatorLogin, { body })
}

type Role = keyof typeof operatorPermissions

/** With a password, so that they can sign in; the cheapest hash there is. */
async function operator(role: Role): Promise<{ id: string; email: string; client: Client; token: string }> {
  const email = newEmail()
  const { id } = (
    await product.operator.call(createOperator, { body: { fullName: `A ${role}`, email, role } })
  ).ok()
  const passwordHash = await hash(PASSWORD, { cost: CHEAP_HASH_COST })
  await rows(`UPDATE platform.operator SET password_hash = '${passwordHash}' WHERE id = '${id}'`)
  const { token } = (await login(email)).ok()
  return { id, email, token, client: as(token) }
}

async function enrol(client: Client): Promise<string> {
  const { secret } = (await client.call(operatorBeginSecondFactor)).ok()
  ;(await client.call(operatorConfirmSecondFactor, { body: { code: codeOf(secret, -1) } })).ok()
  return secret
}

/** What is told of `abc`. */
const breaches = (field: string) => ['DIGIT', 'SPECIAL', 'UPPER'].map((what) => `${field} PASSWORD_NEEDS_${what}`).concat(`${field} PASSWORD_TOO_SHORT`) // prettier-ignore

describe('an operator', () => {
  test('is invited by mail, sets a password once, and signs in', async () => {
    const body = { fullName: 'Olga Operator', email: newEmail(), role: 'support' as const }
    const made = (await product.operator.call(createOperator, { body })).ok()
    expect(made).toMatchObject({ ...body, status: 'active', isInvited: true, hasSecondFactor: false })
    expect((await login(body.email)).error.code).toBe('AUTH_FAILED')
    const [mail] = await platformMailedTo(product, body.email)
    expect([mail?.template, mail?.address]).toEqual(['invitation', `${product.url.replace('127.0.0.1', 'localhost')}/operator`]) // prettier-ignore
    const weak = { token: mail!.token, password: 'Operator1!' }
    expect((await product.anonymous.call(operatorResetPassword, { body: weak })).refusals).toContain('password PASSWORD_CONTAINS_NAME') // prettier-ignore
    const short = { token: mail!.token, password: 'abc' }
    expect((await product.anonymous.call(operatorResetPassword, { body: short })).refusals).toEqual(breaches('password')) // prettier-ignore
    const set = { body: { token: mail!.token, password: PASSWORD } }
    ;(await product.anonymous.call(operatorResetPassword, set)).ok()
    expect((await product.anonymous.call(operatorResetPassword, set)).refusals).toEqual(['token TOKEN_INVALID']) // prettier-ignore
    expect((await login(body.email)).ok().operator).toMatchObject({ role: 'support', restriction: null })
    const params = { id: made.id }
    expect((await product.operator.call(getOperator, { params })).ok().isInvited).toBe(false)
    expect((await product.operator.call(inviteOperator, { params })).error.code).toBe('ALREADY_JOINED')
    const twice = await product.operator.call(createOperator, { body: { ...body, email: body.email.toUpperCase() } }) // prettier-ignore
    expect([twice.status, twice.error.code]).toEqual([409, 'DUPLICATE_EMAIL'])
  })

  test('is invited again: the earlier link is void', async () => {
    const body = { fullName: 'Ida Invited', email: newEmail(), role: 'billing' as const }
    const { id } = (await product.operator.call(createOperator, { body })).ok()
    ;(await product.operator.call(inviteOperator, { params: { id } })).ok()
    const [second, first] = await platformMailedTo(product, body.email)
    const use = (token: string) =>
      product.anonymous.call(operatorResetPassword, { body: { token, password: PASSWORD } })
    expect((await use(first!.token)).refusals).toEqual(['token TOKEN_INVALID'])
    ;(await use(second!.token)).ok()
  })

  test('is listed sorted as asked, both ways', async () => {
    const search = randomBytes(4).toString('hex')
    const ids: string[] = []
    for (const [fullName, role] of [
      ['bea', 'read-only'],
      ['Cid', 'billing'],
      ['Ann', 'support'],
    ] as const) {
      const body = { fullName: `${fullName} ${search}`, email: newEmail(), role }
      ids.push((await product.operator.call(createOperator, { body })).ok().id)
    }
    const [bea, cid, ann] = ids
    await rows(`UPDATE platform.operator SET last_login_at = now() WHERE id = '${bea}'`)
    const listed = async (query: { sort?: 'role' | 'createdAt' | 'lastLoginAt' | 'status'; order?: 'asc' | 'desc' }) =>
      (await product.operator.call(listOperators, { query: { search, ...query } })).ok().operators.map(({ id }) => id) // prettier-ignore
    expect(await listed({})).toEqual([ann, bea, cid])
    expect(await listed({ order: 'desc' })).toEqual([cid, bea, ann])
    expect(await listed({ sort: 'role' })).toEqual([cid, bea, ann])
    expect(await listed({ sort: 'createdAt', order: 'desc' })).toEqual([ann, cid, bea])
    expect((await listed({ sort: 'lastLoginAt', order: 'desc' }))[0]).toBe(bea)
    await rows(`UPDATE platform.operator SET is_active = false WHERE id = '${ann}'`)
    expect(await listed({ sort: 'status' })).toEqual([bea, cid, ann])
    const unknown = await product.operator.send('GET', '/api/v1/platform/operators?sort=password_hash')
    expect(unknown.status).toBe(400)
  })

  test('is found, changed with its version, deactivated and deleted: at once on every process', async () => {
    const { id, email, token } = await operator('support')
    const params = { id }
    const found = (await product.operator.call(listOperators, { query: { search: email } })).ok()
    expect(found.operators.map((one) => one.id)).toEqual([id])
    const version = { 'if-match': (await product.operator.call(getOperator, { params })).headers.get('etag') ?? '' } // prettier-ignore
    await login(email) // signing in is no change of the operator
    expect((await there(token).call(listTenants)).status).toBe(200)
    const billing = { params, body: { role: 'billing' as const } }
    expect((await product.operator.call(updateOperator, billing, version)).ok().role).toBe('billing')
    expect((await product.operator.call(updateOperator, billing, version)).status).toBe(412)
    await heard(async () => {
      const { permissions } = (await there(token).call(operatorMe)).ok()
      expect(permissions).toEqual([...operatorPermissions.billing])
    })
    const inactive = { params, body: { status: 'inactive' as const } }
    ;(await product.operator.call(updateOperator, inactive)).ok()
    await isOut(there(token))
    expect((await login(email)).status).toBe(401)
    ;(await product.operator.call(updateOperator, { params, body: { status: 'active' } })).ok()
    const again = (await login(email)).ok()
    expect((await there(again.token).call(operatorMe)).status).toBe(200)
    ;(await product.operator.call(deleteOperator, { params })).ok()
    await isOut(there(again.token))
    expect((await login(email)).status).toBe(401)
    expect((await product.operator.call(getOperator, { params })).status).toBe(404)
    const body = { fullName: 'Somebody Else', email, role: 'read-only' as const }
    expect((await product.operator.call(createOperator, { body })).status).toBe(201) // the address is free
    const events = await rows(
      `SELECT action, actor_id IS NOT NULL AS known FROM platform.audit_event WHERE entity_id = '${id}'
       AND old_values IS NULL AND new_values IS NULL AND action NOT IN ('sign-in', 'sign-out') ORDER BY id`,
    )
    expect(events.map(({ action }) => action)).toEqual(['create', 'update', 'update', 'update', 'delete']) // prettier-ignore
  })
})

describe('the last owner', () => {
  const owners = `SELECT count(*)::int AS count FROM platform.operator
    WHERE role = 'owner' AND is_active AND deleted_at IS NULL AND password_hash IS NOT NULL`

  test('is neither demoted, deactivated nor deleted, by themselves or by another', async () => {
    const { id } = (await product.operator.call(operatorMe)).ok()
    const body = { fullName: 'Not Yet', email: newEmail(), role: 'owner' as const }
    ;(await product.operator.call(createOperator, { body })).ok() // invited only: cannot sign in
    const params = { id }
    const answers = [
      await product.operator.call(updateOperator, { params, body: { role: 'billing' } }),
      await product.operator.call(updateOperator, { params, body: { status: 'inactive' } }),
      await product.operator.call(deleteOperator, { params }),
    ]
    expect(answers.map(({ status, error }) => [status, error.code])).toEqual(
      answers.map(() => [409, 'LAST_OWNER']),
    )
    expect(await rows(owners)).toEqual([{ count: 1 }])
  })

  test('of two who remove each other at the same moment one stays', async () => {
    const { id } = (await product.operator.call(operatorMe)).ok()
    for (let round = 0; round < 5; round++) {
      const second = await operator('owner')
      const demote = { role: 'billing' as const }
      const answers = await Promise.all([
        product.operator.call(updateOperator, { params: { id: second.id }, body: demote }),
        there(second.token).call(updateOperator, { params: { id }, body: demote }),
      ])
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403])
      expect(await rows(owners)).toEqual([{ count: 1 }])
      await rows(`UPDATE platform.operator SET role = 'owner' WHERE id = '${id}'`)
      await rows(`UPDATE platform.operator SET role = 'billing' WHERE id = '${second.id}'`)
      ;(await product.operator.call(deleteOperator, { params: { id: second.id } })).ok()
    }
  })

  test('control: without taking turns two could remove each other', async () => {
    const { id } = (await product.operator.call(operatorMe)).ok()
    const second = await operator('owner')
    const [changed, counted] = [meeting(2), meeting(2)]
    const demote = (operatorId: string): Promise<number> =>
      inPlatform(async (tx) => {
        await tx.rows(
          sql.raw(`UPDATE platform.operator SET role = 'billing' WHERE id = '${operatorId}'`).compile(platformSql), // prettier-ignore
        )
        await changed()
        const left = (await tx.row(sql.raw(owners).compile(platformSql))) as { count: number }
        await counted() // neither commits before the other has looked
        return left.count
      })
    expect(await Promise.all([demote(id), demote(second.id)])).toEqual([1, 1]) // each saw the other
    expect(await rows(owners)).toEqual([{ count: 0 }])
    await rows(`UPDATE platform.operator SET role = 'owner' WHERE id = '${id}'`)
  })
})

describe('nobody rises by themselves', () => {
  test('only owners manage operators; of what a role grants nothing exceeds the giver', async () => {
    for (const role of ['billing', 'support', 'read-only'] as const) {
      const { id, client } = await operator(role)
      const promoted = await client.call(updateOperator, { params: { id }, body: { role: 'owner' } })
      expect([promoted.status, promoted.error.code]).toEqual([403, 'PERMISSION_DENIED'])
      expect(isWithin('owner', role)).toBe(false)
      expect([isWithin(role, role), isWithin(role, 'owner')]).toEqual([true, true])
    }
    expect(isWithin('support', 'billing')).toBe(false)
  })

  test('also an owner who was demoted a moment ago, whatever their session remembers', async () => {
    const owner = await operator('owner')
    expect((await owner.client.call(operatorMe)).ok().role).toBe('owner')
    const raise = { params: { id: owner.id }, body: { role: 'owner' as const } }
    expect((await owner.client.call(updateOperator, raise)).status).toBe(200) // control
    await rows(`UPDATE platform.operator SET role = 'billing' WHERE id = '${owner.id}'`) // told to no process
    const { status, error } = await owner.client.call(updateOperator, raise)
    expect([status, error.code]).toEqual([403, 'PERMISSION_DENIED'])
  })
})

describe('passwords', () => {
  test('are changed by their owners: all sessions end on every process, the last five are refused', async () => {
    const { email, token, client } = await operator('billing')
    const change = (newPassword: string, currentPassword = PASSWORD) =>
      client.call(operatorChangePassword, { body: { currentPassword, newPassword } })
    expect((await change('Autumn-Leaf-1!', 'Wrong-pass-1!')).refusals).toEqual(['currentPassword WRONG_PASSWORD']) // prettier-ignore
    expect((await change(PASSWORD)).refusals).toEqual(['newPassword PASSWORD_USED_BEFORE'])
    expect((await change('abc')).refusals).toEqual(breaches('newPassword'))
    expect((await change('P@ssw0rd1!')).refusals).toEqual(['newPassword PASSWORD_COMMON'])
    expect((await there(token).call(operatorMe)).status).toBe(200)
    ;(await change('Autumn-Leaf-1!')).ok()
    for (const one of [client, there(token)]) await isOut(one)
    expect((await login(email, 'Autumn-Leaf-1!')).status).toBe(200)
    expect((await platformMailedTo(product, email))[0]?.template).toBe('password-changed')
  })

  test('are reset by mail; the answer is the same for any address', async () => {
    const { email } = await operator('support')
    const ask = (address: string) =>
      product.anonymous.call(operatorRequestPasswordReset, { body: { email: address } })
    const answers = [await ask(email), await ask('nobody@operators.example')]
    expect(answers[0]!.body).toEqual(answers[1]!.body)
    const [mail] = await platformMailedTo(product, email)
    expect(mail?.template).toBe('reset-password')
    const body = { token: mail!.token, password: 'Autumn-Leaf-2!' }
    ;(await product.anonymous.call(operatorResetPassword, { body })).ok()
    expect((await login(email, 'Autumn-Leaf-2!')).status).toBe(200)
    expect(await platformMailedTo(product, 'nobody@operators.example')).toEqual([])
  })

  test('grow old: nothing but changing it is allowed', async () => {
    const { id, email } = await operator('billing')
    await rows(`UPDATE platform.operator SET password_changed_at = now() - interval '91 days' WHERE id = '${id}'`) // prettier-ignore
    const session = (await login(email)).ok()
    expect(session.operator).toMatchObject({ restriction: 'password-expired', permissions: [] })
    expect((await as(session.token).call(listTenants)).error.code).toBe('PASSWORD_EXPIRED')
    const body = { currentPassword: PASSWORD, newPassword: 'Autumn-Leaf-3!' }
    ;(await as(session.token).call(operatorChangePassword, { body })).ok()
    expect((await login(email, 'Autumn-Leaf-3!')).ok().operator.restriction).toBeNull()
  })
})

describe('two-step sign-in', () => {
  test('is asked for at both doors, refused codes are written down; turned off by password and code', async () => {
    const { email, client } = await operator('support')
    const secret = await enrol(client)
    expect((await login(email)).error.code).toBe('TOTP_REQUIRED')
    expect((await login(email, 'Wrong-pass-1!')).error.code).toBe('AUTH_FAILED')
    expect((await login(email, PASSWORD, wrongCodeOf(secret))).error.code).toBe('AUTH_FAILED')
    await product.refusals.write()
    const [refused] = await rows(`SELECT sum((details ->> 'count')::integer)::integer AS count
      FROM platform.audit_event WHERE action = 'refused' AND details ->> 'account' = '${email}'
        AND details ->> 'code' = 'AUTH_FAILED'`)
    expect(refused).toEqual({ count: 2 })
    const code = codeOf(secret)
    expect((await login(email, PASSWORD, code)).status).toBe(200)
    expect((await login(email, PASSWORD, code)).error.code).toBe('AUTH_FAILED')
    const form = new URLSearchParams({ grant_type: 'password', username: email, password: PASSWORD })
    const token = () => fetch(`${product.url}/api/v1/platform/auth/token`, { method: 'POST', body: form })
    expect((await token()).status).toBe(400)
    form.set('totp', codeOf(secret, 1))
    expect((await token()).status).toBe(200)
    await rows('UPDATE platform.operator_second_factor SET last_used_step = 0')
    const body = { password: PASSWORD, code: codeOf(secret) }
    ;(await client.call(operatorRemoveSecondFactor, { body })).ok()
    expect((await login(email)).status).toBe(200)
  })

  test('is reset by an owner: signed out on every process', async () => {
    const { id, email, token, client } = await operator('billing')
    await enrol(client)
    expect((await there(token).call(operatorMe)).ok().secondFactor.isOn).toBe(true)
    ;(await product.operator.call(resetOperatorSecondFactor, { params: { id } })).ok()
    await isOut(there(token))
    expect((await login(email)).status).toBe(200)
  })

  test('required: nothing else is open before, at once on every process afterwards', async () => {
    const strict = await startProcess({ ...environment, OPERATOR_SECOND_FACTOR_REQUIRED: 'true' })
    const stricter = await startProcess({ ...environment, OPERATOR_SECOND_FACTOR_REQUIRED: 'true' })
    try {
      const { email, token } = await operator('owner')
      const [client, elsewhere] = [strict, stricter].map(({ url }) => new Client(url, { token })) as [Client, Client] // prettier-ignore
      for (const one of [client, elsewhere])
        expect((await one.call(listTenants)).error.code).toBe('SECOND_FACTOR_REQUIRED')
      expect((await client.call(operatorMe)).ok()).toMatchObject({
        restriction: 'second-factor-missing',
        permissions: [],
        secondFactor: { isOn: false, isRequired: true },
      })
      expect((await client.call(operatorListSessions)).error.code).toBe('SECOND_FACTOR_REQUIRED')
      const secret = await enrol(client)
      for (const one of [client, elsewhere]) expect((await one.call(listTenants)).status).toBe(200)
      expect((await new Client(strict.url).call(operatorLogin, { body: { email, password: PASSWORD, totp: codeOf(secret) } })).status).toBe(200) // prettier-ignore
    } finally {
      await strict.stop()
      await stricter.stop()
    }
  }, 120_000)
})

test("one's own sessions are listed, and all others ended on every process", async () => {
  const { email, client } = await operator('read-only')
  const second = (await login(email)).ok()
  expect((await there(second.token).call(operatorMe)).status).toBe(200)
  const { sessions } = (await client.call(operatorListSessions)).ok()
  expect(sessions.map(({ isCurrent }) => isCurrent).toSorted()).toEqual([false, true])
  ;(await client.call(operatorEndOtherSessions)).ok()
  await isOut(there(second.token))
  expect((await client.call(operatorMe)).status).toBe(200)
})

describe('at the command line of the server', { timeout: 120_000 }, () => {
  test('an operator who has lost everything gets back in, and it is written down', async () => {
    const { id, email, client, token } = await operator('owner')
    await enrol(client)
    const factor = await runErp(['operators', 'reset-second-factor', email], environment, 60_000)
    expect([factor.code, factor.stderr]).toEqual([0, expect.any(String)])
    await isOut(there(token))
    const password = await runErp(['operators', 'reset-password', email.toUpperCase()], environment, 60_000)
    const linkToken = /\/operator\/set-password\?token=([\w-]+)/.exec(password.stdout)?.[1] ?? ''
    const body = { token: linkToken, password: 'Autumn-Leaf-4!' }
    ;(await product.anonymous.call(operatorResetPassword, { body })).ok()
    expect((await login(email, 'Autumn-Leaf-4!')).status).toBe(200)
    const events = await rows(
      `SELECT action FROM platform.audit_event WHERE entity_id = '${id}' AND actor_kind = 'system'
        AND old_values IS NULL AND new_values IS NULL AND action NOT IN ('sign-in', 'sign-out') ORDER BY id`,
    )
    expect(events.map(({ action }) => action)).toEqual([
      'second factor: reset',
      'make a link to set a password',
      'change password',
    ])
    const unknown = await runErp(['operators', 'reset-password', 'nobody@operators.example'], environment, 60_000) // prettier-ignore
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no active operator')])
    expect((await login(OPERATOR.email, OPERATOR.password)).status).toBe(200) // control: nobody else is touched
  })
})
