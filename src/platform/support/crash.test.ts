/**
 * A process is killed, or fails, between the two databases: nobody has a token whose session is not written down on
 * both sides, and what was begun is ended by another process.
 */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql, tenantSql } from '../../tenancy/handles.ts'
import { Client } from '../../testing/client.ts'
import { spawnTestProgram, whenReady } from '../../testing/process.ts'
import { startTestProduct, testEnvironment, type TestProduct } from '../../testing/product.ts'
import { beginSupportSession, endSupportSession } from './contract.ts'

const REASON = 'The process dies on the way'
let product: TestProduct
let environment: Record<string, string>

beforeAll(async () => {
  environment = testEnvironment()
  product = await startTestProduct({}, { onlyAsked: true }, environment)
})
afterAll(() => product.stop())

interface Written {
  readonly state: string
  readonly events: string[]
  readonly tenantRow: 'none' | 'open' | 'ended'
  readonly changes: string[]
}

async function written(tenantId: string): Promise<Written> {
  const { location } = (await product.directory.byId(tenantId))!
  const session = await product.gate.readPlatform(SYSTEM, (tx) =>
    tx.row(
      sql<{ id: string; state: string; events: string[] }>`SELECT id, state, ARRAY(
          SELECT action FROM platform.audit_event e WHERE e.entity_id = s.id ORDER BY e.id) AS events
        FROM platform.support_session s WHERE tenant_id = ${tenantId} ORDER BY id DESC LIMIT 1`.compile(
        platformSql,
      ),
    ),
  )
  const [row] = await product.gate.readTenant(location, null, SYSTEM, (tx) =>
    tx.rows(
      sql<{ ended: boolean; changes: string[] }>`SELECT ended_at IS NOT NULL AS ended, ARRAY(
          SELECT action FROM audit.change c WHERE c.entity_id = s.id ORDER BY c.id) AS changes
        FROM core.support_session s WHERE id = ${session?.id ?? null}`.compile(tenantSql),
    ),
  )
  const tenantRow = row ? (row.ended ? 'ended' : 'open') : 'none'
  return {
    state: session?.state ?? '',
    events: session?.events ?? [],
    tenantRow,
    changes: row?.changes ?? [],
  }
}

const makeOld = () =>
  product.gate.writePlatform(SYSTEM, async (tx) => {
    await tx.run(sql`ALTER TABLE platform.support_session DISABLE TRIGGER touch`.compile(platformSql))
    await tx.run(
      sql`UPDATE platform.support_session SET created_at = now() - interval '1 hour',
        updated_at = now() - interval '1 hour'`.compile(platformSql),
    )
    await tx.run(sql`ALTER TABLE platform.support_session ENABLE TRIGGER touch`.compile(platformSql))
  })

/** The status of the answer; undefined: the process died instead of answering. */
async function dying(step: string, ask: (operator: Client) => Promise<{ status: number }>) {
  const settings = { ...environment, CRASH_AT: `${step}:after`, ONLY_ASKED: '1' }
  const child = await whenReady(spawnTestProgram('crashing-server.ts', [], settings))
  try {
    const operator = new Client(child.url).with({ token: product.operator.options.token ?? '' })
    return await ask(operator).then(
      ({ status }) => status,
      () => undefined,
    )
  } finally {
    await child.kill()
  }
}

const begin = (tenantId: string) => (operator: Client) =>
  operator.call(beginSupportSession, { params: { id: tenantId }, body: { reason: REASON } })

test.each([
  ['support: request', { state: 'requested', events: ['request'], tenantRow: 'none', changes: [] }],
  ['support: admit', { state: 'requested', events: ['request'], tenantRow: 'open', changes: ['insert'] }],
] as const)('killed after %s: no token, and another process ends it on both sides', async (step, left) => {
  const tenant = await product.createTenant()
  expect(await dying(step, begin(tenant.id))).toBeUndefined()
  expect(await written(tenant.id)).toEqual(left)
  await makeOld()
  await product.support.tend()
  const after = await written(tenant.id)
  expect(after).toEqual({
    state: 'ended',
    events: ['request', 'end'],
    tenantRow: left.tenantRow === 'none' ? 'none' : 'ended',
    changes: left.tenantRow === 'none' ? [] : ['insert', 'update'],
  })
})

test('control: not killed, there is a token, and both sides have written it down before', async () => {
  const tenant = await product.createTenant()
  expect(await dying('nowhere', begin(tenant.id))).toBe(201)
  expect(await written(tenant.id)).toEqual({ state: 'active', events: ['request', 'begin'], tenantRow: 'open', changes: ['insert'] }) // prettier-ignore
})

test('killed while it ends: the token is of no use at once, and the tenant is told by another process', async () => {
  const tenant = await product.createTenant()
  const begun = (await begin(tenant.id)(product.operator)).ok()
  const client = product.anonymous.with({ token: begun.token })
  expect((await client.call(me)).status).toBe(200) // control
  const end = (operator: Client) => operator.call(endSupportSession, { params: { id: begun.session.id } })
  expect(await dying('support: ending', end)).toBeUndefined()
  expect(await written(tenant.id)).toMatchObject({ state: 'ending', tenantRow: 'open' })
  product.support.forgetAll()
  expect((await client.call(me)).status).toBe(401)
  await makeOld()
  await product.support.tend()
  expect(await written(tenant.id)).toEqual({ state: 'ended', events: ['request', 'begin', 'end'], tenantRow: 'ended', changes: ['insert', 'update'] }) // prettier-ignore
})

test('a token that was never given: signed by us, for what was only requested, it opens nothing', async () => {
  const tenant = await product.createTenant()
  expect(await dying('support: admit', begin(tenant.id))).toBeUndefined()
  const [row] = await product.gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(
      sql<{
        id: string
        operatorId: string
      }>`SELECT id, operator_id AS "operatorId" FROM platform.support_session
        WHERE tenant_id = ${tenant.id}`.compile(platformSql),
    ),
  )
  const claims = { userId: row!.operatorId, email: '', roleId: '', tenantId: tenant.id, companyId: tenant.companyId, sessionId: row!.id } as const // prettier-ignore
  const token = await product.tokens.sign('support', claims, new Date())
  expect((await product.anonymous.with({ token }).call(me)).status).toBe(401)
  const make = sql`UPDATE platform.support_session SET state = 'active' WHERE id = ${row!.id}`.compile(
    platformSql,
  )
  await product.gate.writePlatform(SYSTEM, (tx) => tx.run(make))
  expect((await product.anonymous.with({ token }).call(me)).status).toBe(200) // control: both say so
})
