/** Single sign-on against a real identity provider, and against one that lies. */
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM } from '../../../server/product.ts'
import { tenantSql } from '../../../tenancy/handles.ts'
import type { Answer, Client } from '../../../testing/client.ts'
import { IdentityProvider, LyingIdentityProvider } from '../../../testing/identity-provider.ts'
import { runErp } from '../../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  startTestProduct,
  tenantBody,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../../testing/product.ts'
import { addUser } from '../../../testing/users.ts'
import { login, me, refresh } from '../contract.ts'
import { createRole, deleteRole, listRoles } from '../roles/contract.ts'
import { deleteUser, updateUser } from '../users/contract.ts'
import {
  deleteSingleSignOn,
  describeSingleSignOn,
  finishSingleSignOn,
  getSingleSignOn,
  RETURN_PATH,
  startSingleSignOn,
  testSingleSignOn,
  updateSingleSignOn,
} from './contract.ts'
import { IdentityProviders } from './provider.ts'

const environment = testEnvironment({ IDENTITY_PROVIDER_TIMEOUT_MS: '3000' })
const lying = new LyingIdentityProvider()
let provider: IdentityProvider
let product: TestProduct
let tenant: TestTenant
let at: Client
let redirectUri: string
let viewerId: string
let count = 0

beforeAll(async () => {
  product = await startTestProduct({}, {}, environment)
  const body = tenantBody()
  tenant = await product.createTenant(body)
  at = product.anonymous.with({ tenant: tenant.code })
  const port = new URL(product.url).port
  redirectUri = `http://${body.subdomain}.localhost:${port}${RETURN_PATH}`
  provider = new IdentityProvider([redirectUri])
  await provider.start()
  await lying.start()
  const { roles } = (await tenant.admin.call(listRoles)).ok()
  viewerId = roles.find(({ name }) => name === 'Viewer')!.id
}, 120_000)
afterAll(async () => {
  await Promise.all([provider.stop(), lying.stop()])
  await product.stop()
})

const settingsOf = (overrides: object = {}) => ({
  label: 'Acme',
  issuer: provider.issuer,
  clientId: provider.clientId,
  clientSecret: provider.clientSecret,
  allowedDomains: ['acme.example'],
  defaultRoleId: viewerId,
  companyIds: [tenant.companyId],
  isEnabled: true,
  isRequired: false,
  ...overrides,
})
const setUp = async (overrides: object = {}) =>
  (await tenant.admin.call(updateSingleSignOn, { body: settingsOf(overrides) })).ok()
beforeEach(() => setUp())

const execute = async <Row>(text: string, of = tenant): Promise<Row[]> => {
  const entry = await product.directory.byId(of.id)
  return product.gate.writeTenant(entry!.location, of.companyId, SYSTEM, (tx) =>
    tx.rows(sql.raw<Row>(text).compile(tenantSql)),
  )
}
const start = async (client = at) => (await client.call(startSingleSignOn, { body: { redirectUri } })).ok()

/** Who somebody is to the real provider; by default a new person with a verified address of the tenant's. */
function person(account: object = {}): { name: string; email: string } {
  const name = `person-${++count}`
  const email = `${name}@acme.example`
  provider.accounts.set(name, { email, email_verified: true, name: 'Pat Person', ...account })
  return { name, email }
}

type Returned = Record<'state' | 'code' | 'iss' | 'error' | 'errorDescription', string>
const returnedIn = (url: URL): Partial<Returned> & { state: string } =>
  Object.fromEntries(
    [...url.searchParams]
      .filter(([name]) => ['state', 'code', 'iss', 'error'].includes(name))
      .concat(url.searchParams.has('error_description') ? [['errorDescription', url.searchParams.get('error_description')!]] : []),
  ) as never // prettier-ignore

const come = async (name: string, client = at) => {
  const { authorizationUrl, browserKey } = await start(client)
  const back = returnedIn(await provider.walk(authorizationUrl, name))
  return client.call(finishSingleSignOn, { body: { browserKey, ...back } })
}
const told = ({ status, error }: Answer<unknown>): string => `${status} ${error.code} ${error.message}`

describe('with a real identity provider', () => {
  test('a new person is signed in with the default role, and the next time is the same one', async () => {
    expect((await at.call(describeSingleSignOn)).ok()).toEqual({
      isEnabled: true,
      isRequired: false,
      label: 'Acme',
    })
    const { name, email } = person()
    const first = (await come(name)).ok()
    expect(first.user).toMatchObject({
      email,
      fullName: 'Pat Person',
      role: 'Viewer',
      restriction: null,
      companyId: tenant.companyId,
    })
    const client = at.with({ token: first.token })
    expect((await client.call(me)).ok().permissions).toContain('roles:view')
    expect((await client.call(updateSingleSignOn, { body: { label: 'Mine' } })).status).toBe(403)
    const next = (await at.call(refresh, { body: { refreshToken: first.refreshToken } })).ok()
    expect(next.user.id).toBe(first.user.id)
    // The address has changed over there: it is the same person all the same.
    provider.accounts.set(name, { email: `new-${email}`, email_verified: true })
    expect((await come(name)).ok().user.id).toBe(first.user.id)
    expect(
      await execute(`SELECT actor_kind, action FROM audit.change WHERE entity_id = '${first.user.id}'`),
    ).toEqual([{ actor_kind: 'system', action: 'insert' }])
  })

  test('who has an account already is known by the verified address, with what they may do', async () => {
    const user = await addUser(product, tenant, 'Accountant')
    const { name } = person()
    const email = `${name}@acme.example`
    await execute(`UPDATE core.app_user SET email = '${email.toUpperCase()}',
      password_changed_at = now() - interval '1 year' WHERE id = '${user.id}'`)
    const session = (await come(name)).ok()
    // The password has grown old: that is nothing to somebody who did not come by it.
    expect(session.user).toMatchObject({ id: user.id, role: 'Accountant', restriction: null })
    expect(session.user.permissions).toContain('journal-entries:post')
    const byPassword = (await at.call(login, { body: { email, password: ADMIN_PASSWORD } })).ok()
    expect(byPassword.user.restriction).toBe('password-expired') // control
    // The address goes to another identity: whose account it was keeps it.
    provider.accounts.set('somebody-else', { email, email_verified: true })
    expect(told(await come('somebody-else'))).toContain('401 SINGLE_SIGN_ON_REFUSED')
  })

  test.each([
    ['an address that is not verified', { email_verified: false }, 'not verified'],
    ['an address that nobody speaks of', { email_verified: undefined }, 'not verified'],
    ['no address', { email: undefined }, 'no e-mail address'],
    ['a foreign domain', { email: 'eve@evil.example' }, 'evil.example'],
    ['a domain below', { email: 'eve@sub.acme.example' }, 'sub.acme.example'],
    ['a domain that ends alike', { email: 'eve@notacme.example' }, 'notacme.example'],
    ['two addresses in one', { email: 'eve@evil.example@acme.example' }, 'no e-mail address'],
  ])('%s is refused', async (_what, account, reason) => {
    const answer = await come(person(account).name)
    expect(told(answer)).toContain('401 SINGLE_SIGN_ON_REFUSED')
    expect(answer.error.message).toContain(reason)
  })

  test('nobody new without a default role, nor with one that has become too strong or is gone', async () => {
    await setUp({ defaultRoleId: null })
    expect(told(await come(person().name))).toContain('no account with your address')
    const role = { name: `Default ${++count}`, permissions: ['roles:view'] }
    const { id } = (await tenant.admin.call(createRole, { body: role })).ok()
    await setUp({ defaultRoleId: id })
    expect((await come(person().name)).ok().user.role).toBe(role.name) // control
    await execute(`UPDATE core.role SET permissions = '{*}' WHERE id = '${id}'`)
    expect(told(await come(person().name))).toContain('not there any more')
    await execute(`UPDATE core.role SET permissions = '{}', is_active = false WHERE id = '${id}'`)
    expect(told(await come(person().name))).toContain('not there any more')
    await setUp()
    expect((await tenant.admin.call(deleteRole, { params: { id } })).status).toBe(409) // who came holds it
  })

  test('who was deactivated or deleted is refused, also as somebody new', async () => {
    const { name } = person()
    const { user } = (await come(name)).ok()
    const params = { id: user.id }
    ;(await tenant.admin.call(updateUser, { params, body: { status: 'inactive' } })).ok()
    expect(told(await come(name))).toContain('not active')
    ;(await tenant.admin.call(updateUser, { params, body: { status: 'active' } })).ok()
    expect((await come(name)).status).toBe(200) // control
    ;(await tenant.admin.call(deleteUser, { params })).ok()
    expect(told(await come(name))).toContain('deleted')
    provider.accounts.set('another-subject', provider.accounts.get(name)!)
    expect(told(await come('another-subject'))).toContain('deleted')
  })

  test('two who come at the same moment for the first time are one user', async () => {
    const { name, email } = person()
    const answers = await Promise.all([come(name), come(name), come(name)])
    const ids = answers.map((answer) => answer.ok().user.id)
    expect(new Set(ids).size).toBe(1)
    expect(await execute(`SELECT id FROM core.app_user WHERE email = '${email}'`)).toEqual([{ id: ids[0] }])
  })

  test('who refuses there is told so here', async () => {
    const { authorizationUrl, browserKey } = await start()
    const back = returnedIn(await provider.walk(authorizationUrl, 'anybody', true))
    const answer = await at.call(finishSingleSignOn, { body: { browserKey, ...back } })
    expect(told(answer)).toMatch(/^401 SINGLE_SIGN_ON_REFUSED .*access_denied/)
  })

  test('a client secret that is wrong is told as such', async () => {
    await setUp({ clientSecret: 'another secret' })
    expect(told(await come(person().name))).toMatch(/^401 SINGLE_SIGN_ON_REFUSED .*client secret is wrong/)
  })
})

describe('on the way', () => {
  const there = async (name = person().name) => {
    const { authorizationUrl, browserKey } = await start()
    return { browserKey, back: returnedIn(await provider.walk(authorizationUrl, name)) }
  }

  test('what came back is good once', async () => {
    const { browserKey, back } = await there()
    const body = { browserKey, ...back }
    expect((await at.call(finishSingleSignOn, { body })).status).toBe(200)
    expect((await at.call(finishSingleSignOn, { body })).error.code).toBe('SINGLE_SIGN_ON_EXPIRED')
  })

  test('a code that was used comes to nothing under another state', async () => {
    const first = await there()
    ;(await at.call(finishSingleSignOn, { body: { browserKey: first.browserKey, ...first.back } })).ok()
    const second = await start()
    const state = new URL(second.authorizationUrl).searchParams.get('state')!
    const body = { browserKey: second.browserKey, ...first.back, state }
    expect(told(await at.call(finishSingleSignOn, { body }))).toMatch(
      /^401 SINGLE_SIGN_ON_REFUSED .*invalid_grant/,
    )
  })

  test('in another browser it is nothing, and is over in the first one too', async () => {
    const { browserKey, back } = await there()
    const other = await start()
    const stolen = await at.call(finishSingleSignOn, { body: { browserKey: other.browserKey, ...back } })
    expect(told(stolen)).toContain('401 SINGLE_SIGN_ON_EXPIRED')
    expect((await at.call(finishSingleSignOn, { body: { browserKey, ...back } })).error.code).toBe(
      'SINGLE_SIGN_ON_EXPIRED',
    )
  })

  test('after ten minutes it is over; a state that never was is none', async () => {
    const { browserKey, back } = await there()
    await execute(`UPDATE core.single_sign_on_attempt SET expires_at = now()`).catch(async () => {
      // The tenant's role may not change attempts, only make and take them.
      await execute(`DELETE FROM core.single_sign_on_attempt`)
    })
    const late = await at.call(finishSingleSignOn, { body: { browserKey, ...back } })
    expect(late.error.code).toBe('SINGLE_SIGN_ON_EXPIRED')
    const never = await at.call(finishSingleSignOn, { body: { browserKey, ...back, state: 'never' } })
    expect(never.error.code).toBe('SINGLE_SIGN_ON_EXPIRED')
  })

  test("one tenant's way ends at no other one", async () => {
    const other = await product.createTenant()
    ;(
      await other.admin.call(updateSingleSignOn, {
        body: settingsOf({ companyIds: [other.companyId], defaultRoleId: null }),
      })
    ).ok()
    const { browserKey, back } = await there()
    const answer = await product.anonymous
      .with({ tenant: other.code })
      .call(finishSingleSignOn, { body: { browserKey, ...back } })
    expect(answer.error.code).toBe('SINGLE_SIGN_ON_EXPIRED')
    expect((await at.call(finishSingleSignOn, { body: { browserKey, ...back } })).status).toBe(200) // control
  })

  test('nobody is sent back to a foreign host', async () => {
    const port = new URL(product.url).port
    const foreign = [
      'https://evil.example/sign-in/return',
      `${redirectUri}/../../evil`,
      `${redirectUri}?next=https://evil.example`,
      `http://evil.localhost:${port}${RETURN_PATH}`,
      `http://localhost:${port}/elsewhere`,
      redirectUri.replace('http:', 'javascript:'),
    ]
    for (const uri of foreign) {
      const answer = await at.call(startSingleSignOn, { body: { redirectUri: uri } })
      expect(answer.refusals, uri).toEqual(['redirectUri NOT_ALLOWED'])
    }
    // Control: the product's own address will do; the provider then knows it or not.
    const own = await at.call(startSingleSignOn, {
      body: { redirectUri: `http://localhost:${port}${RETURN_PATH}` },
    })
    expect(own.status).toBe(200)
  })

  test('what is kept of it signs nobody in, and there are not too many', async () => {
    const { authorizationUrl, browserKey } = await start()
    const url = new URL(authorizationUrl)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      scope: 'openid email profile',
      redirect_uri: redirectUri,
    })
    const [row] = await execute<{ everything: string }>(
      `SELECT to_jsonb(a)::text AS everything FROM core.single_sign_on_attempt a ORDER BY id DESC LIMIT 1`,
    )
    for (const secret of [browserKey, url.searchParams.get('state')!, url.searchParams.get('nonce')!]) {
      expect(row?.everything).not.toContain(secret)
    }
    expect(authorizationUrl).not.toContain(browserKey)
    await execute(`INSERT INTO core.single_sign_on_attempt (id, state_hash, browser_hash, issuer, redirect_uri, expires_at)
      SELECT gen_random_uuid(), sha256(n::text::bytea), '', '', '', now() + interval '5 minutes' FROM generate_series(1, 6000) n`)
    await start()
    const [counted] = await execute<{ count: number }>(
      `SELECT count(*) AS count FROM core.single_sign_on_attempt`,
    )
    expect(counted?.count).toBeLessThanOrEqual(5_000)
    await execute(`DELETE FROM core.single_sign_on_attempt`)
  })
})

describe('with an identity provider that lies', () => {
  const claimed = { sub: 'liar', email: 'liar@acme.example', email_verified: true }
  beforeEach(() => setUp({ issuer: lying.issuer, clientSecret: null }))
  afterEach(() => {
    lying.token = (claims) => lying.signed(claims)
    lying.status = 200
    lying.hangs = false
    lying.metadata = lying.honestMetadata()
  })
  const comeFromThere = async (about: Record<string, unknown> = claimed) => {
    const { authorizationUrl, browserKey } = await start()
    lying.about(authorizationUrl, about)
    const state = new URL(authorizationUrl).searchParams.get('state')!
    return at.call(finishSingleSignOn, { body: { browserKey, state, code: 'any' } })
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const seconds = Math.floor(Date.now() / 1000)

  test('control: a token as it should be lets in', async () => {
    expect((await comeFromThere()).ok().user.email).toBe(claimed.email)
  })

  const forgeries: [string, (claims: Record<string, unknown>) => Promise<string> | string][] = [
    ['alg none', (claims) => `${part({ alg: 'none' })}.${part(claims)}.`],
    ['no signature', async (claims) => `${(await lying.signed(claims)).split('.').slice(0, 2).join('.')}.`],
    ['another key', (claims) => lying.signed(claims, true)],
    ['another nonce', (claims) => lying.signed({ ...claims, nonce: 'another' })],
    ['no nonce', (claims) => lying.signed({ ...claims, nonce: undefined })],
    ['another client', (claims) => lying.signed({ ...claims, aud: 'another' })],
    ['another client beside ours', (claims) => lying.signed({ ...claims, aud: ['another', lying.clientId] })],
    ['another issuer', (claims) => lying.signed({ ...claims, iss: 'https://accounts.example' })],
    ['expired', (claims) => lying.signed({ ...claims, iat: seconds - 7_200, exp: seconds - 3_600 })],
    ['no end', (claims) => lying.signed({ ...claims, exp: undefined })],
    ['not yet', (claims) => lying.signed({ ...claims, nbf: seconds + 3_600 })],
    ['no subject', (claims) => lying.signed({ ...claims, sub: undefined })],
    ['claims changed under the signature', async (claims) => {
      const [head, , signature] = (await lying.signed(claims)).split('.')
      return `${head}.${part({ ...claims, email: 'boss@acme.example' })}.${signature}`
    }],
    ['garbage', () => 'a.b.c'],
  ] // prettier-ignore
  test.each(forgeries)('an ID token with %s is refused', async (_what, forge) => {
    lying.token = async (claims) => forge(claims)
    const answer = await comeFromThere()
    expect(told(answer)).toContain('401 SINGLE_SIGN_ON_REFUSED')
  })

  test('"verified" that is no yes is none', async () => {
    const answer = await comeFromThere({ ...claimed, email_verified: 'true' })
    expect(told(answer)).toContain('not verified')
  })

  test('another issuer named on the way back is refused', async () => {
    const { authorizationUrl, browserKey } = await start()
    lying.about(authorizationUrl, claimed)
    const state = new URL(authorizationUrl).searchParams.get('state')!
    const body = { browserKey, state, code: 'any', iss: 'https://accounts.example' }
    expect(told(await at.call(finishSingleSignOn, { body }))).toContain('401 SINGLE_SIGN_ON_REFUSED')
  })

  test('one that fails or does not answer is told as being away, never as a fault of ours', async () => {
    lying.status = 500
    expect(told(await comeFromThere())).toContain('503 IDENTITY_PROVIDER_UNAVAILABLE')
    lying.status = 200
    const { authorizationUrl, browserKey } = await start()
    const state = new URL(authorizationUrl).searchParams.get('state')!
    lying.hangs = true
    const startedAt = performance.now()
    const answer = await at.call(finishSingleSignOn, { body: { browserKey, state, code: 'any' } })
    expect(told(answer)).toContain('did not answer within 3 s')
    expect(answer.headers.get('retry-after')).toBe('30')
    expect(performance.now() - startedAt).toBeLessThan(20_000)
  })

  test.each([
    ['whose document is of another issuer', { issuer: 'https://accounts.example' }, 'issuer'],
    ['that sends browsers to no web address', { authorization_endpoint: 'javascript:alert(1)' }, ''],
    ['that names no endpoints', { token_endpoint: undefined }, ''],
  ])('one %s is refused', async (_what, change, word) => {
    // Another client, so that nothing is remembered of it.
    await setUp({ issuer: lying.issuer, clientSecret: null, clientId: `client-${++count}` })
    lying.metadata = { ...lying.honestMetadata(), ...change }
    const answer = await at.call(startSingleSignOn, { body: { redirectUri } })
    expect(told(answer)).toContain('401 SINGLE_SIGN_ON_REFUSED')
    expect(answer.error.message).toContain(word)
  })

  test('a redirect of its token endpoint is not followed', async () => {
    lying.status = 302
    const answer = await comeFromThere()
    expect(told(answer)).toContain('401 SINGLE_SIGN_ON_REFUSED')
  })
})

describe('settings', () => {
  test('keep the client secret sealed, and tell no other provider of it', async () => {
    const shown = (await tenant.admin.call(getSingleSignOn)).ok()
    expect(shown).toMatchObject({ hasClientSecret: true, issuer: provider.issuer })
    expect(shown.redirectUris).toContain(redirectUri)
    expect(JSON.stringify(shown)).not.toContain(provider.clientSecret)
    const [row] = await execute<{ everything: string; audit: string }>(
      `SELECT to_jsonb(s)::text AS everything, (SELECT string_agg(to_jsonb(c)::text, '') FROM audit.change c
        WHERE c.entity = 'core.single_sign_on') AS audit FROM core.single_sign_on s`,
    )
    expect(row?.everything).toContain('"sealed_client_secret": "v1.')
    expect(`${row?.everything}${row?.audit}`).not.toContain(provider.clientSecret)
    expect(row?.audit).not.toContain('"v1.')
    const elsewhere = await tenant.admin.call(updateSingleSignOn, { body: { issuer: lying.issuer } })
    expect(elsewhere.refusals).toEqual(['clientSecret REQUIRED'])
  })

  test('whose secret was sealed with a key that is lost ask for it again', async () => {
    await execute(`UPDATE core.single_sign_on SET sealed_client_secret = 'v1.00000000.AAAA'`)
    const answer = await at.call(startSingleSignOn, { body: { redirectUri } })
    expect(told(answer)).toMatch(/^401 SINGLE_SIGN_ON_REFUSED .*entered again/)
  })

  test('are for administrators alone: whoever names the provider can be anybody', async () => {
    const name = `Settings ${++count}`
    const role = { name, permissions: ['single-sign-on:*', 'roles:view'] }
    ;(await tenant.admin.call(createRole, { body: role })).ok()
    await execute(`UPDATE core.role SET name = 'Ssokeeper' WHERE name = '${name}'`)
    const keeper = await addUser(product, tenant, 'Ssokeeper')
    expect((await keeper.client.call(getSingleSignOn)).status).toBe(200) // control
    const answers = await Promise.all([
      keeper.client.call(updateSingleSignOn, { body: { issuer: lying.issuer, clientSecret: null } }),
      keeper.client.call(deleteSingleSignOn),
      keeper.client.call(testSingleSignOn, { body: { issuer: lying.issuer } }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403])
  })

  test.each([
    ['an issuer without TLS', { issuer: 'http://idp.example', clientSecret: null }, 'issuer FORMAT'],
    ['an issuer that is a file', { issuer: 'file:///etc/passwd', clientSecret: null }, 'issuer FORMAT'],
    ['an issuer with a password', { issuer: 'https://a:b@idp.example', clientSecret: null }, 'issuer FORMAT'],
    ['the address of the document', { issuer: 'https://idp.example/.well-known/openid-configuration', clientSecret: null }, 'issuer FORMAT'],
    ['a domain that is none', { allowedDomains: ['acme'] }, 'allowedDomains[0] FORMAT'],
    ['a company that is not there', { companyIds: ['00000000-0000-4000-8000-000000000001'] }, 'companyIds[0] UNKNOWN_COMPANY'],
    ['no company', { companyIds: [] }, 'companyIds REQUIRED'],
    ['a role that is not there', { defaultRoleId: '00000000-0000-4000-8000-000000000001' }, 'defaultRoleId UNKNOWN_ROLE'],
  ])('refuse %s', async (_what, body, refusal) => {
    expect((await tenant.admin.call(updateSingleSignOn, { body })).refusals).toEqual([refusal])
  }) // prettier-ignore

  test('refuse Administrator as the default role', async () => {
    const { roles } = (await tenant.admin.call(listRoles)).ok()
    const { id } = roles.find(({ name }) => name === 'Administrator')!
    const answer = await tenant.admin.call(updateSingleSignOn, { body: { defaultRoleId: id } })
    expect(answer.refusals).toEqual(['defaultRoleId ROLE_TOO_STRONG'])
  })

  test('are tried before they are relied on', async () => {
    const tried = async (issuer: string) =>
      (await tenant.admin.call(testSingleSignOn, { body: { issuer } })).ok()
    expect(await tried(provider.issuer)).toMatchObject({
      isWorking: true,
      authorizationEndpoint: `${provider.issuer}/auth`,
    })
    expect(await tried('http://127.0.0.1:9')).toMatchObject({
      isWorking: false,
      message: expect.stringContaining('ECONNREFUSED'),
    })
    expect(await tried(`${provider.issuer}/elsewhere`)).toMatchObject({ isWorking: false })
    expect(await tried('http://idp.example')).toMatchObject({ isWorking: false })
  })

  test('in production neither private addresses nor clear text are asked, whatever the name says', async () => {
    const strict = new IdentityProviders({
      allowsPrivateHosts: false,
      allowsPlainLoopback: false,
      timeoutMs: 2_000,
    })
    expect(strict.refusedIssuer(provider.issuer)).toContain('https')
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.7', '169.254.169.254', '[fd00::1]']) {
      await expect(strict.test(`https://${host}:${new URL(provider.issuer).port}`)).rejects.toMatchObject({
        status: 503,
        message: expect.stringContaining('not found in the public Internet'),
      })
    }
    const lax = new IdentityProviders({
      allowsPrivateHosts: true,
      allowsPlainLoopback: true,
      timeoutMs: 2_000,
    })
    await lax.test(provider.issuer) // control
  })
})

describe('where it is required', () => {
  test('passwords are refused, but for administrators; the operator switches it off', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const adminEmail = (await tenant.admin.call(me)).ok().email
    const byPassword = (email: string, password = ADMIN_PASSWORD) =>
      at.call(login, { body: { email, password } })
    expect((await byPassword(user.email)).status).toBe(200) // control
    await setUp({ isRequired: true })
    const refused = await byPassword(user.email)
    expect([refused.status, refused.error.code]).toEqual([403, 'SINGLE_SIGN_ON_REQUIRED'])
    // A wrong password is told nothing of it.
    expect((await byPassword(user.email, 'Wrong-pass-1')).error.code).toBe('AUTH_FAILED')
    const form = new URLSearchParams({
      grant_type: 'password',
      username: `${tenant.code}/${user.email}`,
      password: ADMIN_PASSWORD,
    })
    const granted = await fetch(`${product.url}/api/v1/auth/token`, { method: 'POST', body: form })
    expect(await granted.json()).toMatchObject({ error: 'invalid_grant' })
    expect((await byPassword(adminEmail)).status).toBe(200)

    const { code, stdout } = await runErp(['single-sign-on', 'disable', tenant.code], environment)
    expect([code, stdout]).toEqual([0, expect.stringContaining('switched off')])
    expect((await byPassword(user.email)).status).toBe(200)
    const off = await at.call(startSingleSignOn, { body: { redirectUri } })
    expect([off.status, off.error.code]).toEqual([404, 'SINGLE_SIGN_ON_OFF'])
    expect((await at.call(describeSingleSignOn)).ok()).toEqual({
      isEnabled: false,
      isRequired: false,
      label: '',
    })
  })

  test('forgetting it forgets whom it meant', async () => {
    const { name } = person()
    const { user } = (await come(name)).ok()
    ;(await tenant.admin.call(deleteSingleSignOn)).ok()
    expect((await tenant.admin.call(getSingleSignOn)).status).toBe(404)
    expect(await execute(`SELECT 1 FROM core.user_identity`)).toEqual([])
    await setUp()
    expect((await come(name)).ok().user.id).toBe(user.id) // by the address again
  })
})
