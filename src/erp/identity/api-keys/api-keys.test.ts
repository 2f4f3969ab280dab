/** API keys and the tokens they are exchanged for, through HTTP, over two processes. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { SYSTEM } from '../../../server/product.ts'
import { tenantSql } from '../../../tenancy/handles.ts'
import { isApiKey, newApiKey, readApiKey } from '../../../http/api-keys.ts'
import type { Client } from '../../../testing/client.ts'
import { endAccess } from '../../onboarding.ts'
import { createJournalEntry } from '../../ledger/contract.ts'
import { entryBody } from '../../../testing/entries.ts'
import { eventually, heard, startProcess, type ServerProcess } from '../../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../../testing/product.ts'
import { addUser } from '../../../testing/users.ts'
import { listCompanies } from '../../companies/contract.ts'
import { changePassword, logout, me, refresh } from '../contract.ts'
import { createRole, listRoles } from '../roles/contract.ts'
import { createUser, listUsers } from '../users/contract.ts'
import {
  createApiKey,
  getApiKey,
  getOwnApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  updateApiKey,
} from './contract.ts'

let product: TestProduct
let other: ServerProcess
let tenant: TestTenant
let at: Client
let elsewhere: Client

beforeAll(async () => {
  const environment = testEnvironment()
  product = await startTestProduct({}, {}, environment)
  tenant = await product.createTenant()
  other = await startProcess(environment)
  at = product.anonymous.with({ tenant: tenant.code })
  elsewhere = at.at(other.url)
}, 120_000)
afterAll(async () => {
  await other?.stop()
  await product.stop()
})

let count = 0
type Given = Partial<Parameters<typeof make>[0]>
const make = async (body: { scopes: string[]; [field: string]: unknown }) =>
  (await tenant.admin.call(createApiKey, { body: { name: `Key ${++count}`, ...body } as never })).ok()
const keyWith = async (scopes: string[], more: Given = {}) => {
  const { apiKey, secret } = await make({ scopes, ...more })
  return { id: apiKey.id, secret, apiKey, client: at.with({ token: secret }) }
}
const statusOf = async (client: Client): Promise<string> => {
  const answer = await client.call(listRoles)
  return answer.status === 200 ? 'in' : answer.error.code
}
const execute = async <Row = unknown>(text: string): Promise<Row[]> => {
  const entry = await product.directory.byId(tenant.id)
  return product.gate.writeTenant(entry!.location, tenant.companyId, SYSTEM, (tx) =>
    tx.rows(sql.raw<Row>(text).compile(tenantSql)),
  )
}
const company = async (code: string): Promise<string> => {
  const [row] = await execute<{ id: string }>(
    `INSERT INTO core.company (code, name, country, base_currency, chart_template)
     VALUES ('${code}', '${code}', 'US', 'USD', 'generic') RETURNING id`,
  )
  return row!.id
}

describe('the key itself', () => {
  test('is known by its prefix and checksum, without a database', () => {
    const id = '01990000-0000-7000-8000-000000000001'
    const { key, hash } = newApiKey(id)
    expect(key).toMatch(/^erp_[0-9a-f]{32}_[0-9A-Za-z]{49}$/)
    expect([isApiKey(key), readApiKey(key)]).toEqual([true, { id, hash }])
    const typo = `${key.slice(0, 50)}${key[50] === 'a' ? 'b' : 'a'}${key.slice(51)}`
    for (const wrong of [typo, key.slice(0, -1), `${key}0`, key.toUpperCase(), 'erp_', '']) {
      expect(readApiKey(wrong), wrong).toBeUndefined()
    }
    expect(new Set(Array.from({ length: 100 }, () => newApiKey(id).key)).size).toBe(100)
  })

  test('is shown once, and kept as a hash that is in no answer and no audit row', async () => {
    const { id, secret, apiKey } = await keyWith(['roles:view'])
    expect(apiKey).toMatchObject({ status: 'active', scopes: ['roles:view'], companyIds: [tenant.companyId] })
    expect(secret.startsWith(`${apiKey.prefix}_`)).toBe(true)
    const told = await Promise.all([
      tenant.admin.call(getApiKey, { params: { id } }),
      tenant.admin.call(listApiKeys),
    ])
    const secretPart = secret.slice(apiKey.prefix.length + 1)
    for (const answer of told) expect(JSON.stringify(answer.ok())).not.toContain(secretPart)
    const [row] = await execute<{ everything: string; audit: string }>(
      `SELECT to_jsonb(k)::text AS everything, (SELECT string_agg(to_jsonb(c)::text, ',') FROM audit.change c
         WHERE c.entity_id = k.id) AS audit FROM core.api_key k WHERE k.id = '${id}'`,
    )
    expect(row?.everything).not.toContain(secretPart)
    expect(row?.everything).toContain(readApiKey(secret)?.hash.toString('hex')) // control: this is where it would be
    expect(row?.audit).toContain('roles:view')
    expect(row?.audit).not.toContain(readApiKey(secret)?.hash.toString('hex'))
  })
})

describe('a key', () => {
  test('may do what its scopes say, in its company, and the audit says that it was the key', async () => {
    const { id, client } = await keyWith(['journal-entries:*', 'companies:view', 'roles:add'])
    const entry = (await client.call(createJournalEntry, { body: entryBody('12.00', 'By a key') })).ok()
    expect(entry.number).not.toBeNull()
    expect((await client.call(listCompanies)).ok().companies.map((one) => one.id)).toEqual([tenant.companyId])
    const refused = await client.call(listUsers)
    expect([refused.status, refused.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    const role = (await client.call(createRole, { body: { name: `By a key ${id}`, permissions: [] } })).ok()
    const rows = await execute(
      `SELECT actor_kind, actor_id FROM audit.change WHERE entity_id IN ('${role.id}', '${entry.id}')`,
    )
    expect(rows).toEqual([
      { actor_kind: 'integration', actor_id: id },
      { actor_kind: 'integration', actor_id: id },
    ])
  })

  test('is told what it is; what is about a person is not for it', async () => {
    const { id, client } = await keyWith(['roles:*', 'api-keys:*', 'users:*'])
    expect((await client.call(getOwnApiKey)).ok()).toMatchObject({
      id,
      permissions: expect.arrayContaining(['roles:edit']),
      companyId: tenant.companyId,
      tenantCode: tenant.code,
    })
    expect((await tenant.admin.call(getOwnApiKey)).status).toBe(404)
    const newPassword = 'Another-pass-1!'
    const answers = await Promise.all([
      client.call(me),
      client.call(logout),
      client.call(changePassword, { body: { currentPassword: ADMIN_PASSWORD, newPassword } }),
      client.call(createApiKey, { body: { name: 'A key of a key', scopes: ['roles:view'] } }),
      client.call(rotateApiKey, { params: { id } }),
      client.send('GET', '/api/v1/auth/sessions'),
    ])
    expect(answers.slice(0, 5).map(({ status, error }) => [status, error.code])).toEqual(
      Array.from({ length: 5 }, () => [403, 'PERMISSION_DENIED']),
    )
    expect([403, 404]).toContain(answers[5]!.status)
    expect((await client.call(listApiKeys)).status).toBe(200) // control: its scopes let it look
  })

  test('gives nobody more than it holds itself', async () => {
    const { client } = await keyWith(['roles:*', 'users:*', 'units-of-measure:view'])
    const role = (name: string, permissions: string[]) =>
      client.call(createRole, { body: { name, permissions } })
    expect((await role('Units, by a key', ['units-of-measure:view'])).status).toBe(201)
    expect((await role('All, by a key', ['*'])).error.code).toBe('PERMISSION_DENIED')
    const roles = (await client.call(listRoles)).ok().roles
    const administrator = roles.find(({ name }) => name === 'Administrator')
    const user = { fullName: 'Eve', email: 'eve@users.example', roleId: administrator!.id }
    expect((await client.call(createUser, { body: user })).error.code).toBe('PERMISSION_DENIED')
  })

  test('works in the company that is named, of those it has', async () => {
    const second = await company('K2')
    const third = await company('K3')
    const scopes = ['companies:view', 'roles:view']
    const both = await keyWith(scopes, { companyIds: [tenant.companyId, second] } as Given)
    const all = await keyWith(scopes, { allCompanies: true } as Given)
    const named = (client: Client, id: string) => client.call(listRoles, {}, { 'x-company-id': id })
    expect((await both.client.call(listRoles)).refusals).toEqual(['X-Company-ID REQUIRED'])
    expect((await named(both.client, second)).status).toBe(200)
    expect((await named(both.client, third)).error.code).toBe('PERMISSION_DENIED')
    expect((await named(all.client, third)).status).toBe(200)
    expect((await named(all.client, 'nonsense')).error.code).toBe('PERMISSION_DENIED')
    const seen = (await both.client.call(listCompanies, {}, { 'x-company-id': second })).ok().companies
    expect(seen.map((one) => one.id).toSorted()).toEqual([tenant.companyId, second].toSorted())
    await execute(`UPDATE core.company SET is_active = false WHERE code IN ('K2', 'K3')`)
  })

  test('is let in from the addresses it is for', async () => {
    const here = await keyWith(['roles:view'], {
      allowedAddresses: ['192.0.2.0/24', '127.0.0.1', '::1'],
    } as Given)
    const away = await keyWith(['roles:view'], {
      allowedAddresses: ['192.0.2.0/24', '2001:db8::/32'],
    } as Given)
    expect([await statusOf(here.client), await statusOf(away.client)]).toEqual(['in', 'PERMISSION_DENIED'])
    const from = (address: string) =>
      away.client.call(listRoles, {}, { 'x-forwarded-for': address }).then(({ status }) => status)
    expect(await Promise.all(['192.0.2.7', '198.51.100.7', '2001:db8::7'].map(from))).toEqual([200, 403, 200])
    const body = {
      name: 'Wrong',
      scopes: ['roles:view'],
      allowedAddresses: ['1.2.3', '10.0.0.0/33', '10.0.0.1'],
    }
    expect((await tenant.admin.call(createApiKey, { body })).refusals).toEqual([
      'allowedAddresses[0] FORMAT',
      'allowedAddresses[1] FORMAT',
    ])
  })

  test('names no tenant by itself, and opens no other one', async () => {
    const { secret } = await keyWith(['roles:view'])
    const nowhere = await product.anonymous.with({ token: secret }).call(listRoles)
    expect([nowhere.status, nowhere.error.message]).toEqual([404, expect.stringContaining('X-Tenant-ID')])
    const another = await product.createTenant()
    const inOther = await product.anonymous.with({ token: secret, tenant: another.code }).call(listRoles)
    expect([inOther.status, inOther.error.code]).toEqual([401, 'TOKEN_INVALID'])
    const platform = await product.anonymous.with({ token: secret }).send('GET', '/api/v1/platform/tenants')
    expect(platform.status).toBe(401)
  })

  test('that expires is refused from then on, though it was just let in', async () => {
    const soon = new Date(Date.now() + 1_500).toISOString()
    const { id, client } = await keyWith(['roles:view'], { expiresAt: soon } as Given)
    expect(await statusOf(client)).toBe('in')
    await eventually(async () => expect(await statusOf(client)).toBe('TOKEN_EXPIRED'), 10_000)
    expect((await tenant.admin.call(getApiKey, { params: { id } })).ok().status).toBe('expired')
    const past = { name: 'Past', scopes: ['roles:view'], expiresAt: '2020-01-01T00:00:00Z' }
    expect((await tenant.admin.call(createApiKey, { body: past })).refusals).toEqual(['expiresAt RANGE'])
  })

  test('keeps when it was last used, once a minute, which is no change of the key', async () => {
    const { id, client } = await keyWith(['roles:view'])
    const used = async () => {
      const [row] = await execute<{ version: string; at: string | null; changes: number }>(
        `SELECT updated_at AS version, last_used_at AS at,
           (SELECT count(*) FROM audit.change c WHERE c.entity_id = k.id) AS changes
         FROM core.api_key k WHERE id = '${id}'`,
      )
      return row!
    }
    const before = await used()
    expect(before.at).toBeNull()
    expect(await statusOf(client)).toBe('in')
    const first = await eventually(async () => {
      const now = await used()
      expect(now.at).not.toBeNull()
      return now
    }, 10_000)
    expect(first).toMatchObject({ version: before.version, changes: before.changes })
    for (let time = 0; time < 3; time++) await statusOf(client)
    await statusOf(elsewhere.with({ token: client.options.token! }))
    expect((await used()).at).toBe(first.at)
    await execute(`UPDATE core.api_key SET last_used_at = now() - interval '2 minutes' WHERE id = '${id}'`)
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000)
    try {
      await statusOf(client) // control: a minute later it is written again
      await eventually(async () => expect((await used()).at! >= first.at!).toBe(true), 10_000)
    } finally {
      clock.mockRestore()
    }
  })
})

describe('who makes a key', () => {
  test('gives it what they hold and no more, in companies of their own', async () => {
    const role = {
      name: 'Keykeeper',
      permissions: ['api-keys:*', 'roles:view', 'units-of-measure:*'],
    }
    ;(await tenant.admin.call(createRole, { body: role })).ok()
    const keeper = await addUser(product, tenant, role.name)
    const asked = (scopes: string[], more = {}) =>
      keeper.client.call(createApiKey, { body: { name: `Kept ${++count}`, scopes, ...more } })
    expect((await asked(['roles:view', 'units-of-measure:edit'])).status).toBe(201)
    expect((await asked(['roles:edit'])).error.code).toBe('PERMISSION_DENIED')
    expect((await asked(['*:view'])).error.code).toBe('PERMISSION_DENIED')
    expect((await asked(['*'])).error.code).toBe('PERMISSION_DENIED')
    expect((await asked(['roles:view'], { allCompanies: true })).error.code).toBe('PERMISSION_DENIED')
    expect((await asked(['nothing:view'])).refusals).toEqual(['scopes[0] UNKNOWN_PERMISSION'])
    // A new secret of a stronger key would make its keeper stronger.
    const strong = await keyWith(['*'])
    const rotated = await keeper.client.call(rotateApiKey, { params: { id: strong.id } })
    expect([rotated.status, rotated.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    const renamed = await keeper.client.call(updateApiKey, {
      params: { id: strong.id },
      body: { name: 'Mine' },
    })
    expect(renamed.status).toBe(403)
    expect(await statusOf(strong.client)).toBe('in')
    // Taking away gives nothing: whoever may revoke keys may revoke any.
    ;(await keeper.client.call(revokeApiKey, { params: { id: strong.id } })).ok()
    expect(await statusOf(strong.client)).toBe('TOKEN_INVALID')
  })
})

describe('ending', () => {
  test('a key that is revoked is refused at once in this process, and in the other as soon as it hears', async () => {
    const { id, client } = await keyWith(['roles:view'])
    const there = elsewhere.with({ token: client.options.token! })
    expect([await statusOf(client), await statusOf(there)]).toEqual(['in', 'in'])
    ;(await tenant.admin.call(revokeApiKey, { params: { id } })).ok()
    expect(await statusOf(client)).toBe('TOKEN_INVALID')
    await heard(async () => expect(await statusOf(there)).toBe('TOKEN_INVALID'))
    expect((await tenant.admin.call(getApiKey, { params: { id } })).ok().status).toBe('revoked')
    const again = await tenant.admin.call(rotateApiKey, { params: { id } })
    expect([again.status, again.error.code]).toEqual([409, 'API_KEY_REVOKED'])
  })

  test('control: without the announcement the other process would go on for seconds', async () => {
    const { id, client } = await keyWith(['roles:view'])
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now())
    try {
      expect(await statusOf(client)).toBe('in')
      await execute(`UPDATE core.api_key SET revoked_at = now() WHERE id = '${id}'`)
      expect(await statusOf(client)).toBe('in')
      clock.mockReturnValue(Date.now() + 5_001) // the second wall
      expect(await statusOf(client)).toBe('TOKEN_INVALID')
    } finally {
      clock.mockRestore()
    }
  })

  test('in a database that was restored or copied no key of before opens', async () => {
    const other = await product.createTenant()
    const body = { name: 'Of before', scopes: ['roles:view'] }
    const { secret } = (await other.admin.call(createApiKey, { body })).ok()
    const client = product.anonymous.with({ tenant: other.code, token: secret })
    const { location } = (await product.directory.byId(other.id))!
    await product.gate.writeTenant(location, null, SYSTEM, (tx) => endAccess(tx, 'the account was restored'))
    expect(await statusOf(client)).toBe('TOKEN_INVALID')
  })

  test('rotation: both secrets work during the overlap, then the new one alone', async () => {
    const { id, client } = await keyWith(['roles:view'])
    const rotated = (await tenant.admin.call(rotateApiKey, { params: { id } })).ok()
    const renewed = at.with({ token: rotated.secret })
    const hoursLeft = (Date.parse(rotated.apiKey.previousSecretEndsAt!) - Date.now()) / 3_600_000
    expect(Math.round(hoursLeft)).toBe(24)
    expect([await statusOf(client), await statusOf(renewed)]).toEqual(['in', 'in'])
    await execute(`UPDATE core.api_key SET previous_secret_ends_at = now() WHERE id = '${id}'`)
    await eventually(async () => expect(await statusOf(client)).toBe('TOKEN_INVALID'), 10_000)
    expect(await statusOf(renewed)).toBe('in')
  })

  test('rotation without an overlap ends the old secret at once, on both processes', async () => {
    const { id, client } = await keyWith(['roles:view'])
    const there = elsewhere.with({ token: client.options.token! })
    expect(await statusOf(there)).toBe('in')
    const body = { overlapHours: 0 }
    const { secret } = (await tenant.admin.call(rotateApiKey, { params: { id }, body })).ok()
    expect(await statusOf(client)).toBe('TOKEN_INVALID')
    expect(await statusOf(at.with({ token: secret }))).toBe('in')
    await heard(async () => expect(await statusOf(there)).toBe('TOKEN_INVALID'))
    const long = await tenant.admin.call(rotateApiKey, { params: { id }, body: { overlapHours: 169 } })
    expect(long.refusals).toEqual(['overlapHours MAXIMUM'])
  })
})

describe('the token endpoint', () => {
  interface Told {
    readonly status: number
    readonly headers: Headers
    readonly body: Record<string, string> & { expires_in?: number }
  }
  const ask = async (
    form: Record<string, string> | string,
    headers: Record<string, string> = {},
    path = '/api/v1/auth/token',
  ): Promise<Told> => {
    const response = await fetch(`${product.url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-tenant-id': tenant.code,
        ...headers,
      },
      body: new URLSearchParams(form).toString(),
    })
    return { status: response.status, headers: response.headers, body: (await response.json()) as never }
  }
  const credentials = ({ id, secret }: { id: string; secret: string }) => ({
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
  })
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })

  test('exchanges a key for a token of an hour, in the form or by HTTP Basic', async () => {
    const key = await keyWith(['roles:*', 'users:view'])
    const inForm = await ask(credentials(key))
    expect(inForm).toMatchObject({
      status: 200,
      body: { token_type: 'Bearer', expires_in: 3_600, scope: 'roles:* users:view' },
    })
    expect(inForm.headers.get('cache-control')).toBe('no-store')
    expect(inForm.body['refresh_token']).toBeUndefined()
    const byBasic = await ask({ grant_type: 'client_credentials' }, basic(key.id, key.secret))
    expect(byBasic.status).toBe(200)
    const prefixed = await ask(credentials({ ...key, id: `${tenant.code}/${key.id}` }), { 'x-tenant-id': '' })
    expect(prefixed.status).toBe(200)
    for (const answer of [inForm, byBasic, prefixed]) {
      const client = at.with({ token: answer.body['access_token']! })
      expect([await statusOf(client), (await client.call(getOwnApiKey)).ok().id]).toEqual(['in', key.id])
    }
    // The token names its tenant.
    const alone = product.anonymous.with({ token: inForm.body['access_token']! })
    expect(await statusOf(alone)).toBe('in')
  })

  test('a narrowed token does no more, and gives others no more', async () => {
    const key = await keyWith(['roles:*', 'users:*', 'units-of-measure:*'])
    const narrowed = await ask({ ...credentials(key), scope: 'roles:add roles:view' })
    expect(narrowed.body['scope']).toBe('roles:add roles:view')
    const client = at.with({ token: narrowed.body['access_token']! })
    expect(await statusOf(client)).toBe('in')
    expect((await client.call(listUsers)).error.code).toBe('PERMISSION_DENIED')
    const role = (name: string, permissions: string[]) =>
      client.call(createRole, { body: { name, permissions } })
    expect((await role('Narrow', ['roles:view'])).status).toBe(201)
    expect((await role('Wide', ['users:edit'])).error.code).toBe('PERMISSION_DENIED')
    const wider = await ask({ ...credentials(key), scope: 'roles:view gl-accounts:view' })
    expect([wider.status, wider.body['error']]).toEqual([400, 'invalid_scope'])
  })

  test('a token ends with its key, and with the secret it came from', async () => {
    const revoked = await keyWith(['roles:view'])
    const token = at.with({ token: (await ask(credentials(revoked))).body['access_token']! })
    expect(await statusOf(token)).toBe('in')
    ;(await tenant.admin.call(revokeApiKey, { params: { id: revoked.id } })).ok()
    expect(await statusOf(token)).toBe('TOKEN_INVALID')
    expect((await ask(credentials(revoked))).body['error']).toBe('invalid_client')

    const key = await keyWith(['roles:view'])
    const old = at.with({ token: (await ask(credentials(key))).body['access_token']! })
    const rotate = (overlapHours: number) =>
      tenant.admin.call(rotateApiKey, { params: { id: key.id }, body: { overlapHours } })
    ;(await rotate(1)).ok()
    expect(await statusOf(old)).toBe('in') // control: during the overlap
    const late = at.with({ token: (await ask(credentials(key))).body['access_token']! })
    expect(await statusOf(late)).toBe('in')
    ;(await rotate(0)).ok()
    expect([await statusOf(old), await statusOf(late)]).toEqual(['TOKEN_INVALID', 'TOKEN_INVALID'])
  })

  test('a token lives no longer than its key', async () => {
    const expiresAt = new Date(Date.now() + 600_000).toISOString()
    const { body } = await ask(credentials(await keyWith(['roles:view'], { expiresAt } as Given)))
    expect(body.expires_in).toBeGreaterThan(500)
    expect(body.expires_in).toBeLessThanOrEqual(600)
  })

  test('a client token opens neither the platform nor another tenant, and is no session', async () => {
    const token = (await ask(credentials(await keyWith(['*'])))).body['access_token']!
    expect(await statusOf(at.with({ token }))).toBe('in') // control
    expect((await product.anonymous.with({ token }).send('GET', '/api/v1/platform/tenants')).status).toBe(401)
    const another = await product.createTenant()
    expect(await statusOf(product.anonymous.with({ token, tenant: another.code }))).toBe('TOKEN_INVALID')
    expect((await at.with({ token }).call(logout)).error.code).toBe('PERMISSION_DENIED')
    expect((await at.call(refresh, { body: { refreshToken: token.slice(0, 200) } })).status).toBe(401)
  })

  test('goes on with a refresh token, once', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const grant = { grant_type: 'refresh_token', refresh_token: user.refreshToken }
    const next = await ask(grant)
    expect(next.status).toBe(200)
    const client = at.with({ token: next.body['access_token']! })
    expect((await client.call(me)).ok().id).toBe(user.id)
    const again = await ask(grant)
    expect([again.status, again.body['error']]).toEqual([400, 'invalid_grant'])
    // Two hold the chain: it has ended for both.
    expect((await client.call(me)).status).toBe(401)
    const after = await ask({ grant_type: 'refresh_token', refresh_token: next.body['refresh_token']! })
    expect(after.body['error']).toBe('invalid_grant')
  })

  test('refuses in the words of the standard', async () => {
    const key = await keyWith(['roles:view'])
    const forged = newApiKey(key.id).key
    const unknown = '00000000-0000-4000-8000-000000000001'
    const cases: [Promise<Told>, number, string][] = [
      [ask({}), 400, 'invalid_request'],
      [ask({ grant_type: 'implicit' }), 400, 'unsupported_grant_type'],
      [ask({ grant_type: 'constructor' }), 400, 'unsupported_grant_type'],
      [ask({ grant_type: 'password', username: 'x' }), 400, 'invalid_request'],
      [ask({ grant_type: 'refresh_token' }), 400, 'invalid_request'],
      [ask({ grant_type: 'refresh_token', refresh_token: 'nonsense' }), 400, 'invalid_grant'],
      [ask({ grant_type: 'client_credentials' }), 401, 'invalid_client'],
      [ask(credentials({ ...key, secret: 'erp_nonsense' })), 401, 'invalid_client'],
      [ask(credentials({ ...key, secret: forged })), 401, 'invalid_client'],
      [ask(credentials({ ...key, id: unknown })), 401, 'invalid_client'],
      [ask(credentials({ ...key, id: 'a"b\\c\r\nd' })), 401, 'invalid_client'],
      [ask(credentials(key), { 'x-tenant-id': 'NOWHERE' }), 401, 'invalid_client'],
      [ask(credentials(key), basic(key.id, key.secret)), 400, 'invalid_request'],
      [ask({ grant_type: 'client_credentials' }, { authorization: 'Basic %%%' }), 401, 'invalid_client'],
      [ask(`grant_type=client_credentials&grant_type=password`), 400, 'invalid_request'],
      [ask({ ...credentials(key), scope: '\0' }), 400, 'invalid_request'],
      [ask(credentials(key), {}, '/api/v1/platform/auth/token'), 400, 'unsupported_grant_type'],
    ]
    for (const [index, [asked, status, error]] of cases.entries()) {
      const told = await asked
      expect([index, told.status, told.body['error']]).toEqual([index, status, error])
      expect(told.headers.get('cache-control')).toBe('no-store')
      expect(told.headers.has('www-authenticate')).toBe(status === 401)
      expect(told.body['error_description']).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    }
    expect((await ask(credentials(key))).status).toBe(200) // control
  })

  test('the docs page can sign in: the document names the flows', async () => {
    const document = (await (await fetch(`${product.url}/api/v1/openapi.json`)).json()) as {
      components: { securitySchemes: Record<string, { flows?: Record<string, { scopes: object }> }> }
      paths: Record<string, Record<string, { security: object[] }>>
    }
    const { tenant: scheme, apiKey } = document.components.securitySchemes
    expect(Object.keys(scheme?.flows ?? {})).toEqual(['password', 'clientCredentials'])
    expect(Object.keys(scheme?.flows?.['clientCredentials']?.scopes ?? {})).toContain('roles:view')
    expect(apiKey).toMatchObject({ type: 'http', scheme: 'bearer' })
    const securityOf = (path: string) => document.paths[path]?.['get']?.security
    expect(securityOf('/api/v1/roles')).toEqual([{ tenant: ['roles:view'] }, { apiKey: [] }])
    expect(securityOf('/api/v1/auth/me')).toEqual([{ tenant: [] }])
  })
})
