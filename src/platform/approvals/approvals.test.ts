/** What cannot be undone waits for a second operator; it is done once, as it was asked for. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isDestructive } from '../../http/approvals/contract.ts'
import type { Operation } from '../../http/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { assertKeepable } from '../../server/routes.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { Client } from '../../testing/client.ts'
import { addOperator, type TestOperator } from '../../testing/operators.ts'
import { runErp, spawnTestProgram, startProcess, whenReady } from '../../testing/process.ts'
import { startTestProduct, testEnvironment, type TestProduct } from '../../testing/product.ts'
import { archiveTenant } from '../closing/contract.ts'
import { getBackupRetention, setBackupRetention } from '../backups/contract.ts'
import { listPlans } from '../plans/contract.ts'
import { createRestore } from '../restores/contract.ts'
import { suspendTenant } from '../tenants/contract.ts'
import { approve, getApproval, listApprovals, reject } from './contract.ts'

let product: TestProduct
let environment: Record<string, string>
let first: TestOperator
let second: TestOperator
let planId: string

beforeAll(async () => {
  environment = testEnvironment({ DUAL_APPROVAL: 'true' })
  product = await startTestProduct({}, { onlyAsked: true }, environment)
  first = await addOperator(product, 'owner', 'Fay First')
  second = await addOperator(product, 'owner', 'Sam Second')
  planId = (await product.operator.call(listPlans)).ok().plans[0]!.id
})
afterAll(() => product.stop())

const REASON = { reason: 'as agreed by phone' }
let lastAsked = 30

/** The retention of a plan: a destructive change whose effect is a row. */
async function ask(by: Client = first.client, keep = ++lastAsked) {
  const before = (await by.call(getBackupRetention, { params: { id: planId } })).ok()
  const body = { ...before, days: keep }
  const answer = await by.send<{ approval: { id: string; state: string } }>('PUT', `/api/v1/platform/plans/${planId}/backup-retention`, body) // prettier-ignore
  expect(answer.status).toBe(202)
  return { id: answer.ok().approval.id, keep, before: before.days, body }
}
const kept = async () => (await first.client.call(getBackupRetention, { params: { id: planId } })).ok().days
const approveBy = (by: Client, id: string) => by.call(approve, { params: { id }, body: REASON })
const stateOf = async (id: string) => (await first.client.call(getApproval, { params: { id } })).ok()

const rows = <Row>(statement: ReturnType<typeof sql<Row>>): Promise<Row[]> =>
  product.gate.readPlatform(SYSTEM, (tx) => tx.rows(statement.compile(platformSql)))
const change = (...statements: ReturnType<typeof sql>[]): Promise<void> =>
  product.gate.writePlatform(SYSTEM, async (tx) => {
    for (const statement of statements) await tx.run(statement.compile(platformSql))
  })

describe('a destructive request', () => {
  test('is kept, shown, and nothing is done; the same again is kept once', async () => {
    const { id, before, keep } = await ask()
    expect(await kept()).toBe(before)
    expect((await ask(first.client, keep)).id).toBe(id)
    expect((await ask(second.client, keep)).id).not.toBe(id)
    const shown = await stateOf(id)
    expect(shown).toMatchObject({
      state: 'pending',
      operation: 'setBackupRetention',
      requestedBy: 'Fay First',
      path: `PUT /api/v1/platform/plans/${planId}/backup-retention`,
      decidedBy: null,
    })
    expect(JSON.parse(shown.input)).toMatchObject({ params: { id: planId }, body: { days: keep } })
    const listed = (await second.client.call(listApprovals, { query: { status: 'pending' } })).ok()
    expect(listed.approvals.map((one) => one.id)).toContain(id)
    expect(listed.isRequired).toBe(true)
    expect(listed.operations).toEqual(
      expect.arrayContaining(['archiveTenant', 'deleteTenant', 'swapRestore', 'rollBackFleetMigration']),
    )
  })

  test('is searched and sorted', async () => {
    const named = await addOperator(product, 'owner', 'Zoe 100% Zealous')
    const [{ id: early }, { id: late }] = [await ask(named.client), await ask(named.client)]
    const listed = async (query: {
      search: string
      sort?: 'createdAt' | 'expiresAt'
      order?: 'asc' | 'desc'
    }) => (await second.client.call(listApprovals, { query })).ok().approvals.map(({ id }) => id)
    expect(await listed({ search: 'zoe 100%' })).toEqual([late, early])
    expect(await listed({ search: 'zoe 100%', order: 'asc' })).toEqual([early, late])
    await change(
      sql`UPDATE platform.approval_request SET expires_at = now() + interval '1 hour' WHERE id = ${late}`,
    )
    expect(await listed({ search: 'zoe 100%', sort: 'expiresAt' })).toEqual([late, early])
    expect(await listed({ search: 'zoe 1000' })).toEqual([])
    expect(await listed({ search: 'setBackupRet' })).toContain(early)
    expect((await second.client.send('GET', '/api/v1/platform/approvals?sort=input')).status).toBe(400)
  })

  test('is carried out when another operator approves, as the first one; both are in the audit', async () => {
    const { id, keep } = await ask()
    const approved = (await approveBy(second.client, id)).ok()
    expect(approved).toMatchObject({
      state: 'executed',
      decidedBy: 'Sam Second',
      decisionReason: REASON.reason,
    })
    expect(await kept()).toBe(keep)
    const events = await rows(
      sql<{
        action: string
        actor: string
        details: Record<string, string>
      }>`SELECT action, actor_id AS actor, details
        FROM platform.audit_event WHERE entity_id = ${id} ORDER BY id`,
    )
    expect(events.map(({ action, actor }) => [action, actor])).toEqual([
      ['request', first.id],
      ['approve', second.id],
      ['carry out', first.id],
    ])
    expect(events[2]?.details).toMatchObject({ requestedBy: first.id, approvedBy: second.id })
    const [deed] = await rows(
      sql<{ actor: string }>`SELECT actor_id AS actor FROM platform.audit_event
        WHERE request_id = ${`approval-${id}`} AND entity <> 'approval request'
          AND old_values IS NULL AND new_values IS NULL`,
    )
    expect(deed).toEqual({ actor: first.id })
  })

  test('is not approved by who asked, nor by who may not do it, nor twice, nor after it was rejected', async () => {
    const { id, before } = await ask()
    const own = await approveBy(first.client, id)
    expect([own.status, own.error.code]).toEqual([403, 'OWN_REQUEST'])
    const support = await addOperator(product, 'support')
    expect((await approveBy(support.client, id)).error.code).toBe('PERMISSION_DENIED')
    const reader = await addOperator(product, 'read-only')
    expect((await approveBy(reader.client, id)).error.code).toBe('PERMISSION_DENIED')
    expect((await second.client.send('POST', `/api/v1/platform/approvals/${id}/approval`, {})).refusals).toEqual(['reason REQUIRED']) // prettier-ignore
    expect(await kept()).toBe(before)
    expect((await second.client.call(reject, { params: { id }, body: REASON })).ok().state).toBe('rejected')
    expect((await approveBy(second.client, id)).error.code).toBe('ALREADY_DECIDED')
    expect(await kept()).toBe(before)
    const next = await ask()
    expect((await approveBy(second.client, next.id)).ok().state).toBe('executed') // control
    expect((await approveBy(second.client, next.id)).error.code).toBe('ALREADY_DECIDED')
  })

  test('is taken back by who asked for it', async () => {
    const { id } = await ask()
    expect((await first.client.call(reject, { params: { id }, body: REASON })).ok().state).toBe('rejected')
  })

  test('expires after a day', async () => {
    const { id, before } = await ask()
    const hours = (Date.parse((await stateOf(id)).expiresAt) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(23.9)
    expect(hours).toBeLessThanOrEqual(24)
    await change(sql`UPDATE platform.approval_request SET expires_at = now() WHERE id = ${id}`)
    expect((await stateOf(id)).state).toBe('expired')
    expect((await approveBy(second.client, id)).error.code).toBe('ALREADY_DECIDED')
    expect(await kept()).toBe(before)
  })

  test('asks the world anew: what has changed meanwhile is met, and told', async () => {
    const tenant = await product.createTenant()
    const body = { confirm: 'WRONG', reason: 'the contract ended' }
    const held = await first.client.send<{ approval: { id: string } }>('POST', `/api/v1/platform/tenants/${tenant.id}/archive`, body) // prettier-ignore
    const { id } = held.ok().approval
    expect(await stateOf(id)).toMatchObject({ tenantCode: tenant.code, state: 'pending' })
    const failed = (await approveBy(second.client, id)).ok()
    expect(failed).toMatchObject({ state: 'failed', error: expect.stringContaining('VALIDATION_ERROR') })
  })

  test('is not done when who asked may not do it any more', async () => {
    const gone = await addOperator(product, 'owner')
    const { id, before } = await ask(gone.client)
    await change(sql`UPDATE platform.operator SET role = 'billing' WHERE id = ${gone.id}`)
    expect((await approveBy(second.client, id)).ok()).toMatchObject({ state: 'failed', error: expect.stringContaining('PERMISSION_DENIED') }) // prettier-ignore
    expect(await kept()).toBe(before)
  })

  test('what is not destructive does not wait, nor what is so only with other words', async () => {
    const tenant = await product.createTenant()
    const suspended = await first.client.call(suspendTenant, {
      params: { id: tenant.id },
      body: { reason: 'test' },
    })
    expect(suspended.ok().status).toBe('suspended')
    expect([isDestructive(createRestore, { mode: 'swap' }), isDestructive(createRestore, { mode: 'side' })]).toEqual([true, false]) // prettier-ignore
    expect([isDestructive(archiveTenant, {}), isDestructive(setBackupRetention, undefined)]).toEqual([
      true,
      true,
    ])
  })

  test('so many at once: more are refused', async () => {
    const asker = await addOperator(product, 'owner')
    await change(
      sql`INSERT INTO platform.approval_request (operation, input, state, expires_at)
        SELECT 'setBackupRetention', '{"params":{},"query":{},"body":null}', 'pending', now() + interval '1 hour'
        FROM generate_series(1, 100)`,
    )
    const refused = await asker.client.send('PUT', `/api/v1/platform/plans/${planId}/backup-retention`, { ...(await asker.client.call(getBackupRetention, { params: { id: planId } })).ok(), days: 999 }) // prettier-ignore
    expect([refused.status, refused.error.code]).toEqual([409, 'TOO_MANY_APPROVALS'])
    await change(sql`UPDATE platform.approval_request SET state = 'rejected' WHERE state = 'pending'`)
    await ask(asker.client, 998) // control
  })
})

describe('approved twice at the same moment', () => {
  /** Carried out so often, by its audit events. */
  const deeds = async (id: string): Promise<number> =>
    (
      await rows(
        sql`SELECT 1 FROM platform.audit_event WHERE request_id = ${`approval-${id}`} AND entity <> 'approval request'
          AND old_values IS NULL AND new_values IS NULL`,
      )
    ).length

  test('by two operators in two processes, it is done once', async () => {
    const other = await startProcess(environment)
    const third = await addOperator(product, 'owner', 'Tom Third')
    const there = new Client(other.url).with({ token: third.client.options.token ?? '' })
    try {
      for (let round = 0; round < 5; round++) {
        const { id } = await ask()
        const answers = await Promise.all([approveBy(second.client, id), approveBy(there, id)])
        expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
        expect(await deeds(id)).toBe(1)
      }
    } finally {
      await other.stop()
    }
  })

  test('control: put back to approved, the same request is done again, and is counted', async () => {
    const { id } = await ask()
    await approveBy(second.client, id)
    expect(await deeds(id)).toBe(1)
    await leaveBehind(id, 'approved')
    await product.approvals?.tend()
    expect(await deeds(id)).toBe(2)
  })
})

/** As a process left it that died an hour ago. */
const leaveBehind = (id: string, state: string): Promise<void> =>
  change(
    sql`ALTER TABLE platform.approval_request DISABLE TRIGGER touch`,
    sql`UPDATE platform.approval_request SET state = ${state}, finished_at = NULL,
      updated_at = now() - interval '1 hour', execution_began_at = now() - interval '1 hour' WHERE id = ${id}`,
    sql`ALTER TABLE platform.approval_request ENABLE TRIGGER touch`,
  )

describe('a process that is killed', () => {
  async function dying(step: string, id: string): Promise<void> {
    const settings = { ...environment, CRASH_AT: step, ONLY_ASKED: '1' }
    const child = await whenReady(spawnTestProgram('crashing-server.ts', [], settings))
    const client = new Client(child.url).with({ token: second.client.options.token ?? '' })
    await expect(approveBy(client, id)).rejects.toThrow()
    await child.kill()
  }

  test('between approval and execution: another one carries it out, once', async () => {
    const { id, keep, before } = await ask()
    await dying('approval: approve:after', id)
    expect((await stateOf(id)).state).toBe('approved')
    expect(await kept()).toBe(before)
    await leaveBehind(id, 'approved')
    await Promise.all([product.approvals?.tend(), product.approvals?.tend()])
    expect(await stateOf(id)).toMatchObject({ state: 'executed', decidedBy: 'Sam Second' })
    expect(await kept()).toBe(keep)
  })

  test.each(['before', 'after'])(
    '%s it was done: it is shown as failed, and never done again',
    async (moment) => {
      const { id, keep, before } = await ask()
      await dying(`approval: execute:${moment}`, id)
      expect((await stateOf(id)).state).toBe('executing')
      const done = moment === 'after' ? keep : before
      expect(await kept()).toBe(done)
      await leaveBehind(id, 'executing')
      await product.approvals?.tend()
      expect(await stateOf(id)).toMatchObject({
        state: 'failed',
        error: expect.stringContaining('look whether'),
      })
      expect(await kept()).toBe(done)
    },
  )
})

describe('the command line', () => {
  test('tells what waits and how it goes on; it is carried out when an operator approves', async () => {
    const tenant = await product.createTenant()
    const told = await runErp(['tenants', 'archive', tenant.code, '--confirm', tenant.code], environment)
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('waits for an operator')])
    const { id = '' } = /request\s+(?<id>\S+)/.exec(told.stderr)?.groups ?? {}
    expect(await stateOf(id)).toMatchObject({ state: 'pending', requestedBy: null, tenantCode: tenant.code })
    const approved = (await approveBy(second.client, id)).ok()
    expect(approved.state).toBe('executed')
    expect(approved.operationId).toContain(tenant.id)
  })
})

test('without DUAL_APPROVAL nothing waits', async () => {
  const open = await startProcess({ ...environment, DUAL_APPROVAL: 'false' })
  try {
    const client = new Client(open.url).with({ token: first.client.options.token ?? '' })
    const before = (await client.call(getBackupRetention, { params: { id: planId } })).ok()
    const changed = await client.call(setBackupRetention, {
      params: { id: planId },
      body: { ...before, days: 77 },
    })
    expect(changed.status).toBe(200)
    expect((await client.call(listApprovals)).ok().isRequired).toBe(false)
  } finally {
    await open.stop()
  }
})

test('an operation that takes a secret, or a tenant asks for, cannot wait: it does not start', () => {
  const waiting = product.routes
    .map(({ operation }) => operation)
    .filter(({ needsApproval }) => needsApproval)
  expect(waiting.length).toBeGreaterThan(7)
  for (const operation of waiting) expect(() => assertKeepable(operation)).not.toThrow()
  const secret = {
    ...archiveTenant,
    body: { properties: { adminPassword: { type: 'string' } } },
  } as never as Operation
  expect(() => assertKeepable(secret)).toThrow('cannot wait')
  expect(() => assertKeepable({ ...archiveTenant, audience: 'tenant' } as never)).toThrow('cannot wait')
})
