/**
 * Everything that lets somebody in is used once; then every place where the product leaves something is searched
 * for it: the files of PostgreSQL, its log, backups and exports, our own log at its most talkative, Redis, and what
 * workflows were given and gave. A secret planted in each place is found there (control).
 *
 * Hashes of passwords and of tokens may lie in their tables, and nowhere else.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createApiKey, getOwnApiKey, rotateApiKey } from '../erp/identity/api-keys/contract.ts'
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  login,
  logout,
  redeemSupportCode,
  refresh,
  requestPasswordReset,
  resetPassword,
} from '../erp/identity/contract.ts'
import { updateEmailSettings } from '../erp/identity/email/contract.ts'
import {
  finishSingleSignOn,
  startSingleSignOn,
  testSingleSignOn,
  updateSingleSignOn,
} from '../erp/identity/single-sign-on/contract.ts'
import { createUser, inviteUser } from '../erp/identity/users/contract.ts'
import { createBackup, getBackup } from '../platform/backups/contract.ts'
import { createOwnExport, getOwnExport } from '../platform/exports/contract.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import { registerServer } from '../platform/servers/contract.ts'
import { beginSupportSession } from '../platform/support/contract.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { Secrets } from '../tenancy/secrets.ts'
import { codeOf } from '../testing/authenticator.ts'
import { Client, type Answer } from '../testing/client.ts'
import { IdentityProvider } from '../testing/identity-provider.ts'
import { MailServer } from '../testing/mail-server.ts'
import { eventually, startProcess, type ServerProcess } from '../testing/process.ts'
import { OPERATOR, SECRET_KEY, tenantBody, testEnvironment } from '../testing/product.ts'
import { hasRedis, RedisServer } from '../testing/redis.ts'
import { sampleOf } from '../testing/samples.ts'

/** Random, so that what other tests have left on the same PostgreSQL is not taken for ours. */
const password = (): string => `Aa1!${randomBytes(9).toString('hex')}`

const secrets = new Map<string, string>()
function secret(name: string, value = password()): string {
  secrets.set(name, value)
  return value
}

let environment: Record<string, string>
let server: ServerProcess
let redis: RedisServer | undefined
let mailServer: MailServer
let folder: string
let databases: string[]
let dataDirectory: string

const body = tenantBody({ adminPassword: secret("the administrator's password") })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'erp-secrets-'))
  mailServer = await new MailServer().start()
  if (hasRedis) redis = await RedisServer.start()
  environment = testEnvironment({
    OPERATOR_PASSWORD: secret("the operator's password"),
    SMTP_URL: `smtp://relay:${secret("the relay's password")}@127.0.0.1:${mailServer.port}?tls=none`,
    LOG_LEVEL: 'debug',
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_PER_MINUTE: '100000',
    ...(redis ? { REDIS_URL: redis.url } : {}),
  })
  secret('the key', SECRET_KEY.slice(0, 32))
  server = await startProcess(environment)
  await useEverything()
  const platform = new URL(environment['DATABASE_URL']!).pathname.slice(1)
  dataDirectory = (
    await rows<{ setting: string }>(
      'postgres',
      "SELECT setting FROM pg_settings WHERE name = 'data_directory'",
    )
  )[0]!.setting
  const tenants = await rows<{ name: string; role: string; sealed: string }>(
    platform,
    'SELECT database_name AS name, runtime_role AS role, sealed_runtime_password AS sealed FROM platform.tenant',
  )
  databases = [platform, `${platform}_workflows`, ...tenants.map(({ name }) => name)]
  for (const { role, sealed } of tenants)
    secret(`the password of ${role}`, new Secrets(SECRET_KEY).open(sealed, role))
}, 180_000)
afterAll(async () => {
  await server?.stop()
  await redis?.kill()
  await mailServer?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function rows<Row>(database: string, text: string): Promise<Row[]> {
  const url = new URL(inject('adminUrl'))
  url.pathname = `/${database}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    return (await client.query(text)).rows as Row[]
  } finally {
    await client.end()
  }
}

// ---- using ---------------------------------------------------------------------------------------------

/** Fields of answers that are shown once, or let somebody in. */
const SHOWN_ONCE =
  /^(?:token|refreshToken|key|apiKey|secret|clientSecret|totpSecret|uri|recoveryCodes?|password|adminPassword)$/i

function harvest(from: string, value: unknown, name = ''): void {
  if (typeof value === 'string' && SHOWN_ONCE.test(name) && value.length >= 16) {
    // Of a token the part that nobody could guess.
    secret(`${from}: ${name}`, value.split(/[.=&]/).toSorted((a, b) => b.length - a.length)[0]!)
  } else if (Array.isArray(value)) for (const item of value) harvest(from, item, name)
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) harvest(from, inner, key)
}

async function useEverything(): Promise<void> {
  const anonymous = new Client(server.url)
  const operatorSession = (
    await anonymous.call(operatorLogin, {
      body: { email: OPERATOR.email, password: secrets.get("the operator's password")! },
    })
  ).ok()
  harvest('operator', operatorSession)
  const operator = anonymous.with({ token: operatorSession.token })
  const { tenant } = (await operator.call(createTenant, { body })).ok()
  const at = anonymous.with({ tenant: tenant.tenantCode })
  const session = (
    await at.call(login, { body: { email: body.adminEmail, password: body.adminPassword! } })
  ).ok()
  harvest('admin', session)
  const admin = at.with({ token: session.token })
  await useUsers(at, admin, session.user.id)
  const wrong = { email: body.adminEmail, password: secret('a wrong password') }
  refused(await at.call(login, { body: wrong }), 401, 'AUTH_FAILED')
  const wrongly = { email: OPERATOR.email, password: secret('a wrong password of an operator') }
  refused(await anonymous.call(operatorLogin, { body: wrongly }), 401, 'AUTH_FAILED')
  const authorization = `Bearer ${secret('a token that is none', randomBytes(30).toString('base64url'))}`
  refused(await at.send('GET', '/api/v1/auth/me', undefined, { authorization }), 401, 'TOKEN_INVALID')
  // Nobody answers there; what was typed must not be told either.
  const nowhere = {
    ...(sampleOf(registerServer.body, tenant.id, true) as object),
    name: 'nowhere',
    host: '127.0.0.1',
    port: 9,
    adminPassword: secret('the password of a server'),
  }
  const registered = await operator.call(registerServer, { body: nowhere as never })
  // It was connected to: that is said of nothing that was refused before.
  expect([registered.status, registered.refusals]).toEqual([400, ['host UNREACHABLE']])
  await useApiKeys(at, admin)
  await useSecondFactor(at, 'vera@secrets.example', secrets.get('a new password')!)
  await useSingleSignOn(at, admin)
  await useSupport(at, operator, tenant.id)
  await runToTheEnd(operator, admin, tenant.id)
}

/** A step that is to fail fails where it should: what was refused before has tried nothing. */
function refused(answer: Answer<unknown>, status: number, code: string): void {
  expect([answer.status, answer.error.code]).toEqual([status, code])
}

async function useUsers(at: Client, admin: Client, adminId: string): Promise<void> {
  const roleId = (await admin.send<{ roles: { id: string; name: string }[] }>('GET', '/api/v1/roles'))
    .ok()
    .roles.find(({ name }) => name === 'Viewer')!.id
  const email = 'vera@secrets.example'
  const first = secret('a first password')
  const user = (
    await admin.call(createUser, { body: { fullName: 'Vera', email, roleId, password: first } })
  ).ok()
  const opened = (await at.call(login, { body: { email, password: first } })).ok()
  harvest('user', opened)
  const next = secret('a changed password')
  ;(
    await at
      .with({ token: opened.token })
      .call(changePassword, { body: { currentPassword: first, newPassword: next } })
  ).ok()
  const again = (await at.call(login, { body: { email, password: next } })).ok()
  harvest('user again', (await at.call(refresh, { body: { refreshToken: again.refreshToken } })).ok())
  const { refreshToken } = again
  refused(await at.call(refresh, { body: { refreshToken } }), 401, 'TOKEN_INVALID') // used twice
  ;(await at.call(requestPasswordReset, { body: { email } })).ok()
  const token = secret('a link to a new password', await linkMailedTo(email))
  ;(await at.call(resetPassword, { body: { token, password: secret('a new password') } })).ok()
  const used = { token, password: secret('a password under a used link') }
  expect((await at.call(resetPassword, { body: used })).refusals).toEqual(['token TOKEN_INVALID'])
  const invited = (
    await admin.call(createUser, { body: { fullName: 'Ivo', email: 'ivo@secrets.example', roleId } })
  ).ok()
  secret('an invitation', await linkMailedTo('ivo@secrets.example'))
  ;(await admin.call(inviteUser, { params: { id: invited.id } })).ok()
  const settings = {
    host: '127.0.0.1',
    port: mailServer.port,
    security: 'none',
    username: 'ann',
    password: secret("a user's SMTP password"),
  } as const
  ;(await admin.call(updateEmailSettings, { params: { id: adminId }, body: settings })).ok()
  ;(
    await admin.call(updateEmailSettings, {
      params: { id: adminId },
      body: { ...settings, password: secret("a user's next SMTP password") },
    })
  ).ok()
  const last = (await at.call(login, { body: { email, password: secrets.get('a new password')! } })).ok()
  ;(await at.with({ token: last.token }).call(logout)).ok()
  expect(user.email).toBe(email)
}

async function linkMailedTo(address: string): Promise<string> {
  return eventually(async () => {
    const mail = mailServer.received.findLast(({ to }) => to.includes(address))
    const text = mail?.raw.replaceAll('=\r\n', '').replaceAll('=3D', '=')
    const token = /token=([\w-]{20,})/.exec(text ?? '')?.[1]
    if (token === undefined) throw new Error(`No link was mailed to ${address}`)
    return token
  })
}

async function useApiKeys(at: Client, admin: Client): Promise<void> {
  const made = (await admin.call(createApiKey, { body: { name: 'Robot', scopes: ['companies:view'] } })).ok()
  const params = { id: made.apiKey.id }
  secret('an API key', made.secret)
  const next = secret('a rotated API key', (await admin.call(rotateApiKey, { params })).ok().secret)
  for (const token of [made.secret, next]) (await at.with({ token }).call(getOwnApiKey)).ok()
  const answer = await fetch(`${server.url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'x-tenant-id': body.tenantCode },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: made.apiKey.id,
      client_secret: next,
    }),
  })
  expect(answer.status).toBe(200)
  harvest('client credentials', { token: ((await answer.json()) as { access_token: string }).access_token })
}

async function useSecondFactor(at: Client, email: string, ownPassword: string): Promise<void> {
  const { token } = (await at.call(login, { body: { email, password: ownPassword } })).ok()
  const own = at.with({ token })
  const factor = secret('the secret of an authenticator', (await own.call(beginSecondFactor)).ok().secret)
  const { recoveryCodes } = (await own.call(confirmSecondFactor, { body: { code: codeOf(factor) } })).ok()
  for (const [index, code] of recoveryCodes.entries()) secret(`recovery code ${index + 1}`, code)
  const totp = recoveryCodes[0]!
  ;(await at.call(login, { body: { email, password: ownPassword, totp } })).ok()
  const twice = await at.call(login, { body: { email, password: ownPassword, totp } })
  refused(twice, 401, 'AUTH_FAILED')
}

/** Where nobody answers, and then at a real identity provider, to which the client secret goes. */
async function useSingleSignOn(at: Client, admin: Client): Promise<void> {
  const clientSecret = secret('the client secret of single sign-on')
  const nowhere = 'http://127.0.0.1:9'
  const settings = { issuer: nowhere, clientId: 'solution-erp', clientSecret, allowedDomains: ['secrets.example'] } // prettier-ignore
  const { redirectUris } = (await admin.call(updateSingleSignOn, { body: settings })).ok()
  const silent = (await admin.call(testSingleSignOn, { body: { issuer: nowhere } })).ok()
  expect(silent).toMatchObject({ isWorking: false, authorizationEndpoint: null })
  const redirectUri = redirectUris[0]!
  const provider = new IdentityProvider([redirectUri], clientSecret)
  await provider.start()
  try {
    const { issuer } = provider
    expect((await admin.call(testSingleSignOn, { body: { issuer } })).ok().isWorking).toBe(true)
    ;(await admin.call(updateSingleSignOn, { body: { issuer, clientSecret, isEnabled: true } })).ok()
    provider.accounts.set('vera', { email: 'vera@secrets.example', email_verified: true, name: 'Vera' })
    const { authorizationUrl, browserKey } = (
      await at.call(startSingleSignOn, { body: { redirectUri } })
    ).ok()
    secret('the key of a browser on its way', browserKey)
    const { searchParams } = await provider.walk(authorizationUrl, 'vera')
    const [state, code, iss] = ['state', 'code', 'iss'].map((name) => searchParams.get(name) ?? '')
    const back = { browserKey, state: state!, code: secret('a code of the identity provider', code), iss: iss! } // prettier-ignore
    harvest('single sign-on', (await at.call(finishSingleSignOn, { body: back })).ok())
    refused(await at.call(finishSingleSignOn, { body: back }), 401, 'SINGLE_SIGN_ON_EXPIRED') // used twice
  } finally {
    await provider.stop()
  }
}

async function useSupport(at: Client, operator: Client, id: string): Promise<void> {
  const reason = 'Looking for secrets in a test'
  const { token, entry } = (
    await operator.call(beginSupportSession, { params: { id }, body: { reason } })
  ).ok()
  harvest('support', { token })
  const redeemed = (
    await at.call(redeemSupportCode, { body: { code: secret('a code of support', entry.code) } })
  ).ok()
  harvest('support, redeemed', { token: redeemed.token })
}

async function runToTheEnd(operator: Client, admin: Client, id: string): Promise<void> {
  const { backup } = (await operator.call(createBackup, { params: { id } })).ok()
  const exported = (await admin.call(createOwnExport)).ok()
  await eventually(async () => {
    expect((await operator.call(getBackup, { params: { id: backup.id } })).ok().state).toBe('good')
    expect((await admin.call(getOwnExport, { params: { id: exported.id } })).ok().state).toBe('done')
  }, 60_000)
}

// ---- searching -----------------------------------------------------------------------------------------

/** As it may have been written down: as it is, in JSON, in an address, in hex, and in base64 wherever it begins. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  const encoded = [0, 1, 2].map((offset) =>
    // Without the ends, which depend on what stands beside it.
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(offset === 0 ? 0 : 4, -4),
  )
  return [
    ...new Set([
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
      bytes.toString('hex'),
      ...encoded,
    ]),
  ]
}

type Place = string

/** What is found where: `place: name`. Files as they lie there, and the rest written into files. */
async function found(
  sought: ReadonlyMap<string, string>,
  only?: (place: Place) => boolean,
): Promise<string[]> {
  const names = new Map<string, string>()
  for (const [name, value] of sought) for (const form of formsOf(value)) names.set(form, name)
  const needles = join(folder, 'needles')
  writeFileSync(needles, `${[...names.keys()].join('\n')}\n`)
  const results = new Set<string>()
  for (const [place, paths] of await places()) {
    if (only && !only(place)) continue
    const { stdout, status, stderr } = spawnSync('grep', ['-raoFh', '-f', needles, ...paths], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      maxBuffer: 64 * 1_048_576,
    })
    // A file may go away while it is read; anything else is no search.
    if (status === null || (status > 1 && !/No such file/.test(stderr))) throw new Error(`grep: ${stderr}`)
    for (const line of stdout.split('\n')) if (line !== '') results.add(`${place}: ${names.get(line) ?? '?'}`)
  }
  return [...results].toSorted()
}

async function places(): Promise<Map<Place, string[]>> {
  const named = (name: string, text: string): string[] => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return [path]
  }
  await rows('postgres', 'CHECKPOINT')
  const oids = await rows<{ oid: string }>(
    'postgres',
    `SELECT oid::text FROM pg_database WHERE datname = ANY ('{${databases.join(',')}}')`,
  )
  const dumps = await Promise.all(databases.map(dumped))
  return new Map([
    [
      'files of databases',
      [...oids.map(({ oid }) => join(dataDirectory, 'base', oid)), join(dataDirectory, 'global')],
    ],
    ['write-ahead log', [join(dataDirectory, 'pg_wal')]],
    ["PostgreSQL's log", [join(dirname(dataDirectory), 'postgres.log')]],
    ['backups and exports', [environment['DATA_DIR']!]],
    ['our log', named('log', server.output())],
    ['Redis', named('redis', await everythingInRedis())],
    ['rows of databases', named('rows', dumps.map(({ all }) => all).join('\n'))],
    ['audit', named('audit', dumps.map(({ audit }) => audit).join('\n'))],
    ['workflows', named('workflows', dumps[1]!.all)],
  ])
}

/** Every row as text, also what is stored packed. */
async function dumped(database: string): Promise<{ all: string; audit: string }> {
  const tables = await rows<{ name: string }>(
    database,
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const texts = await Promise.all(
    tables.map(async ({ name }) => {
      const lines = await rows<{ line: string }>(database, `SELECT t::text AS line FROM ${name} t`)
      return { name, text: lines.map(({ line }) => line).join('\n') }
    }),
  )
  const ofAudit = texts.filter(({ name }) => name.includes('audit'))
  return { all: texts.map(({ text }) => text).join('\n'), audit: ofAudit.map(({ text }) => text).join('\n') }
}

async function everythingInRedis(): Promise<string> {
  if (!redis) return ''
  const client = new Redis(redis.url)
  const readers: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => client.get(key),
    hash: (key) => client.hgetall(key),
    set: (key) => client.smembers(key),
    zset: (key) => client.zrange(key, '0', '-1'),
    list: (key) => client.lrange(key, '0', '-1'),
  }
  try {
    const keys = await client.keys('*')
    const values = await Promise.all(
      keys.map(async (key) => {
        const type = await client.type(key)
        const read = readers[type]
        if (!read) throw new Error(`Nobody looks into a ${type} of Redis`)
        return `${key} ${JSON.stringify(await read(key))}`
      }),
    )
    return values.join('\n')
  } finally {
    client.disconnect()
  }
}

// ---- the tests -----------------------------------------------------------------------------------------

describe('what lets somebody in', () => {
  test('is nowhere', { timeout: 120_000 }, async () => {
    expect(secrets.size).toBeGreaterThan(15)
    for (const [name, value] of secrets) expect([name, value.length >= 12]).toEqual([name, true])
    expect(await found(secrets)).toEqual([])
  })

  test('is not even a hash but in its own table', { timeout: 120_000 }, async () => {
    const tenant = databases[2]!
    const hashes = new Map(
      (
        await rows<{ name: string; hash: string }>(
          tenant,
          `SELECT 'password of ' || email AS name, password_hash AS hash FROM core.app_user WHERE password_hash IS NOT NULL
           UNION ALL SELECT 'session ' || id, encode(refresh_hash, 'hex') FROM core.session
           UNION ALL SELECT 'link ' || id, encode(token_hash, 'hex') FROM core.password_token`,
        )
      ).map(({ name, hash }) => [name, hash]),
    )
    expect(hashes.size).toBeGreaterThan(5)
    const elsewhere = (place: Place): boolean => !/^(?:files|write-ahead|rows)/.test(place)
    expect(await found(hashes, elsewhere)).toEqual([])
    // Control: where they belong they are seen.
    expect(await found(hashes, (place) => place === 'rows of databases')).toHaveLength(hashes.size)
  })

  test('control: planted in each place, it is found there', { timeout: 120_000 }, async () => {
    const planted = new Map([['planted', password()]])
    const value = planted.get('planted')!
    expect(await found(planted)).toEqual([])
    const [platform, workflows, tenant] = databases as [string, string, string]
    await rows(platform, `CREATE TABLE platform.planted AS SELECT '${value}'::text AS secret`)
    await rows(
      workflows,
      `CREATE TABLE public.planted AS SELECT '{"input": "${Buffer.from(`x${value}`).toString('base64')}"}'::text AS input`,
    )
    await rows(
      tenant,
      `INSERT INTO audit.change (actor_kind, request_id, action, entity, new_values) VALUES ('system', '', 'x', 'x', jsonb_build_object('a', '${value}'::text))`,
    )
    await rows(platform, `SELECT ${value.replaceAll(/\W/g, '_')} /* ${value} */`).catch(() => {})
    await new Client(server.url).send('GET', `/api/v1/${encodeURIComponent(value)}`)
    writeFileSync(
      join(environment['DATA_DIR']!, 'planted'),
      Buffer.concat([randomBytes(9), Buffer.from(value), randomBytes(9)]),
    )
    if (redis) await redis.command(`SET planted "${value}"`)
    const everywhere = [...(await places()).keys()].filter((place) => place !== 'Redis' || redis)
    expect(await found(planted)).toEqual(everywhere.map((place) => `${place}: planted`).toSorted())
  })
})
