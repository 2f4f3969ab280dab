/** Operators: sessions like those of users, and every route of the platform × every role. */
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../http/contract.ts'
import { BASE_PATHS } from '../../http/server.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import type { Client } from '../../testing/client.ts'
import { startWeakServer } from '../../testing/weak-server.ts'
import { rawRequest } from '../../testing/process.ts'
import { CHEAP_HASH_COST, OPERATOR, startTestProduct, type TestProduct } from '../../testing/product.ts'
import { sampleOf } from '../../testing/samples.ts'
import { operatorLogin, operatorLogout, operatorMe, operatorRefresh } from './contract.ts'
import { operatorPermissions, operatorRoles, type OperatorRole } from './rules/permissions.ts'

const PASSWORD = 'Operator-pass-2'
let product: TestProduct
beforeAll(async () => {
  product = await startTestProduct()
  const passwordHash = await hash(PASSWORD, { cost: CHEAP_HASH_COST })
  for (const role of operatorRoles) {
    await execute(sql`INSERT INTO platform.operator (full_name, email, password_hash, role)
      VALUES (${`The ${role}`}, ${`${role}@operators.example`}, ${passwordHash}, ${role})`)
  }
})
afterAll(() => product.stop())

const execute = (statement: ReturnType<typeof sql>): Promise<unknown> =>
  product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql)))
const signIn = async (email: string, password = PASSWORD) =>
  (await product.anonymous.call(operatorLogin, { body: { email, password } })).ok()
const as = (token: string): Client => product.anonymous.with({ token })

describe('sessions', () => {
  test('signing in tells who it is and what they may', async () => {
    const session = await signIn('SUPPORT@operators.example')
    expect(session.operator).toMatchObject({
      fullName: 'The support',
      role: 'support',
      permissions: operatorPermissions.support,
    })
    expect((await as(session.token).call(operatorMe)).ok()).toEqual(session.operator)
  })

  test('a wrong password and an unknown address are told the same; each is written down', async () => {
    const answers = await Promise.all([
      product.anonymous.call(operatorLogin, { body: { email: OPERATOR.email, password: 'Wrong-pass-1' } }),
      product.anonymous.call(operatorLogin, {
        body: { email: 'nobody@operators.example', password: PASSWORD },
      }),
    ])
    for (const answer of answers)
      expect([answer.status, answer.error.code, answer.error.message]).toEqual([
        401,
        'AUTH_FAILED',
        answers[0].error.message,
      ])
    await product.refusals.write()
    const refused = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{
          email: string
        }>`SELECT details ->> 'account' AS email FROM platform.audit_event
          WHERE action = 'refused' AND entity = 'operatorLogin' ORDER BY 1`.compile(platformSql),
      ),
    )
    expect(refused.map(({ email }) => email)).toEqual(['nobody@operators.example', OPERATOR.email])
  })

  test('refresh tokens rotate; one used twice ends the session at once', async () => {
    const first = await signIn('billing@operators.example')
    const second = (
      await product.anonymous.call(operatorRefresh, { body: { refreshToken: first.refreshToken } })
    ).ok()
    expect((await as(second.token).call(operatorMe)).status).toBe(200)
    expect(
      (await product.anonymous.call(operatorRefresh, { body: { refreshToken: first.refreshToken } })).status,
    ).toBe(401)
    expect((await as(second.token).call(operatorMe)).error.code).toBe('TOKEN_INVALID')
    expect(
      (await product.anonymous.call(operatorRefresh, { body: { refreshToken: second.refreshToken } })).status,
    ).toBe(401)
  })

  test('signing out works at once', async () => {
    const { token, refreshToken } = await signIn('billing@operators.example')
    expect((await as(token).call(operatorMe)).status).toBe(200)
    ;(await as(token).call(operatorLogout)).ok()
    expect((await as(token).call(operatorMe)).error.code).toBe('TOKEN_INVALID')
    expect((await product.anonymous.call(operatorRefresh, { body: { refreshToken } })).status).toBe(401)
  })

  test('at most three: the oldest ends', async () => {
    const sessions = []
    for (let count = 0; count < 4; count++) sessions.push(await signIn('read-only@operators.example'))
    const states = []
    for (const { token } of sessions) states.push((await as(token).call(operatorMe)).status)
    expect(states).toEqual([401, 200, 200, 200])
  })

  test('an operator made inactive is out', async () => {
    await execute(
      sql`UPDATE platform.operator SET is_active = false WHERE email = 'billing@operators.example'`,
    )
    expect(
      (
        await product.anonymous.call(operatorLogin, {
          body: { email: 'billing@operators.example', password: PASSWORD },
        })
      ).status,
    ).toBe(401)
    await execute(
      sql`UPDATE platform.operator SET is_active = true WHERE email = 'billing@operators.example'`,
    )
    await signIn('billing@operators.example') // control
  })
})

describe('permissions', () => {
  async function ask(
    operation: Operation,
    token: string | undefined,
    url = product.url,
  ): Promise<{ status: number; code: string }> {
    const nowhere = '00000000-0000-4000-8000-000000000001'
    const body = operation.body ? sampleOf(operation.body, nowhere) : undefined
    // Refused by its rules even where the role allows it: nothing is made on the way.
    const refusable = operation.name === 'createTenant' ? { ...(body as object), subdomain: 'www' } : body
    const answer = await rawRequest(
      url,
      operation.method,
      `${BASE_PATHS.platform}${operation.path.replaceAll(/\{\w+\}/g, nowhere)}`,
      token === undefined ? {} : { authorization: `Bearer ${token}` },
      refusable,
    )
    return {
      status: answer.status,
      code: (JSON.parse(answer.text) as { error?: { code: string } }).error?.code ?? '',
    }
  }
  const operations = (): Operation[] =>
    product.routes
      .map(({ operation }) => operation)
      .filter(({ audience, permission }) => audience === 'platform' && permission.includes(':'))

  /** Routes that answer a role otherwise than the matrix says. */
  async function breaches(role: OperatorRole, token: string, url?: string): Promise<string[]> {
    const wrong: string[] = []
    for (const operation of operations()) {
      const { status, code } = await ask(operation, token, url)
      const isRefused = status === 403 && code === 'PERMISSION_DENIED'
      const isAllowed = operatorPermissions[role].includes(operation.permission)
      if (isAllowed ? isRefused || status === 401 || status >= 500 : !isRefused)
        wrong.push(`${operation.name}: ${status} ${code}`)
    }
    return wrong
  }

  test.each(operatorRoles)('of %s are what the matrix says, on every route', async (role) => {
    const { token } = await signIn(`${role}@operators.example`)
    const wrong = await breaches(role, token)
    expect(operations().length).toBeGreaterThan(6)
    expect(wrong).toEqual([])
  })

  test('without a token no route answers but those that say so', async () => {
    const all = product.routes
      .map(({ operation }) => operation)
      .filter(({ audience }) => audience === 'platform')
    const anonymous = all.filter(({ permission }) => permission === 'anonymous').map(({ name }) => name)
    expect(anonymous.toSorted()).toEqual([
      'operatorLogin',
      'operatorRefresh',
      'operatorRequestPasswordReset',
      'operatorResetPassword',
    ])
    const open: string[] = []
    for (const operation of all) {
      if (anonymous.includes(operation.name)) continue
      const { status, code } = await ask(operation, undefined)
      if (status !== 401 || code !== 'AUTH_REQUIRED') open.push(operation.name)
    }
    expect(open).toEqual([])
  })

  test('control: a route whose guard was taken out is found', async () => {
    const unguarded = product.routes.map((route) =>
      route.operation.name === 'listOperators' || route.operation.name === 'deleteOperator'
        ? { ...route, operation: { ...route.operation, permission: 'signed-in' as const } }
        : route,
    )
    const weak = await startWeakServer(product, unguarded, {
      authenticateOperator: (token) => product.operators.sessions.authenticate(product.gate, token, SYSTEM),
    })
    try {
      const { token } = await signIn('billing@operators.example')
      expect(await breaches('billing', token, weak.url)).toEqual([
        'listOperators: 200 ',
        'deleteOperator: 404 NOT_FOUND',
      ])
    } finally {
      await weak.stop()
    }
  })

  test('tell roles apart: an owner may what a reader may not', () => {
    expect(operatorPermissions.owner).toContain('tenants:create')
    for (const role of ['billing', 'support', 'read-only'] as const)
      expect(operatorPermissions[role]).not.toContain('tenants:create')
    expect(operatorPermissions['read-only'].every((permission) => permission.endsWith(':view'))).toBe(true)
  })
})
