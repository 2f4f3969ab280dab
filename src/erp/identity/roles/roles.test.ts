/** Roles through HTTP: what may be in them, who may give them, and that a change holds at once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { addUser } from '../../../testing/users.ts'
import { updateUser } from '../users/contract.ts'
import { createRole, deleteRole, getRole, listPermissions, listRoles, updateRole } from './contract.ts'

const ACCOUNTS = '/api/v1/masters/gl-accounts'

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

let count = 0
const newRole = async (permissions: string[], more = {}) =>
  (await tenant.admin.call(createRole, { body: { name: `Role-${++count}`, permissions, ...more } })).ok()
const builtIn = async (name: string) => {
  const { roles } = (await tenant.admin.call(listRoles, { query: { search: name } })).ok()
  return roles.find((role) => role.name === name)!
}

describe('the matrix', () => {
  test('names every module with its abilities, view, add, edit and delete first', async () => {
    const { modules } = (await tenant.admin.call(listPermissions)).ok()
    const journal = modules.find(({ module }) => module === 'journal-entries')
    expect(journal?.abilities.map(({ ability, isExtra }) => `${ability}${isExtra ? ' extra' : ''}`)).toEqual([
      'view', 'add', 'edit', 'delete', 'post extra',
    ]) // prettier-ignore
    expect(modules.map(({ module }) => module)).toEqual(expect.arrayContaining(['roles', 'users', 'reports']))
  })
})

describe('built-in roles', () => {
  test('are there, with their discounts', async () => {
    const { roles } = (await tenant.admin.call(listRoles, { query: { sort: 'name' } })).ok()
    expect(roles.filter(({ isBuiltIn }) => isBuiltIn).map(({ name }) => name)).toEqual([
      'Accountant', 'Administrator', 'Purchasing', 'Sales', 'Viewer', 'Warehouse',
    ]) // prettier-ignore
    expect(await builtIn('Administrator')).toMatchObject({
      permissions: ['*'],
      discountPercentMaximum: null,
      userCount: 1,
    })
    expect(await builtIn('Sales')).toMatchObject({ discountPercentMaximum: '0', discountAmountMaximum: '0' })
  })

  test('Administrator stays as it is; the others are changed, not deleted', async () => {
    const { id } = await builtIn('Administrator')
    for (const body of [{ permissions: ['*:view'] }, { isActive: false }, { name: 'Chief' }]) {
      expect((await tenant.admin.call(updateRole, { params: { id }, body })).error.code).toBe('ROLE_FIXED')
    }
    expect((await tenant.admin.call(deleteRole, { params: { id } })).error.code).toBe('BUILT_IN_ROLE')
    const sales = await builtIn('Sales')
    const changed = await tenant.admin.call(updateRole, {
      params: { id: sales.id },
      body: { discountPercentMaximum: '12.50', discountAmountMaximum: 500 },
    })
    expect(changed.ok()).toMatchObject({ discountPercentMaximum: '12.5', discountAmountMaximum: '500' })
    expect((await tenant.admin.call(deleteRole, { params: { id: sales.id } })).error.code).toBe(
      'BUILT_IN_ROLE',
    )
  })
})

describe('creating and changing', () => {
  test('a role comes back as it was made, and versions guard it', async () => {
    const role = await newRole(['gl-accounts:*', 'reports:view', 'reports:view'], { description: ' Looks ' })
    expect(role).toMatchObject({
      permissions: ['gl-accounts:*', 'reports:view'],
      description: 'Looks',
      isBuiltIn: false,
      isActive: true,
      userCount: 0,
    })
    const params = { id: role.id }
    const read = await tenant.admin.call(getRole, { params })
    const headers = { 'if-match': read.headers.get('etag') ?? '' }
    const body = { description: 'Once' }
    expect((await tenant.admin.call(updateRole, { params, body }, headers)).ok().description).toBe('Once')
    expect((await tenant.admin.call(updateRole, { params, body }, headers)).status).toBe(412)
  })

  test('every wrong field is told', async () => {
    const body = {
      name: '  ',
      permissions: ['*', 'reports:fly', 'nowhere:*'],
      discountPercentMaximum: '100.01',
      discountAmountMaximum: '-1',
    }
    expect((await tenant.admin.call(createRole, { body })).refusals).toEqual([
      'discountAmountMaximum RANGE',
      'discountPercentMaximum RANGE',
      'name TOO_SHORT',
      'permissions[1] UNKNOWN_PERMISSION',
      'permissions[2] UNKNOWN_PERMISSION',
    ])
  })

  test('a name is taken whatever its case, and free again once its role is deleted', async () => {
    const { id, name } = await newRole([])
    const again = { body: { name: name.toUpperCase(), permissions: [] } }
    expect((await tenant.admin.call(createRole, again)).error.code).toBe('DUPLICATE_NAME')
    ;(await tenant.admin.call(deleteRole, { params: { id } })).ok()
    expect((await tenant.admin.call(createRole, again)).status).toBe(201)
    expect((await tenant.admin.call(getRole, { params: { id } })).status).toBe(404)
  })

  test("fields that are not the caller's to set are refused", async () => {
    const forged = { name: 'Forged', permissions: [], isBuiltIn: true, id: tenant.id, tenantId: tenant.id }
    const answer = await tenant.admin.send('POST', '/api/v1/roles', forged)
    expect([answer.status, ...answer.refusals]).toEqual([
      400, 'id UNKNOWN_FIELD', 'isBuiltIn UNKNOWN_FIELD', 'tenantId UNKNOWN_FIELD',
    ]) // prettier-ignore
    // Control: the same without them is taken.
    expect(
      (await tenant.admin.send('POST', '/api/v1/roles', { name: 'Forged', permissions: [] })).status,
    ).toBe(201)
  })

  test('a role that somebody holds is not deleted, one that nobody holds any more is', async () => {
    const role = await newRole(['*:view'])
    const user = await addUser(product, tenant, role.name)
    const refused = await tenant.admin.call(deleteRole, { params: { id: role.id } })
    expect([refused.status, refused.error.code]).toEqual([409, 'IN_USE'])
    const { id: roleId } = await builtIn('Viewer')
    ;(await tenant.admin.call(updateUser, { params: { id: user.id }, body: { roleId } })).ok()
    ;(await tenant.admin.call(deleteRole, { params: { id: role.id } })).ok()
  })
})

describe('the list', () => {
  test('is filtered by status, and tells deleted roles where they are asked for', async () => {
    const [awake, asleep, gone] = [
      await newRole([]),
      await newRole([], { isActive: false }),
      await newRole([]),
    ]
    ;(await tenant.admin.call(deleteRole, { params: { id: gone.id } })).ok()
    const made = new Set([awake, asleep, gone].map(({ id }) => id))
    const listed = async (query: object) =>
      (await tenant.admin.call(listRoles, { query: { limit: 200, sort: 'createdAt', ...query } }))
        .ok()
        .roles.filter(({ id }) => made.has(id))
    const ids = async (query: object) => (await listed(query)).map(({ id }) => id)
    expect(await ids({})).toEqual([awake.id, asleep.id])
    expect(await ids({ status: 'active' })).toEqual([awake.id])
    expect(await ids({ status: 'inactive' })).toEqual([asleep.id])
    const all = await listed({ includeDeleted: true, order: 'desc' })
    expect(all.map(({ id, deletedAt }) => [id, deletedAt !== null])).toEqual([
      [gone.id, true],
      [asleep.id, false],
      [awake.id, false],
    ])
    expect((await tenant.admin.send('GET', '/api/v1/roles?isActive=true')).status).toBe(400)
  })
})

describe('nobody grants more than they hold', () => {
  test('a keeper of roles gives what they have, and no more', async () => {
    const keeperRole = await newRole(['roles:*', 'users:*', 'gl-accounts:*', '*:view'], {
      discountPercentMaximum: '10',
      discountAmountMaximum: '100',
    })
    const { client: keeper } = await addUser(product, tenant, keeperRole.name)
    const make = (permissions: string[], more = {}) =>
      keeper.call(createRole, { body: { name: `Made ${++count}`, permissions, ...more } })
    // Control: what is within is given.
    const within = (
      await make(['gl-accounts:add', 'reports:view', '*:view'], { discountPercentMaximum: '10' })
    ).ok()
    for (const [permissions, more] of [
      [['*'], {}],
      [['journal-entries:post'], {}],
      [['reports:*'], {}],
      [[], { discountPercentMaximum: '10.01' }],
      [[], { discountPercentMaximum: null }],
      [[], { discountAmountMaximum: null }],
    ] as const) {
      expect((await make([...permissions], more)).error.code).toBe('PERMISSION_DENIED')
    }
    const widened = await keeper.call(updateRole, {
      params: { id: within.id },
      body: { permissions: ['journal-entries:*'] },
    })
    expect(widened.status).toBe(403)
    // Nor does somebody change what others hold beyond them: their own role made larger, a larger one smaller.
    for (const id of [keeperRole.id, (await builtIn('Accountant')).id]) {
      const body = { permissions: ['journal-entries:view', 'journal-entries:post'] }
      expect((await keeper.call(updateRole, { params: { id }, body })).status).toBe(403)
    }
    expect((await keeper.call(deleteRole, { params: { id: (await newRole(['*'])).id } })).status).toBe(403)
  })
})

describe('a change holds', () => {
  test('at once: what is taken is refused to the very next request, what is given is there', async () => {
    const role = await newRole(['gl-accounts:view'])
    const { client } = await addUser(product, tenant, role.name)
    const change = async (body: object) =>
      (await tenant.admin.call(updateRole, { params: { id: role.id }, body })).ok()
    expect((await client.send('GET', ACCOUNTS)).status).toBe(200) // control, and cached from here on
    await change({ permissions: ['reports:view'] })
    expect((await client.send('GET', ACCOUNTS)).error.code).toBe('PERMISSION_DENIED')
    await change({ permissions: ['*:view'] })
    expect((await client.send('GET', ACCOUNTS)).status).toBe(200)
    await change({ isActive: false })
    expect((await client.send('GET', ACCOUNTS)).error.code).toBe('TOKEN_INVALID')
  })

  test('the last administrator keeps the role by which they are one', async () => {
    const chief = await newRole(['*'])
    const user = await addUser(product, tenant, chief.name)
    // Somebody in one company only is no administrator of all: the first one stays the last.
    const { id: roleId } = await builtIn('Viewer')
    const admin = (await tenant.admin.send<{ id: string }>('GET', '/api/v1/auth/me')).ok()
    const demotion = { params: { id: admin.id }, body: { roleId } }
    expect((await tenant.admin.call(updateUser, demotion)).error.code).toBe('LAST_ADMINISTRATOR')
    ;(await tenant.admin.call(updateUser, { params: { id: user.id }, body: { allCompanies: true } })).ok()
    ;(await tenant.admin.call(updateUser, demotion)).ok()
    // Now the other one is the last, and the role is what makes them so.
    await eventually(async () => expect((await user.client.call(listRoles)).status).toBe(200))
    for (const body of [{ permissions: ['*:view'] }, { isActive: false }]) {
      const answer = await user.client.call(updateRole, { params: { id: chief.id }, body })
      expect(answer.error.code).toBe('LAST_ADMINISTRATOR')
    }
  })
})
