import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  closePeriod,
  createJournalEntries,
  createJournalEntry,
  postJournalEntry,
  reopenPeriod,
  reverseJournalEntry,
} from '../erp/ledger/contract.ts'
import {
  addCompany,
  addUser,
  asSuperuser,
  entryBody,
  findings,
  periodNamed,
  postEntry,
  query,
  signInTo,
  snapshot,
} from '../testing/books.ts'
import type { Client } from '../testing/client.ts'
import { eventually } from '../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { me } from '../erp/identity/contract.ts'

let product: TestProduct
let tenant: TestTenant
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
})
afterAll(() => product.stop())

const keyed = (key: string): Record<string, string> => ({ 'idempotency-key': key })
const entries = async (): Promise<number> => (await snapshot(product, tenant) as { entries: number }).entries // prettier-ignore
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('the same key and body get the same answer, and the work is done once', async () => {
  const key = randomUUID()
  const body = entryBody('10')
  const first = await admin.call(createJournalEntry, { body }, keyed(key))
  const count = await entries()
  const again = await admin.call(createJournalEntry, { body }, keyed(key))
  expect([again.status, again.body]).toEqual([201, first.body])
  expect(await entries()).toBe(count)
  // Control: without the key it is another entry.
  await admin.call(createJournalEntry, { body })
  expect(await entries()).toBe(count + 1)
})

test('another request with the same key is refused', async () => {
  const key = randomUUID()
  const { id } = (await admin.call(createJournalEntry, { body: entryBody('10') }, keyed(key))).ok()
  const before = await snapshot(product, tenant)
  const others = [
    await admin.call(createJournalEntry, { body: entryBody('10.01') }, keyed(key)),
    await admin.call(createJournalEntry, { body: entryBody('10', { status: 'draft' }) }, keyed(key)),
    await admin.call(createJournalEntries, { body: { journalEntries: [entryBody('10')] } }, keyed(key)),
    await admin.call(reverseJournalEntry, { params: { id }, body: { transactionDate: '2026-03-20', reason: 'x' } }, keyed(key)), // prettier-ignore
  ]
  expect(others.map(({ status, error }) => `${status} ${error.code}`)).toEqual(
    Array.from({ length: 4 }, () => '422 IDEMPOTENCY_KEY_REUSED'),
  )
  expect(await snapshot(product, tenant)).toEqual(before)
})

test('50 requests with one key at the same moment: one entry, the same answer for all', async () => {
  const key = randomUUID()
  const count = await entries()
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => admin.call(createJournalEntry, { body: entryBody('50') }, keyed(key))),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
  expect(await entries()).toBe(count + 1)
})

test('50 drafts with one key, which are not joined: one draft', async () => {
  const key = randomUUID()
  const before = (await snapshot(product, tenant)) as { drafts: number }
  const body = entryBody('50', { status: 'draft' })
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => admin.call(createJournalEntry, { body }, keyed(key))),
  )
  expect(new Set(answers.map(({ body: answer }) => JSON.stringify(answer))).size).toBe(1)
  expect(answers[0]?.status).toBe(201)
  expect(await snapshot(product, tenant)).toMatchObject({ drafts: before.drafts + 1 })
})

test('one key with two bodies at the same moment: one of them wins, the other is refused', async () => {
  const key = randomUUID()
  const count = await entries()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      admin.call(createJournalEntry, { body: entryBody(index % 2 ? '1' : '2') }, keyed(key)),
    ),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(10)
  expect(await entries()).toBe(count + 1)
})

test('posting and reversing honour it', async () => {
  const { id } = (await admin.call(createJournalEntry, { body: entryBody('3', { status: 'draft' }) })).ok()
  const key = randomUUID()
  const posted = await admin.call(postJournalEntry, { params: { id } }, keyed(key))
  const postedAgain = await admin.call(postJournalEntry, { params: { id } }, keyed(key))
  expect([postedAgain.status, postedAgain.body]).toEqual([200, posted.body])
  const body = { transactionDate: '2026-03-20', reason: 'x' }
  const other = randomUUID()
  const reversed = await admin.call(reverseJournalEntry, { params: { id }, body }, keyed(other))
  const reversedAgain = await admin.call(reverseJournalEntry, { params: { id }, body }, keyed(other))
  expect([reversedAgain.status, reversedAgain.body]).toEqual([201, reversed.body])
})

test('a refusal is not kept: once its cause is gone the same request goes through', async () => {
  const { id } = await periodNamed(admin, '2026-01')
  ;(await admin.call(closePeriod, { params: { id } })).ok()
  const key = randomUUID()
  const body = entryBody('4', { transactionDate: '2026-01-20' })
  const refused = await admin.call(createJournalEntry, { body }, keyed(key))
  expect(refused.refusals).toEqual(['transactionDate PERIOD_CLOSED'])
  ;(await admin.call(reopenPeriod, { params: { id }, query: { reason: 'late' } })).ok()
  expect((await admin.call(createJournalEntry, { body }, keyed(key))).status).toBe(201)
})

test("another user's and another company's same key are other keys", async () => {
  const key = randomUUID()
  const body = entryBody('5')
  const mine = (await admin.call(createJournalEntry, { body }, keyed(key))).ok()
  const { client: bob } = await addUser(product, tenant, 'bob@books.example', 'Accountant')
  const bobs = (await bob.call(createJournalEntry, { body }, keyed(key))).ok()
  expect(bobs.id).not.toBe(mine.id)

  const companyId = await addCompany(product, tenant, 'SECOND')
  const { email } = (await admin.call(me)).ok()
  const { client: there } = await signInTo(product, tenant, email, companyId)
  const elsewhere = (await there.call(createJournalEntry, { body }, keyed(key))).ok()
  expect(elsewhere.number).toBe('JE/2026/000001')
  expect(elsewhere.id).not.toBe(mine.id)
})

test.each([['a b'], ['x'.repeat(201)], ['é']])('the key %j is refused', async (key) => {
  const answer = await admin.call(createJournalEntry, { body: entryBody('1') }, keyed(key))
  expect([answer.status, answer.refusals]).toEqual([400, ['Idempotency-Key FORMAT']])
})

const COMES_TO_THE_KEY_MS = 2_000

/** What another process does with the same key: it has written it, but not yet committed. */
async function elsewhereWith<Result>(key: string, end: 'COMMIT' | 'ROLLBACK', work: () => Promise<Result>) {
  const { id, companyId } = (await admin.call(me)).ok()
  return asSuperuser(product, tenant, async (client) => {
    await client.query('BEGIN')
    await client.query(
      `INSERT INTO core.idempotency_key (scope, key, operation, request_hash, status, response)
       VALUES ($1, $2, 'createJournalEntry', '\\x00', 201, '{}')`,
      [`user:${id}:${companyId}`, key],
    )
    const working = work()
    // Long enough for ours to meet it, whatever comes before.
    await Promise.race([working, pause(COMES_TO_THE_KEY_MS)])
    await client.query(end)
    return working
  })
}

describe('another process takes the key at the same moment', () => {
  test('and keeps it: ours finds its answer and writes nothing', async () => {
    const key = randomUUID()
    const count = await entries()
    await elsewhereWith(key, 'COMMIT', async () => {
      const answer = await admin.call(createJournalEntry, { body: entryBody('6') }, keyed(key))
      expect([answer.status, answer.error.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
    })
    expect(await entries()).toBe(count)
  })

  test('and fails: ours goes through', async () => {
    const key = randomUUID()
    const count = await entries()
    await elsewhereWith(key, 'ROLLBACK', async () => {
      const answer = await admin.call(createJournalEntry, { body: entryBody('6') }, keyed(key))
      expect(answer.status).toBe(201)
    })
    expect(await entries()).toBe(count + 1)
  })
})

// ---- requests that are joined in one transaction -------------------------------------------------------

/**
 * Holds the number counter, so that some first postings wait in transactions of their own, and those which
 * come meanwhile gather behind them in one group.
 */
async function gathered<Result>(work: () => Promise<Result>): Promise<Result> {
  return asSuperuser(product, tenant, async (client) => {
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM finance.number_series FOR UPDATE')
    // More than the runner carries out at once: the last of them waits already.
    const first = []
    for (let count = 0; count < 3; count++) {
      first.push(postEntry(admin, '1'))
      await pause(100)
    }
    const working = work()
    await pause(300)
    await client.query('ROLLBACK')
    await Promise.all(first)
    return working
  })
}

const transactionsOf = async (ids: readonly string[]): Promise<number> => {
  const text = 'SELECT count(DISTINCT xmin::text)::int AS count FROM finance.journal_entry WHERE id = ANY($1)'
  const [row] = await query<{ count: number }>(product, tenant, text, [ids])
  return row?.count ?? 0
}

describe('joined postings', () => {
  test('the wrong ones get their own refusals, the others stand, each under its own name', async () => {
    await query(product, tenant, `INSERT INTO core.role (name, permissions) VALUES ('Clerk', '{journal-entries:add}')`) // prettier-ignore
    const { client: clerk } = await addUser(product, tenant, 'clerk@books.example', 'Clerk')
    const users = [
      await addUser(product, tenant, 'cleo@books.example', 'Accountant'),
      await addUser(product, tenant, 'dan@books.example', 'Accountant'),
    ]
    const lines = [{ accountCode: '1190', debit: '1' }, { accountCode: '4110', credit: '2' }] // prettier-ignore
    const key = randomUUID()
    const [cleos, wrong, clerks, dans, none, keyed1, keyed2] = await gathered(() =>
      Promise.all([
        users[0]!.client.call(createJournalEntry, { body: entryBody('11') }, { 'x-request-id': 'cleos-request' }), // prettier-ignore
        admin.call(createJournalEntry, { body: entryBody('1', { lines }) }),
        clerk.call(createJournalEntry, { body: entryBody('12') }),
        users[1]!.client.call(createJournalEntry, { body: entryBody('13') }),
        admin.call(createJournalEntry, { body: entryBody('1', { transactionDate: '2031-01-01' }) }),
        admin.call(createJournalEntry, { body: entryBody('14') }, keyed(key)),
        admin.call(createJournalEntry, { body: entryBody('14') }, keyed(key)),
      ]),
    )
    expect(wrong.refusals).toEqual(['lines UNBALANCED'])
    expect(none.refusals).toEqual(['transactionDate NO_PERIOD'])
    expect([clerks.status, clerks.error.code]).toEqual([403, 'PERMISSION_DENIED'])
    expect([keyed2.status, keyed2.body]).toEqual([201, keyed1.body])
    const [cleo, dan, keyedEntry] = [cleos.ok(), dans.ok(), keyed1.ok()]
    expect(await transactionsOf([cleo.id, dan.id, keyedEntry.id])).toBe(1)

    const actors = await query<{ id: string; actor: string; request: string }>(
      product,
      tenant,
      `SELECT entity_id AS id, actor_id AS actor, request_id AS request FROM audit.change
       WHERE action = 'post' AND entity_id = ANY($1)`,
      [[cleo.id, dan.id]],
    )
    expect(actors.find(({ id }) => id === cleo.id)).toMatchObject({ actor: users[0]!.id, request: 'cleos-request' }) // prettier-ignore
    expect(actors.find(({ id }) => id === dan.id)).toMatchObject({ actor: users[1]!.id })
    const posters = await query<{ posted_by: string }>(product, tenant, 'SELECT posted_by FROM finance.journal_entry WHERE id = ANY($1) ORDER BY total', [[cleo.id, dan.id]]) // prettier-ignore
    expect(posters.map(({ posted_by }) => posted_by)).toEqual(users.map(({ id }) => id))
  })

  test('more than a group holds: all are posted, in few transactions', async () => {
    const answers = await gathered(() =>
      Promise.all(
        Array.from({ length: 150 }, () => admin.call(createJournalEntry, { body: entryBody('1') })),
      ),
    )
    const ids = answers.map((answer) => answer.ok().id)
    expect(new Set(ids).size).toBe(150)
    // How many arrive together depends on the machine's load; alone would be 150.
    expect(await transactionsOf(ids)).toBeLessThanOrEqual(75)
  })

  test('what only the database refuses undoes the group, and each is tried alone', async () => {
    const { id } = await periodNamed(admin, '2026-01')
    const [january, march] = await asSuperuser(product, tenant, async (client) => {
      await client.query('BEGIN')
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [id])
      const working = gathered(() =>
        Promise.all([
          admin.call(createJournalEntry, { body: entryBody('21', { transactionDate: '2026-01-15' }) }),
          admin.call(createJournalEntry, { body: entryBody('22') }),
        ]),
      )
      await pause(800)
      await client.query("UPDATE finance.period SET status = 'closed' WHERE id = $1", [id])
      await client.query('COMMIT')
      return working
    })
    expect(january.refusals).toEqual(['transactionDate PERIOD_CLOSED'])
    expect(march.ok().totalDebit).toBe('22.00')
  })

  describe('whose connection is lost', () => {
    const cutOff = (statement: string): string => `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '${statement}%'`

    test('before the COMMIT: nothing stands, and it is done again by itself, once', async () => {
      const count = await entries()
      const answers = await asSuperuser(product, tenant, async (client) => {
        await client.query('BEGIN')
        await client.query('SELECT 1 FROM finance.number_series FOR UPDATE')
        const working = Promise.all(
          ['31', '32', '33'].map((amount) => admin.call(createJournalEntry, { body: entryBody(amount) })),
        )
        await pause(500)
        expect((await client.query(cutOff('WITH input'))).rowCount).toBe(1)
        await client.query('ROLLBACK')
        return working
      })
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
      expect(await entries()).toBe(count + 3)
    })

    test('while the COMMIT is under way: 503, and nothing is done twice', async () => {
      const key = randomUUID()
      const count = await entries()
      const answers = await elsewhereWith(key, 'ROLLBACK', () =>
        asSuperuser(product, tenant, async (client) => {
          await client.query('BEGIN')
          await client.query('SELECT 1 FROM finance.number_series FOR UPDATE')
          const first = postEntry(admin, '40')
          await pause(200)
          const working = Promise.all([
            admin.call(createJournalEntry, { body: entryBody('41') }, keyed(key)),
            admin.call(createJournalEntry, { body: entryBody('42') }),
          ])
          await pause(200)
          await client.query('ROLLBACK')
          await first
          // The COMMIT has been sent behind this one.
          const keeping = cutOff('INSERT INTO core.idempotency_key')
          await eventually(async () => expect((await client.query(keeping)).rowCount).toBe(1))
          return working
        }),
      )
      expect(answers.map(({ status }) => status)).toEqual([503, 503])
      expect(await entries()).toBe(count + 1)
    })
  })

  test('the books are whole after it all', async () => {
    expect(await findings(product, tenant)).toEqual([])
  })
})
