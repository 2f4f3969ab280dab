/** Announcements while the way to the database is cut: no storm of attempts, and nothing heard is missed after. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { addressOf, withClient } from '../tenancy/databases.ts'
import { eventually } from '../testing/process.ts'
import { Network } from '../testing/network.ts'
import { Announcements, type Announcement } from './announcements.ts'

const admin = addressOf(inject('adminUrl'), false)
const way = new Network(admin)
beforeAll(() => way.open())
beforeEach(() => way.mend())
afterAll(() => way.close())

let announcements: Announcements
let heard: Announcement[] = []
let forgotten = 0
afterEach(() => announcements.stop())

async function start(): Promise<void> {
  ;[heard, forgotten, way.count] = [[], 0, 0]
  announcements = new Announcements(
    { ...admin, port: way.port, database: 'postgres' },
    (announcement) => heard.push(announcement),
    () => forgotten++,
  )
  await announcements.start()
}

const tell = (text: string): Promise<unknown> =>
  withClient(admin, (client) => client.query("SELECT pg_notify('erp_changes', $1)", [text]))
const tenant = (tenantId: string): string => JSON.stringify({ kind: 'tenant', tenantId })

test('what is told is heard', async () => {
  await start()
  expect(forgotten).toBe(1) // nothing of before can be trusted
  await tell(tenant('t1'))
  await eventually(async () => expect(heard).toEqual([{ kind: 'tenant', tenantId: 't1' }]), 2_000, 10)
})

test(
  'a cut-off listener tries again once a second, not ever more often, and forgets all when it is back',
  { timeout: 30_000 },
  async () => {
    await start()
    way.shut()
    await sleep(6_500)
    expect(way.count).toBeGreaterThanOrEqual(4) // control: it does try
    expect(way.count).toBeLessThanOrEqual(10)
    way.mend()
    await eventually(async () => expect(forgotten).toBe(2), 5_000, 20)
    await tell(tenant('t2'))
    await eventually(async () => expect(heard).toEqual([{ kind: 'tenant', tenantId: 't2' }]), 2_000, 10)
  },
)

test('one that cannot be read does not end the process, nor keep the next from being heard', async () => {
  await start()
  await tell('{ no json')
  await tell(tenant('t3'))
  await eventually(async () => expect(heard).toEqual([{ kind: 'tenant', tenantId: 't3' }]), 2_000, 10)
})

test('a stopped listener hears nothing and does not come back', async () => {
  await start()
  await announcements.stop()
  const before = way.count
  await tell(tenant('t4'))
  await sleep(1_500)
  expect([heard, way.count]).toEqual([[], before])
})
