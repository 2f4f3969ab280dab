/** Tenants go from one PostgreSQL server to another while their users work: two real servers, two processes. */
import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Static } from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { checkBooks } from '../../erp/checks/books.ts'
import { me } from '../../erp/identity/contract.ts'
import { createJournalEntry } from '../../erp/ledger/contract.ts'
import { DatabaseServer, withClient } from '../../tenancy/databases.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { SYSTEM } from '../../server/product.ts'
import { Client } from '../../testing/client.ts'
import { entryBody } from '../../testing/entries.ts'
import { eventually, startProcess, type ServerProcess } from '../../testing/process.ts'
import {
  SECRET_KEY,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { startSecondServer, type SecondServer } from '../../testing/servers.ts'
import { getOperation } from '../operations/contract.ts'
import { changeServer, getServer, removeServer } from '../servers/contract.ts'
import { getTenant, suspendTenant } from '../tenants/contract.ts'
import { dropKeptCopy, getMove, listMoves, moveTenant, undoMove, type Move } from './contract.ts'

let secondPostgres: SecondServer
let product: TestProduct
/** Another process of the same platform, which learns of moves by their announcements only. */
let other: ServerProcess
let second: DatabaseServer
let firstId: string
let secondId: string
/** What a test does at a step. */
let atStep: (step: string, moment: 'before' | 'after') => void | Promise<void> = () => {}

beforeAll(async () => {
  const environment = testEnvironment()
  secondPostgres = await startSecondServer()
  product = await startTestProduct({ holdMaximumMs: HOLD_MAXIMUM_MS }, { atStep: (step, moment) => atStep(step, moment), compensationAttempts: 3 }, environment) // prettier-ignore
  other = await startProcess(environment)
  secondId = await secondPostgres.register(product.operator)
  firstId = (await product.servers.list())[0]!.id
  second = new DatabaseServer(secondPostgres.admin, new Secrets(SECRET_KEY))
})
afterAll(async () => {
  await other.stop()
  await product.stop()
  await second.close()
  await secondPostgres.stop()
})
beforeEach(() => void (atStep = () => {}))

type MoveData = Static<typeof Move>
const HOLD_MAXIMUM_MS = 8_000

const databaseOf = (tenant: TestTenant): string => `erp_tenant_${tenant.code.toLowerCase()}`

async function livesOn(tenant: TestTenant): Promise<string[]> {
  const database = databaseOf(tenant)
  const [here, there] = await Promise.all([product.server.exists(database), second.exists(database)])
  return [...(here ? ['first'] : []), ...(there ? ['second'] : [])]
}

async function begin(tenant: TestTenant, serverId: string): Promise<MoveData> {
  const answer = await product.operator.call(moveTenant, { params: { id: tenant.id }, body: { serverId } })
  expect(answer.status).toBe(202)
  return answer.ok()
}

async function ended(move: MoveData): Promise<MoveData> {
  return eventually(async () => {
    const params = { id: move.tenantId, moveId: move.id }
    const now = (await product.operator.call(getMove, { params })).ok()
    expect(now.status).not.toBe('running')
    const operation = (await product.operator.call(getOperation, { params: { id: move.operationId } })).ok()
    expect(operation.status).toMatch(/^(done|failed)$/)
    return now
  }, 60_000)
}

const move = async (tenant: TestTenant, serverId: string): Promise<MoveData> =>
  ended(await begin(tenant, serverId))

async function undo(done: MoveData): Promise<MoveData> {
  const params = { id: done.tenantId, moveId: done.id }
  const answer = await product.operator.call(undoMove, { params })
  expect(answer.status).toBe(202)
  return ended(answer.ok())
}

async function tenantWithBooks(entries = 20): Promise<TestTenant> {
  const tenant = await product.createTenant()
  for (let n = 1; n <= entries; n++) await post(tenant.admin, `entry-${n}`)
  return tenant
}

async function post(client: Client, key: string): Promise<void> {
  const body = entryBody(`${randomInt(1, 999)}.25`, key)
  ;(await client.call(createJournalEntry, { body }, { 'idempotency-key': key })).ok()
}

/** What each entry was posted for, from the tenant's database itself, wherever it is. */
async function entriesIn(address: DatabaseAddress): Promise<string[]> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<{ description: string }>(
      'SELECT description FROM finance.journal_entry ORDER BY sequence',
    )
    return rows.map(({ description }) => description)
  })
}

async function booksHold(tenant: TestTenant): Promise<void> {
  const { location } = (await product.directory.byId(tenant.id))!
  expect(await product.gate.readTenant(location, tenant.companyId, SYSTEM, checkBooks)).toEqual([])
}

describe('a move', () => {
  test('takes everything along, says how far it is, and keeps the old database shut', async () => {
    const tenant = await tenantWithBooks()
    const before = await entriesIn(product.server.migratorAddress(databaseOf(tenant)))
    expect(await livesOn(tenant)).toEqual(['first'])
    const begun = await begin(tenant, secondId)
    expect(begun).toMatchObject({ status: 'running', fromServerName: 'main', toServerName: 'second' })
    const done = await ended(begun)
    expect(done).toMatchObject({ status: 'done', error: null, fromServerId: firstId, toServerId: secondId })
    expect(done.rows).toBeGreaterThan(before.length)
    expect(done.tables).toBeGreaterThan(20)
    expect(done.ledgerChecksum).toMatch(/^[0-9a-f]{32}$/)
    expect(done.heldMilliseconds).toBeGreaterThan(0)
    const operation = (await product.operator.call(getOperation, { params: { id: begun.operationId } })).ok()
    expect(operation).toMatchObject({ kind: 'move-tenant', status: 'done', progress: 1 })
    expect(operation.steps.map(({ name }) => name)).toEqual([
      'copy', 'catch up', 'hold', 'last rows', 'compare', 'switch', 'finish',
    ]) // prettier-ignore

    expect(await livesOn(tenant)).toEqual(['second'])
    expect((await tenant.admin.call(me)).ok()).toMatchObject({ role: 'Administrator' })
    expect(await entriesIn(second.migratorAddress(databaseOf(tenant)))).toEqual(before)
    await post(tenant.admin, 'after-the-move')
    await booksHold(tenant)
    const shown = (await product.operator.call(getTenant, { params: { id: tenant.id } })).ok()
    expect(shown.serverId).toBe(secondId)

    const [kept] = await product.server.databaseNames(`erp_moved_${begun.id.replaceAll('-', '')}`)
    expect(kept).toBeDefined()
    await expect(entriesIn(product.server.migratorAddress(kept!))).rejects.toMatchObject({ code: '55000' })
    expect(new Date(done.keptUntil!).getTime()).toBeGreaterThan(Date.now() + 6 * 86_400_000)
  })

  test(
    'under posting load from two processes loses nothing, doubles nothing, and nobody is refused',
    { timeout: 120_000 },
    async () => {
      const tenant = await tenantWithBooks(3)
      const acknowledged: string[] = []
      const refused: string[] = []
      let longestMs = 0
      let isOver = false
      onTestFinished(() => void (isOver = true))
      const writer = async (url: string): Promise<void> => {
        const client = new Client(url, tenant.admin.options)
        while (!isOver && refused.length === 0) {
          const key = randomUUID()
          const startedAt = performance.now()
          const answer = await client.call(
            createJournalEntry, { body: entryBody('10.50', key) }, { 'idempotency-key': key }
          ) // prettier-ignore
          longestMs = Math.max(longestMs, performance.now() - startedAt)
          if (answer.status === 201) acknowledged.push(key)
          else refused.push(`${answer.status} ${JSON.stringify(answer.body)}`)
        }
      }
      const reader = async (url: string): Promise<void> => {
        const client = new Client(url, tenant.admin.options)
        while (!isOver && refused.length === 0) {
          const answer = await client.call(me)
          if (answer.status !== 200) refused.push(`${answer.status} ${JSON.stringify(answer.body)}`)
          await sleep(5)
        }
      }
      const urls = [product.url, other.url]
      const all = [...urls, ...urls].map(writer).concat(urls.map(reader))
      await sleep(1_000)
      const there = await move(tenant, secondId)
      await sleep(1_000)
      const afterFirst = acknowledged.length
      const back = await undo(there) // with all that was written since
      await sleep(1_000)
      isOver = true
      await Promise.all(all)
      expect(refused).toEqual([])
      expect([there.status, back.status]).toEqual(['done', 'done'])
      expect(afterFirst).toBeGreaterThan(20) // control: they did write
      expect(acknowledged.length).toBeGreaterThan(afterFirst)
      expect(await livesOn(tenant)).toEqual(['first'])
      const entries = await entriesIn(product.server.migratorAddress(databaseOf(tenant)))
      expect(entries.slice(3).toSorted()).toEqual(acknowledged.toSorted())
      expect(longestMs).toBeLessThan(10_000)
      await booksHold(tenant)
      const steps = (await product.operator.call(getOperation, { params: { id: back.operationId } })).ok()
        .steps
      const took = steps.map(
        ({ name, startedAt, finishedAt }) => `${name} ${Date.parse(finishedAt!) - Date.parse(startedAt!)}`,
      )
      process.stdout.write(`steps of the way back, ms: ${took.join(', ')}\n`)
      process.stdout.write(
        `move under load: writes held ${there.heldMilliseconds} ms and ${back.heldMilliseconds} ms, slowest posting ${Math.round(longestMs)} ms, ${acknowledged.length} postings\n`,
      )
    },
  )

  test('of a suspended tenant is a move like any other', async () => {
    const tenant = await tenantWithBooks(1)
    const params = { id: tenant.id }
    await product.operator.call(suspendTenant, { params, body: { reason: 'not paid' } })
    expect((await move(tenant, secondId)).status).toBe('done')
    expect(await livesOn(tenant)).toEqual(['second'])
    expect((await tenant.admin.call(me)).status).toBe(403)
  })
})

describe('before the switch', () => {
  const working = (id: string): DatabaseAddress =>
    second.migratorAddress(`erp_moving_${id.replaceAll('-', '')}`)

  test.each([
    [
      'a row is another',
      `ALTER TABLE finance.journal_line DISABLE TRIGGER USER; UPDATE finance.journal_line SET description = 'x' WHERE line_number = 1; ALTER TABLE finance.journal_line ENABLE TRIGGER USER`,
      'finance.journal_line has other rows',
    ],
    [
      'a row is missing',
      `ALTER TABLE finance.journal_line DISABLE TRIGGER USER; DELETE FROM finance.journal_line WHERE line_number = 1; ALTER TABLE finance.journal_line ENABLE TRIGGER USER`,
      'finance.journal_line has',
    ],
    ['an index is missing', 'DROP INDEX finance.journal_line_account', 'missing: index'],
  ])('what is compared decides: %s', async (_what, damage, reason) => {
    const tenant = await tenantWithBooks(2)
    const before = await entriesIn(product.server.migratorAddress(databaseOf(tenant)))
    let id = ''
    atStep = async (step, moment) => {
      if (step === 'move compare' && moment === 'before') await withClient(working(id), (client) => client.query(damage)) // prettier-ignore
    }
    const begun = await begin(tenant, secondId)
    id = begun.id
    const failed = await ended(begun)
    expect(failed.status).toBe('failed')
    expect(failed.error).toContain('The copy differs')
    expect(failed.error).toContain(reason)
    await leftAlone(tenant, failed, before)
    // Control: without the damage it goes.
    atStep = () => {}
    expect((await move(tenant, secondId)).status).toBe('done')
  })

  test('writes are held no longer than allowed: given up, and they go on', { timeout: 90_000 }, async () => {
    const tenant = await tenantWithBooks(2)
    const before = await entriesIn(product.server.migratorAddress(databaseOf(tenant)))
    atStep = async (step, moment) => {
      if (step === 'move last rows' && moment === 'after') await sleep(HOLD_MAXIMUM_MS)
    }
    const failed = await move(tenant, secondId)
    expect(failed.status).toBe('failed')
    expect(failed.error).toMatch(/Writes were held for/)
    await leftAlone(tenant, failed, before)
  })

  test('a step that always fails ends it, whichever it is', { timeout: 240_000 }, async () => {
    for (const failing of ['copy', 'catch up', 'hold', 'last rows', 'compare', 'switch']) {
      const tenant = await tenantWithBooks(2)
      const before = await entriesIn(product.server.migratorAddress(databaseOf(tenant)))
      atStep = (step, moment) => {
        if (step === `move ${failing}` && moment === 'before') throw new Error(`test: ${failing} fails`)
      }
      const failed = await move(tenant, secondId)
      expect(failed).toMatchObject({ status: 'failed', error: `test: ${failing} fails` })
      await leftAlone(tenant, failed, before)
      atStep = () => {}
    }
  })

  async function leftAlone(tenant: TestTenant, failed: MoveData, before: string[]): Promise<void> {
    expect(await livesOn(tenant)).toEqual(['first'])
    expect(await second.databaseNames(`erp_moving_${failed.id.replaceAll('-', '')}`)).toEqual([])
    const { user } = await (await product.directory.byId(tenant.id))!.location.address()
    const roles = await withClient(secondPostgres.admin, async (client) => {
      return (await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [user])).rowCount
    })
    expect(roles).toBe(0)
    await post(tenant.admin, 'afterwards') // and people work on
    expect(await entriesIn(product.server.migratorAddress(databaseOf(tenant)))).toEqual([
      ...before,
      'afterwards',
    ])
    await booksHold(tenant)
  }
})

describe('undoing', () => {
  test('a move after which nothing was written leaves the books as they were', async () => {
    const tenant = await tenantWithBooks(4)
    const done = await move(tenant, secondId)
    const here = await product.server.databaseNames('erp_moved_')
    const back = await undo(done)
    expect(back).toMatchObject({ status: 'done', undoesId: done.id, toServerId: firstId })
    expect(await livesOn(tenant)).toEqual(['first'])
    const params = { id: tenant.id, moveId: done.id }
    expect((await product.operator.call(getMove, { params })).ok()).toMatchObject({
      status: 'undone',
      keptUntil: null,
    })
    // The kept copy was taken, not copied anew.
    expect((await product.server.databaseNames('erp_moved_')).length).toBe(here.length - 1)
    await booksHold(tenant)
  })

  test('brings back what was written, changed and deleted since', async () => {
    const tenant = await tenantWithBooks(3)
    const done = await move(tenant, secondId)
    for (let n = 1; n <= 5; n++) await post(tenant.admin, `on-the-second-${n}`)
    const on = second.migratorAddress(databaseOf(tenant))
    await withClient(on, (client) =>
      client.query(
        `DELETE FROM core.idempotency_key WHERE key = 'entry-1'; UPDATE core.company SET legal_name = 'Another'`,
      ),
    )
    expect((await undo(done)).status).toBe('done')
    const at = product.server.migratorAddress(databaseOf(tenant))
    expect(await entriesIn(at)).toHaveLength(8)
    const [company] = await withClient(at, async (client) => (await client.query('SELECT legal_name FROM core.company')).rows) // prettier-ignore
    expect(company).toEqual({ legal_name: 'Another' })
    await booksHold(tenant)
    await post(tenant.admin, 'and-on')
  })

  test('is for the last move only, and once', async () => {
    const tenant = await tenantWithBooks(1)
    const there = await move(tenant, secondId)
    const back = await move(tenant, firstId)
    const refused = await product.operator.call(undoMove, { params: { id: tenant.id, moveId: there.id } })
    expect([refused.status, refused.error.code]).toEqual([409, 'NOT_UNDOABLE'])
    expect((await undo(back)).status).toBe('done')
    const again = await product.operator.call(undoMove, { params: { id: tenant.id, moveId: back.id } })
    expect(again.status).toBe(409)
    const { moves } = (await product.operator.call(listMoves, { params: { id: tenant.id }, query: {} })).ok()
    expect(moves.map(({ status }) => status)).toEqual(['done', 'undone', 'done'])
  })

  test('works also when the old database was dropped: everything is copied', async () => {
    const tenant = await tenantWithBooks(2)
    const done = await move(tenant, secondId)
    const params = { id: tenant.id, moveId: done.id }
    const dropped = (await product.operator.call(dropKeptCopy, { params })).ok()
    expect(dropped.keptUntil).toBeNull()
    expect(await product.server.databaseNames(`erp_moved_${done.id.replaceAll('-', '')}`)).toEqual([])
    expect((await product.operator.call(dropKeptCopy, { params })).error.code).toBe('NOT_KEPT')
    expect((await undo(done)).status).toBe('done')
    expect(await livesOn(tenant)).toEqual(['first'])
    await booksHold(tenant)
  })
})

describe('is refused', () => {
  let tenant: TestTenant
  beforeAll(async () => void (tenant = await tenantWithBooks(1)))
  const asked = (serverId: string, id = tenant.id) =>
    product.operator.call(moveTenant, { params: { id }, body: { serverId } })

  test('to the server where the tenant is, to one that is not there, of a tenant that is not there', async () => {
    expect((await asked(firstId)).refusals).toEqual(['serverId SAME'])
    expect((await asked(newId())).refusals).toEqual(['serverId NO_ROOM'])
    expect((await asked(secondId, newId())).status).toBe(404)
  })

  test('to one that is draining or full; on its way a tenant takes its place', async () => {
    const params = { id: secondId }
    await product.operator.call(changeServer, { params, body: { state: 'draining' } })
    expect((await asked(secondId)).refusals).toEqual(['serverId NO_ROOM'])
    const { tenants } = (await product.operator.call(getServer, { params })).ok()
    await product.operator.call(changeServer, {
      params,
      body: { state: 'active', databaseLimit: tenants + 1 },
    })
    const another = await tenantWithBooks(1)
    const answers = await Promise.all([asked(secondId), asked(secondId, another.id)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 400])
    for (const answer of answers) if (answer.status === 202) await ended(answer.ok())
    await product.operator.call(changeServer, { params, body: { databaseLimit: null } })
  })

  test('while other work has the tenant; asked twice at once, one of them', async () => {
    const busy = await tenantWithBooks(1)
    const answers = await Promise.all([asked(secondId, busy.id), asked(secondId, busy.id)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409])
    const begun = answers.find(({ status }) => status === 202)
    const params = { id: busy.id, moveId: begun!.ok().id }
    await ended(begun!.ok())
    expect((await product.operator.call(getMove, { params })).ok().status).toBe('done')
  })

  test('for who may not; and a server whose copies are kept is not taken away', async () => {
    expect((await product.anonymous.call(moveTenant, { params: { id: tenant.id }, body: { serverId: secondId } })).status).toBe(401) // prettier-ignore
    const moved = await tenantWithBooks(1)
    const there = await move(moved, secondId)
    await undo(there)
    const answer = await product.operator.call(removeServer, { params: { id: secondId } })
    expect(answer.error.message).toContain('old database(s) of moved tenants are kept here')
  })
})

test('a kept copy is dropped when its time is up, and its role with it', async () => {
  const tenant = await tenantWithBooks(1)
  const done = await move(tenant, secondId)
  const { user } = await (await product.directory.byId(tenant.id))!.location.address()
  const left = async (): Promise<number> =>
    withClient(product.server.admin, async (client) => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_database WHERE datname = $1 UNION ALL SELECT FROM pg_roles WHERE rolname = $2`,
        [`erp_moved_${done.id.replaceAll('-', '')}`, user],
      )
      return rowCount ?? 0
    })
  expect(await left()).toBe(2) // control: before its time both are there
  await product.moving.tend()
  expect(await left()).toBe(2)
  await withClient({ ...product.server.admin, database: new URL(product.configuration.databaseUrl!).pathname.slice(1) }, (client) =>
    client.query(`UPDATE platform.tenant_move SET kept_until = now() - interval '1 minute' WHERE id = $1`, [done.id]),
  ) // prettier-ignore
  await product.moving.tend()
  expect(await left()).toBe(0)
  expect((await tenant.admin.call(me)).status).toBe(200)
})
