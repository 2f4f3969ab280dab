/** What is old goes, in tenants that are visited; idle databases are left asleep. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { firstIdAt } from '../../kernel/ids.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { asSuperuser } from '../../testing/books.ts'
import { ADMIN_PASSWORD, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'

let product: TestProduct
beforeAll(async () => {
  product = await startTestProduct()
})
afterAll(() => product.stop())

const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000)
const onPlatform = <Row>(text: string): Promise<Row[]> =>
  product.gate.writePlatform(SYSTEM, (tx) => tx.rows(sql.raw(text).compile(platformSql) as never))

/** So many ids as they were made on that day, from a number on. */
const idsOf = (days: number, count: number, from = 1): string =>
  `(SELECT overlay('${firstIdAt(daysAgo(days))}' PLACING lpad(to_hex(n), 8, '0') FROM 29)::uuid
    FROM generate_series(${from}, ${from + count - 1}) n) made (id)`

async function fill(tenant: TestTenant): Promise<void> {
  await asSuperuser(product, tenant, async (client) => {
    for (const answers of [idsOf(40, 2_500), idsOf(20, 7)]) {
      await client.query(`INSERT INTO core.idempotency_key (id, scope, key, operation, request_hash, status, response)
        SELECT id, 'test', id::text, 'x', '', 201, '{}' FROM ${answers}`)
    }
    // Ended long ago; lately, though begun long ago; lately.
    for (const [sessions, endedDays] of [
      [idsOf(40, 3), 40],
      [idsOf(40, 3, 9), 5],
      [idsOf(5, 3), 4],
    ] as const) {
      await client.query(`INSERT INTO core.session (id, user_id, company_id, refresh_hash, expires_at, ended_at)
        SELECT made.id, u.id, '${tenant.companyId}', '', now() + interval '1 day', now() - interval '${endedDays} days'
        FROM ${sessions}, core.app_user u`)
    }
    await client.query(`INSERT INTO core.password_token (id, user_id, token_hash, expires_at)
      SELECT '${firstIdAt(daysAgo(40))}', id, 'spent', now() - interval '37 days' FROM core.app_user`)
  })
}

async function left(tenant: TestTenant): Promise<Record<string, number>> {
  return asSuperuser(product, tenant, async (client) => {
    const { rows } = await client.query<Record<string, number>>(
      `SELECT (SELECT count(*)::int FROM core.idempotency_key) AS answers,
         (SELECT count(*)::int FROM core.session WHERE ended_at IS NOT NULL) AS ended,
         (SELECT count(*)::int FROM core.session WHERE ended_at IS NULL) AS live,
         (SELECT count(*)::int FROM core.password_token) AS links`,
    )
    return rows[0] ?? {}
  })
}

/** As if the tenant had been visited and purged last so many days ago. */
async function remember(tenant: TestTenant, activeDays: number, purgedDays: number): Promise<void> {
  await onPlatform(`INSERT INTO platform.tenant_activity (tenant_id, active_at, purged_at)
    VALUES ('${tenant.id}', now() - interval '${activeDays} days', now() - interval '${purgedDays} days')
    ON CONFLICT (tenant_id) DO UPDATE SET active_at = excluded.active_at, purged_at = excluded.purged_at`)
}

test('of the tenants that are due, in batches, and of nobody else', async () => {
  const [active, silent, lastSeen, purgedToday] = await Promise.all(
    Array.from({ length: 4 }, () => product.createTenant({ adminPassword: ADMIN_PASSWORD })),
  )
  const tenants = [active!, silent!, lastSeen!, purgedToday!]
  for (const tenant of tenants) await fill(tenant)
  await product.housekeeping.writeMarks()
  const marked = await onPlatform<{ tenant_id: string }>('SELECT tenant_id FROM platform.tenant_activity')
  expect(marked.map(({ tenant_id }) => tenant_id).toSorted()).toEqual(tenants.map(({ id }) => id).toSorted())

  await remember(active!, 0, 2)
  await remember(silent!, 20, 20) // fell silent; nothing of it is old enough before its thirtieth day
  await remember(lastSeen!, 31, 30.5) // silent for more than thirty days: one last time
  await remember(purgedToday!, 0, 0.5)
  const full = { answers: 2_507, ended: 9, live: 1, links: 1 }
  expect(await left(active!)).toEqual(full) // control: there is something to purge

  // Two rounds at once, as of two processes: each tenant once.
  const rounds = await Promise.all([product.housekeeping.round(), product.housekeeping.round()])
  expect(rounds.flat().toSorted()).toEqual([active!.id, lastSeen!.id].toSorted())
  const kept = { answers: 7, ended: 6, live: 1, links: 0 }
  expect(await left(active!)).toEqual(kept)
  expect(await left(lastSeen!)).toEqual(kept)
  expect(await left(silent!)).toEqual(full)
  expect(await left(purgedToday!)).toEqual(full)
  expect((await active!.admin.call(me)).status).toBe(200)
  expect(await product.housekeeping.round()).toEqual([])
})

test('of the platform itself', async () => {
  await onPlatform(`INSERT INTO platform.idempotency_key (id, scope, key, operation, request_hash, status, response)
    SELECT id, 'test', id::text, 'x', '', 201, '{}' FROM ${idsOf(40, 5)}`)
  await onPlatform(`INSERT INTO platform.operator_session (id, operator_id, refresh_hash, expires_at)
    SELECT '${firstIdAt(daysAgo(90))}', id, '', now() - interval '60 days' FROM platform.operator`)
  const count = async (): Promise<unknown> =>
    onPlatform(`SELECT (SELECT count(*)::int FROM platform.idempotency_key WHERE scope = 'test') AS answers,
      (SELECT count(*)::int FROM platform.operator_session) AS sessions`)
  expect(await count()).toEqual([{ answers: 5, sessions: 2 }])
  await product.housekeeping.round()
  expect(await count()).toEqual([{ answers: 0, sessions: 1 }])
})
