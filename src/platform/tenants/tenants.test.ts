/** Tenants through the operator's API: making, finding, suspending; and who finds which door open. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chartTemplates } from '../../erp/onboarding.ts'
import { login, me, refresh, resetPassword } from '../../erp/identity/contract.ts'
import { listFiscalYears } from '../../erp/ledger/contract.ts'
import { currencies } from '../../kernel/currency.ts'
import { unitsOfMeasure } from '../../erp/companies/rules/units.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { withClient } from '../../tenancy/databases.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { eventually, rawRequest } from '../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  SECRET_KEY,
  signIn,
  startTestProduct,
  tenantBody,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { getOperation, listOperations } from '../operations/contract.ts'
import { listPlans } from '../plans/contract.ts'
import {
  activateTenant,
  createTenant,
  getTenant,
  getTenantOptions,
  listTenants,
  suspendTenant,
} from './contract.ts'
import { provisioningSteps } from './provisioning.ts'
import { reservedSubdomains } from './rules/sign-up.ts'

let product: TestProduct
beforeAll(async () => {
  product = await startTestProduct()
})
afterAll(() => product.stop())

const create = (body: Parameters<typeof tenantBody>[0], headers: Record<string, string> = {}) =>
  product.operator.call(createTenant, { body: tenantBody(body) }, headers)
const countOf = async (search: string): Promise<number> =>
  (await product.operator.call(listTenants, { query: { search } })).ok().pagination.total

describe('plans', () => {
  test('are those of SPEC 4', async () => {
    const { plans } = (await product.operator.call(listPlans)).ok()
    const rows = plans.map((plan) => [
      plan.code, plan.name, plan.monthlyPrice, plan.companiesLimit, plan.usersPerCompanyLimit,
      plan.transactionsPerMonthLimit, plan.storageGigabytesLimit, plan.requestsPerHourLimit, plan.support,
    ]) // prettier-ignore
    expect(rows).toEqual([
      ['trial', 'Trial (14 days)', '0.00', 1, 3, 100, 10, 1_000, 'e-mail'],
      ['starter', 'Starter', '49.00', 1, 5, 1_000, 10, 1_000, 'e-mail'],
      ['professional', 'Professional', '199.00', 3, 20, 10_000, 50, 5_000, 'priority'],
      ['enterprise', 'Enterprise', '599.00', 10, 100, 100_000, 500, 20_000, 'dedicated'],
      ['unlimited', 'Unlimited', '1999.00', null, null, null, 2_000, 100_000, 'dedicated'],
    ])
    expect(plans.every(({ currency, isActive }) => currency === 'USD' && isActive)).toBe(true)
  })
})

describe('a tenant is made', () => {
  test.each([
    ['generic', 'AE', 'AED'],
    ['us', 'US', 'USD'],
    ['uk', 'GB', 'GBP'],
    ['eg', 'EG', 'EGP'],
  ] as const)('from the %s chart, ready to work', async (chartTemplate, country, currency) => {
    const body = tenantBody({ chartTemplate, country, currency })
    const answer = await product.operator.call(createTenant, { body })
    expect(answer.status).toBe(201)
    const { tenant, operationId, setPasswordUrl } = answer.ok()
    expect(tenant).toMatchObject({
      tenantCode: body.tenantCode,
      status: 'active',
      statusReason: null,
      chartTemplate,
      country,
      currency,
      planCode: 'professional',
      databaseName: `erp_tenant_${body.tenantCode.toLowerCase()}`,
      address: `http://${body.subdomain}.localhost:${new URL(product.url).port}`,
    })
    expect(tenant.schemaVersion).toMatch(/^\d{12}_/)
    expect(setPasswordUrl).toBeNull()
    expect((await product.operator.call(getOperation, { params: { id: operationId } })).ok()).toMatchObject({
      status: 'done',
      progress: 1,
      error: null,
    })

    const { client } = await signIn(product.anonymous.with({ tenant: tenant.tenantCode }), body.adminEmail)
    const who = (await client.call(me)).ok()
    expect(who).toMatchObject({
      role: 'Administrator',
      email: body.adminEmail,
      fullName: body.adminName,
      tenantCode: body.tenantCode,
    })
    expect(who.companies).toMatchObject([{ code: 'MAIN', name: body.companyName, baseCurrency: currency }])
    const totalOf = async (path: string): Promise<number> =>
      (await client.send<{ pagination: { total: number } }>('GET', `/api/v1/masters/${path}`)).ok().pagination
        .total
    expect(await totalOf('gl-accounts')).toBe(
      chartTemplates.find(({ code }) => code === chartTemplate)?.accounts.length,
    )
    expect(await totalOf('units-of-measure')).toBe(unitsOfMeasure.length)
    expect(await totalOf('currencies')).toBe(currencies.length)
    const { fiscalYears } = (await client.call(listFiscalYears)).ok()
    expect(fiscalYears).toHaveLength(1)
    expect(fiscalYears[0]?.periods).toHaveLength(12)
    expect(fiscalYears[0]?.startDate).toBe(`${new Date().getUTCFullYear()}-01-01`)
  })

  test("with the country's own chart where none is chosen", async () => {
    const { chartTemplate: _none, ...body } = tenantBody({ country: 'EG', currency: 'EGP' })
    const { tenant } = (await product.operator.call(createTenant, { body })).ok()
    expect(tenant.chartTemplate).toBe('eg')
  })

  test('without a password: the link sets one, once', async () => {
    const { adminPassword: _none, ...body } = tenantBody()
    const { tenant, setPasswordUrl } = (await product.operator.call(createTenant, { body })).ok()
    const url = new URL(setPasswordUrl ?? '')
    expect(url.origin).toBe(tenant.address)
    const token = url.searchParams.get('token') ?? ''
    const at = product.anonymous.with({ tenant: tenant.tenantCode })
    expect(
      (await at.call(login, { body: { email: body.adminEmail, password: ADMIN_PASSWORD } })).status,
    ).toBe(401)
    const weak = await at.call(resetPassword, { body: { token, password: 'Passing-by' } })
    expect(weak.refusals).toEqual(['password PASSWORD_NEEDS_DIGIT'])
    ;(await at.call(resetPassword, { body: { token, password: ADMIN_PASSWORD } })).ok()
    await signIn(at, body.adminEmail)
    expect((await at.call(resetPassword, { body: { token, password: 'Another-pass-2' } })).refusals).toEqual([
      'token TOKEN_INVALID',
    ])
    await signIn(at, body.adminEmail) // the first password still holds
  })

  test('with a link that two use at the same moment: one of them wins', async () => {
    const { adminPassword: _none, ...body } = tenantBody()
    const { tenant, setPasswordUrl } = (await product.operator.call(createTenant, { body })).ok()
    const token = new URL(setPasswordUrl ?? '').searchParams.get('token') ?? ''
    const at = product.anonymous.with({ tenant: tenant.tenantCode })
    const answers = await Promise.all(
      [1, 2, 3].map((index) => at.call(resetPassword, { body: { token, password: `Number-${index}-Pass` } })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400, 400])
  })

  test('and leaves no trace of the password', async () => {
    const body = tenantBody({ adminPassword: 'Traceless-pw-77' })
    ;(await product.operator.call(createTenant, { body })).ok()
    const url = new URL(product.configuration.databaseUrl ?? '')
    for (const database of [url.pathname.slice(1), `${url.pathname.slice(1)}_workflows`]) {
      const everything = await withClient({ ...product.server.admin, database }, async (client) => {
        const { rows } = await client.query<{ name: string }>(
          `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
        )
        const texts: string[] = []
        for (const { name } of rows)
          texts.push(JSON.stringify((await client.query(`SELECT t::text FROM ${name} t`)).rows))
        return texts.join('\n')
      })
      expect(everything).not.toContain('Traceless')
      if (!database.endsWith('_workflows')) expect(everything).toContain(body.adminEmail) // control: it is looked at
    }
  })
})

describe('names are taken once', () => {
  test.each([
    [
      'the code',
      (body: ReturnType<typeof tenantBody>) => ({ tenantCode: body.tenantCode }),
      'DUPLICATE_TENANT_CODE',
    ],
    [
      'the code in other letters',
      (body: ReturnType<typeof tenantBody>) => ({ tenantCode: body.tenantCode.toUpperCase() }),
      'DUPLICATE_TENANT_CODE',
    ],
    [
      'the subdomain',
      (body: ReturnType<typeof tenantBody>) => ({ subdomain: body.subdomain }),
      'DUPLICATE_SUBDOMAIN',
    ],
  ])('%s', async (_name, same, code) => {
    const body = tenantBody()
    ;(await product.operator.call(createTenant, { body })).ok()
    const other = same(body)
    const answer = await create({ subdomain: `other-${body.subdomain}`, ...other })
    expect([answer.status, answer.error.code]).toEqual([409, code])
  })

  test('also when two take one at the same moment: exactly one tenant', async () => {
    const body = tenantBody()
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((letter) =>
        product.operator.call(createTenant, { body: { ...body, subdomain: `${letter}-${body.subdomain}` } }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409])
    expect(await countOf(body.tenantCode)).toBe(1)
    const names = await product.server.databaseNames(`erp_tenant_${body.tenantCode.toLowerCase()}`)
    expect(names).toHaveLength(1)
  })

  test('a database of that name that is none of ours is not taken for the tenant', async () => {
    const body = tenantBody()
    const foreign = `erp_tenant_${body.tenantCode.toLowerCase()}`
    await withClient(product.server.admin, (client) =>
      client.query(`CREATE DATABASE ${foreign} STRATEGY file_copy`),
    )
    try {
      const answer = await product.operator.call(createTenant, { body })
      expect([answer.status, answer.error.code]).toEqual([503, 'PROVISIONING_FAILED'])
      expect(await product.server.exists(foreign)).toBe(true)
      const [tenant] = (await product.operator.call(listTenants, { query: { search: body.tenantCode } })).ok()
        .tenants
      expect(tenant).toMatchObject({ status: 'failed', databaseName: null })
      const acl = await withClient(product.server.admin, async (client) => {
        const { rows } = await client.query(
          'SELECT datacl::text AS acl FROM pg_database WHERE datname = $1',
          [foreign],
        )
        return rows[0] as { acl: string | null }
      })
      expect(acl.acl ?? '').not.toContain('erp_runtime_')
    } finally {
      await product.server.drop(foreign)
    }
    ;(await product.operator.call(createTenant, { body })).ok() // the name was given back
  })
})

test('a clone whose maker died before its door was shut is shut before it is used', async () => {
  const suffix = randomBytes(8).toString('hex')
  const [database, role] = [`erp_ready_${suffix}`, `erp_runtime_${suffix}`]
  const isOpen = (): Promise<boolean> =>
    withClient(product.server.admin, async (client) => {
      const { rows } = await client.query<{ open: boolean }>(
        `SELECT datacl IS NULL OR EXISTS (SELECT FROM aclexplode(datacl) a WHERE a.grantee = 0) AS open
         FROM pg_database WHERE datname = $1`,
        [database],
      )
      return rows[0]?.open ?? false
    })
  await withClient(product.server.admin, (client) =>
    client.query(`CREATE DATABASE ${database} STRATEGY file_copy`),
  )
  expect(await isOpen()).toBe(true) // control: as CREATE DATABASE leaves it, everybody may connect
  const [main] = await product.servers.list()
  await product.databases.build({
    id: '',
    server_id: main?.id ?? '',
    database_name: database,
    runtime_role: role,
    sealed_runtime_password: new Secrets(SECRET_KEY).seal('password', role),
    template_fingerprint: product.databases.template,
  })
  expect(await isOpen()).toBe(false)
  await product.server.drop(database)
  await product.server.dropRole(role)
})

describe('what is wrong is told at once', () => {
  test('every rule', async () => {
    const answer = await create({
      subdomain: 'admin',
      country: 'XX',
      currency: 'ZZZ',
      planCode: 'gold',
      adminPassword: 'keeper12',
    })
    expect(answer.status).toBe(400)
    expect(answer.refusals).toEqual([
      'adminPassword PASSWORD_COMMON',
      'adminPassword PASSWORD_CONTAINS_NAME',
      'adminPassword PASSWORD_NEEDS_SPECIAL',
      'adminPassword PASSWORD_NEEDS_UPPER',
      'country UNKNOWN_COUNTRY',
      'currency UNKNOWN_CURRENCY',
      'planCode UNKNOWN_PLAN',
      'subdomain RESERVED',
    ])
  })

  test('of a password too, also where it is too short', async () => {
    expect((await create({ adminPassword: 'abc' })).refusals).toEqual([
      'adminPassword PASSWORD_NEEDS_DIGIT',
      'adminPassword PASSWORD_NEEDS_SPECIAL',
      'adminPassword PASSWORD_NEEDS_UPPER',
      'adminPassword PASSWORD_TOO_SHORT',
    ])
  })

  test('every field', async () => {
    const answer = await product.operator.send('POST', '/api/v1/platform/tenants', {
      tenantCode: '1-x', subdomain: '-a', country: 'usa', currency: 'usd', adminEmail: 'nobody', adminPassword: '', surprise: 1, chartTemplate: 'mars',
    }) // prettier-ignore
    expect(answer.refusals.map((refusal) => refusal.split(' ')[0])).toEqual([
      'adminEmail', 'adminName', 'adminPassword', 'chartTemplate', 'companyName', 'country', 'currency', 'subdomain', 'surprise', 'tenantCode',
    ]) // prettier-ignore
  })

  test.each(['XAU', 'XTS', 'XXX'])('%s is no money to keep books in', async (currency) => {
    expect((await create({ currency })).refusals).toEqual(['currency NO_MONEY'])
  })

  test('every reserved name', () => {
    for (const name of ['www', 'api', 'admin', 'operator', 'mail', 'status'])
      expect(reservedSubdomains.has(name)).toBe(true)
  })

  test('nothing of all that is left behind', async () => {
    const before = await countOf('')
    await create({ subdomain: 'www' })
    await create({ planCode: 'gold' })
    expect(await countOf('')).toBe(before)
  })
})

describe('an idempotency key', () => {
  test('gives the first answer again, and refuses another body', async () => {
    const body = tenantBody()
    const key = { 'idempotency-key': `make-${body.tenantCode}` }
    const first = await product.operator.call(createTenant, { body }, key)
    const again = await product.operator.call(createTenant, { body }, key)
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.body).toEqual(first.body)
    expect(await countOf(body.tenantCode)).toBe(1)
    const other = await product.operator.call(createTenant, { body: { ...body, companyName: 'Other' } }, key)
    expect([other.status, other.error.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
    // Control: without the key the same body is a duplicate.
    expect((await product.operator.call(createTenant, { body })).status).toBe(409)
  })

  test('sent many times at once makes one tenant', async () => {
    const body = tenantBody()
    const key = { 'idempotency-key': `many-${body.tenantCode}` }
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => product.operator.call(createTenant, { body }, key)),
    )
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(1)
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
    expect(await countOf(body.tenantCode)).toBe(1)
    expect((await product.operator.call(createTenant, { body }, key)).status).toBe(201)
  })
})

describe('an operation', () => {
  test('tells its steps, each with its times', async () => {
    const { operationId } = (await create({})).ok()
    const { steps, kind } = (await product.operator.call(getOperation, { params: { id: operationId } })).ok()
    expect(kind).toBe('provision-tenant')
    expect(steps.map(({ name }) => name)).toEqual([...provisioningSteps])
    for (const step of steps) {
      expect(step.status).toBe('done')
      expect(Date.parse(step.finishedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(step.startedAt ?? ''))
    }
  })
  test('is listed, newest first, with whom it is about', async () => {
    const { tenant, operationId } = (await create({})).ok()
    const list = async (query: object) => (await product.operator.call(listOperations, { query })).ok()
    const { operations, pagination } = await list({ limit: 2 })
    expect(operations[0]).toMatchObject({
      id: operationId,
      kind: 'provision-tenant',
      status: 'done',
      progress: 1,
      tenant: { id: tenant.id, tenantCode: tenant.tenantCode },
      error: null,
    })
    expect([operations.length, pagination.limit, pagination.total > 2]).toEqual([2, 2, true])
    expect((await list({ page: 2, limit: 2 })).operations.map(({ id }) => id)).not.toContain(operationId)
    expect((await list({ status: 'running' })).pagination.total).toBe(0)
    expect((await list({ kind: 'nothing' })).operations).toEqual([])
  })
  test('that never was is not found', async () => {
    expect((await product.operator.call(getOperation, { params: { id: 'nothing' } })).status).toBe(404)
  })
})

describe('the list', () => {
  const codes = ['LISTA', 'LISTB', 'LISTC', 'LISTD', 'LISTE']
  beforeAll(async () => {
    for (const [index, tenantCode] of codes.entries()) {
      const companyName = `List ${['Echo', 'Delta', 'Charlie', 'Bravo', 'Alpha'][index]} 100%`
      ;(await create({ tenantCode, companyName, planCode: index < 2 ? 'starter' : 'enterprise' })).ok()
    }
  }, 60_000)
  const listed = async (query: Record<string, unknown>): Promise<string[]> =>
    (await product.operator.call(listTenants, { query: { search: 'LIST', ...query } as never }))
      .ok()
      .tenants.map(({ tenantCode }) => tenantCode)

  test('is newest first, sorted as asked, both ways', async () => {
    expect(await listed({})).toEqual(codes.toReversed())
    expect(await listed({ sort: 'tenantCode' })).toEqual(codes)
    expect(await listed({ sort: 'tenantCode', order: 'desc' })).toEqual(codes.toReversed())
    expect(await listed({ sort: 'companyName' })).toEqual(codes.toReversed())
    expect(await listed({ sort: 'createdAt', order: 'asc' })).toEqual(codes)
  })

  test('is searched in code, name, subdomain and address, and takes % as it is', async () => {
    expect(await listed({ search: 'listc' })).toEqual(['LISTC'])
    expect(await listed({ search: 'Charlie' })).toEqual(['LISTC'])
    expect(await listed({ search: 'ann@listd.example' })).toEqual(['LISTD'])
    expect(await listed({ search: '100%' })).toHaveLength(5)
    expect(await listed({ search: '0%0' })).toEqual([])
    expect(await listed({ search: '_' })).not.toContain('LISTA')
  })

  test('is filtered by status and plan', async () => {
    expect(await listed({ planCode: 'starter' })).toEqual(['LISTB', 'LISTA'])
    expect(await listed({ status: 'suspended' })).toEqual([])
    expect(await listed({ status: 'active', planCode: 'enterprise' })).toHaveLength(3)
  })

  test('comes in pages', async () => {
    const page = async (number: number) =>
      (
        await product.operator.call(listTenants, {
          query: { search: 'LIST', sort: 'tenantCode', limit: 2, page: number },
        })
      ).ok()
    expect((await page(1)).pagination).toEqual({
      total: 5,
      page: 1,
      limit: 2,
      totalPages: 3,
      hasNext: true,
      hasPrevious: false,
    })
    expect((await page(3)).pagination).toMatchObject({ hasNext: false, hasPrevious: true })
    const pages = [await page(1), await page(2), await page(3)]
    expect(pages.flatMap(({ tenants }) => tenants.map(({ tenantCode }) => tenantCode))).toEqual(codes)
  })

  test.each([
    { sort: 'password' },
    { limit: 0 },
    { limit: 201 },
    { page: 0 },
    { status: 'x' },
    { nonsense: 1 },
  ])('refuses %j', async (query) => {
    expect((await product.operator.call(listTenants, { query: query as never })).status).toBe(400)
  })

  test('one is got by its id; another id is not found', async () => {
    const [tenant] = (await product.operator.call(listTenants, { query: { search: 'LISTA' } })).ok().tenants
    expect((await product.operator.call(getTenant, { params: { id: tenant!.id } })).ok()).toEqual(tenant)
    expect(
      (await product.operator.call(getTenant, { params: { id: '00000000-0000-4000-8000-000000000001' } }))
        .status,
    ).toBe(404)
  })

  test('what can be chosen is offered', async () => {
    const options = (await product.operator.call(getTenantOptions)).ok()
    expect(options.plans.map(({ code }) => code)).toEqual([
      'trial',
      'starter',
      'professional',
      'enterprise',
      'unlimited',
    ])
    expect(options.chartTemplates.map(({ code }) => code).toSorted()).toEqual(['eg', 'generic', 'uk', 'us'])
    expect(options.currencies.some(({ code }) => code === 'XAU')).toBe(false)
    expect(options.countries.length).toBeGreaterThan(190)
  })
})

describe('suspending', () => {
  let tenant: TestTenant
  let address: { email: string; subdomain: string }
  // Each test begins with a tenant that works, whatever became of the one before.
  afterEach(async () => void (await activate()))
  beforeAll(async () => {
    const body = tenantBody()
    tenant = await product.createTenant(body)
    address = { email: body.adminEmail, subdomain: body.subdomain }
  })
  const suspend = (reason = 'unpaid') =>
    product.operator.call(suspendTenant, { params: { id: tenant.id }, body: { reason } })
  const activate = () => product.operator.call(activateTenant, { params: { id: tenant.id }, body: {} })

  test('refuses at once, also a token that worked a moment before, and sign-in; activating lets in again', async () => {
    const at = product.anonymous.with({ tenant: tenant.code })
    const session = await signIn(at, address.email)
    expect((await session.client.call(me)).status).toBe(200)
    const active = (await product.operator.call(getTenant, { params: { id: tenant.id } })).ok()
    expect(active.updatedAt > active.createdAt).toBe(true) // it became active after it was written down
    const suspended = (await suspend()).ok()
    expect(suspended).toMatchObject({ status: 'suspended', statusReason: 'unpaid' })
    expect(suspended.updatedAt > active.updatedAt).toBe(true)
    for (const answer of [
      await session.client.call(me),
      await tenant.admin.call(me),
      await at.call(login, { body: { email: address.email, password: ADMIN_PASSWORD } }),
      await at.call(refresh, { body: { refreshToken: session.refreshToken } }),
      await product.anonymous.with({ token: session.client.options.token ?? '' }).call(me),
    ])
      expect([answer.status, answer.error.code]).toEqual([403, 'TENANT_SUSPENDED'])
    const byHost = await rawRequest(product.url, 'GET', '/api/v1/auth/me', {
      host: `${address.subdomain}.localhost`,
    })
    expect(byHost.status).toBe(403)

    expect((await activate()).ok()).toMatchObject({ status: 'active', statusReason: null })
    const again = await eventually(() => signIn(at, address.email), 5_000, 10)
    expect((await again.client.call(me)).status).toBe(200)
    // The sessions of before have ended.
    expect((await session.client.call(me)).error.code).toBe('TOKEN_INVALID')
    expect((await at.call(refresh, { body: { refreshToken: session.refreshToken } })).status).toBe(401)
  })

  test('leaves other tenants alone', async () => {
    const other = await product.createTenant()
    ;(await suspend()).ok()
    expect((await other.admin.call(me)).status).toBe(200)
    ;(await activate()).ok()
  })

  test('needs a reason, a tenant, and one that is not suspended', async () => {
    expect((await suspend('')).status).toBe(400)
    const nobody = { id: '00000000-0000-4000-8000-000000000001' }
    expect(
      (await product.operator.call(suspendTenant, { params: nobody, body: { reason: 'unpaid' } })).status,
    ).toBe(404)
    ;(await suspend()).ok()
    const twice = await suspend()
    expect([twice.status, twice.error.code]).toEqual([409, 'WRONG_STATE'])
    ;(await activate()).ok()
    expect((await activate()).error.code).toBe('WRONG_STATE')
  })

  test('is written down with who and why, and cannot be unwritten', async () => {
    ;(await suspend('a reason to remember')).ok()
    ;(await activate()).ok()
    const query = sql<{ action: string; actor_kind: string; actor_id: string | null; reason: string | null }>`
      SELECT action, actor_kind, actor_id, details ->> 'reason' AS reason FROM platform.audit_event
      WHERE tenant_id = ${tenant.id} AND action NOT IN ('back up', 'update') ORDER BY created_at`
    const events = await product.gate.readPlatform(SYSTEM, (tx) => tx.rows(query.compile(platformSql)))
    expect(events.map(({ action }) => action).slice(0, 2)).toEqual(['create', 'provisioned'])
    expect(events.at(-2)).toMatchObject({
      action: 'suspend',
      actor_kind: 'operator',
      reason: 'a reason to remember',
    })
    expect(events.at(-2)?.actor_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(events.at(-1)).toMatchObject({ action: 'activate' })
    for (const statement of [
      sql`UPDATE platform.audit_event SET action = 'x'`,
      sql`DELETE FROM platform.audit_event`,
    ]) {
      await expect(
        product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql))),
      ).rejects.toMatchObject({ code: '23000' })
    }
  })
})

describe('the door', () => {
  let tenant: TestTenant
  let subdomain: string
  let token: string
  beforeAll(async () => {
    const body = tenantBody()
    subdomain = body.subdomain
    tenant = await product.createTenant(body)
    token = tenant.admin.options.token ?? ''
  })
  const ask = async (headers: Record<string, string>): Promise<{ status: number; text: string }> =>
    rawRequest(product.url, 'GET', '/api/v1/auth/me', { authorization: `Bearer ${token}`, ...headers })

  test('is found by header, by host, by both, or by the token alone', async () => {
    for (const headers of [
      { 'x-tenant-id': tenant.code },
      { 'x-tenant-id': tenant.code.toLowerCase() },
      { host: `${subdomain}.localhost` },
      { host: `${subdomain.toUpperCase()}.LOCALHOST:1234` },
      { host: `${subdomain}.localhost`, 'x-tenant-id': tenant.code },
      {},
    ])
      expect((await ask(headers as Record<string, string>)).status).toBe(200)
  })

  test('of an unknown tenant is 404, by header and by host', async () => {
    expect((await ask({ 'x-tenant-id': 'NOBODY' })).status).toBe(404)
    expect((await ask({ host: 'nobody.localhost' })).status).toBe(404)
    expect((await ask({ host: `a.${subdomain}.localhost` })).status).toBe(404)
    const anonymous = await rawRequest(product.url, 'GET', '/api/v1/auth/me', {})
    expect(anonymous.status).toBe(404)
  })

  test('where header and host contradict each other is 404', async () => {
    const other = tenantBody()
    await product.createTenant(other)
    expect((await ask({ host: `${other.subdomain}.localhost`, 'x-tenant-id': tenant.code })).status).toBe(404)
    expect((await ask({ host: `${subdomain}.localhost`, 'x-tenant-id': other.tenantCode })).status).toBe(404)
    expect((await ask({ host: `${subdomain}.localhost`, 'x-tenant-id': 'NOBODY' })).status).toBe(404)
  })

  test.each([
    ['provisioning', {}, 503, 'UNAVAILABLE'],
    ['failed', {}, 404, 'NOT_FOUND'],
    ['cancelled', {}, 403, 'TENANT_SUSPENDED'],
    ['archived', {}, 403, 'TENANT_SUSPENDED'],
    ['active', { schema_version: 'of-yesterday' }, 503, 'UNAVAILABLE'],
  ])('of a tenant that is %s %j answers %i', async (status, extra, expected, code) => {
    const change = (values: Record<string, string>): Promise<number> =>
      product.gate.writePlatform(SYSTEM, (tx) =>
        tx.run(
          platformSql
            .updateTable('platform.tenant')
            .set(values as never)
            .where('id', '=', tenant.id),
        ),
      )
    const { schemaVersion } = (await product.operator.call(getTenant, { params: { id: tenant.id } })).ok()
    await change({ status, ...extra })
    product.directory.forget()
    const answer = await rawRequest(product.url, 'GET', '/api/v1/masters/gl-accounts', {
      authorization: `Bearer ${token}`,
      'x-tenant-id': tenant.code,
    })
    expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([expected, code])
    if (expected === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    await change({ status: 'active', schema_version: schemaVersion ?? '' })
    product.directory.forget()
    expect((await ask({ 'x-tenant-id': tenant.code })).status).toBe(200)
  })
})
