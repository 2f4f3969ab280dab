/**
 * The same set-up with a PgBouncer before it: tenants' requests of every test go through it. Its connections
 * live for shorter than those that are delivered, so that tests need not wait for them.
 */
import type { TestProject } from 'vitest/node'
import { startPgbouncer } from './pgbouncer.ts'
import { startRunPostgres } from './postgres.ts'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startRunPostgres()
  const pgbouncer = await startPgbouncer(postgres.adminUrl, { server_lifetime: '2' })
  project.provide('adminUrl', postgres.adminUrl)
  project.provide('poolerUrl', pgbouncer.url)
  return async () => {
    await pgbouncer.stop()
    await postgres.stop()
  }
}
