/**
 * A backup dies at every one of its moments, in real processes: another one finishes it within half a minute,
 * or it ends undone. One file each, nothing half, no row left running, nobody holding a snapshot.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import { Client } from '../../testing/client.ts'
import { eventually, spawnTestProgram, startProcess, whenReady, type ServerProcess } from '../../testing/process.ts' // prettier-ignore
import { signInAsOperator, tenantBody, testEnvironment } from '../../testing/product.ts'
import { listAlerts } from '../alerts/contract.ts'
import { createTenant } from '../tenants/contract.ts'
import { createBackup, listTenantBackups } from './contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'erp-backup-crash-'))
let environment: Record<string, string>
let healthy: ServerProcess
let operator: Client

beforeAll(async () => {
  environment = testEnvironment({
    BACKUP_URL: pathToFileURL(folder).href,
    SESSIONS_PER_USER_MAXIMUM: '100', // every process that dies had signed in
  })
  healthy = await startProcess(environment)
  operator = await signInAsOperator(new Client(healthy.url))
})
afterAll(async () => {
  await healthy.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function newTenant(name: string): Promise<{ id: string; code: string }> {
  const body = tenantBody({ tenantCode: name })
  // On a busy machine a health check may have found the database server slow a moment ago.
  const { tenant } = await eventually(async () => (await operator.call(createTenant, { body })).ok(), 60_000)
  return { id: tenant.id, code: tenant.tenantCode.toLowerCase() }
}

/** Asks a process that dies of it; it is gone when this resolves. */
async function cutOff(how: Record<string, string>, tenantId: string): Promise<void> {
  const dying = await whenReady(spawnTestProgram('crashing-server.ts', [], { ...environment, ...how }))
  const own = await signInAsOperator(new Client(dying.url))
  await own.call(createBackup, { params: { id: tenantId } }).catch(() => undefined)
  expect(await dying.exited).toBeNull() // killed, not ended
}

async function backupsOf(tenantId: string) {
  return (await operator.call(listTenantBackups, { params: { id: tenantId } })).ok().backups
}

async function snapshotsOn(code: string): Promise<unknown[]> {
  return withClient(addressOf(inject('adminUrl'), false), async (client) => {
    const { rows } = await client.query<object>(
      `SELECT pid, query FROM pg_stat_activity WHERE datname = $1 AND backend_xmin IS NOT NULL`,
      [`erp_tenant_${code}`],
    )
    return rows
  })
}

const moments = [
  'backup-archive:before',
  'backup-archive-piece:after',
  'backup-archive:after',
  'backup-verification:before',
  'backup-verification:after',
  'backup-retention:before',
  'backup-retention:after',
]

describe('killed', () => {
  test.each(moments)(
    '%s: another process ends it good within 30 seconds',
    { timeout: 120_000 },
    async (moment) => {
      const { id, code } = await newTenant(`B_${moments.indexOf(moment)}`)
      await cutOff({ CRASH_AT: moment }, id)
      const [begun] = await backupsOf(id)
      // Control: it was cut off before it was done, unless only what follows was left to do.
      if (!moment.startsWith('backup-retention')) expect(begun?.state).toMatch(/^(running|good)$/)
      await eventually(async () => expect((await backupsOf(id)).map(({ state }) => state)).toEqual(['good']), 30_000) // prettier-ignore
      expect(readdirSync(join(folder, code))).toHaveLength(1)
      expect(readdirSync(join(folder, code))[0]).toMatch(/\.erparchive$/)
      await eventually(async () => expect(await snapshotsOn(code)).toEqual([]))
    },
  )

  test.each(['before', 'after'])(
    'while it is undone (%s): failed with an alert and no file, or good after all',
    { timeout: 120_000 },
    async (moment) => {
      const { id, code } = await newTenant(`C_${moment}`)
      await cutOff({ CRASH_AT: `backup-compensation:${moment}`, FAIL_AT: 'backup-verification' }, id)
      const ends = moment === 'after' ? /^failed$/ : /^(failed|good)$/
      await eventually(async () => expect((await backupsOf(id))[0]?.state).toMatch(ends), 30_000)
      const [backup] = await backupsOf(id)
      const { alerts } = (await operator.call(listAlerts, { query: { tenantId: id } })).ok()
      expect(alerts.map(({ kind }) => kind)).toEqual(backup?.state === 'failed' ? ['backup-failed'] : [])
      await eventually(async () =>
        expect(readdirSync(join(folder, code))).toHaveLength(backup?.state === 'failed' ? 0 : 1),
      )
    },
  )
})

test(
  'failing for good: undone, with the reason, and the next one is good',
  { timeout: 120_000 },
  async () => {
    const { id, code } = await newTenant('F_1')
    const failing = await whenReady(
      spawnTestProgram('crashing-server.ts', [], { ...environment, FAIL_AT: 'backup-verification' }),
    )
    const own = await signInAsOperator(new Client(failing.url))
    ;(await own.call(createBackup, { params: { id } })).ok()
    await eventually(async () => {
      const [backup] = await backupsOf(id)
      expect(backup).toMatchObject({ state: 'failed', error: 'test: step backup-verification fails' })
    })
    await failing.stop()
    await eventually(async () => expect(readdirSync(join(folder, code))).toEqual([]))
    ;(await operator.call(createBackup, { params: { id } })).ok()
    await eventually(async () => expect((await backupsOf(id))[0]?.state).toBe('good'))
  },
)

test(
  'two workers look after one schedule: each due tenant is backed up once',
  { timeout: 120_000 },
  async () => {
    const tenants = [
      await newTenant('S_1'),
      await newTenant('S_2'),
      await newTenant('S_3'),
      await newTenant('S_4'),
    ]
    const scheduled = { ...environment, BACKUP_TIME: '02:00', BACKUPS_AT_ONCE: '1' }
    const workers = await Promise.all(
      [1, 2].map(() => whenReady(spawnTestProgram('crashing-server.ts', [], scheduled))),
    )
    const platform = { ...addressOf(environment['DATABASE_URL'] ?? '', false) }
    const ids = tenants.map(({ id }) => id)
    await eventually(() =>
      withClient(platform, async (client) => {
        const { rowCount } = await client.query('SELECT 1 FROM platform.tenant WHERE backup_due_at IS NULL')
        expect(rowCount).toBe(0)
      }),
    )
    await withClient(platform, (client) =>
      client.query(`UPDATE platform.tenant SET backup_due_at = now() WHERE id = ANY ($1)`, [ids]),
    )
    for (const id of ids) {
      await eventually(async () =>
        expect(await backupsOf(id)).toMatchObject([{ state: 'good', reason: 'scheduled' }]),
      )
    }
    await Promise.all(workers.map((worker) => worker.stop()))
  },
)
