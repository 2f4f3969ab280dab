/** Every route of a tenant × every role, against the matrix that permissions.ts states. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BASE_PATHS, createHttpServer } from '../../http/server.ts'
import type { Operation } from '../../http/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { assertGrantable, tenantPermissions } from '../../server/routes.ts'
import { startWeakServer } from '../../testing/weak-server.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { rawRequest } from '../../testing/process.ts'
import { sampleOf } from '../../testing/samples.ts'
import { addUser, type TestUser } from '../../testing/users.ts'
import { builtInRoles } from './permissions.ts'
import { UserSessions } from './sessions.ts'
import { expandPermissions } from './rules/permission-patterns.ts'

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
  for (const { name } of builtInRoles) {
    // Some of what only administrators may do needs all companies.
    users.set(name, await addUser(product, tenant, name, { allCompanies: name === 'Administrator' }))
  }
})
afterAll(() => product.stop())

/** Asks for something that passes validation but is nowhere, so that nothing is changed on the way. */
async function ask(
  operation: Operation,
  token: string | undefined,
  url = product.url,
): Promise<{ status: number; code: string }> {
  const nowhere = '00000000-0000-4000-8000-000000000001'
  const path = operation.path.replaceAll(/\{\w+\}/g, nowhere)
  const query = operation.query
    ? new URLSearchParams(sampleOf(operation.query, nowhere) as never).toString()
    : ''
  const answer = await rawRequest(
    url,
    operation.method,
    `${BASE_PATHS.tenant}${path}${query === '' ? '' : `?${query}`}`,
    {
      'x-tenant-id': tenant.code,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(operation.accepts?.[0] ? { 'content-type': operation.accepts[0] } : {}),
    },
    operation.accepts ? 'a file' : operation.body ? sampleOf(operation.body, nowhere) : undefined,
  )
  const body = JSON.parse(answer.text) as { error?: { code: string } }
  return { status: answer.status, code: body.error?.code ?? '' }
}

/** Routes that answer a role otherwise than the matrix says. */
async function breaches(role: string, permissions: readonly string[], url?: string): Promise<string[]> {
  const allowed = expandPermissions(permissions, tenantPermissions)
  const wrong: string[] = []
  for (const operation of operations.filter(({ permission }) => permission.includes(':'))) {
    const { status, code } = await ask(operation, users.get(role)?.client.options.token, url)
    const isRefused = status === 403 && code === 'PERMISSION_DENIED'
    const isExpected = allowed.has(operation.permission)
      ? !isRefused && status !== 401 && status < 500
      : isRefused
    if (!isExpected) wrong.push(`${operation.name}: ${status} ${code}`)
  }
  return wrong
}

describe.each(builtInRoles.map(({ name, permissions }) => ({ name, permissions })))(
  '$name',
  ({ name, permissions }) => {
    test('may do what the matrix says on every route, and nothing else', async () => {
      expect(await breaches(name, permissions)).toEqual([])
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
  expect(anonymous.toSorted()).toEqual(
    ['describeSingleSignOn', 'finishSingleSignOn', 'login', 'redeemSupportCode', 'refresh', 'requestPasswordReset', 'resetPassword', 'startSingleSignOn'], // prettier-ignore
  )
  expect(open.filter((name) => !anonymous.includes(name))).toEqual([])
})

test('control: a route whose guard was taken out is found', async () => {
  const routes = product.routes.map((route) =>
    route.operation.name === 'listUsers' || route.operation.name === 'updateRole'
      ? { ...route, operation: { ...route.operation, permission: 'signed-in' as const } }
      : route,
  )
  const weak = await startWeakServer(product, routes, {
    authenticateUser: (token, tenant, caller) =>
      new UserSessions(product.tokens, product.configuration, tenantPermissions).authenticate(token, {
        gate: product.gate,
        tenant,
        caller,
        actor: SYSTEM,
        bySupport: () => Promise.reject(new Error('nobody')),
      }),
  })
  try {
    expect(
      await breaches('Sales', builtInRoles.find(({ name }) => name === 'Sales')?.permissions ?? [], weak.url),
    ).toEqual(['updateRole: 404 NOT_FOUND', 'listUsers: 200 '])
  } finally {
    await weak.stop()
  }
})

test('an operation without a permission, or with one that no role can be given, does not start', async () => {
  const [route] = product.routes
  const open = [{ ...route!, operation: { ...route!.operation, permission: '' as never } }]
  const mounted = createHttpServer(open, {} as never, {
    corsOrigins: [],
    isProduction: false,
    logLevel: 'silent',
    version: '',
    trustedProxies: [],
  })
  await expect(mounted).rejects.toThrow('declares no permission')
  const closed = { ...route!.operation, audience: 'tenant' as const, permission: 'nowhere:view' as const }
  expect(() => assertGrantable(closed)).toThrow('which no role can be given')
})

test('the matrix tells roles apart', () => {
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
