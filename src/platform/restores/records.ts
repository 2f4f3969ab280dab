/** The rows of restores, and those of the tenants they concern, as the workflow reads and writes them. */
import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import type { Difference, Verification } from './contract.ts'
import type { Side } from './side.ts'

export const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'restore', address: null }

export interface RestoreRecord {
  readonly id: string
  readonly tenantId: string
  readonly backupId: string
  readonly mode: 'side' | 'swap' | 'clone' | 'drill'
  readonly state: string
  readonly operationId: string
  readonly newTenantId: string | null
  readonly serverId: string
  readonly sideDatabase: string | null
  readonly sideRole: string | null
  readonly sealedSidePassword: string | null
  readonly verification: Static<typeof Verification> | null
  readonly difference: Static<typeof Difference> | null
  readonly safetyBackupId: string | null
  readonly keptDatabase: string | null
}

export interface TenantRecord {
  readonly id: string
  readonly tenantCode: string
  readonly status: string
  readonly serverId: string
  readonly databaseName: string | null
  readonly runtimeRole: string | null
  readonly sealedRuntimePassword: string | null
  readonly schemaVersion: string | null
}

const COLUMNS = sql`id, tenant_id AS "tenantId", backup_id AS "backupId", mode, state, operation_id AS "operationId",
  new_tenant_id AS "newTenantId", server_id AS "serverId", side_database AS "sideDatabase", side_role AS "sideRole",
  sealed_side_password AS "sealedSidePassword", verification, difference, safety_backup_id AS "safetyBackupId",
  kept_database AS "keptDatabase"`

export class RestoreRecords {
  readonly #gate: Gate

  constructor(gate: Gate) {
    this.#gate = gate
  }

  write<Result>(work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    return this.#gate.writePlatform(SYSTEM, work)
  }

  async restore(id: string): Promise<RestoreRecord> {
    const [restore] = await this.restores(sql`id = ${id}`)
    if (!restore) throw new Error(`There is no restore ${id}`)
    return restore
  }

  restores(where: RawBuilder<unknown>, limit = 100): Promise<RestoreRecord[]> {
    const query = sql<RestoreRecord>`SELECT ${COLUMNS} FROM platform.restore WHERE ${where} ORDER BY id LIMIT ${limit}`
    return this.#gate.readPlatform(SYSTEM, (tx) => tx.rows(query.compile(platformSql)))
  }

  async tenant(id: string): Promise<TenantRecord> {
    const query = sql<TenantRecord>`SELECT id, tenant_code AS "tenantCode", status, server_id AS "serverId",
        database_name AS "databaseName", runtime_role AS "runtimeRole",
        sealed_runtime_password AS "sealedRuntimePassword", schema_version AS "schemaVersion"
      FROM platform.tenant WHERE id = ${id}`
    const tenant = await this.#gate.readPlatform(SYSTEM, (tx) => tx.row(query.compile(platformSql)))
    if (!tenant) throw new Error(`There is no tenant ${id}`)
    return tenant
  }

  set(id: string, what: RawBuilder<unknown>): Promise<void> {
    return this.write((tx) => setRestore(tx, id, what))
  }
}

export async function setRestore(tx: PlatformTx, id: string, what: RawBuilder<unknown>): Promise<void> {
  await tx.run(
    sql`UPDATE platform.restore SET ${what}, updated_at = now() WHERE id = ${id}`.compile(platformSql),
  )
}

export async function setTenant(tx: PlatformTx, id: string, what: RawBuilder<unknown>): Promise<void> {
  await tx.run(
    sql`UPDATE platform.tenant SET ${what}, updated_at = now() WHERE id = ${id}`.compile(platformSql),
  )
}

export function sideOf(restore: RestoreRecord): Side {
  const { sideDatabase: database, sideRole: role, sealedSidePassword: sealedPassword } = restore
  if (database === null || role === null || sealedPassword === null)
    throw new Error('The restore has no side database')
  return { database, role, sealedPassword }
}
