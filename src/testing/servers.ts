/** A second PostgreSQL server, registered with the product under test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { registerServer } from '../platform/servers/contract.ts'
import { addressOf } from '../tenancy/databases.ts'
import { startEmbeddedPostgres } from '../tenancy/embedded.ts'
import type { DatabaseAddress } from '../tenancy/pools.ts'
import type { Client } from './client.ts'

export interface SecondServer {
  /** Its superuser, past the product. */
  readonly admin: DatabaseAddress
  register(operator: Client, name?: string): Promise<string>
  stop(): Promise<void>
}

export async function startSecondServer(settings: readonly string[] = []): Promise<SecondServer> {
  const directory = mkdtempSync(join(tmpdir(), 'erp-second-'))
  const postgres = await startEmbeddedPostgres({ directory, settings })
  const admin = addressOf(postgres.adminUrl, false)
  return {
    admin,
    register: async (operator, name = 'second') => {
      const body = {
        name,
        kind: 'dedicated' as const,
        host: admin.host,
        port: admin.port,
        sslMode: 'disable' as const,
        adminUser: admin.user,
        adminPassword: admin.password,
        adminDatabase: admin.database,
      }
      return (await operator.call(registerServer, { body })).ok().id
    },
    stop: async () => {
      await postgres.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
