/** Every route of a tenant × every role, against the matrix that permissions.ts states. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BASE_PATHS } from '../../http/server.ts'
import type { Operation } from '../../http/contract.ts'
import { tenantPermissions } from '../../server/routes.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { rawRequest } from '../../testing/process.ts'
import { sampleOf } from '../../testing/samples.ts'
import { addUser, type TestUser } from '../../testing/users.ts'
import { builtInRoles, expandPermissions } from './permissions.ts'

let product: TestProduct
let tenant: TestTenant
let operations: Operation[]
const users = new Map<string, TestUser>()

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  operations = product.routes
    .map(({ operation }) => operation)
    .filter(({ audience }) => audience === 'tenant')
  for (const { name } of builtInRoles) users.set(name, await addUser(product, tenant, name))
})
afterAll(() => product.stop())

/** Asks for something that passes validation but is nowhere, so that nothing is changed on the way. */
async function ask(
  operation: Operation,
  token: string | undefined,
): Promise<{ status: number; code: string }> {
  const nowhere = '00000000-0000-4000-8000-000000000001'
  const path = operation.path.replaceAll(/\{\w+\}/g, nowhere)
  const query = operation.query
    ? new URLSearchParams(sampleOf(operation.query, nowhere) as never).toString()
    : ''
  const answer = await rawRequest(
    product.url,
    operation.method,
    `${BASE_PATHS.tenant}${path}${query === '' ? '' : `?${query}`}`,
    { 'x-tenant-id': tenant.code, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    operation.body ? sampleOf(operation.body, nowhere) : undefined,
  )
  const body = JSON.parse(answer.text) as { error?: { code: string } }
  return { status: answer.status, code: body.error?.code ?? '' }
}

describe.each(builtInRoles.map(({ name, permissions }) => ({ name, permissions })))(
  '$name',
  ({ name, permissions }) => {
    test('may do what the matrix says on every route, and nothing else', async () => {
      const allowed = expandPermissions(permissions, tenantPermissions)
      const wrong: string[] = []
      for (const operation of operations.filter(({ permission }) => permission.includes(':'))) {
        const { status, code } = await ask(operation, users.get(name)?.client.options.token)
        const isRefused = status === 403 && code === 'PERMISSION_DENIED'
        const isExpected = allowed.has(operation.permission)
          ? !isRefused && status !== 401 && status < 500
          : isRefused
        if (!isExpected) wrong.push(`${operation.name}: ${status} ${code}`)
      }
      expect(wrong).toEqual([])
    })

    test('is told the same in `me`', async () => {
      const { permissions: told } = (
        await users.get(name)!.client.send<{ permissions: string[] }>('GET', '/api/v1/auth/me')
      ).ok()
      expect(told).toEqual([...expandPermissions(permissions, tenantPermissions)].toSorted())
    })
  },
)

test('without a token no route answers but those that say so', async () => {
  const open: string[] = []
  for (const operation of operations) {
    const { status } = await ask(operation, undefined)
    if (status !== 401) open.push(operation.name)
    else if (operation.permission === 'anonymous') continue
  }
  const anonymous = operations.filter(({ permission }) => permission === 'anonymous').map(({ name }) => name)
  expect(anonymous.toSorted()).toEqual(['login', 'refresh', 'resetPassword'])
  expect(open.filter((name) => !anonymous.includes(name))).toEqual([])
})

test('the matrix tells roles apart: the test would notice a route without a guard', () => {
  const allowed = new Map(
    builtInRoles.map(({ name, permissions }) => [name, expandPermissions(permissions, tenantPermissions)]),
  )
  expect(allowed.get('Administrator')).toEqual(new Set(tenantPermissions))
  expect([...(allowed.get('Viewer') ?? [])].every((permission) => permission.endsWith(':view'))).toBe(true)
  expect(allowed.get('Sales')?.has('journal-entries:view')).toBe(false)
  expect(allowed.get('Accountant')?.has('journal-entries:post')).toBe(true)
  expect(allowed.get('Accountant')?.has('units-of-measure:edit')).toBe(false)
  expect(tenantPermissions.size).toBeGreaterThan(15)
})

describe('patterns', () => {
  const declared = ['a:view', 'a:add', 'ab:view', 'b:view', 'b:post']
  test.each([
    [['*'], declared],
    [['*:view'], ['a:view', 'ab:view', 'b:view']],
    [['a:*'], ['a:view', 'a:add']],
    [['b:post'], ['b:post']],
    [['a'], []],
    [['c:view'], []],
    [[], []],
    [['A:view'], []],
  ])('%j', (patterns, expected) => {
    expect([...expandPermissions(patterns, declared)]).toEqual(expected)
  })
})
