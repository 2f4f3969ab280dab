/** Sessions through HTTP: beginning, going on, ending, and every way in that must not be one. */
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { SYSTEM } from '../../server/product.ts'
import { platformSql, tenantSql } from '../../tenancy/handles.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { addCompany } from '../../testing/books.ts'
import { entryBody } from '../../testing/entries.ts'
import { listCompanies } from '../companies/contract.ts'
import { createJournalEntry, listJournalEntries } from '../ledger/contract.ts'
import { operatorMe } from '../../platform/operators/contract.ts'
import {
  ADMIN_PASSWORD,
  SECRET_KEY,
  signIn,
  startTestProduct,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { eventually } from '../../testing/process.ts'
import { addUser } from '../../testing/users.ts'
import { login, logout, me, refresh } from './contract.ts'
import { updateUser } from './users/contract.ts'

let product: TestProduct
let tenant: TestTenant
let at: TestProduct['anonymous']

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

const statusOf = async (client: TestProduct['anonymous']): Promise<string> => {
  const answer = await client.call(me)
  return answer.status === 200 ? 'in' : answer.error.code
}
const execute = (text: string): Promise<unknown> =>
  product.directory
    .byId(tenant.id)
    .then((entry) =>
      product.gate.writeTenant(entry!.location, tenant.companyId, SYSTEM, (tx) =>
        tx.rows(sql.raw(text).compile(tenantSql)),
      ),
    )

const onPlatform = (text: string): Promise<unknown> =>
  product.gate.writePlatform(SYSTEM, (tx) => tx.rows(sql.raw(text).compile(platformSql)))

describe('a process that was cut off from the announcements', () => {
  test('asks again about every session it knew, of users and of operators', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const operatorState = async (): Promise<number> => (await product.operator.call(operatorMe)).status
    const states = async () => [await statusOf(user.client), await operatorState()]
    // The age limit is another wall: time stands still, so that only hearing of it can help.
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now())
    try {
      expect(await states()).toEqual(['in', 200])
      await execute(`UPDATE core.session SET ended_at = now() WHERE user_id = '${user.id}'`)
      await onPlatform(`UPDATE platform.operator_session SET ended_at = now()`)
      // Control: nobody announced it, so it is not known yet.
      expect(await states()).toEqual(['in', 200])
      await onPlatform(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN erp_changes%'`)
      await eventually(async () => expect(await states()).toEqual(['TOKEN_INVALID', 401]), 10_000)
    } finally {
      clock.mockRestore()
      await onPlatform(`UPDATE platform.operator_session SET ended_at = NULL`)
    }
  })
})

describe('signing in', () => {
  test('gives who it is, with role, permissions and companies', async () => {
    const user = await addUser(product, tenant, 'Accountant', { fullName: 'Max Mustermann' })
    const session = (
      await at.call(login, { body: { email: user.email.toUpperCase(), password: ADMIN_PASSWORD } })
    ).ok()
    expect(session).toMatchObject({
      expiresIn: 86_400,
      user: {
        id: user.id,
        fullName: 'Max Mustermann',
        role: 'Accountant',
        companyId: tenant.companyId,
        tenantCode: tenant.code,
      },
    })
    expect(session.user.permissions).toContain('journal-entries:post')
    const claims = JSON.parse(
      Buffer.from(session.token.split('.')[1] ?? '', 'base64url').toString(),
    ) as Record<string, unknown>
    expect(claims).toMatchObject({
      userId: user.id,
      sub: user.id,
      email: user.email,
      tenantId: tenant.id,
      companyId: tenant.companyId,
      iss: 'solution-erp',
    })
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(86_400)
  })

  test('"remember me" makes the refresh token live thirty days instead of seven', async () => {
    const { email } = await addUser(product, tenant, 'Viewer')
    await at.call(login, { body: { email, password: ADMIN_PASSWORD, rememberMe: true } })
    const rows = (await execute(
      `SELECT is_remembered, round(extract(epoch FROM s.expires_at - now()) / 86400)::int AS days
       FROM core.session s JOIN core.app_user u ON u.id = s.user_id WHERE u.email = '${email}' ORDER BY 1`,
    )) as unknown[]
    expect(rows).toEqual([
      { is_remembered: false, days: 7 },
      { is_remembered: true, days: 30 },
    ])
  })

  test('at most three sessions: the oldest ends', async () => {
    const first = await addUser(product, tenant, 'Viewer')
    const others = []
    for (let count = 0; count < 3; count++) others.push(await signIn(at, first.email))
    expect(await statusOf(first.client)).toBe('TOKEN_INVALID')
    for (const { client } of others) expect(await statusOf(client)).toBe('in')
    expect((await at.call(refresh, { body: { refreshToken: first.refreshToken } })).error.code).toBe(
      'TOKEN_INVALID',
    )
  })

  test('at most three, also when many sign in at the same moment', async () => {
    const { email } = await addUser(product, tenant, 'Viewer')
    const sessions = await Promise.all(Array.from({ length: 6 }, () => signIn(at, email)))
    const states = await Promise.all(sessions.map(({ client }) => statusOf(client)))
    expect(states.filter((state) => state === 'in').length).toBeLessThanOrEqual(3)
  })

  test('another company than those one works in is refused', async () => {
    const { email } = await addUser(product, tenant, 'Viewer')
    const companyId = '00000000-0000-4000-8000-000000000001'
    const answer = await at.call(login, { body: { email, password: ADMIN_PASSWORD, companyId } })
    expect([answer.status, answer.error.code]).toEqual([403, 'PERMISSION_DENIED'])
  })
})

describe('a wrong password and an unknown address', () => {
  test('are answered with the same words', async () => {
    const { email } = await addUser(product, tenant, 'Viewer')
    const inactive = await addUser(product, tenant, 'Viewer')
    await execute(`UPDATE core.app_user SET is_active = false WHERE id = '${inactive.id}'`)
    const noPassword = await addUser(product, tenant, 'Viewer')
    await execute(`UPDATE core.app_user SET password_hash = NULL WHERE id = '${noPassword.id}'`)
    const answers = await Promise.all([
      at.call(login, { body: { email, password: 'Wrong-pass-1' } }),
      at.call(login, { body: { email: 'nobody@users.example', password: ADMIN_PASSWORD } }),
      at.call(login, { body: { email: inactive.email, password: ADMIN_PASSWORD } }),
      at.call(login, { body: { email: noPassword.email, password: ADMIN_PASSWORD } }),
    ])
    const told = answers.map(({ status, error: { code, message, details } }) => ({
      status,
      code,
      message,
      details,
    }))
    expect(told[0]).toMatchObject({ status: 401, code: 'AUTH_FAILED' })
    for (const other of told) expect(other).toEqual(told[0])
  })

  test('take the same time', async () => {
    const { email } = await addUser(product, tenant, 'Viewer', { cost: 12 })
    const timesMs = { known: [] as number[], unknown: [] as number[] }
    const addresses = { known: email, unknown: 'nobody@users.example' }
    // In turns, so that what else the machine is doing falls on both.
    for (let round = 0; round < 7; round++) {
      for (const kind of ['known', 'unknown'] as const) {
        const startedAt = performance.now()
        await at.call(login, { body: { email: addresses[kind], password: 'Wrong-pass-1' } })
        timesMs[kind].push(performance.now() - startedAt)
      }
    }
    const median = (times: number[]): number => times.toSorted((x, y) => x - y)[3] ?? 0
    const [known, unknown] = [median(timesMs.known), median(timesMs.unknown)]
    expect(known).toBeGreaterThan(30) // control: bcrypt is at work; a shortcut would take a few milliseconds
    expect(Math.max(known, unknown) / Math.min(known, unknown)).toBeLessThan(1.6)
  })
})

describe('going on', () => {
  test('each refresh token is good once and gives the next', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const second = (await at.call(refresh, { body: { refreshToken: user.refreshToken } })).ok()
    const third = (await at.call(refresh, { body: { refreshToken: second.refreshToken } })).ok()
    expect(new Set([user.refreshToken, second.refreshToken, third.refreshToken]).size).toBe(3)
    expect(await statusOf(at.with({ token: third.token }))).toBe('in')
  })

  test('one used twice ends the session for both who hold it, at once', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const stolen = user.refreshToken
    const owner = (await at.call(refresh, { body: { refreshToken: stolen } })).ok()
    expect(await statusOf(at.with({ token: owner.token }))).toBe('in') // control, and cached from here on
    expect((await at.call(refresh, { body: { refreshToken: stolen } })).error.code).toBe('TOKEN_INVALID')
    expect(await statusOf(at.with({ token: owner.token }))).toBe('TOKEN_INVALID')
    expect((await at.call(refresh, { body: { refreshToken: owner.refreshToken } })).status).toBe(401)
  })

  test('of two that come at the same moment with one token at most one goes on', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => at.call(refresh, { body: { refreshToken: user.refreshToken } })),
    )
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
  })

  test.each(['', 'nonsense', '00000000-0000-4000-8000-000000000001.abc', `${'a'.repeat(36)}.x`])(
    '%j is no refresh token',
    async (refreshToken) => {
      expect((await at.call(refresh, { body: { refreshToken } })).error.code).toBe('TOKEN_INVALID')
    },
  )

  test('an expired one is refused', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    await execute(
      `UPDATE core.session SET expires_at = now() - interval '1 second' WHERE user_id = '${user.id}'`,
    )
    expect((await at.call(refresh, { body: { refreshToken: user.refreshToken } })).status).toBe(401)
  })

  test('a user made inactive neither goes on nor stays in for long', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    await execute(`UPDATE core.app_user SET is_active = false WHERE id = '${user.id}'`)
    expect((await at.call(refresh, { body: { refreshToken: user.refreshToken } })).status).toBe(401)
    expect(await statusOf(user.client)).toBe('TOKEN_INVALID') // never asked before: nothing is cached
  })
})

describe('changing over to another company', () => {
  let secondId: string
  beforeAll(async () => {
    secondId = await addCompany(product, tenant, 'SECOND')
  })
  const companyOf = async (client: TestProduct['anonymous']): Promise<string> =>
    (await client.call(me)).ok().companyId
  const goOn = (refreshToken: string, companyId?: string) =>
    at.call(refresh, { body: { refreshToken, ...(companyId ? { companyId } : {}) } })

  test('opens the books of the other one, and goes on there from then on', async () => {
    const user = await addUser(product, tenant, 'Accountant', { allCompanies: true })
    const first = (await goOn(user.refreshToken, secondId)).ok()
    expect(first.user.companyId).toBe(secondId)
    const client = at.with({ token: first.token })
    const entry = (await client.call(createJournalEntry, { body: { ...entryBody('7.00', 'In the second'), status: 'draft' } })).ok() // prettier-ignore
    const idsIn = async (company: TestProduct['anonymous']): Promise<string[]> =>
      (await company.call(listJournalEntries, { query: {} })).ok().journalEntries.map(({ id }) => id)
    expect(await idsIn(client)).toContain(entry.id)
    expect(await idsIn(tenant.admin)).not.toContain(entry.id)
    const next = (await goOn(first.refreshToken)).ok()
    expect([next.user.companyId, await companyOf(at.with({ token: next.token }))]).toEqual([secondId, secondId]) // prettier-ignore
  })

  test('leaves what was begun where it was begun: a token is of its own company', async () => {
    const user = await addUser(product, tenant, 'Viewer', { allCompanies: true })
    expect(await companyOf(user.client)).toBe(tenant.companyId)
    const { token } = (await goOn(user.refreshToken, secondId)).ok()
    const both = [user.client, at.with({ token }), user.client, at.with({ token })]
    expect(await Promise.all(both.map(companyOf))).toEqual([tenant.companyId, secondId, tenant.companyId, secondId]) // prettier-ignore
  })

  test('into one where the user does not work is refused, and costs nothing', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    for (const companyId of [secondId, '00000000-0000-4000-8000-000000000001']) {
      const { status, error } = await goOn(user.refreshToken, companyId)
      expect([status, error.code]).toEqual([403, 'PERMISSION_DENIED'])
    }
    expect((await goOn(user.refreshToken)).ok().user.companyId).toBe(tenant.companyId)
  })

  test('works as soon as one is let in there, and no longer than that', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    expect(await statusOf(user.client)).toBe('in') // known, without the other company
    await execute(`INSERT INTO core.user_company (user_id, company_id) VALUES ('${user.id}', '${secondId}')`)
    const { token } = (await goOn(user.refreshToken, secondId)).ok()
    expect(await statusOf(at.with({ token }))).toBe('in')
    const admin = await addUser(product, tenant, 'Administrator', { allCompanies: true })
    ;(await admin.client.call(updateUser, { params: { id: user.id }, body: { companyIds: [tenant.companyId] } })).ok() // prettier-ignore
    expect(await statusOf(at.with({ token }))).toBe('COMPANY_ACCESS_LOST')
    expect(await statusOf(user.client)).toBe('in')
  })

  test('is never done unasked: who loses the company where they are says which one is next', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const admin = await addUser(product, tenant, 'Administrator', { allCompanies: true })
    const workIn = async (...companyIds: string[]): Promise<void> =>
      void (await admin.client.call(updateUser, { params: { id: user.id }, body: { companyIds } })).ok()
    await workIn(tenant.companyId, secondId)
    expect(await statusOf(user.client)).toBe('in') // control: nothing is lost yet
    await workIn(secondId)
    expect(await statusOf(user.client)).toBe('COMPANY_ACCESS_LOST')
    const unasked = (await goOn(user.refreshToken)).ok()
    expect(await statusOf(at.with({ token: unasked.token }))).toBe('COMPANY_ACCESS_LOST')
    const asked = (await goOn(unasked.refreshToken, secondId)).ok()
    expect(await companyOf(at.with({ token: asked.token }))).toBe(secondId)
  })
})

describe('ending', () => {
  test('signing out works at once, for the refresh token too, and for this session only', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const other = await signIn(at, user.email)
    expect(await statusOf(user.client)).toBe('in')
    ;(await user.client.call(logout)).ok()
    expect(await statusOf(user.client)).toBe('TOKEN_INVALID')
    expect((await at.call(refresh, { body: { refreshToken: user.refreshToken } })).status).toBe(401)
    expect(await statusOf(other.client)).toBe('in')
  })
})

describe('access tokens that must not let in', () => {
  const key = new Secrets(SECRET_KEY).derive('access-tokens', 64)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const hmac = (text: string, hash: string, secret: Buffer | string = key): string =>
    createHmac(hash, secret).update(text).digest('base64url')
  const signed = (header: object, claims: object, hash = 'sha256', secret: Buffer | string = key): string => {
    const text = `${part(header)}.${part(claims)}`
    return `${text}.${hmac(text, hash, secret)}`
  }
  const header = { alg: 'HS256', typ: 'JWT' }
  let token: string
  let claims: Record<string, unknown>
  beforeAll(async () => {
    token = (await signIn(at, (await addUser(product, tenant, 'Viewer')).email)).client.options.token ?? ''
    claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  })
  const now = Math.floor(Date.now() / 1000)
  const attacks: [string, () => string, string?][] = [
    ['alg none', () => `${part({ alg: 'none' })}.${part(claims)}.`],
    [
      'alg None with the real signature',
      () => `${part({ alg: 'None' })}.${token.split('.').slice(1).join('.')}`,
    ],
    ['HS384 with the right key', () => signed({ ...header, alg: 'HS384' }, claims, 'sha384')],
    ['HS512 with the right key', () => signed({ ...header, alg: 'HS512' }, claims, 'sha512')],
    [
      'RS256 with a key of their own',
      () => {
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
        const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
        return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
      },
    ],
    [
      'a key in the header',
      () => {
        const jwk = { kty: 'oct', k: Buffer.from('attacker').toString('base64url') }
        return signed(
          { ...header, jwk, jku: 'http://127.0.0.1/keys', kid: '../../dev/null' },
          claims,
          'sha256',
          'attacker',
        )
      },
    ],
    ['an empty key', () => signed({ ...header, kid: '/dev/null' }, claims, 'sha256', '')],
    ['no signature', () => `${token.split('.').slice(0, 2).join('.')}.`],
    ['two parts', () => token.split('.').slice(0, 2).join('.')],
    [
      'claims changed under the old signature',
      () => {
        const [head, , signature] = token.split('.')
        return `${head}.${part({ ...claims, roleId: 'owner', companyId: 'x' })}.${signature}`
      },
    ],
    [
      'one bit of the signature',
      () => `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}${token.at(-1)}`,
    ],
    ['expired', () => signed(header, { ...claims, iat: now - 100, exp: now - 1 }), 'TOKEN_EXPIRED'],
    ['without an end', () => signed(header, { ...claims, exp: undefined })],
    ['not yet valid', () => signed(header, { ...claims, nbf: now + 3_600 })],
    ['for operators', () => signed(header, { ...claims, aud: 'operator' })],
    ['for nobody', () => signed(header, { ...claims, aud: undefined })],
    ['of another issuer', () => signed(header, { ...claims, iss: 'someone' })],
    [
      'of another tenant',
      () => signed(header, { ...claims, tenantId: '00000000-0000-4000-8000-000000000001' }),
    ],
    [
      'of a session that never was',
      () => signed(header, { ...claims, sessionId: '00000000-0000-4000-8000-000000000001' }),
    ],
    ['of no session', () => signed(header, { ...claims, sessionId: undefined })],
    ['garbage', () => 'a.b.c'],
    ['a critical extension', () => signed({ ...header, crit: ['x'], x: 1 }, claims)],
  ]
  test.each(attacks)('%s', async (_name, forge, code = 'TOKEN_INVALID') => {
    const answer = await at.with({ token: forge() }).call(me)
    expect([answer.status, answer.error.code]).toEqual([401, code])
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('control: the very same claims, signed as they should be, let in', async () => {
    expect(await statusOf(at.with({ token: signed(header, claims) }))).toBe('in')
  })

  test('a refresh token is no access token', async () => {
    const { refreshToken } = await addUser(product, tenant, 'Viewer')
    expect(await statusOf(at.with({ token: refreshToken }))).toBe('TOKEN_INVALID')
  })

  test("a tenant's token is of no use to the operator's door, nor the other way round", async () => {
    expect((await product.anonymous.with({ token }).call(operatorMe)).error.code).toBe('TOKEN_INVALID')
    expect(await statusOf(at.with({ token: product.operator.options.token ?? '' }))).toBe('TOKEN_INVALID')
  })

  test.each(['', 'Basic YTpi', 'bearer x', 'Bearer', 'Bearer '])(
    'authorization %j is none',
    async (authorization) => {
      const answer = await at.call(listCompanies, {}, { authorization })
      expect(answer.status).toBe(401)
    },
  )
})
