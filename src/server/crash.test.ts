/**
 * A server and a PostgreSQL are killed with kill -9 at random moments while clients post. What was answered
 * is in the books, each key made one entry, numbers have no gap, and the books' own proofs hold. KILLS=200
 * makes a long run of it.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { addressOf, withClient } from '../tenancy/databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../tenancy/embedded.ts'
import { Client } from '../testing/client.ts'
import { entryBody } from '../testing/entries.ts'
import { Network } from '../testing/network.ts'
import { runErp, startProcess, type ServerProcess } from '../testing/process.ts'
import { environmentOn, signIn, signInAsOperator, tenantBody } from '../testing/product.ts'

const isWorkflows = (database: string): boolean => database.endsWith('_workflows')
const KILLS = Number(process.env['KILLS'] ?? 12)
const CLIENTS = 8
const TIMEOUT_MS = 120_000 + KILLS * 15_000
/** An entry that was not acknowledged for so long is a finding, not a reason to wait on. */
const PATIENCE_MS = 60_000

const directory = mkdtempSync(join(tmpdir(), 'erp-crash-'))
/** One address for a PostgreSQL that comes back on another port each time. */
const doorway = new Network({ host: '127.0.0.1', port: 0 })
let postgres: EmbeddedPostgres
let environment: Record<string, string>
let server: ServerProcess
let tenant: { code: string; email: string; token: string; database: string }

beforeAll(async () => {
  await doorway.open()
  await startDatabase()
  const url = new URL(postgres.adminUrl)
  url.port = String(doorway.port)
  environment = environmentOn(url.href, 'erp_platform', {
    DATA_DIR: join(directory, 'data'),
    // A server that waits longer hides most kills of its database from the clients, which are to be hurt here;
    // one that waits less does not even start on a machine that others keep busy.
    CONNECTION_WAIT_MS: '1000',
  })
  server = await startProcess(environment)
  const operator = await signInAsOperator(new Client(server.url))
  const body = tenantBody({ tenantCode: `CRASH_${randomBytes(3).toString('hex')}` })
  const { tenant: made } = (await operator.call(createTenant, { body })).ok()
  const { client } = await signIn(new Client(server.url).with({ tenant: body.tenantCode }), body.adminEmail)
  tenant = {
    code: body.tenantCode,
    email: body.adminEmail,
    token: client.options.token ?? '',
    database: made.databaseName ?? '',
  }
})
afterAll(async () => {
  await server?.stop()
  await postgres?.stop()
  await doorway.close()
  rmSync(directory, { recursive: true, force: true })
})

/** fsync stays on: what is tested is what is delivered. */
async function startDatabase(): Promise<void> {
  postgres = await startEmbeddedPostgres({ directory })
  doorway.target = { host: '127.0.0.1', port: Number(new URL(postgres.adminUrl).port) }
}

interface Posting {
  readonly key: string
  readonly body: ReturnType<typeof entryBody>
  readonly number: string
  readonly id: string
}

/** Clients that post until told to stop, each entry until it is acknowledged, always with the same key. */
class Clients {
  readonly acknowledged: Posting[] = []
  readonly wrong: string[] = []
  retries = 0
  #isOver = false
  readonly #done: Promise<void>[]

  constructor() {
    this.#done = Array.from({ length: CLIENTS }, () => this.#post())
  }

  async finish(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#done)
  }

  async #post(): Promise<void> {
    while (!this.#isOver) {
      const key = randomUUID()
      const body = entryBody(`${randomInt(1, 999)}.${randomInt(10, 99)}`, key)
      await this.#untilAcknowledged(key, body)
    }
  }

  async #untilAcknowledged(key: string, body: ReturnType<typeof entryBody>): Promise<void> {
    const giveUpAtMs = Date.now() + PATIENCE_MS
    for (;;) {
      // The server may be another one by now: its address is asked for each time.
      const client = new Client(server.url, { token: tenant.token, tenant: tenant.code })
      const answer = await client
        .call(createJournalEntry, { body }, { 'idempotency-key': key })
        .catch(() => undefined)
      if (answer?.status === 201) {
        const { number, id } = answer.ok()
        this.acknowledged.push({ key, body, number: number ?? '', id })
        return
      }
      // Cut off, or told to come again; anything else is no answer for a good posting.
      if (answer && answer.status !== 503) this.wrong.push(`${answer.status} ${JSON.stringify(answer.body)}`)
      this.retries++
      if (answer && answer.status !== 503 && this.wrong.length > 20) return
      if (Date.now() > giveUpAtMs) return void this.wrong.push('not acknowledged in time')
      await sleep(50)
    }
  }
}

interface Kept {
  readonly id: string
  readonly number: string
  readonly sequence: number
  readonly description: string
  readonly debit: string
}

function entriesKept(): Promise<Kept[]> {
  return withClient({ ...addressOf(postgres.adminUrl, false), database: tenant.database }, async (client) => {
    const { rows } = await client.query<Kept>(
      `SELECT e.id, e.number, e.sequence, e.description, sum(l.debit)::text AS debit
       FROM finance.journal_entry e JOIN finance.journal_line l ON l.entry_id = e.id
       GROUP BY e.id ORDER BY e.sequence`,
    )
    return rows
  })
}

async function proveNothingIsLost({ acknowledged, wrong }: Clients): Promise<void> {
  expect(wrong).toEqual([])
  const kept = await entriesKept()
  const byId = new Map(kept.map((entry) => [entry.id, entry]))
  expect(
    acknowledged.filter(
      ({ id, number, key }) => byId.get(id)?.number !== number || byId.get(id)?.description !== key,
    ),
  ).toEqual([])
  const byKey = Map.groupBy(kept, ({ description }) => description)
  expect([...byKey.values()].filter((entries) => entries.length > 1)).toEqual([])
  for (const { key } of acknowledged) expect(byKey.get(key)).toHaveLength(1)
  expect(kept.map(({ sequence }) => Number(sequence))).toEqual(kept.map((_, index) => index + 1))
  const check = await runErp(['check', tenant.code], environment)
  expect([check.code, check.stdout]).toEqual([0, expect.stringContaining('checks hold')])
}

async function proveItLivesOn(): Promise<void> {
  const diedOf = await Promise.race([server.exited.then(() => server.output()), sleep(100)])
  expect(diedOf, 'what the server died of').toBeUndefined()
}

describe('kill -9', () => {
  test(`of the server, ${KILLS} times`, { timeout: TIMEOUT_MS }, async () => {
    const clients = new Clients()
    const startsMs: number[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(randomInt(200, 800))
      await server.kill()
      const startedAt = Date.now()
      server = await startProcess(environment)
      startsMs.push(Date.now() - startedAt)
    }
    await sleep(300)
    await clients.finish()
    expect(clients.retries).toBeGreaterThan(KILLS) // control: it hurt
    expect(clients.acknowledged.length).toBeGreaterThan(KILLS * 2)
    expect(Math.max(...startsMs)).toBeLessThan(15_000)
    await proveNothingIsLost(clients)
  })

  test(`of PostgreSQL, ${KILLS} times, under a server that lives on`, { timeout: TIMEOUT_MS }, async () => {
    const before = (await entriesKept()).length
    const clients = new Clients()
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(randomInt(300, 1_000))
      const pid = Number(readFileSync(join(directory, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
      process.kill(pid, 'SIGKILL')
      await sleep(randomInt(0, 2_000))
      await startDatabase()
    }
    await sleep(1_000)
    await proveItLivesOn()
    await clients.finish()
    // Control: it hurt; less often than it was killed, for what was only beginning is begun again unseen.
    expect(clients.retries).toBeGreaterThan(KILLS / 2)
    expect(clients.acknowledged.length).toBeGreaterThan(KILLS * 2)
    await proveNothingIsLost(clients)
    expect((await entriesKept()).length - before).toBe(clients.acknowledged.length)
  })

  test('of PostgreSQL in the very moment in which it lets somebody in', { timeout: TIMEOUT_MS }, async () => {
    const clients = new Clients()
    for (const isMeant of [isWorkflows, (database: string) => !isWorkflows(database)]) {
      const before = doorway.endedCount
      doorway.endAsTheyBegin(isMeant)
      doorway.cut()
      do await proveItLivesOn()
      while (doorway.endedCount - before < 10)
      doorway.mend()
    }
    await clients.finish()
    await proveNothingIsLost(clients)
  })

  test('control: one entry taken out, or one posted twice, would be noticed', async () => {
    const clients = new Clients()
    await sleep(300)
    await clients.finish()
    const lost = { ...clients.acknowledged[0]!, id: randomUUID() }
    await expect(
      proveNothingIsLost({ ...clients, acknowledged: [lost], wrong: [] } as never),
    ).rejects.toThrow()
    const unknown = { ...clients.acknowledged[0]!, key: randomUUID() }
    await expect(
      proveNothingIsLost({ ...clients, acknowledged: [unknown], wrong: [] } as never),
    ).rejects.toThrow()
  })
})

describe('the same key', () => {
  test(
    'fifty times at once, half of them at a second process: one entry, one answer',
    { timeout: 60_000 },
    async () => {
      // Nothing is killed here: who is told to come again would be one answer more.
      const patient = { ...environment, CONNECTION_WAIT_MS: '10000' }
      const [first, second] = await Promise.all([startProcess(patient), startProcess(patient)])
      const before = (await entriesKept()).length
      for (let round = 0; round < 4; round++) {
        const key = randomUUID()
        const body = entryBody('10.00', key)
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            new Client(index % 2 ? first.url : second.url, {
              token: tenant.token,
              tenant: tenant.code,
            }).call(createJournalEntry, { body }, { 'idempotency-key': key }),
          ),
        )
        const texts = new Set(
          answers.map(({ status, body: answer }) => `${status} ${JSON.stringify(answer)}`),
        )
        expect([...texts].slice(1, 3), 'other answers than the first').toEqual([])
        expect([...texts][0]).toMatch(/^201 /)
        const other = await new Client(second.url, { token: tenant.token, tenant: tenant.code }).call(
        createJournalEntry, { body: entryBody('11.00', key) }, { 'idempotency-key': key },
      ) // prettier-ignore
        expect([other.status, other.error.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
      }
      expect((await entriesKept()).length - before).toBe(4)
      expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0])
    },
  )

  test('control: without a key each is an entry of its own', async () => {
    const before = (await entriesKept()).length
    const client = new Client(server.url, { token: tenant.token, tenant: tenant.code })
    await Promise.all(
      [1, 2, 3].map(() => client.call(createJournalEntry, { body: entryBody('10.00', 'no key') })),
    )
    expect((await entriesKept()).length - before).toBe(3)
  })
})
