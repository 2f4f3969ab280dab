/** New database passwords while users work: nobody notices, the old one is of no use, and no moment is a bad one to die. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { listCompanies } from '../../erp/companies/contract.ts'
import { createJournalEntry } from '../../erp/ledger/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { connect, type DatabaseAddress } from '../../tenancy/pools.ts'
import { withClient } from '../../tenancy/databases.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { entryBody } from '../../testing/entries.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { eventually } from '../../testing/process.ts'
import { getOperation } from '../operations/contract.ts'
import { changeDatabasePassword, changeDatabasePasswords } from './contract.ts'

let product: TestProduct
let tenant: TestTenant
let other: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  other = await product.createTenant()
})
afterAll(() => product.stop())

/** To the server itself, as the tenant's role. */
async function addressOf({ id }: TestTenant): Promise<DatabaseAddress> {
  product.directory.forget(id)
  const { user, password, database } = await (await product.directory.byId(id))!.location.address()
  return { ...product.server.admin, user, password, database }
}

async function done(operationId: string): Promise<void> {
  await eventually(async () => {
    const { status, error } = (
      await product.operator.call(getOperation, { params: { id: operationId } })
    ).ok()
    expect([status, error]).toEqual(['done', null])
  })
}

async function change({ id }: TestTenant): Promise<void> {
  await done((await product.operator.call(changeDatabasePassword, { params: { id } })).ok().operationId)
}

/** Readers and writers until the work is done; what they were answered. */
async function statusesDuring(work: () => Promise<void>): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  let isOver = false
  const user = async (ask: () => Promise<{ status: number }>): Promise<void> => {
    while (!isOver) {
      const { status } = await ask()
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  const users = [1, 2, 3].flatMap(() => [
    user(() => tenant.admin.call(listCompanies, {})),
    user(() =>
      tenant.admin.call(createJournalEntry, { body: entryBody('1.00', 'While the password changes') }),
    ),
  ])
  await work().finally(() => (isOver = true))
  await Promise.all(users)
  return statuses
}

const withAdmin = (text: string, values: unknown[] = []): Promise<unknown> =>
  withClient(product.server.admin, (client) => client.query(text, values))
const endSessions = (role: string): Promise<unknown> =>
  withAdmin('SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = $1', [role])

describe('a new password', () => {
  test(
    'again and again under load: every request is answered, and the old ones are refused',
    { timeout: 240_000 },
    async () => {
      const old: DatabaseAddress[] = []
      const statuses = await statusesDuring(async () => {
        for (let round = 0; round < 3; round++) {
          old.push(await addressOf(tenant))
          await change(tenant)
          await sleep(500) // work goes on with the new one
        }
      })
      expect([...statuses.keys()].toSorted()).toEqual([200, 201])
      expect(statuses.get(201)).toBeGreaterThan(5)
      for (const address of old) {
        await expect(connect(address, 2_000)).rejects.toMatchObject({ code: '28P01' })
      }
      const now = await connect(await addressOf(tenant), 2_000)
      await now.end()
    },
  )

  test('control: one that is changed behind our back is noticed by the same users', async () => {
    const address = await addressOf(tenant)
    const statuses = await statusesDuring(async () => {
      await product.server.changeRuntimePassword(address.user, 'unknown-to-the-platform')
      await endSessions(address.user)
      await new Promise((resolve) => setTimeout(resolve, 500))
      await product.server.changeRuntimePassword(address.user, address.password)
    })
    expect([...statuses.keys()].some((status) => status >= 500)).toBe(true)
  })

  test('ends what was let in with the old one, whoever holds it', async () => {
    const stranger = await connect(await addressOf(tenant), 2_000)
    await stranger.query('SELECT 1')
    await change(tenant)
    await expect(stranger.query('SELECT 1')).rejects.toThrow()
    // Control: a change of somebody else's password ends nothing here.
    const unconcerned = await connect(await addressOf(tenant), 2_000)
    await change(other)
    await unconcerned.query('SELECT 1')
    await unconcerned.end()
  })

  test('leaves alone, for a second, a session that may be given to somebody just now', async () => {
    const { user } = await addressOf(tenant)
    const session = await connect(await addressOf(tenant), 2_000)
    await session.query('SELECT 1')
    const changedAt = new Date(Date.now() + 60_000).toISOString()
    expect(await product.server.endSessionsBefore([{ role: user, changedAt }], false)).toBeGreaterThan(0)
    await session.query('SELECT 1')
    await sleep(1_100)
    expect(await product.server.endSessionsBefore([{ role: user, changedAt }], false)).toBe(0)
    await expect(session.query('SELECT 1')).rejects.toThrow()
  })

  test('is nowhere in clear: neither in the platform database nor in the audit log', async () => {
    const { password, user } = await addressOf(tenant)
    const rows = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ text: string }>`SELECT t::text AS text FROM platform.tenant t
          UNION ALL SELECT e::text FROM platform.audit_event e`.compile(platformSql),
      ),
    )
    const all = rows.map(({ text }) => text).join()
    expect(all).toContain(user) // control: the rows are the right ones
    expect(all).toContain('change database password')
    expect(all).not.toContain(password)
  })
})

describe('a change whose process died', () => {
  const setNext = (sealed: string | null): Promise<unknown> =>
    product.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE platform.tenant SET sealed_next_runtime_password = ${sealed} WHERE id = ${tenant.id}`.compile(
          platformSql,
        ),
      ),
    )
  const ask = async (): Promise<number> => (await tenant.admin.call(listCompanies, {})).status
  /** What a process leaves that dies between telling the server and saying so. */
  async function dieAfterTelling(): Promise<DatabaseAddress> {
    const address = await addressOf(tenant)
    await setNext(product.secrets.seal('the-next-password', address.user))
    await product.server.changeRuntimePassword(address.user, 'the-next-password')
    await product.gate.closeTenant(tenant.id)
    await endSessions(address.user)
    return address
  }

  test('keeps nobody out, and is finished by the next one', async () => {
    await dieAfterTelling()
    expect([await ask(), await ask()]).toEqual([200, 200])
    await change(tenant)
    expect((await addressOf(tenant)).password).toBe('the-next-password')
    expect(await ask()).toBe(200)
  })

  test('before the server was told: the old one still serves', async () => {
    const before = await addressOf(tenant)
    await setNext(product.secrets.seal('never-told', before.user))
    await product.gate.closeTenant(tenant.id)
    expect(await ask()).toBe(200)
    await change(tenant)
    expect((await addressOf(tenant)).password).toBe('never-told')
  })

  test('and one written down for another role, before a restore, is not used', async () => {
    await setNext(product.secrets.seal('of-another-role', 'erp_runtime_another'))
    await change(tenant)
    expect((await addressOf(tenant)).password).not.toBe('of-another-role')
    expect(await ask()).toBe(200)
  })

  test('control: without the next one written down, everybody is kept out', async () => {
    const address = await dieAfterTelling()
    await setNext(null)
    product.directory.forget(tenant.id)
    await product.gate.closeTenant(tenant.id)
    expect(await ask()).toBeGreaterThanOrEqual(500)
    await product.server.changeRuntimePassword(address.user, address.password)
    await eventually(async () => expect(await ask()).toBe(200))
  })
})

test('a tenant that something else has to itself keeps its password, and the operation says so', async () => {
  const setBusy = (work: string | null): Promise<unknown> =>
    product.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(sql`UPDATE platform.tenant SET busy_with = ${work} WHERE id = ${other.id}`.compile(platformSql)),
    )
  const { password } = await addressOf(other)
  await setBusy('move-tenant:test')
  const started = await product.operator.call(changeDatabasePassword, { params: { id: other.id } })
  const { operationId } = started.ok()
  await eventually(async () => {
    const state = (await product.operator.call(getOperation, { params: { id: operationId } })).ok()
    expect([state.status, state.error]).toEqual([
      'failed',
      expect.stringContaining('Other work has the tenant'),
    ])
  })
  expect((await addressOf(other)).password).toBe(password)
  await setBusy(null)
})

test("every tenant's at once", async () => {
  const before = await Promise.all([tenant, other].map(addressOf))
  const asked = await Promise.all(
    Array.from({ length: 8 }, () => product.operator.call(changeDatabasePasswords, {})),
  )
  const begun = asked.filter(({ status }) => status < 300)
  expect(begun).toHaveLength(1) // however often it is asked for meanwhile
  expect(asked.filter(({ status }) => status === 409)).toHaveLength(7)
  const { operationId } = begun[0]!.ok()
  const again = await product.operator.call(changeDatabasePasswords, {})
  expect([again.error.code, again.error.details]).toEqual(['CONFLICT', { operationId }])
  await done(operationId)
  for (const [index, of] of [tenant, other].entries()) {
    const { password } = await addressOf(of)
    expect(password).not.toBe(before[index]?.password)
    expect((await of.admin.call(listCompanies, {})).status).toBe(200)
  }
  // The run's other way in: the pooler learns of it by itself.
  expect(inject('poolerUrl') === '' || (await tenant.admin.call(listCompanies, {})).status === 200).toBe(true)
})

test('an unknown tenant is 404, and only owners may', async () => {
  const params = { id: '00000000-0000-4000-8000-000000000000' }
  expect((await product.operator.call(changeDatabasePassword, { params })).status).toBe(404)
  expect((await tenant.admin.call(changeDatabasePassword, { params: { id: tenant.id } })).status).toBe(401)
})
