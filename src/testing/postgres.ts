/** Vitest's global set-up: one real PostgreSQL for the whole run, thrown away afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startEmbeddedPostgres } from '../tenancy/embedded.ts'

declare module 'vitest' {
  interface ProvidedContext {
    adminUrl: string
    /** Empty: tenants' requests go to PostgreSQL directly. */
    poolerUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startRunPostgres()
  project.provide('adminUrl', postgres.adminUrl)
  project.provide('poolerUrl', '')
  return postgres.stop
}

export async function startRunPostgres(): Promise<{ adminUrl: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'erp-test-'))
  const { adminUrl, stop } = await startEmbeddedPostgres({ directory })
  return {
    adminUrl,
    stop: async () => {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
