/**
 * Brings every tenant to the schema of this code: a few at a time, each in its own transaction; one that
 * fails is reported and left, the others go on. Until then a tenant is answered 503, never served by code
 * its schema does not fit.
 */
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor } from '../../tenancy/handles.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { announce } from '../announcements.ts'
import type { TenantDatabases } from './databases.ts'

export interface MigrationPorts {
  readonly gate: Gate
  readonly databases: TenantDatabases
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

export interface FleetOutcome {
  readonly migrated: number
  readonly failed: readonly { tenantCode: string; reason: string }[]
}

const AT_ONCE = 4
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'migrate-tenants', address: null }

export async function migrateTenants({ gate, databases, log }: MigrationPorts): Promise<FleetOutcome> {
  const behind = await gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(
      platformSql
        .selectFrom('platform.tenant')
        .select(['id', 'tenant_code', 'server_id', 'database_name'])
        .where('status', 'in', ['active', 'read_only', 'suspended'])
        .where('database_name', 'is not', null)
        .where((eb) => eb('schema_version', 'is distinct from', newestVersion('tenant')))
        .orderBy('created_at'),
    ),
  )
  const failed: { tenantCode: string; reason: string }[] = []
  const queue = behind.values()
  const work = async (): Promise<void> => {
    for (const { id, tenant_code: tenantCode, server_id: serverId, database_name: database } of queue) {
      try {
        const version = await databases.migrateTenant(serverId, database ?? '')
        await gate.writePlatform(SYSTEM, async (tx) => {
          await tx.run(
            platformSql.updateTable('platform.tenant').set({ schema_version: version }).where('id', '=', id),
          )
          await announce(tx, { kind: 'tenant', tenantId: id })
        })
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        failed.push({ tenantCode, reason })
        log('error', `Tenant ${tenantCode} could not be migrated and is closed until it is: ${reason}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { migrated: behind.length - failed.length, failed }
}
