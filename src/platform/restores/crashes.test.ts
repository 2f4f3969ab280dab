/**
 * Restores, undoings, clones and archives die or fail at every one of their moments, in real processes on a
 * PostgreSQL of their own, so that every database, role and file can be counted. Another process finishes them,
 * or they are undone: books are whole, and nothing is left that no row accounts for.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { trialBalance } from '../../erp/reports/contract.ts'
import { addressOf, withClient } from '../../tenancy/databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../tenancy/embedded.ts'
import { postEntry, SALES } from '../../testing/books.ts'
import { Client } from '../../testing/client.ts'
import {
  eventually,
  spawnTestProgram,
  startProcess,
  whenReady,
  type ServerProcess,
} from '../../testing/process.ts'
import { environmentOn, signIn, signInAsOperator, tenantBody } from '../../testing/product.ts'
import { createBackup, getBackup } from '../backups/contract.ts'
import { archiveTenant } from '../closing/contract.ts'
import { archiveSteps } from '../closing/closing.ts'
import { createTenant, getTenant } from '../tenants/contract.ts'
import { createRestore, getRestore, listRestores, swapRestore, undoRestore } from './contract.ts'
import { restoreSteps, undoSteps } from './restoring.ts'

/** For another process to notice, take over and finish; on a machine that others keep busy, too. */
const PATIENCE_MS = 120_000

const directory = mkdtempSync(join(tmpdir(), 'erp-restores-'))
let postgres: EmbeddedPostgres
let environment: Record<string, string>
let healthy: ServerProcess
let operator: Client

beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ directory, settings: ['fsync=off'] })
  environment = environmentOn(postgres.adminUrl, 'erp_platform', {
    DATA_DIR: join(directory, 'data'),
    CONNECTION_WAIT_MS: '10000', // many processes at once keep the machine busy
  })
  healthy = await startProcess(environment)
  operator = await signInAsOperator(new Client(healthy.url))
})
afterAll(async () => {
  await healthy?.stop()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function startCrashing(
  how: Record<string, string>,
): Promise<{ process: ServerProcess; operator: Client }> {
  const settings = { ...environment, ONLY_ASKED: '1', ...how }
  const process = await whenReady(spawnTestProgram('crashing-server.ts', [], settings))
  // Not signed in anew: an operator has a few sessions at most.
  return { process, operator: new Client(process.url, operator.options) }
}

interface Subject {
  readonly id: string
  readonly code: string
  readonly email: string
  readonly backupId: string
}

/** 100.00 in the backup, and 7.00 since. */
async function subject(name: string): Promise<Subject> {
  const body = tenantBody({ tenantCode: `${name}_${randomBytes(3).toString('hex')}` })
  const { tenant } = (await operator.call(createTenant, { body })).ok()
  const { client } = await signIn(
    new Client(healthy.url).with({ tenant: tenant.tenantCode }),
    body.adminEmail,
  )
  await postEntry(client, '100.00')
  const { backup } = (await operator.call(createBackup, { params: { id: tenant.id } })).ok()
  await eventually(async () => {
    expect((await operator.call(getBackup, { params: { id: backup.id } })).ok().state).toBe('good')
  })
  await postEntry(client, '7.00')
  return { id: tenant.id, code: tenant.tenantCode, email: body.adminEmail, backupId: backup.id }
}

async function salesOf({ code, email }: Pick<Subject, 'code' | 'email'>): Promise<string | undefined> {
  const { client } = await signIn(new Client(healthy.url).with({ tenant: code }), email)
  const { rows } = (await client.call(trialBalance)).ok()
  return rows.find(({ accountCode }) => accountCode === SALES)?.credit
}

/** Asks one that is about to die; how it ended for the caller does not matter. */
async function ask(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {})
}

async function newestRestore(tenantId: string, state: RegExp) {
  return eventually(async () => {
    const { restores } = (await operator.call(listRestores, { params: { id: tenantId } })).ok()
    const asked = restores.find(({ mode }) => mode !== 'drill') // drills are made by themselves
    expect(asked?.state).toMatch(state)
    return asked!
  }, PATIENCE_MS)
}

async function rowsOf(database: string, text: string): Promise<string[]> {
  return withClient({ ...addressOf(postgres.adminUrl, false), database }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text)
    return rows.map(({ name }) => name)
  })
}

/** Databases, roles and files that no row accounts for. */
async function orphans(): Promise<string[]> {
  const known = new Set(
    await rowsOf(
      'erp_platform',
      `SELECT unnest(ARRAY[database_name, runtime_role]) AS name FROM platform.tenant
       UNION ALL SELECT unnest(ARRAY[database_name, runtime_role]) FROM platform.ready_database
       UNION ALL SELECT unnest(ARRAY[side_database, side_role, kept_database]) FROM platform.restore
       UNION ALL SELECT regexp_replace(file_name, '.*/', '') FROM platform.backup WHERE state = 'good'`,
    ),
  )
  const there = await rowsOf(
    'postgres',
    `SELECT datname AS name FROM pg_database WHERE datname ~ '^erp_(tenant|ready|side|kept)_'
     UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^erp_runtime_'`,
  )
  const files = readdirSync(join(directory, 'data'), { recursive: true, withFileTypes: true })
  const archives = files.filter((file) => file.isFile() && file.name.includes('erparchive'))
  return [...there, ...archives.map(({ name }) => name)].filter((name) => !known.has(name))
}

/** Behind each step its work is done and its outcome not written down; before the first nothing is. */
const momentsOf = (steps: readonly string[]) => [
  `${steps[0]}:before`,
  ...steps.map((step) => `${step}:after`),
]
const TIMEOUT = { timeout: 300_000 }

describe('killed', () => {
  test.concurrent.each(momentsOf(restoreSteps.swap))(
    'swap, %s: the books of the backup are in place',
    TIMEOUT,
    async (moment) => {
      const tenant = await subject('S')
      const crashing = await startCrashing({ CRASH_AT: moment })
      await ask(
        crashing.operator.call(createRestore, {
          params: { id: tenant.id },
          body: { backupId: tenant.backupId, mode: 'swap' },
        }),
      )
      await crashing.process.exited
      const restore = await newestRestore(tenant.id, /^swapped$/)
      expect(restore.safetyBackupId).not.toBeNull()
      expect(await salesOf(tenant)).toBe('100.00')
    },
  )

  test.concurrent.each(momentsOf(undoSteps))(
    'undo, %s: what was there before is there again',
    TIMEOUT,
    async (moment) => {
      const tenant = await subject('U')
      const body = { backupId: tenant.backupId, mode: 'swap' } as const
      ;(await operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
      const { id } = await newestRestore(tenant.id, /^swapped$/)
      const crashing = await startCrashing({ CRASH_AT: moment })
      await ask(crashing.operator.call(undoRestore, { params: { id } }))
      await crashing.process.exited
      await newestRestore(tenant.id, /^undone$/)
      expect(await salesOf(tenant)).toBe('107.00')
      const { client } = await signIn(new Client(healthy.url).with({ tenant: tenant.code }), tenant.email)
      await postEntry(client, '1.00') // writes are not held any more
    },
  )

  test.concurrent.each(momentsOf(['clone-adopted', 'clone-settled']))(
    'clone, %s: it is a tenant, and works',
    TIMEOUT,
    async (moment) => {
      const tenant = await subject('C')
      const crashing = await startCrashing({ CRASH_AT: moment })
      const body = { backupId: tenant.backupId, mode: 'clone' } as const
      await ask(crashing.operator.call(createRestore, { params: { id: tenant.id }, body }))
      await crashing.process.exited
      await newestRestore(tenant.id, /^cloned$/)
      expect(await salesOf({ ...tenant, code: `${tenant.code}_COPY` })).toBe('100.00')
      expect(await salesOf(tenant)).toBe('107.00')
    },
  )

  test.concurrent.each(momentsOf(archiveSteps))(
    'archive, %s: it is archived, and comes back',
    TIMEOUT,
    async (moment) => {
      const tenant = await subject('A')
      const crashing = await startCrashing({ CRASH_AT: moment })
      await ask(
        crashing.operator.call(archiveTenant, { params: { id: tenant.id }, body: { confirm: tenant.code } }),
      )
      await crashing.process.exited
      await eventually(async () => {
        expect((await operator.call(getTenant, { params: { id: tenant.id } })).ok()).toMatchObject({
          status: 'archived',
          busyWith: null,
        })
      }, PATIENCE_MS)
      expect(
        await rowsOf(
          'postgres',
          `SELECT datname AS name FROM pg_database WHERE datname ~ '${tenant.code.toLowerCase()}'`,
        ),
      ).toEqual([])
      const [final] = await rowsOf(
        'erp_platform',
        `SELECT archive_backup_id AS name FROM platform.tenant WHERE id = '${tenant.id}'`,
      )
      const body = { backupId: final ?? '', mode: 'swap' } as const
      ;(await operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
      await newestRestore(tenant.id, /^swapped$/)
      expect(await salesOf(tenant)).toBe('107.00')
    },
  )
})

describe('failing', () => {
  const early = restoreSteps.swap.filter((step) => step !== 'swap-settled')
  test.concurrent.each(early)('swap, %s: undone, and the live books are untouched', TIMEOUT, async (step) => {
    const tenant = await subject('F')
    const failing = await startCrashing({ FAIL_AT: step })
    const body = { backupId: tenant.backupId, mode: 'swap' } as const
    ;(await failing.operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
    const restore = await newestRestore(tenant.id, /^failed$/)
    expect(restore).toMatchObject({
      sideDatabase: null,
      error: expect.stringContaining(`step ${step} fails`),
    })
    await failing.process.stop()
    expect(await salesOf(tenant)).toBe('107.00')
    const { client } = await signIn(new Client(healthy.url).with({ tenant: tenant.code }), tenant.email)
    await postEntry(client, '1.00')
    // Nothing of a failed one is in the way of the next.
    ;(await operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
    await newestRestore(tenant.id, /^swapped$/)
  })

  test.concurrent.each(['swap-claim', 'swap-exchange'])(
    'a swap of a ready one, %s: it is ready again',
    TIMEOUT,
    async (step) => {
      const tenant = await subject('R')
      const body = { backupId: tenant.backupId, mode: 'side' } as const
      ;(await operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
      const { id } = await newestRestore(tenant.id, /^ready$/)
      const failing = await startCrashing({ FAIL_AT: step })
      ;(await failing.operator.call(swapRestore, { params: { id } })).ok()
      await eventually(async () => {
        const restore = (await operator.call(getRestore, { params: { id } })).ok()
        expect(restore).toMatchObject({ state: 'ready', error: expect.stringContaining('fails') })
      })
      await failing.process.stop()
      ;(await operator.call(swapRestore, { params: { id } })).ok()
      await newestRestore(tenant.id, /^swapped$/)
      expect(await salesOf(tenant)).toBe('100.00')
    },
  )

  test.concurrent.each(['archive-access', 'archive-backup', 'archive-compared'])(
    'archive, %s: the tenant works as before',
    TIMEOUT,
    async (step) => {
      const tenant = await subject('G')
      const failing = await startCrashing({ FAIL_AT: step })
      ;(
        await failing.operator.call(archiveTenant, {
          params: { id: tenant.id },
          body: { confirm: tenant.code },
        })
      ).ok()
      await eventually(async () => {
        expect(failing.process.output()).toContain(`step ${step} fails`)
        expect((await operator.call(getTenant, { params: { id: tenant.id } })).ok()).toMatchObject({
          status: 'active',
          busyWith: null,
        })
      })
      await failing.process.stop()
      const { client } = await signIn(new Client(healthy.url).with({ tenant: tenant.code }), tenant.email)
      await postEntry(client, '1.00')
      expect(await salesOf(tenant)).toBe('108.00')
    },
  )
})

test('nothing of all that is left: no database, role or file without its row', async () => {
  await eventually(async () => expect(await orphans()).toEqual([]))
})

test('control: an orphan of each kind is noticed', async () => {
  await rowsOf('postgres', 'CREATE ROLE erp_runtime_orphan')
  await rowsOf('postgres', 'CREATE DATABASE erp_side_orphan STRATEGY file_copy')
  expect((await orphans()).toSorted()).toEqual(['erp_runtime_orphan', 'erp_side_orphan'])
})

test('two processes that are asked for the same swap at once do it once', TIMEOUT, async () => {
  const tenant = await subject('T')
  const second = await startProcess(environment)
  const other = await signInAsOperator(new Client(second.url))
  const body = { backupId: tenant.backupId, mode: 'side' } as const
  ;(await operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
  const { id } = await newestRestore(tenant.id, /^ready$/)
  const answers = await Promise.all(
    [operator, other, operator, other].map((client) => client.call(swapRestore, { params: { id } })),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 409, 409, 409])
  await newestRestore(tenant.id, /^swapped$/)
  expect(await salesOf(tenant)).toBe('100.00')
  await second.stop()
})
