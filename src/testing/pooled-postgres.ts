/** The same set-up with a PgBouncer before it: tenants' requests of every test go through it. */
import type { TestProject } from 'vitest/node'
import { startPgbouncer } from './pgbouncer.ts'
import { startRunPostgres } from './postgres.ts'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startRunPostgres()
  const pgbouncer = await startPgbouncer(postgres.adminUrl)
  project.provide('adminUrl', postgres.adminUrl)
  project.provide('poolerUrl', pgbouncer.url)
  return async () => {
    await pgbouncer.stop()
    await postgres.stop()
  }
}
