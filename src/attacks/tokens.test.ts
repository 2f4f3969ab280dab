/**
 * Forged and stolen tokens at both doors, the tenants' and the operators': none lets in. Each forgery is tried on
 * doors with one check left out, too (control): it must let somebody in there, or it would prove nothing.
 */
import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, importJWK, jwtVerify, type JWK, type JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { login, logout, me, refresh } from '../erp/identity/contract.ts'
import { updateUser } from '../erp/identity/users/contract.ts'
import type { Principal } from '../http/route.ts'
import { operatorMe, operatorRefresh } from '../platform/operators/contract.ts'
import { suspendTenant } from '../platform/tenants/contract.ts'
import { tenantPermissions } from '../server/routes.ts'
import { SYSTEM } from '../server/product.ts'
import { Secrets } from '../tenancy/secrets.ts'
import { platformSql } from '../tenancy/handles.ts'
import { sql } from 'kysely'
import { Client } from '../testing/client.ts'
import { query } from '../testing/books.ts'
import {
  SECRET_KEY,
  signIn,
  startTestProduct,
  type TestProduct,
  type TestTenant,
} from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { startWeakServer } from '../testing/weak-server.ts'

const KEY = new Secrets(SECRET_KEY).derive('access-tokens', 64)
const NOWHERE = '00000000-0000-4000-8000-000000000001'

let product: TestProduct
let tenant: TestTenant
let other: TestTenant
let rsa: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  other = await product.createTenant()
  rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
})
afterAll(() => product.stop())

type Claims = JWTPayload & Record<string, unknown>
type Door = 'tenant' | 'operator'

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function signed(header: object, claims: object, hash = 'sha256', secret: string | Uint8Array = KEY): string {
  const text = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(claims)}`
  return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`
}

function signedWithOwnKey(header: object, claims: object): string {
  const text = `${part({ alg: 'RS256', typ: 'JWT', ...header })}.${part(claims)}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign(rsa.privateKey, 'base64url')}`
}

/** Named by what would have to be missing for it to work. */
const FORGERIES: Readonly<Record<string, (token: string, claims: Claims, door: Door) => string>> = {
  'alg none': (_token, claims) => `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`,
  'alg NONE': (_token, claims) => `${part({ alg: 'NONE' })}.${part(claims)}.`,
  'alg none over a real signature': (token) =>
    `${part({ alg: 'none' })}.${token.split('.').slice(1).join('.')}`,
  'stripped signature': (token) => `${token.split('.').slice(0, 2).join('.')}.`,
  'changed claims': (token, claims) => {
    const [head, , signature] = token.split('.')
    return `${head}.${part({ ...claims, roleId: 'changed' })}.${signature}`
  },
  'an empty secret': (_token, claims) => signed({ kid: '/dev/null' }, claims, 'sha256', ''),
  'kid into a path': (_token, claims) => signed({ kid: '../../../../dev/null' }, claims, 'sha256', '\0'),
  'kid into SQL': (_token, claims) =>
    signed({ kid: "x' UNION SELECT 'attacker'--" }, claims, 'sha256', 'attacker'),
  HS384: (_token, claims) => signed({ alg: 'HS384' }, claims, 'sha384'),
  HS512: (_token, claims) => signed({ alg: 'HS512' }, claims, 'sha512'),
  'RS256 with jwk in the header': (_token, claims) =>
    signedWithOwnKey({ jwk: rsa.publicKey.export({ format: 'jwk' }) }, claims),
  'RS256 with jku': (_token, claims) =>
    signedWithOwnKey({ jku: 'http://127.0.0.1:9/keys.json', kid: 'a' }, claims),
  'RS256 with x5u and x5c': (_token, claims) =>
    signedWithOwnKey({ x5u: 'http://127.0.0.1:9/cert.pem', x5c: ['MIIB'] }, claims),
  'a public key taken for a secret': (_token, claims) =>
    signed({}, claims, 'sha256', rsa.publicKey.export({ format: 'pem', type: 'spki' }) as string),
  expired: (_token, claims) =>
    signed({}, { ...claims, iat: Number(claims.iat) - 200_000, exp: Number(claims.iat) - 100_000 }),
  'not yet valid': (_token, claims) => signed({}, { ...claims, nbf: Number(claims.iat) + 3_600 }),
  'another issuer': (_token, claims) => signed({}, { ...claims, iss: 'somebody-else' }),
  'another audience': (_token, claims, door) =>
    signed({}, { ...claims, aud: door === 'tenant' ? 'operator' : 'tenant' }),
  'no audience': (_token, claims) => signed({}, { ...claims, aud: undefined }),
  'another tenant': (_token, claims) => signed({}, { ...claims, tenantId: other.id }),
  'a session that never was': (_token, claims) => signed({}, { ...claims, sessionId: NOWHERE }),
  'no session': (_token, claims) => signed({}, { ...claims, sessionId: undefined }),
  'no expiry': (_token, claims) => signed({}, { ...claims, exp: undefined }),
}

// ---- doors with one check left out ---------------------------------------------------------------------

type Reader = (token: string, door: Door) => Promise<Claims>

const asked = (door: Door) => ({
  issuer: 'solution-erp',
  audience: door,
  algorithms: ['HS256'],
  requiredClaims: ['exp'],
})

const CARELESS: Readonly<
  Record<
    string,
    { readonly read: Reader; readonly skips?: 'tenant' | 'session'; readonly lets: readonly string[] }
  >
> = {
  'nobody looks at the signature': {
    read: async (token) => decodeJwt<Claims>(token),
    lets: [
      'alg none',
      'alg NONE',
      'alg none over a real signature',
      'stripped signature',
      'changed claims',
      'an empty secret',
      'kid into a path',
      'kid into SQL',
      'RS256 with jku',
      'RS256 with x5u and x5c',
      'a public key taken for a secret',
    ],
  },
  'the header says which algorithm': {
    read: async (token, door) =>
      (await jwtVerify<Claims>(token, KEY, { ...asked(door), algorithms: ['HS256', 'HS384', 'HS512'] }))
        .payload,
    lets: ['HS384', 'HS512'],
  },
  'the header brings the key': {
    read: async (token, door) => {
      const { jwk } = decodeProtectedHeader(token) as { jwk?: JWK }
      const key = jwk ? await importJWK(jwk, 'RS256') : KEY
      return (
        await jwtVerify<Claims>(token, key as Uint8Array, { ...asked(door), algorithms: ['HS256', 'RS256'] })
      ).payload
    },
    lets: ['RS256 with jwk in the header'],
  },
  'a clock that stands still': {
    read: async (token, door) => {
      const { iat = 0 } = decodeJwt(token)
      return (
        await jwtVerify<Claims>(token, KEY, {
          ...asked(door),
          currentDate: new Date(iat * 1000),
          clockTolerance: 7_200,
        })
      ).payload
    },
    lets: ['expired', 'not yet valid'],
  },
  'any issuer': {
    read: async (token, door) =>
      (await jwtVerify<Claims>(token, KEY, { audience: door, algorithms: ['HS256'] })).payload,
    lets: ['another issuer', 'no expiry'],
  },
  'any audience': {
    read: async (token) =>
      (await jwtVerify<Claims>(token, KEY, { issuer: 'solution-erp', algorithms: ['HS256'] })).payload,
    lets: ['another audience', 'no audience', 'no expiry'],
  },
  'any tenant': {
    read: async (token, door) => (await jwtVerify<Claims>(token, KEY, asked(door))).payload,
    skips: 'tenant',
    lets: ['another tenant'],
  },
  'any session': {
    read: async (token, door) => (await jwtVerify<Claims>(token, KEY, asked(door))).payload,
    skips: 'session',
    lets: ['a session that never was', 'no session'],
  },
}

async function letIn(url: string, door: Door, token: string, claims: Claims): Promise<string[]> {
  const at = new Client(url, door === 'tenant' ? { tenant: tenant.code } : {})
  const found: string[] = []
  for (const [name, forge] of Object.entries(FORGERIES)) {
    // An operator's token names no tenant.
    if (door === 'operator' && name === 'another tenant') continue
    const client = at.with({ token: forge(token, claims, door) })
    const { status } = await (door === 'tenant' ? client.call(me) : client.call(operatorMe))
    if (status !== 401) found.push(name)
  }
  return found
}

/** Of somebody who is signed in, for this test alone. */
async function tokenAt(door: Door): Promise<{ token: string; claims: Claims }> {
  const client = door === 'tenant' ? (await addUser(product, tenant, 'Viewer')).client : product.operator
  const token = client.options.token ?? ''
  return { token, claims: decodeJwt<Claims>(token) }
}

describe.each<Door>(['tenant', 'operator'])("the %s's door", (door) => {
  test('is opened by no forgery', async () => {
    const { token, claims } = await tokenAt(door)
    expect(await letIn(product.url, door, token, claims)).toEqual([])
    // Control: the same claims signed with the right key are let in.
    const own = product.anonymous.with({ token: signed({}, claims) })
    const answer = await (door === 'tenant'
      ? own.with({ tenant: tenant.code }).call(me)
      : own.call(operatorMe))
    expect(answer.status).toBe(200)
  })

  test.each(Object.keys(CARELESS))('control: it would be, where %s', async (carelessness) => {
    const { read, skips, lets } = CARELESS[carelessness]!
    const { token, claims } = await tokenAt(door)
    const enter = async (presented: string): Promise<Principal> => {
      const found = await read(presented, door)
      if (skips !== 'tenant' && door === 'tenant' && found['tenantId'] !== tenant.id)
        throw new Error('another tenant')
      if (skips !== 'session' && found['sessionId'] !== claims['sessionId'])
        throw new Error('another session')
      const { userId, sessionId, companyId } = claims as Record<string, string>
      return {
        kind: door === 'tenant' ? 'user' : 'operator',
        id: userId ?? '',
        sessionId: sessionId ?? '',
        companyId: companyId ?? null,
        permissions: tenantPermissions,
      }
    }
    const guard = (presented: string): Promise<Principal> =>
      enter(presented).catch(() => Promise.reject(Object.assign(new Error('refused'), { statusCode: 401 })))
    const weak = await startWeakServer(product, product.routes, {
      authenticateUser: guard,
      authenticateOperator: guard,
    })
    try {
      const found = await letIn(weak.url, door, token, claims)
      const expected = lets.filter((name) => door === 'tenant' || name !== 'another tenant')
      expect(found).toEqual(expect.arrayContaining(expected))
    } finally {
      await weak.stop()
    }
  })
})

test('every forgery is let in by some carelessness: none is tried in vain', () => {
  const tried = new Set(Object.values(CARELESS).flatMap(({ lets }) => lets))
  expect(Object.keys(FORGERIES).filter((name) => !tried.has(name))).toEqual([])
})

// ---- tokens that were good -----------------------------------------------------------------------------

describe('a token that was good', () => {
  const codeAt = async (client: Client): Promise<string> => {
    const answer = await client.call(me)
    return answer.status === 200 ? 'in' : answer.error.code
  }

  test.each<[string, (user: Awaited<ReturnType<typeof addUser>>) => Promise<unknown>]>([
    ['whose session was ended', (user) => user.client.call(logout)],
    [
      'whose user was made inactive',
      ({ id }) => tenant.admin.call(updateUser, { params: { id }, body: { status: 'inactive' } }),
    ],
    ['whose user was deleted', ({ id }) => tenant.admin.send('DELETE', `/api/v1/users/${id}`)],
    [
      'whose sessions were ended by another',
      ({ id }) => tenant.admin.send('DELETE', `/api/v1/users/${id}/sessions`),
    ],
  ])('%s is good no longer, at once', async (_name, end) => {
    const user = await addUser(product, tenant, 'Viewer')
    expect(await codeAt(user.client)).toBe('in') // control, and remembered from here on
    await end(user)
    expect(await codeAt(user.client)).toBe('TOKEN_INVALID')
    const at = product.anonymous.with({ tenant: tenant.code })
    expect((await at.call(refresh, { body: { refreshToken: user.refreshToken } })).status).toBe(401)
  })

  test('of a tenant that was suspended, or is gone, is good for nothing', async () => {
    const gone = await product.createTenant()
    const client = gone.admin.with({ tenant: gone.code })
    expect(await codeAt(client)).toBe('in')
    ;(
      await product.operator.call(suspendTenant, { params: { id: gone.id }, body: { reason: 'attack' } })
    ).ok()
    expect(await codeAt(client)).not.toBe('in')
    await product.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(sql`UPDATE platform.tenant SET status = 'deleted' WHERE id = ${gone.id}`.compile(platformSql)),
    )
    product.directory.forget(gone.id)
    for (const at of [client, product.anonymous.with({ token: client.options.token ?? '' })])
      expect((await at.call(me)).status).toBeGreaterThanOrEqual(401)
  })
})

// ---- one kind in the place of another ------------------------------------------------------------------

describe('one kind of token in the place of another', () => {
  test('a refresh token is no access token, nor an access token a refresh token', async () => {
    const { client, refreshToken } = await addUser(product, tenant, 'Viewer')
    const at = product.anonymous.with({ tenant: tenant.code })
    expect((await at.with({ token: refreshToken }).call(me)).error.code).toBe('TOKEN_INVALID')
    const { token = '' } = client.options
    // Already its length says that it is none.
    expect((await at.call(refresh, { body: { refreshToken: token } })).status).toBe(400)
    expect((await product.anonymous.call(operatorRefresh, { body: { refreshToken } })).error.code).toBe(
      'TOKEN_INVALID',
    )
  })

  test("a refresh token of one tenant is none of another's, and survives being tried there", async () => {
    const { refreshToken } = await addUser(product, tenant, 'Viewer')
    const elsewhere = product.anonymous.with({ tenant: other.code })
    expect((await elsewhere.call(refresh, { body: { refreshToken } })).error.code).toBe('TOKEN_INVALID')
    const here = product.anonymous.with({ tenant: tenant.code })
    expect((await here.call(refresh, { body: { refreshToken } })).status).toBe(200)
  })

  test('the claims are not what decides: who was given less has less at once', async () => {
    const user = await addUser(product, tenant, 'Accountant')
    const may = async (): Promise<number> =>
      (await user.client.send('GET', '/api/v1/finance/journal-entries')).status
    expect(await may()).toBe(200)
    const [viewer] = await query<{ id: string }>(
      product,
      tenant,
      "SELECT id FROM core.role WHERE name = 'Warehouse'",
    )
    ;(await tenant.admin.call(updateUser, { params: { id: user.id }, body: { roleId: viewer!.id } })).ok()
    expect(await may()).toBe(403)
    expect(decodeJwt(user.client.options.token ?? '')['roleId']).not.toBe(viewer!.id) // the old token still says so
  })

  test('a token is shown to nobody: it is in no address, and no page keeps it', async () => {
    const { token = '' } = (await addUser(product, tenant, 'Viewer')).client.options
    for (const name of ['token', 'access_token', 'authorization']) {
      const path = `/api/v1/auth/me?${name}=${encodeURIComponent(token)}`
      const answer = await product.anonymous.with({ tenant: tenant.code }).send('GET', path)
      expect(answer.status).toBe(401)
      const cookie = { cookie: `${name}=${token}` }
      expect(
        (
          await product.anonymous
            .with({ tenant: tenant.code })
            .send('GET', '/api/v1/auth/me', undefined, cookie)
        ).status,
      ).toBe(401)
    }
  })

  test('control: all of them belong to people who can sign in', async () => {
    const { email } = await addUser(product, tenant, 'Viewer')
    const at = product.anonymous.with({ tenant: tenant.code })
    expect((await signIn(at, email)).refreshToken).toBeTruthy()
    expect((await at.call(login, { body: { email, password: 'Wrong-pass-1' } })).status).toBe(401)
  })
})
