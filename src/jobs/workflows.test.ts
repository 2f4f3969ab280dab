/** Who is alive: a process proves it by a lock that dies with it, and gets it back when its connection was cut. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { addressOf, withClient } from '../tenancy/databases.ts'
import { eventually } from '../testing/process.ts'
import { isTakenOver, Workflows } from './workflows.ts'

const database = `workflows_test_${randomBytes(4).toString('hex')}`
const admin = addressOf(inject('adminUrl'), false)
const address = { ...admin, database }
const messages: string[] = []
const workflows = new Workflows({
  database: address,
  log: (level, message) => messages.push(`${level} ${message}`),
  takeOverEveryMs: 200,
})
let attempts = 0
const count = DBOS.registerWorkflow(
  async (times: number) => {
    for (let step = 1; step <= times; step++) {
      await DBOS.runStep(async () => void attempts++, { name: `step ${step}` })
    }
    return times
  },
  { name: 'test-count' },
)
const fail = DBOS.registerWorkflow(
  async () => {
    await DBOS.runStep(async () => Promise.reject(new Error('as it should')), { name: 'failing' })
  },
  { name: 'test-fail' },
)

let undone = 0
const handedOver = DBOS.registerWorkflow(
  async (heedsIt: boolean) => {
    const id = DBOS.workflowID
    const giveAway = (client: { query: (text: string, values: unknown[]) => Promise<unknown> }) =>
      client.query(`UPDATE dbos.workflow_status SET owner_xid = 'another' WHERE workflow_uuid = $1`, [id])
    try {
      await DBOS.runStep(() => withClient(address, giveAway).then(() => {}), { name: 'given away' })
    } catch (error) {
      if (heedsIt && isTakenOver(error)) throw error
      await DBOS.runStep(async () => void undone++, { name: 'undoing' })
      throw error
    }
  },
  { name: 'test-handed-over' },
)

beforeAll(async () => {
  await withClient(admin, (client) => client.query(`CREATE DATABASE ${database} STRATEGY file_copy`))
  await workflows.start()
})
afterAll(async () => {
  await workflows.stop()
  await withClient(admin, (client) => client.query(`DROP DATABASE ${database} WITH (FORCE)`))
})

function locksHeld(): Promise<number[]> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
       WHERE locktype = 'advisory' AND granted AND classid = 7241861 AND datname = current_database()`,
    )
    return rows.map(({ pid }) => pid)
  })
}

describe('a workflow', () => {
  test('tells its steps and its end', async () => {
    const handle = await DBOS.startWorkflow(count, { workflowID: 'count-3' })(3)
    expect(await handle.getResult()).toBe(3)
    const state = await workflows.state('count-3')
    expect(state).toMatchObject({ kind: 'test-count', status: 'done', error: null })
    expect(state?.finishedSteps.map(({ name }) => name)).toEqual(['step 1', 'step 2', 'step 3'])
  })

  test('started again under its name is not done again', async () => {
    const before = attempts
    const handle = await DBOS.startWorkflow(count, { workflowID: 'count-3' })(3)
    expect(await handle.getResult()).toBe(3)
    expect(attempts).toBe(before)
  })

  test('that failed says why', async () => {
    const handle = await DBOS.startWorkflow(fail, { workflowID: 'fail-1' })()
    await expect(handle.getResult()).rejects.toThrow('as it should')
    expect(await workflows.state('fail-1')).toMatchObject({ status: 'failed', error: 'as it should' })
  })

  test('that never was is nothing', async () => {
    expect(await workflows.state('nowhere')).toBeUndefined()
  })
})

describe('proof of life', () => {
  test('is one lock', async () => {
    expect(await locksHeld()).toHaveLength(1)
  })

  test('is taken again when its connection was cut, however often', { timeout: 30_000 }, async () => {
    for (let round = 1; round <= 2; round++) {
      const [before] = await locksHeld()
      await withClient(admin, (client) => client.query('SELECT pg_terminate_backend($1, 2000)', [before]))
      await eventually(async () => {
        const held = await locksHeld()
        expect(held).toHaveLength(1)
        expect(held[0]).not.toBe(before)
      }, 10_000)
    }
  })

  test(
    'is taken again after the database was away for longer than one attempt',
    { timeout: 30_000 },
    async () => {
      const [before] = await locksHeld()
      await withClient(admin, async (client) => {
        await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`)
        await client.query('SELECT pg_terminate_backend($1, 2000)', [before])
        await sleep(3_500)
        await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`)
      })
      await eventually(async () => expect(await locksHeld()).toHaveLength(1), 10_000)
    },
  )
})

describe('taking over', () => {
  const unfinished = (id: string, executor: string): Promise<unknown> =>
    withClient(address, async (client) => {
      // As a process leaves it that dies behind its second step.
      await (await DBOS.startWorkflow(count, { workflowID: id })(4)).getResult()
      await client.query(
        `UPDATE dbos.workflow_status SET status = 'PENDING', output = NULL, executor_id = $2 WHERE workflow_uuid = $1`,
        [id, executor],
      )
      await client.query('DELETE FROM dbos.operation_outputs WHERE workflow_uuid = $1 AND function_id >= 2', [
        id,
      ])
    })

  test(
    'what a dead process left is finished, its finished steps are not repeated',
    { timeout: 30_000 },
    async () => {
      await unfinished('orphan', 'a-process-that-is-gone')
      const before = attempts
      await eventually(async () => expect((await workflows.state('orphan'))?.status).toBe('done'), 20_000)
      expect(attempts - before).toBe(2)
      expect(messages.some((message) => message.includes('Taking over 1 workflow'))).toBe(true)
    },
  )

  test(
    'whoever has lost a workflow to another process undoes nothing of it',
    { timeout: 30_000 },
    async () => {
      const end = (id: string): Promise<unknown> =>
        withClient(address, (client) =>
          client.query(`UPDATE dbos.workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = $1`, [id]),
        )
      await DBOS.startWorkflow(handedOver, { workflowID: 'heedless' })(false)
      await eventually(async () => expect(undone).toBe(1), 10_000) // control: caught like any failure, it is undone
      await DBOS.startWorkflow(handedOver, { workflowID: 'heedful' })(true)
      await sleep(1_500)
      expect(undone).toBe(1)
      await Promise.all([end('heedless'), end('heedful')])
    },
  )

  test('what a living process is at is left to it', { timeout: 30_000 }, async () => {
    const other = 'a-process-that-lives'
    await withClient(address, async (client) => {
      await client.query(
        "SELECT pg_advisory_lock(7241861, ('x' || left(encode(sha256($1::text::bytea), 'hex'), 8))::bit(32)::int)",
        [other],
      )
      await unfinished('busy', other)
      await sleep(1_500)
      expect((await workflows.state('busy'))?.status).toBe('running')
    })
    // Control: its lock has gone with its connection; now it is taken over.
    await eventually(async () => expect((await workflows.state('busy'))?.status).toBe('done'), 20_000)
  })
})
