/** Users through HTTP: kept, listed, guarded; and what belongs to them. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCompany } from '../../onboarding.ts'
import { newId } from '../../../tenancy/new-id.ts'
import { SYSTEM } from '../../../server/product.ts'
import { tenantSql } from '../../../tenancy/handles.ts'
import { meeting } from '../../../testing/meeting.ts'
import { rawRequest } from '../../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  SECRET_KEY,
  signIn,
  startTestProduct,
  type TestProduct,
  type TestTenant,
} from '../../../testing/product.ts'
import { addUser, type TestUser } from '../../../testing/users.ts'
import { Secrets } from '../../../tenancy/secrets.ts'
import { login, me } from '../contract.ts'
import { createRole, deleteRole, listRoles, updateRole } from '../roles/contract.ts'
import {
  createUser,
  deleteUser,
  deleteUserPhoto,
  endUserSession,
  endUserSessions,
  getUser,
  listUserActivity,
  listUsers,
  listUserSessions,
  restoreUser,
  sendPasswordReset,
  updateUser,
} from './contract.ts'
import { deleteEmailSettings, getEmailSettings, updateEmailSettings } from '../email/contract.ts'
import { smtpPasswordContext } from '../email/settings.ts'

const PASSWORD = 'Harvest-Moon-47!'

let product: TestProduct
let tenant: TestTenant
let otherCompanyId: string
const roleIds = new Map<string, string>()

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  const { roles } = (await tenant.admin.call(listRoles)).ok()
  for (const { id, name } of roles) roleIds.set(name, id)
  otherCompanyId = newId()
  const company = {
    id: otherCompanyId,
    code: 'OTHER',
    name: 'Other',
    country: 'US',
    currency: 'USD',
    chartTemplate: 'generic' as const,
    today: '2026-01-01',
  }
  await inTenant((tx) => createCompany(tx, company, newId), otherCompanyId)
})
afterAll(() => product.stop())

type Work = Parameters<TestProduct['gate']['writeTenant']>[3]
async function inTenant<Result>(
  work: (tx: Parameters<Work>[0]) => Promise<Result>,
  companyId = tenant.companyId,
): Promise<Result> {
  const entry = await product.directory.byId(tenant.id)
  return product.gate.writeTenant(entry!.location, companyId, SYSTEM, work)
}
const rows = (text: string): Promise<Record<string, unknown>[]> =>
  inTenant((tx) => tx.rows(sql.raw(text).compile(tenantSql))) as never

let count = 0
const bodyOf = (more: object = {}) => ({
  fullName: `Person ${++count}`,
  email: `person-${count}@users.example`,
  roleId: roleIds.get('Viewer') ?? '',
  ...more,
})
const made = async (more: object = {}, client = tenant.admin) =>
  (await client.call(createUser, { body: bodyOf(more) })).ok()
const role = async (name: string, permissions: string[]): Promise<void> => {
  const made = (await tenant.admin.call(createRole, { body: { name, permissions } })).ok()
  roleIds.set(name, made.id)
}
const stateOf = async ({ client }: TestUser): Promise<number> => (await client.call(me)).status

describe('a user', () => {
  test('has the fields of the contract, with what was given and what goes without saying', async () => {
    const body = bodyOf({
      phone: '+1 (555) 010-200',
      joinDate: '2026-02-01',
      metadata: { badge: 7, nested: { shift: 'late' } },
      companyIds: [otherCompanyId.toUpperCase(), tenant.companyId],
    })
    const user = (await tenant.admin.call(createUser, { body })).ok()
    expect(user).toMatchObject({
      ...body,
      companyIds: [otherCompanyId, tenant.companyId].toSorted(),
      role: 'Viewer',
      status: 'active',
      photo: null,
      lastLoginAt: null,
      allCompanies: false,
      isInvited: true,
      deletedAt: null,
    })
    expect((await tenant.admin.call(getUser, { params: { id: user.id } })).ok()).toEqual(user)
    expect((await made()).companyIds).toEqual([tenant.companyId])
  })

  test('is changed field by field, guarded by the version; signing in is no change', async () => {
    const user = await made({ password: PASSWORD })
    const params = { id: user.id }
    const ifMatch = { 'if-match': (await tenant.admin.call(getUser, { params })).headers.get('etag') ?? '' }
    await signIn(product.anonymous.with({ tenant: tenant.code }), user.email, PASSWORD)
    const changed = (await tenant.admin.call(updateUser, { params, body: { phone: '12345' } }, ifMatch)).ok()
    expect(changed).toMatchObject({ phone: '12345', fullName: user.fullName, companyIds: user.companyIds })
    expect(changed.lastLoginAt).not.toBeNull()
    expect((await tenant.admin.call(updateUser, { params, body: { phone: null } }, ifMatch)).status).toBe(412)
    const cleared = await tenant.admin.call(updateUser, { params, body: { phone: null, allCompanies: true } })
    expect(cleared.ok()).toMatchObject({ phone: null, allCompanies: true, companyIds: [] })
  })

  test('every wrong field is told', async () => {
    const answer = await tenant.admin.send('POST', '/api/v1/users', {
      fullName: 'X',
      email: 'no address',
      roleId: 'x',
      phone: 'call me',
      joinDate: '2026-02-30',
      status: 'asleep',
    })
    expect(answer.refusals).toEqual([
      'email FORMAT', 'joinDate FORMAT', 'phone PATTERN', 'roleId FORMAT', 'status NOT_ALLOWED',
    ]) // prettier-ignore
    const nowhere = '00000000-0000-4000-8000-000000000001'
    const refusals = async (more: object) =>
      (await tenant.admin.call(createUser, { body: bodyOf(more) })).refusals
    expect(await refusals({ roleId: nowhere })).toEqual(['roleId UNKNOWN_ROLE'])
    expect(await refusals({ companyIds: [nowhere] })).toEqual(['companyIds[0] UNKNOWN_COMPANY'])
    expect(await refusals({ companyIds: [] })).toEqual(['companyIds REQUIRED'])
    expect(await refusals({ metadata: { a: 'x'.repeat(9_000) } })).toEqual(['metadata TOO_LONG'])
    expect(await refusals({ password: 'Password1!', fullName: ' ' })).toEqual([
      'fullName TOO_SHORT', 'password PASSWORD_COMMON',
    ]) // prettier-ignore
  })

  test('an address is taken whatever its case, until its user is deleted', async () => {
    const user = await made()
    const again = { body: bodyOf({ email: user.email.toUpperCase() }) }
    expect((await tenant.admin.call(createUser, again)).error.code).toBe('DUPLICATE_EMAIL')
    ;(await tenant.admin.call(deleteUser, { params: { id: user.id } })).ok()
    expect((await tenant.admin.call(createUser, again)).status).toBe(201)
    expect((await tenant.admin.call(getUser, { params: { id: user.id } })).status).toBe(404)
  })

  test.each([
    ['id', '00000000-0000-4000-8000-000000000001'],
    ['tenantId', 'x'],
    ['role', 'Administrator'],
    ['permissions', ['*']],
    ['passwordHash', 'x'],
    ['password_hash', 'x'],
    ['isActive', true],
    ['deletedAt', null],
    ['createdAt', '2020-01-01'],
    ['mustChangePassword', false],
    ['__proto__x', {}],
  ])("%s is not the caller's to set", async (field, value) => {
    const user = await made()
    const before = (await rows(`SELECT * FROM core.app_user WHERE id = '${user.id}'`))[0]
    const updated = await tenant.admin.send('PUT', `/api/v1/users/${user.id}`, {
      phone: '123',
      [field]: value,
    })
    expect([updated.status, ...updated.refusals]).toEqual([400, `${field} UNKNOWN_FIELD`])
    const created = await tenant.admin.send('POST', '/api/v1/users', { ...bodyOf(), [field]: value })
    expect(created.status).toBe(400)
    expect((await rows(`SELECT * FROM core.app_user WHERE id = '${user.id}'`))[0]).toEqual(before)
    // Control: without it the change is made.
    expect((await tenant.admin.send('PUT', `/api/v1/users/${user.id}`, { phone: '123' })).status).toBe(200)
  })
})

describe('whoever holds a role that is not active', () => {
  test('is changed and deactivated all the same; given and activated with is an active one only', async () => {
    await role('Closing', ['*:view'])
    await role('Closed', ['*:view'])
    const [closing, closed] = [roleIds.get('Closing') ?? '', roleIds.get('Closed') ?? '']
    const user = await made({ roleId: closing })
    for (const id of [closing, closed])
      (await tenant.admin.call(updateRole, { params: { id }, body: { isActive: false } })).ok()
    const update = (body: object) => tenant.admin.call(updateUser, { params: { id: user.id }, body })
    expect((await update({ phone: '12345', roleId: closing.toUpperCase() })).ok().phone).toBe('12345')
    expect((await update({ roleId: closed })).refusals).toEqual(['roleId INACTIVE_ROLE'])
    expect((await update({ status: 'active' })).status).toBe(200) // they were
    expect((await update({ status: 'inactive' })).ok().status).toBe('inactive')
    expect((await update({ status: 'active' })).refusals).toEqual(['roleId INACTIVE_ROLE'])
    const body = { status: 'active', roleId: roleIds.get('Viewer') }
    expect((await update(body)).ok()).toMatchObject({ ...body, phone: '12345' })
  })
})

describe('a deleted user', () => {
  test('comes back inactive, with role and companies, unless the address is taken', async () => {
    const user = await made({ companyIds: [otherCompanyId] })
    const params = { id: user.id }
    expect((await tenant.admin.call(restoreUser, { params })).status).toBe(404) // not deleted
    ;(await tenant.admin.call(deleteUser, { params })).ok()
    const taken = await made({ email: user.email.toUpperCase() })
    expect((await tenant.admin.call(restoreUser, { params })).error.code).toBe('DUPLICATE_EMAIL')
    ;(await tenant.admin.call(deleteUser, { params: { id: taken.id } })).ok()
    expect((await tenant.admin.call(restoreUser, { params })).ok()).toMatchObject({
      id: user.id,
      status: 'inactive',
      roleId: user.roleId,
      companyIds: [otherCompanyId],
      deletedAt: null,
    })
    expect((await tenant.admin.call(updateUser, { params, body: { status: 'active' } })).status).toBe(200)
  })

  test('whose role was deleted meanwhile comes back with another one that is given', async () => {
    await role('Passing', ['*:view'])
    await role('Asleep', ['*:view'])
    const [passing, asleep] = [roleIds.get('Passing') ?? '', roleIds.get('Asleep') ?? '']
    const user = await made({ roleId: passing })
    const params = { id: user.id }
    expect((await tenant.admin.call(deleteRole, { params: { id: passing } })).error.code).toBe('IN_USE')
    ;(await tenant.admin.call(deleteUser, { params })).ok()
    ;(await tenant.admin.call(deleteRole, { params: { id: passing } })).ok()
    ;(await tenant.admin.call(updateRole, { params: { id: asleep }, body: { isActive: false } })).ok()
    const restored = (roleId?: string, client = tenant.admin) =>
      client.call(restoreUser, { params, ...(roleId === undefined ? {} : { body: { roleId } }) })
    const refused = await restored()
    expect([refused.status, refused.error.code]).toEqual([409, 'ROLE_GONE'])
    expect((await restored(passing)).refusals).toEqual(['roleId UNKNOWN_ROLE'])
    expect((await restored(asleep)).refusals).toEqual(['roleId INACTIVE_ROLE'])
    // Nor is more given than who brings them back holds.
    await role('Sexton', ['users:view', 'users:delete', '*:view'])
    const sexton = await addUser(product, tenant, 'Sexton')
    const tooMuch = await restored(roleIds.get('Accountant'), sexton.client)
    expect([tooMuch.status, tooMuch.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    const viewer = roleIds.get('Viewer') ?? ''
    expect((await restored(viewer.toUpperCase(), sexton.client)).ok()).toMatchObject({
      status: 'inactive',
      roleId: viewer,
      companyIds: user.companyIds,
    })
  })

  test('is brought back by nobody who holds less', async () => {
    await role('Undertaker', ['users:view', 'users:delete', '*:view'])
    const keeper = await addUser(product, tenant, 'Undertaker')
    const [viewer, accountant] = [await made(), await made({ roleId: roleIds.get('Accountant') })]
    for (const { id } of [viewer, accountant]) (await tenant.admin.call(deleteUser, { params: { id } })).ok()
    const restored = async (id: string) => (await keeper.client.call(restoreUser, { params: { id } })).status
    expect([await restored(accountant.id), await restored(viewer.id)]).toEqual([403, 200])
  })
})

describe('the list', () => {
  test('is searched, filtered, sorted and paged', async () => {
    await role('Listed', ['*:view'])
    const roleId = roleIds.get('Listed') ?? ''
    const [ann, bob, cid] = [
      await made({ fullName: 'Zz Ann', roleId, joinDate: '2026-03-01', phone: '777 888' }),
      await made({ fullName: 'zz bob', roleId, joinDate: '2026-01-01', status: 'inactive' }),
      await made({ fullName: 'Zz 100%_Cid', roleId, joinDate: '2026-02-01' }),
    ]
    ;(await tenant.admin.call(deleteUser, { params: { id: cid.id } })).ok()
    const ids = async (query: object) => {
      const { users, pagination } = (await tenant.admin.call(listUsers, { query: { roleId, ...query } })).ok()
      expect(pagination.total).toBeGreaterThanOrEqual(users.length)
      return users.map(({ id }) => id)
    }
    expect(await ids({})).toEqual([ann.id, bob.id])
    expect(await ids({ order: 'desc' })).toEqual([bob.id, ann.id])
    expect(await ids({ sort: 'joinDate' })).toEqual([bob.id, ann.id])
    expect(await ids({ includeDeleted: true, sort: 'joinDate' })).toEqual([bob.id, cid.id, ann.id])
    expect(await ids({ status: 'inactive' })).toEqual([bob.id])
    const dan = await made({ fullName: 'zz dan', roleId })
    expect(await ids({ sort: 'status' })).toEqual([ann.id, dan.id, bob.id])
    expect(await ids({ sort: 'status', order: 'desc' })).toEqual([bob.id, ann.id, dan.id])
    ;(await tenant.admin.call(deleteUser, { params: { id: dan.id } })).ok()
    expect(await ids({ search: 'ZZ B' })).toEqual([bob.id])
    expect(await ids({ search: '777' })).toEqual([ann.id])
    expect(await ids({ search: '%' })).toEqual([])
    expect(await ids({ search: '100%_', includeDeleted: true })).toEqual([cid.id])
    expect(await ids({ page: 2, limit: 1 })).toEqual([bob.id])
    expect((await tenant.admin.send('GET', '/api/v1/users?sort=password_hash')).status).toBe(400)
  })
})

describe('the last administrator', () => {
  test('is neither deleted, deactivated, demoted nor sent out of a company', async () => {
    const { id } = (await tenant.admin.call(me)).ok()
    const attempts = [
      tenant.admin.call(deleteUser, { params: { id } }),
      ...[
        { status: 'inactive' as const },
        { roleId: roleIds.get('Viewer') ?? '' },
        { allCompanies: false, companyIds: [tenant.companyId] },
      ].map((body) => tenant.admin.call(updateUser, { params: { id }, body })),
    ]
    for (const answer of await Promise.all(attempts)) expect(answer.error.code).toBe('LAST_ADMINISTRATOR')
    // Somebody invited, who cannot sign in yet, does not count.
    await made({ roleId: roleIds.get('Administrator'), allCompanies: true })
    const answer = await tenant.admin.call(deleteUser, { params: { id } })
    expect(answer.error.code).toBe('LAST_ADMINISTRATOR')
  })

  test('of two who remove each other at the same moment one stays', async () => {
    const at = product.anonymous.with({ tenant: tenant.code })
    for (let round = 0; round < 5; round++) {
      const second = await made({
        roleId: roleIds.get('Administrator'),
        allCompanies: true,
        password: PASSWORD,
      })
      await rows(`UPDATE core.app_user SET must_change_password = false WHERE id = '${second.id}'`)
      const { client } = await signIn(at, second.email, PASSWORD)
      const { id } = (await tenant.admin.call(me)).ok()
      const demote = { roleId: roleIds.get('Viewer') ?? '' }
      const answers = await Promise.all([
        tenant.admin.call(updateUser, { params: { id: second.id }, body: demote }),
        client.call(updateUser, { params: { id }, body: demote }),
      ])
      // Whoever came second has been demoted meanwhile: nothing of theirs is done any more.
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 403])
      const [left] =
        await rows(`SELECT count(*) AS count FROM core.app_user u JOIN core.role r ON r.id = u.role_id
        WHERE r.permissions @> '{*}' AND u.is_active AND u.password_hash IS NOT NULL AND u.deleted_at IS NULL`)
      expect(left).toEqual({ count: 1 })
      // Back as it was, for the next round.
      await rows(`UPDATE core.app_user SET role_id = '${roleIds.get('Administrator')}' WHERE id = '${id}'`)
      await rows(`UPDATE core.app_user SET is_active = false WHERE id = '${second.id}'`)
    }
  })

  test('control: without taking turns two could remove each other', async () => {
    // The very check that the operations make, by two who do not wait for each other.
    const check = `(SELECT count(*) FROM core.app_user u JOIN core.role r ON r.id = u.role_id
      WHERE r.permissions @> '{*}' AND u.is_active AND u.password_hash IS NOT NULL AND u.deleted_at IS NULL)`
    const second = await made({
      roleId: roleIds.get('Administrator'),
      allCompanies: true,
      password: PASSWORD,
    })
    const { id } = (await tenant.admin.call(me)).ok()
    const [changed, counted] = [meeting(2), meeting(2)]
    const demote = (userId: string): Promise<unknown> =>
      inTenant(async (tx) => {
        await tx.rows(
          sql.raw(`UPDATE core.app_user SET is_active = false WHERE id = '${userId}'`).compile(tenantSql),
        )
        await changed()
        const left = await tx.row(sql.raw(`SELECT ${check} AS count`).compile(tenantSql))
        await counted() // neither commits before the other has looked
        return (left as { count: number }).count
      })
    expect(await Promise.all([demote(id), demote(second.id)])).toEqual([1, 1]) // each saw the other
    expect(await rows(`SELECT ${check} AS count`)).toEqual([{ count: 0 }])
    await rows(`UPDATE core.app_user SET is_active = true WHERE id = '${id}'`)
  })
})

describe('nobody grants more than they hold', () => {
  test('a keeper of users gives their own roles and companies, and touches nobody above them', async () => {
    await role('Keeper', ['users:*', 'roles:view', '*:view'])
    const keeper = await addUser(product, tenant, 'Keeper')
    const answer = async (more: object) =>
      (await keeper.client.call(createUser, { body: bodyOf(more) })).status
    expect(await answer({})).toBe(201) // control: a viewer, in the keeper's own company
    expect(await answer({ roleId: roleIds.get('Administrator') })).toBe(403)
    expect(await answer({ roleId: roleIds.get('Accountant') })).toBe(403)
    expect(await answer({ allCompanies: true })).toBe(403)
    expect(await answer({ companyIds: [otherCompanyId] })).toBe(403)
    const accountant = await made({ roleId: roleIds.get('Accountant') })
    const elsewhere = await made({ companyIds: [otherCompanyId] })
    const viewer = await made()
    const update = async (id: string, body: object) =>
      (await keeper.client.call(updateUser, { params: { id }, body })).status
    expect(await update(viewer.id, { phone: '123' })).toBe(200) // control
    // Whoever changes an address has the password sent to it.
    for (const { id } of [accountant, elsewhere, (await tenant.admin.call(me)).ok()]) {
      expect(await update(id, { email: 'mine@users.example' })).toBe(403)
      expect((await keeper.client.call(deleteUser, { params: { id } })).status).toBe(403)
      expect((await keeper.client.call(endUserSessions, { params: { id } })).status).toBe(403)
      const settings = { params: { id }, body: { host: 'mail.mine.example' } }
      expect((await keeper.client.call(updateEmailSettings, settings)).status).toBe(403)
      expect((await keeper.client.call(sendPasswordReset, { params: { id } })).status).toBe(403)
    }
    expect(await update(keeper.id, { roleId: roleIds.get('Administrator') })).toBe(403)
    expect(await update(keeper.id, { allCompanies: true })).toBe(403)
  })
})

describe('a change holds at once', () => {
  test('for a user who is deactivated, deleted or given another role', async () => {
    for (const change of [
      (id: string) => tenant.admin.call(updateUser, { params: { id }, body: { status: 'inactive' } }),
      (id: string) => tenant.admin.call(deleteUser, { params: { id } }),
    ]) {
      const user = await addUser(product, tenant, 'Viewer')
      expect(await stateOf(user)).toBe(200) // control, and cached from here on
      ;(await change(user.id)).ok()
      expect(await stateOf(user)).toBe(401)
      const again = await product.anonymous
        .with({ tenant: tenant.code })
        .call(login, { body: { email: user.email, password: ADMIN_PASSWORD } })
      expect(again.error.code).toBe('AUTH_FAILED')
    }
    const user = await addUser(product, tenant, 'Viewer')
    expect((await user.client.call(listUsers)).status).toBe(200)
    const body = { roleId: roleIds.get('Sales') ?? '' }
    ;(await tenant.admin.call(updateUser, { params: { id: user.id }, body })).ok()
    expect((await user.client.call(listUsers)).status).toBe(403)
    expect(await stateOf(user)).toBe(200)
  })
})

describe('what is their own', () => {
  test("users see and keep it without any permission, and nobody else's", async () => {
    await role('Nothing', [])
    const [user, other] = [
      await addUser(product, tenant, 'Nothing'),
      await addUser(product, tenant, 'Nothing'),
    ]
    const reads = [getUser, listUserActivity, listUserSessions] as const
    for (const read of reads) {
      expect((await user.client.call(read, { params: { id: user.id } })).status).toBe(200)
      expect((await user.client.call(read, { params: { id: other.id } })).status).toBe(403)
    }
    const settings = { host: 'mail.users.example' }
    expect(
      (await user.client.call(updateEmailSettings, { params: { id: user.id }, body: settings })).status,
    ).toBe(200)
    expect(
      (await user.client.call(updateEmailSettings, { params: { id: other.id }, body: settings })).status,
    ).toBe(403)
    // Their role, companies and address are not theirs to change.
    expect(
      (await user.client.call(updateUser, { params: { id: user.id }, body: { phone: '1234' } })).status,
    ).toBe(403)
  })
})

describe('sessions', () => {
  test('are listed and ended, one or all, at once', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const second = await signIn(product.anonymous.with({ tenant: tenant.code }), user.email)
    const params = { id: user.id }
    const { sessions } = (await second.client.call(listUserSessions, { params })).ok()
    expect(sessions.map(({ isCurrent }) => isCurrent)).toEqual([true, false])
    expect(await stateOf(user)).toBe(200)
    const first = { ...params, sessionId: sessions[1]?.id ?? '' }
    ;(await tenant.admin.call(endUserSession, { params: first })).ok()
    expect(await stateOf(user)).toBe(401)
    expect((await second.client.call(me)).status).toBe(200)
    expect((await tenant.admin.call(endUserSession, { params: first })).status).toBe(404)
    // A session of somebody else is none of this user's.
    const { sessions: mine } = (
      await tenant.admin.call(listUserSessions, { params: { id: (await tenant.admin.call(me)).ok().id } })
    ).ok()
    const foreign = { ...params, sessionId: mine[0]?.id ?? '' }
    expect((await tenant.admin.call(endUserSession, { params: foreign })).status).toBe(404)
    ;(await tenant.admin.call(endUserSessions, { params })).ok()
    expect((await second.client.call(me)).status).toBe(401)
  })
})

describe('activity', () => {
  test('has sign-ins and changes, by the user and of the user, page by page', async () => {
    const user = await made({ password: PASSWORD })
    await signIn(product.anonymous.with({ tenant: tenant.code }), user.email, PASSWORD)
    const params = { id: user.id }
    ;(await tenant.admin.call(updateUser, { params, body: { phone: '999' } })).ok()
    const { activity, next } = (await tenant.admin.call(listUserActivity, { params })).ok()
    expect(activity.map(({ action, entity }) => `${action} ${entity}`)).toEqual([
      'update core.app_user', 'sign-in null', 'insert core.app_user',
    ]) // prettier-ignore
    expect(next).toBeNull()
    expect(activity[0]).toMatchObject({ fields: ['phone'], actorKind: 'user', address: '127.0.0.1' })
    const page = (await tenant.admin.call(listUserActivity, { params, query: { limit: 2 } })).ok()
    expect(page).toEqual({ activity: activity.slice(0, 2), next: activity[1]?.id })
    const query = { limit: 2, after: page.activity[1]?.id ?? '' }
    expect((await tenant.admin.call(listUserActivity, { params, query })).ok().activity).toEqual(
      activity.slice(2),
    )
    const { id: adminId } = (await tenant.admin.call(me)).ok()
    const byAdmin = (
      await tenant.admin.call(listUserActivity, { params: { id: adminId }, query: { limit: 1 } })
    ).ok()
    expect(byAdmin.activity[0]).toMatchObject({ action: 'update', entityId: user.id, actorId: adminId })
  })

  test('is looked for in so many rows of the log at a time, and nothing is left out', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const what = `'hay', 'core.role'`
    const insert = (actor: string, action: string, count: number) =>
      rows(`WITH made AS (INSERT INTO audit.change (actor_kind, actor_id, action, entity)
        SELECT 'user', ${actor}, ${action} FROM generate_series(1, ${count}) RETURNING id) SELECT count(*) FROM made`)
    await insert(`'${user.id}'`, `'needle', 'core.role'`, 1)
    await insert('gen_random_uuid()', what, 25_000)
    const pageAt = async (query: object) =>
      (await tenant.admin.call(listUserActivity, { params: { id: user.id }, query })).ok()
    const first = await pageAt({})
    expect(first).toEqual({ activity: [], next: expect.any(String) })
    const second = await pageAt({ after: first.next! })
    expect(second.activity.map(({ action }) => action)).toEqual(['needle', 'sign-in', 'insert'])
    // Control: what is near is found at once.
    await insert(`'${user.id}'`, `'needle', 'core.role'`, 1)
    expect((await pageAt({})).activity.map(({ action }) => action)).toEqual(['needle'])
  })
})

describe('the photo', () => {
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(600, 7)])
  const put = (userId: string, content: Buffer | string, type: string, client = tenant.admin) =>
    rawRequest(
      product.url,
      'PUT',
      `/api/v1/users/${userId}/photo`,
      { authorization: `Bearer ${client.options.token}`, 'content-type': type, 'x-tenant-id': tenant.code },
      content.toString('latin1'),
    )
  const send = (userId: string, content: Uint8Array<ArrayBuffer>, type: string, client = tenant.admin) =>
    fetch(`${product.url}/api/v1/users/${userId}/photo`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${client.options.token}`, 'content-type': type },
      body: content,
    })

  test('comes back as it was, with its own type, and as nothing else', async () => {
    const { id } = await made()
    expect((await send(id, new Uint8Array(png), 'image/jpeg')).status).toBe(200)
    const { photo } = (await tenant.admin.call(getUser, { params: { id } })).ok()
    const answer = await fetch(`${product.url}${photo}`, {
      headers: { authorization: `Bearer ${tenant.admin.options.token}` },
    })
    expect(Buffer.from(await answer.arrayBuffer()).equals(png)).toBe(true)
    expect(answer.headers.get('content-type')).toBe('image/png') // by its content, not by what was said
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('content-disposition')).toContain('attachment')
    expect((await tenant.admin.call(deleteUserPhoto, { params: { id } })).ok().photo).toBeNull()
    expect((await fetch(`${product.url}${photo}`, { headers: { authorization: `Bearer ${tenant.admin.options.token}` } })).status).toBe(404) // prettier-ignore
  })

  test('of who holds more than the caller is not theirs to change', async () => {
    await role('Photographer', ['users:view', 'users:edit', '*:view'])
    const keeper = await addUser(product, tenant, 'Photographer')
    const { id: adminId } = (await tenant.admin.call(me)).ok()
    const { id } = await made()
    const change = async (userId: string) => [
      (await send(userId, new Uint8Array(png), 'image/png', keeper.client)).status,
      (await keeper.client.call(deleteUserPhoto, { params: { id: userId } })).status,
    ]
    expect(await change(adminId)).toEqual([403, 403])
    expect(await change(id)).toEqual([200, 200]) // control
    const other = await addUser(product, tenant, 'Accountant')
    expect((await send(other.id, new Uint8Array(png), 'image/png', other.client)).status).toBe(200) // one's own
    expect(await change(other.id)).toEqual([403, 403])
  })

  test('a page of HTML is no photo, nor is what is too large or of another type', async () => {
    const { id } = await made()
    const html = await put(id, '<html><script>alert(1)</script>', 'image/png')
    expect([html.status, JSON.parse(html.text).error.details[0].code]).toEqual([400, 'NO_IMAGE'])
    expect((await put(id, '<svg/>', 'image/svg+xml')).status).toBe(415)
    expect((await put(id, '{}', 'application/json')).status).toBe(415)
    expect(
      (await send(id, new Uint8Array(Buffer.concat([png, Buffer.alloc(600_000)])), 'image/png')).status,
    ).toBe(413)
  })
})

describe('e-mail settings', () => {
  test('keep the password sealed, and show it to nobody', async () => {
    const { id } = await made()
    const params = { id }
    expect((await tenant.admin.call(getEmailSettings, { params })).status).toBe(404)
    expect((await tenant.admin.call(updateEmailSettings, { params, body: { port: 25 } })).refusals).toEqual([
      'host REQUIRED',
    ])
    const password = 'canary-of-smtp-77'
    const body = {
      host: 'mail.users.example',
      username: 'ann',
      password,
      fromName: 'Ann',
      security: 'ssl' as const,
    }
    const answer = await tenant.admin.call(updateEmailSettings, { params, body })
    expect(answer.ok()).toMatchObject({
      host: body.host,
      port: 465,
      hasPassword: true,
      alwaysUseSender: false,
    })
    expect(JSON.stringify(answer.body)).not.toContain(password)
    const [row] = await rows(`SELECT sealed_password FROM core.user_email_settings WHERE user_id = '${id}'`)
    const sealed = String(row?.['sealed_password'])
    expect(new Secrets(SECRET_KEY).open(sealed, smtpPasswordContext(id))).toBe(password) // control: it is there
    expect(() => new Secrets(SECRET_KEY).open(sealed, smtpPasswordContext(tenant.id))).toThrow()
    const [audited] = await rows(`SELECT string_agg(to_jsonb(c)::text, '') AS text FROM audit.change c`)
    expect(String(audited?.['text'])).toContain('mail.users.example') // control: the change is in the audit
    expect(String(audited?.['text'])).not.toContain(sealed)
    expect(String(audited?.['text'])).not.toContain(password)
  })

  test('another server is not told the password that was meant for this one', async () => {
    const params = { id: (await made()).id }
    const change = (body: object) => tenant.admin.call(updateEmailSettings, { params, body })
    ;(await change({ host: 'mail.users.example', password: 'secret' })).ok()
    expect((await change({ host: 'mail.thief.example' })).refusals).toEqual(['password REQUIRED'])
    expect((await change({ fromName: 'Still me' })).ok()).toMatchObject({
      hasPassword: true,
      fromName: 'Still me',
    })
    expect((await change({ host: 'mail.new.example', password: 'another' })).status).toBe(200)
    ;(await tenant.admin.call(deleteEmailSettings, { params })).ok()
    expect((await tenant.admin.call(getEmailSettings, { params })).status).toBe(404)
  })

  test.each([
    ['host', 'mail.example\r\nRCPT TO:<x@y>'],
    ['fromName', 'Ann\r\nBcc: everyone@example.com'],
    ['replyTo', 'ann@example.com\nBcc: b@example.com'],
    ['port', 70_000],
    ['security', 'maybe'],
  ])('%s %j is refused', async (field, value) => {
    const params = { id: (await made()).id }
    const body = { host: 'mail.users.example', [field]: value }
    expect((await tenant.admin.call(updateEmailSettings, { params, body })).status).toBe(400)
  })
})
