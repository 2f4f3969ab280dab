/** A wave begins with a backup of each of its tenants: one, and no tenant is touched before it is there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Client } from '../../testing/client.ts'
import { eventually, spawnTestProgram, startProcess, whenReady } from '../../testing/process.ts'
import { signInAsOperator, tenantBody, testEnvironment } from '../../testing/product.ts'
import { listBackups } from '../backups/contract.ts'
import { createTenant } from '../tenants/contract.ts'
import { getFleetMigration, listTenantMigrations, startFleetMigration } from './contract.ts'

const nextRelease = mkdtempSync(join(tmpdir(), 'erp-next-release-'))
writeFileSync(
  join(nextRelease, '209912310001_nickname.sql'),
  '-- Up Migration\nALTER TABLE core.company ADD COLUMN nickname text;\n-- Down Migration\nALTER TABLE core.company DROP COLUMN nickname;\n',
)
afterAll(() => rmSync(nextRelease, { recursive: true, force: true }))

test.each([
  ['true', 1],
  ['false', 0], // control: it is the setting that takes them
])('BACKUP_BEFORE_MIGRATION=%s: %i for each tenant', { timeout: 120_000 }, async (wanted, expected) => {
  const environment = testEnvironment({ MIGRATE_AT_START: 'false', BACKUP_BEFORE_MIGRATION: wanted })
  const before = await startProcess(environment)
  const tenants = [tenantBody(), tenantBody()]
  const operatorBefore = await signInAsOperator(new Client(before.url))
  for (const body of tenants) (await operatorBefore.call(createTenant, { body })).ok()
  await before.stop()

  const server = await whenReady(
    spawnTestProgram('release-server.ts', [], { ...environment, EXTRA_MIGRATIONS: nextRelease }),
  )
  const operator = await signInAsOperator(new Client(server.url))
  const { id } = (await operator.call(startFleetMigration, { body: {} })).ok()
  const params = { id: id ?? '' }
  await eventually(
    async () =>
      expect((await operator.call(getFleetMigration, { params })).ok()).toMatchObject({
        status: 'done',
        counts: { done: 2 },
      }),
    30_000,
  )
  const { backups } = (await operator.call(listBackups, { query: { reason: 'migration' } })).ok()
  expect(backups.map(({ state }) => state)).toEqual(Array.from({ length: expected * 2 }, () => 'good'))
  expect(new Set(backups.map(({ tenantId }) => tenantId)).size).toBe(expected * 2)
  const { tenants: migrated } = (await operator.call(listTenantMigrations, { params })).ok()
  for (const { verifiedAt } of backups) {
    for (const { finishedAt } of migrated) expect((verifiedAt ?? '') < (finishedAt ?? '')).toBe(true)
  }
  expect(server.output()).not.toContain('Error in step')
  expect(await server.stop()).toBe(0)
})
