/**
 * Two tenants, canaries in B, and every way we know for A to see one: each route with B's name in the header
 * and in the host, B's ids in path, query and body; A's role in PostgreSQL; tokens at the wrong door. The
 * scan is run against a door that was wired wrongly first: there it must find the canaries.
 */
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { login, refresh, resetPassword } from '../erp/identity/contract.ts'
import type { Operation } from '../http/contract.ts'
import type { Principal, Route } from '../http/route.ts'
import { BASE_PATHS } from '../http/server.ts'
import { createOwnExport, getOwnExport } from '../platform/exports/contract.ts'
import { SYSTEM } from '../server/product.ts'
import { tenantPermissions } from '../server/routes.ts'
import { digestOf } from '../testing/digest.ts'
import { entryBody } from '../testing/entries.ts'
import {
  ADMIN_PASSWORD,
  signIn,
  startTestProduct,
  tenantBody,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../testing/product.ts'
import { eventually, rawRequest, runErp, type RawAnswer } from '../testing/process.ts'
import { startWeakServer } from '../testing/weak-server.ts'
import { sampleOf } from '../testing/samples.ts'
import { withClient } from './databases.ts'
import { platformSql, tenantSql } from './handles.ts'
import type { DatabaseAddress } from './pools.ts'

const CANARY = 'kestrel'
const ADMIN_OF_B = 'bea@kestrel-b.example'

let product: TestProduct
let a: TestTenant
let b: TestTenant & { subdomain: string; refreshToken: string }
/** Ids of B's rows, by table. */
let idsOfB: Map<string, string>
let routes: Route[]

beforeAll(async () => {
  product = await startTestProduct()
  a = await product.createTenant()
  const body = tenantBody({
    companyName: 'Kestrel Trading',
    adminName: 'Bea Kestrel',
    adminEmail: ADMIN_OF_B,
  })
  const made = await product.createTenant(body)
  const session = await signIn(product.anonymous.with({ tenant: made.code }), ADMIN_OF_B)
  b = { ...made, subdomain: body.subdomain, refreshToken: session.refreshToken }
  await plantCanaries()
  idsOfB = await readIds()
  idsOfB.set('an export that failed', await plantExport())
  idsOfB.set('an export', await makeExport())
  routes = product.routes.filter(({ operation }) => operation.audience === 'tenant')
})
afterAll(() => product.stop())

/** A canary in every text of B that some answer shows. */
async function plantCanaries(): Promise<void> {
  ;(
    await b.admin.call(createJournalEntry, {
      body: { ...entryBody('12.34', 'Kestrel entry'), reference: 'Kestrel reference' },
    })
  ).ok()
  ;(
    await b.admin.call(createJournalEntry, {
      body: { ...entryBody('1.00', 'Kestrel draft'), status: 'draft' },
    })
  ).ok()
  const rate = {
    fromCurrency: 'EUR',
    toCurrency: 'USD',
    rateDate: '2026-01-01',
    mid: '1.1',
    source: 'Kestrel bank',
  }
  ;(await b.admin.send('POST', '/api/v1/masters/exchange-rates', rate)).ok()
  await writeB([
    // Currencies and roles are copied from the template with their ids: A has the same. These only B has.
    "INSERT INTO masters.currency (code, name, numeric_code, minor_units) VALUES ('BBB', 'money', '000', 2)",
    "INSERT INTO core.role (name, permissions) VALUES ('Kestrel keeper', '{}')",
    // What the scan's sample looks up.
    "INSERT INTO masters.exchange_rate (from_currency, to_currency, rate_date, mid, source) VALUES ('USD', 'EUR', '2026-01-01', 1, 'Kestrel bank')",
    "INSERT INTO core.user_email_settings (user_id, host, port, security, from_name) SELECT id, 'localhost', 25, 'none', 'Kestrel' FROM core.app_user",
    `INSERT INTO core.support_session (operator_id, operator_name, operator_email, reason, access, entered_company_id, expires_at)
     SELECT gen_random_uuid(), 'Kestrel helper', 'helper@kestrel.example', 'Kestrel ticket', 'read', id, now() + interval '1 hour' FROM core.company`,
    // Who is found by the role that only B has; not the newest, who is B's administrator.
    `INSERT INTO core.app_user (full_name, email, role_id, created_at)
     SELECT 'Kes Kestrel', 'kes@kestrel-b.example', id, now() - interval '1 day' FROM core.role WHERE name = 'Kestrel keeper'`,
    // As much of a picture as makes one; what stands in it is no picture's business.
    `INSERT INTO core.user_photo (user_id, content_type, content)
     SELECT id, 'image/png', '\\x89504e470d0a1a0a'::bytea || 'Kestrel in flight'::bytea FROM core.app_user`,
    "INSERT INTO core.api_key (name, scopes, secret_hash) VALUES ('Kestrel key', '{}', '')",
    "INSERT INTO core.single_sign_on (label, issuer, client_id, allowed_domains) VALUES ('Kestrel', 'https://idp.example', 'x', '{}')",
    "UPDATE core.session SET user_agent = 'Kestrel browser'",
    `INSERT INTO core.mail (template, language, recipient, subject, state, sender_user_id)
     SELECT 'test', 'en', 'someone@users.example', 'Kestrel mail', 'dead', id FROM core.app_user`,
    "UPDATE masters.gl_account SET name = 'Kestrel ' || name",
    "UPDATE masters.unit_of_measure SET name = 'Kestrel ' || name",
    "UPDATE masters.currency SET name = 'Kestrel ' || name",
    "UPDATE finance.fiscal_year SET name = name || '-kestrel'",
    "UPDATE finance.period SET name = 'Kestrel ' || name",
    // What the scan's sample asks of the audit log: what somebody did with themselves.
    "INSERT INTO audit.change (actor_id, action, entity, entity_id, new_values) SELECT id, 'update', 'core.app_user', id, '{\"name\": \"Kestrel\"}' FROM core.app_user",
  ])
}

async function writeB(statements: readonly string[]): Promise<void> {
  const entry = await product.directory.byId(b.id)
  await product.gate.writeTenant(entry!.location, b.companyId, SYSTEM, async (tx) => {
    for (const text of statements) await tx.run(sql.raw(text).compile(tenantSql))
  })
}

/** What the platform keeps for B, and shows it. */
async function plantExport(): Promise<string> {
  const planted = await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.row(
      sql<{ id: string }>`INSERT INTO platform.tenant_export (tenant_id, state, error, requested_by_kind)
        VALUES (${b.id}, 'failed', 'Kestrel is full', 'user') RETURNING id`.compile(platformSql),
    ),
  )
  return planted!.id
}

/** A real one, with a file. */
async function makeExport(): Promise<string> {
  const { id } = (await b.admin.call(createOwnExport)).ok()
  await eventually(async () => {
    expect((await b.admin.call(getOwnExport, { params: { id } })).ok().state).toBe('done')
  }, 60_000)
  return id
}

async function readIds(): Promise<Map<string, string>> {
  const entry = await product.directory.byId(b.id)
  const tables = ['core.company', 'core.app_user', 'core.role', 'core.session', 'core.api_key', 'core.support_session', 'core.mail', 'masters.gl_account', 'masters.unit_of_measure',
    'masters.currency', 'masters.exchange_rate', 'finance.journal_entry', 'finance.journal_draft', 'finance.fiscal_year', 'finance.period'] // prettier-ignore
  return product.gate.readTenant(entry!.location, b.companyId, SYSTEM, async (tx) => {
    const ids = new Map<string, string>()
    for (const table of tables) {
      const row = await tx.row(
        sql<{ id: string }>`SELECT id FROM ${sql.table(table)} ORDER BY created_at DESC LIMIT 1`.compile(
          tenantSql,
        ),
      )
      if (!row) throw new Error(`B has nothing in ${table}`)
      ids.set(table, row.id)
    }
    const heading = sql<{
      id: string
    }>`SELECT parent_id AS id FROM masters.gl_account WHERE parent_id IS NOT NULL`
    ids.set('a heading', (await tx.row(heading.compile(tenantSql)))?.id ?? '')
    return ids
  })
}

// ---- the scan ------------------------------------------------------------------------------------------

interface Finding {
  readonly operation: string
  readonly way: string
  readonly status: number
  readonly what: 'kestrel' | 'status'
}

interface Way {
  readonly name: string
  readonly headers: (token: string) => Record<string, string>
  readonly isAllowed: (status: number, operation: Operation, hasIds: boolean) => boolean
}

const refused = (status: number): boolean => [401, 403, 404].includes(status)

/** A's own door answers A: only what was asked by an id of B's must not be found. */
function mayAnswer(status: number, { method, params }: Operation, hasIds: boolean): boolean {
  return !params && (method === 'GET' || !hasIds) && status < 500
}

function waysIn(): Way[] {
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
  const hostOfB = `${b.subdomain}.localhost`
  const elsewhere = (name: string, headers: Record<string, string>): Way => ({
    name,
    headers: (token) => ({ ...bearer(token), ...headers }),
    // Validation speaks before the door is asked: it knows nothing of B.
    isAllowed: refused,
  })
  return [
    elsewhere("B's code in the header", { 'x-tenant-id': b.code }),
    elsewhere("B's code in other letters", { 'x-tenant-id': b.code.toLowerCase() }),
    elsewhere("B's subdomain as the host", { host: hostOfB }),
    elsewhere("B's subdomain in other letters, with a port", { host: `${hostOfB.toUpperCase()}:80` }),
    elsewhere("A's code at B's host", { 'x-tenant-id': a.code, host: hostOfB }),
    elsewhere("B's code at A's host", {
      'x-tenant-id': b.code,
      host: `${a.code.toLowerCase().replaceAll('_', '-')}.localhost`,
    }),
    elsewhere("B's id in the header", { 'x-tenant-id': b.id }),
    elsewhere("B's host, forwarded", { 'x-forwarded-host': hostOfB, 'x-tenant-id': b.code }),
    {
      name: "B's ids at A's door",
      headers: (token) => ({ ...bearer(token), 'x-tenant-id': a.code }),
      isAllowed: (status, operation, hasIds) =>
        refused(status) || status === 400 || mayAnswer(status, operation, hasIds),
    },
    {
      name: "B named where nobody looks, at A's door",
      headers: (token) => ({
        ...bearer(token),
        'x-tenant': b.code,
        'x-company-id': b.companyId,
        cookie: `tenant=${b.code}`,
      }),
      isAllowed: (status, operation, hasIds) =>
        refused(status) || status === 400 || mayAnswer(status, operation, hasIds),
    },
  ]
}

const OPEN_TO_ANYBODY = [
  'login',
  'refresh',
  'requestPasswordReset',
  'resetPassword',
  'describeSingleSignOn',
  'startSingleSignOn',
  'finishSingleSignOn',
]

/** Every route, every way, every kind of id; what should not have been answered so. */
async function scan(url: string, token: string, ways: readonly Way[]): Promise<Finding[]> {
  const findings: Finding[] = []
  const ids = [...new Set(idsOfB.values())]
  // Open to anybody, with tests of their own; logout ends A's session.
  const skipped = new Set([...OPEN_TO_ANYBODY, 'logout'])
  for (const { operation } of routes.filter(({ operation: { name } }) => !skipped.has(name))) {
    const hasIds = JSON.stringify([operation.query, operation.body]).includes('"uuid"')
    const tried = operation.params || hasIds ? ids : ids.slice(0, 1)
    await Promise.all(
      ways.flatMap((way) =>
        tried.map(async (id) => {
          const answer = await send(url, operation, id, way.headers(token))
          const about = { operation: operation.name, way: way.name, status: answer.status }
          if (holdsKestrel(answer)) findings.push({ ...about, what: 'kestrel' })
          else if (!way.isAllowed(answer.status, operation, hasIds))
            findings.push({ ...about, what: 'status' })
        }),
      ),
    )
  }
  return findings
}

function send(
  url: string,
  operation: Operation,
  id: string,
  headers: Record<string, string>,
): Promise<RawAnswer> {
  const path = operation.path.replaceAll(/\{\w+\}/g, id)
  const query = operation.query ? new URLSearchParams(sampleOf(operation.query, id) as never).toString() : ''
  const address = `${BASE_PATHS[operation.audience]}${path}${query === '' ? '' : `?${query}`}`
  return rawRequest(
    url,
    operation.method,
    address,
    { ...(operation.accepts?.[0] ? { 'content-type': operation.accepts[0] } : {}), ...headers },
    operation.accepts ? 'a file' : operation.body ? sampleOf(operation.body, id) : undefined,
  )
}

function holdsKestrel({ text, headers }: RawAnswer): boolean {
  const told = `${text}${JSON.stringify(headers)}`.toLowerCase()
  // A packed file shows no words: its canary is its name.
  return told.includes(CANARY) || told.includes(`export-${idsOfB.get('an export')}.zip`)
}

// ---- HTTP ----------------------------------------------------------------------------------------------

describe('every route', () => {
  test('refuses A whatever it says to get at B, and shows no kestrel', { timeout: 120_000 }, async () => {
    const before = await digestOf(product, b.id)
    const token = (await signInAsA()).options.token ?? ''
    expect(await scan(product.url, token, waysIn())).toEqual([])
    expect(await digestOf(product, b.id)).toBe(before)
  })

  test(
    'control: the same scan finds the canaries behind a door that was wired wrongly',
    { timeout: 120_000 },
    async () => {
      // The tenant is taken from the request: whoever asks is let in to B as its administrator.
      const entry = (await product.directory.byId(b.id))!
      const everybody: Principal = {
        kind: 'user',
        id: idsOfB.get('core.app_user') ?? '',
        sessionId: b.id,
        companyId: b.companyId,
        permissions: tenantPermissions,
      }
      const wrongly = await startWeakServer(
        product,
        routes.filter(({ operation }) => operation.method === 'GET' && operation.name !== 'me'),
        {
          findTenant: async () => entry,
          tenantOfToken: async () => entry,
          authenticateUser: async () => everybody,
          authenticateOperator: async () => everybody,
        },
      )
      const ids = waysIn().find(({ name }) => name === "B's ids at A's door")
      const findings = await scan(wrongly.url, 'any', [ids!])
      await wrongly.stop()
      const leaking = new Set(
        findings.filter(({ what }) => what === 'kestrel').map(({ operation }) => operation),
      )
      const reading = routes
        .map(({ operation }) => operation)
        // Permissions are everybody's.
        .filter(
          ({ name }) => !['me', 'getOwnApiKey', 'listPermissions', 'describeSingleSignOn'].includes(name),
        )
        .filter(({ method }) => method === 'GET')
      expect(reading.filter(({ isDownload }) => isDownload).map(({ name }) => name).toSorted()).toEqual(['downloadOwnExport', 'getUserPhoto']) // prettier-ignore
      // Every route that reads shows a canary to somebody who is let in: none is beyond the scan's eye.
      expect(reading.map(({ name }) => name).filter((name) => !leaking.has(name))).toEqual([])
    },
  )

  test('control: with its own token B sees its canaries', async () => {
    const answer = await rawRequest(product.url, 'GET', '/api/v1/companies', {
      authorization: `Bearer ${b.admin.options.token ?? ''}`,
      'x-tenant-id': b.code,
    })
    expect([answer.status, holdsKestrel(answer)]).toEqual([200, true])
  })

  test("refuses an operator's token at a tenant's door", { timeout: 60_000 }, async () => {
    const token = product.operator.options.token ?? ''
    const [byHeader, , byHost] = waysIn()
    expect(await scan(product.url, token, [byHeader!, byHost!])).toEqual([])
  })

  test("of the platform refuses a tenant's token", async () => {
    const wrong: string[] = []
    for (const { operation } of product.routes.filter(
      ({ operation: { audience } }) => audience === 'platform',
    )) {
      if (operation.permission === 'anonymous') continue
      const answer = await send(product.url, operation, b.id, {
        authorization: `Bearer ${a.admin.options.token ?? ''}`,
      })
      if (answer.status !== 401 || holdsKestrel(answer)) wrong.push(`${operation.name}: ${answer.status}`)
    }
    expect(wrong).toEqual([])
  })

  test("refuses a token of A that says it is B's", async () => {
    const claims = JSON.parse(Buffer.from(a.admin.options.token?.split('.')[1] ?? '', 'base64url').toString())
    // Signed with our own key: even then A's session is not one of B's.
    const token = await product.tokens.sign('tenant', { ...claims, tenantId: b.id }, new Date())
    const answer = await rawRequest(product.url, 'GET', '/api/v1/companies', {
      authorization: `Bearer ${token}`,
    })
    expect([answer.status, holdsKestrel(answer)]).toEqual([401, false])
  })
})

function signInAsA() {
  return signIn(product.anonymous.with({ tenant: a.code }), emailOfA()).then(({ client }) => client)
}
function emailOfA(): string {
  return `ann@${a.code.toLowerCase().replaceAll('_', '-')}.example`
}

describe('signing in', () => {
  test("A's people are unknown at B, and are told no more than anybody", async () => {
    const atB = product.anonymous.with({ tenant: b.code })
    const [theirs, nobodys] = await Promise.all([
      atB.call(login, { body: { email: emailOfA(), password: ADMIN_PASSWORD } }),
      atB.call(login, { body: { email: 'nobody@nowhere.example', password: ADMIN_PASSWORD } }),
    ])
    expect([theirs.status, theirs.error.code]).toEqual([401, 'AUTH_FAILED'])
    expect(theirs.error.message).toBe(nobodys.error.message)
  })

  test("B's refresh token is unknown at A, and stays good at B", async () => {
    const atA = product.anonymous.with({ tenant: a.code })
    expect((await atA.call(refresh, { body: { refreshToken: b.refreshToken } })).status).toBe(401)
    expect(
      (
        await product.anonymous
          .with({ tenant: b.code })
          .call(refresh, { body: { refreshToken: b.refreshToken } })
      ).status,
    ).toBe(200)
  })

  test("A's set-password link is of no use at B", async () => {
    const token = product.provisioning.linkSecret(a.id)
    const answer = await product.anonymous
      .with({ tenant: b.code })
      .call(resetPassword, { body: { token, password: 'New-pass-1x' } })
    expect(answer.refusals).toEqual(['token TOKEN_INVALID'])
  })

  test("by the docs page's endpoint: A's people get no token of B", async () => {
    const form = new URLSearchParams({
      grant_type: 'password',
      username: `${b.code}/${emailOfA()}`,
      password: ADMIN_PASSWORD,
    })
    const answer = await rawRequest(
      product.url,
      'POST',
      '/api/v1/auth/token',
      { 'content-type': 'application/x-www-form-urlencoded', 'x-tenant-id': a.code },
      form.toString(),
    )
    expect([answer.status, holdsKestrel(answer)]).toEqual([400, false])
  })
})

// ---- PostgreSQL ----------------------------------------------------------------------------------------

describe("A's role in PostgreSQL", () => {
  let own: DatabaseAddress
  let databaseOfB: string
  beforeAll(async () => {
    // To the server itself, also where requests go through a pooler (see pooler.test.ts).
    const { user, password, database } = await (await product.directory.byId(a.id))!.location.address()
    own = { ...product.server.admin, user, password, database }
    databaseOfB = (await (await product.directory.byId(b.id))!.location.address()).database
  })
  const asA = (text: string, database = own.database): Promise<unknown[]> =>
    withClient({ ...own, database }, async (client) => (await client.query(text)).rows)
  const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
    work.then(
      () => undefined,
      (error: { code?: string }) => error.code ?? 'unknown',
    )

  test('connects to its own database', async () => {
    expect(await asA('SELECT current_user AS me')).toEqual([{ me: own.user }])
  })

  test('connects to no other: neither B, nor the platform, nor the standard ones, nor templates', async () => {
    const names = await withClient(product.server.admin, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT datname AS name FROM pg_database WHERE datname <> $1 AND (datname IN ('postgres', 'template0', 'template1', $2, $3)
           OR starts_with(datname, 'erp_template_') OR starts_with(datname, $3))`,
        [own.database, databaseOfB, new URL(product.configuration.databaseUrl ?? '').pathname.slice(1)],
      )
      return rows.map(({ name }) => name)
    })
    expect(names.length).toBeGreaterThanOrEqual(7)
    expect(names).toContain(databaseOfB)
    expect(names.some((name) => name.endsWith('_workflows'))).toBe(true)
    const opened: string[] = []
    for (const name of names) {
      const code = await codeOf(asA('SELECT 1', name))
      if (code !== '42501' && code !== '55000') opened.push(`${name}: ${code}`)
    }
    expect(opened).toEqual([])
  })

  test('control: a database whose door was left open lets it in', async () => {
    const open = `left_open_${process.pid}`
    await withClient(product.server.admin, (client) =>
      client.query(`CREATE DATABASE ${open} STRATEGY file_copy`),
    )
    try {
      expect(await codeOf(asA('SELECT 1', open))).toBeUndefined()
    } finally {
      await product.server.drop(open)
    }
  })

  test('a platform that an administrator made beforehand is shut to it as well', async () => {
    const made = `made_by_hand_${process.pid}`
    for (const name of [made, `${made}_workflows`]) {
      await withClient(product.server.admin, (client) =>
        client.query(`CREATE DATABASE ${name} STRATEGY file_copy`),
      )
      expect(await codeOf(asA('SELECT 1', name))).toBeUndefined() // control: it was open
    }
    const environment = testEnvironment()
    const url = new URL(environment['DATABASE_URL'] ?? '')
    url.pathname = `/${made}`
    const started = await runErp(['tenants', 'list'], {
      ...environment,
      DATABASE_URL: url.href,
      DB_POOLER_URL: '',
    })
    expect([started.code, started.stderr]).toEqual([0, expect.any(String)])
    for (const name of [made, `${made}_workflows`]) {
      expect(await codeOf(asA('SELECT 1', name))).toBe('42501')
      await product.server.drop(name)
    }
  })

  test("no tenant's database, no ready one and no template is open to anybody but its own", async () => {
    const strangers = await withClient(product.server.admin, async (client) => {
      const { rows } = await client.query<{ door: string }>(
        `SELECT d.datname || ': ' || coalesce(r.rolname, 'PUBLIC') AS door
         FROM pg_database d CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE (d.datname = ANY($1) OR starts_with(d.datname, 'erp_ready_') OR starts_with(d.datname, 'erp_template_'))
           AND a.privilege_type = 'CONNECT' AND coalesce(r.rolname, '') NOT IN ('erp_migrator', 'erp_pooler')`,
        [[own.database, databaseOfB]],
      )
      return rows.map(({ door }) => door)
    })
    const [mine, ...others] = strangers.toSorted((one) => (one.includes(own.user) ? -1 : 1))
    expect(mine).toBe(`${own.database}: ${own.user}`) // control: doors are seen
    expect(others.filter((door) => !/^(erp_ready_|erp_tenant_)\w+: erp_runtime_\w+$/.test(door))).toEqual([])
    expect(others.filter((door) => door.includes(own.user))).toEqual([])
  })

  test('has its time limits whatever connects as it, and no more connections than its limit', async () => {
    const limits = await asA(
      `SELECT name, reset_val AS setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY 1`,
    )
    expect(limits).toEqual([
      { name: 'idle_in_transaction_session_timeout', setting: '60000' },
      { name: 'lock_timeout', setting: '10000' },
      { name: 'statement_timeout', setting: '30000' },
    ])
    const clients: pg.Client[] = []
    let refusal: unknown
    while (refusal === undefined && clients.length <= 50) {
      // Each tries once, however long it takes: what is tried again may end with another answer.
      const client = new pg.Client({ ...own, connectionTimeoutMillis: 20_000 } as pg.ClientConfig)
      await client.connect().then(
        () => clients.push(client),
        (error: unknown) => (refusal = error),
      )
    }
    await Promise.all(clients.map((client) => client.end()))
    expect(refusal).toMatchObject({ code: '53300' })
    expect(clients.length).toBeGreaterThan(40) // the product has some, too
  })

  test('owns nothing, is nobody special, and is bounded in connections', async () => {
    const [facts] = await withClient({ ...product.server.admin, database: own.database }, async (client) => {
      const { rows } = await client.query(
        `SELECT r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
           (SELECT count(*)::int FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o') AS owned,
           ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS groups
         FROM pg_roles r WHERE rolname = $1`,
        [own.user],
      )
      return rows
    })
    expect(facts).toEqual({
      rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false, rolbypassrls: false,
      rolconnlimit: 50, owned: 0, groups: ['erp_tenant_runtime'],
    }) // prettier-ignore
  })

  test.each([
    'CREATE TABLE core.mine (id int)',
    'CREATE TABLE public.mine (id int)',
    'CREATE TEMP TABLE mine (id int)',
    'CREATE SCHEMA mine',
    'CREATE FUNCTION core.mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE EXTENSION pgcrypto',
    'CREATE ROLE mine',
    'CREATE DATABASE mine',
    'ALTER TABLE core.company ADD COLUMN mine int',
    'ALTER TABLE core.company DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE finance.journal_entry DISABLE TRIGGER ALL',
    'DROP TABLE core.company',
    'TRUNCATE core.session',
    'SELECT * FROM migrations.migration',
    "UPDATE finance.journal_entry SET description = 'x'",
    'DELETE FROM finance.journal_entry',
    'DELETE FROM finance.journal_line',
    'UPDATE finance.journal_line SET debit = 1',
    'TRUNCATE finance.journal_entry CASCADE',
    'DELETE FROM audit.change',
    "UPDATE audit.change SET action = 'x'",
    'SET ROLE erp_migrator',
    'SET SESSION AUTHORIZATION postgres',
    "SELECT pg_read_file('PG_VERSION')",
    "COPY core.company TO '/tmp/leak'",
    "COPY core.company TO PROGRAM 'cat'",
    'SELECT * FROM pg_authid',
    "SET session_replication_role = 'replica'",
    'ALTER SYSTEM SET fsync = off',
    'SELECT * FROM pg_stat_statements',
  ])('may not: %s', async (text) => {
    expect(['42501', '42P01', '3F000']).toContain(await codeOf(asA(text)))
  })

  test('control: what it may do, it can', async () => {
    expect(await codeOf(asA('SELECT * FROM core.company'))).toBeUndefined()
  })

  test("cannot see what B's connections are doing", async () => {
    const entry = (await product.directory.byId(b.id))!
    const seen = await product.gate.readTenant(entry.location, b.companyId, SYSTEM, async (tx) => {
      await tx.rows(sql.raw("SELECT 'canary in a statement'").compile(tenantSql))
      return asA('SELECT query FROM pg_stat_activity WHERE usename <> current_user')
    })
    expect(JSON.stringify(seen).toLowerCase()).not.toContain(CANARY)
  })

  test('sees the rows of no company it has not named', async () => {
    for (const table of [
      'masters.gl_account',
      'finance.journal_entry',
      'finance.journal_line',
      'finance.account_balance',
    ]) {
      expect(await asA(`SELECT * FROM ${table}`)).toEqual([])
    }
  })
})
