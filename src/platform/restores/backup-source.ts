/** The backups as restoring and closing see them. */
import { sql } from 'kysely'
import { ledgerProof } from '../../erp/onboarding.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { differencesFromArchive } from '../backups/archive.ts'
import type { Backups } from '../backups/backups.ts'
import type { BackupFacts, ClosingBackups } from '../closing/closing.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import type { ArchivedFigures, BackupSource } from './ports.ts'
import { SYSTEM, type TenantRecord } from './records.ts'

const REMOVED_AT_ONCE = 1_000

export class ArchivedBackups implements BackupSource, ClosingBackups {
  readonly #gate: Gate
  readonly #servers: DatabaseServers
  readonly #backups: Backups

  constructor(gate: Gate, servers: DatabaseServers, backups: Backups) {
    this.#gate = gate
    this.#servers = servers
    this.#backups = backups
  }

  plan(tenantId: string, reason: 'restore' | 'archive'): Promise<string> {
    return this.#gate.writePlatform(SYSTEM, (tx) => this.#backups.plan(tx, tenantId, reason))
  }

  async finish(backupId: string): Promise<void> {
    const { finished } = await this.#backups.begin(backupId)
    await finished
  }

  async schemaVersionOf(backupId: string): Promise<string> {
    return (await this.facts(backupId)).schemaVersion
  }

  async load(backupId: string, server: DatabaseServer, database: string): Promise<ArchivedFigures> {
    const address = server.migratorAddress(database)
    const figures = await this.#backups.loadInto(backupId, address)
    const differences = await differencesFromArchive(figures, address, [ledgerProof])
    if (differences.length > 0)
      throw new Error(`What was restored differs from the backup: ${differences.slice(0, 5).join('; ')}`)
    const rows = figures.tables.reduce((sum, table) => sum + table.rows, 0)
    return { tables: figures.tables.length, rows }
  }

  async proven(backupId: string): Promise<void> {
    await this.#gate.writePlatform(SYSTEM, (tx) => this.#backups.prove(tx, backupId))
  }

  async facts(backupId: string): Promise<BackupFacts> {
    const [facts] = await this.#facts(sql`id = ${backupId}`)
    if (!facts) throw new Error('There is no such backup')
    return facts
  }

  /** The archive is read from its first byte to its last for it. */
  async differences(backupId: string, tenant: TenantRecord): Promise<readonly string[]> {
    const figures = await (await this.#backups.open(backupId)).verify()
    const server = await this.#servers.get(tenant.serverId)
    return differencesFromArchive(figures, server.migratorAddress(tenant.databaseName ?? ''), [ledgerProof])
  }

  async removeAll(tenantId: string): Promise<readonly BackupFacts[]> {
    const there = await this.#facts(sql`tenant_id = ${tenantId} AND state IN ('good', 'expiring')`)
    await this.#backups.expire(there.map(({ id }) => id))
    const left = await this.#facts(sql`tenant_id = ${tenantId} AND state IN ('running', 'good', 'expiring')`)
    if (left.length > 0) throw new Error(`${left.length} backup(s) of the tenant could not be removed yet`)
    return this.#facts(sql`tenant_id = ${tenantId} AND state = 'deleted'`)
  }

  #facts(where: ReturnType<typeof sql>): Promise<BackupFacts[]> {
    const query = sql<BackupFacts>`SELECT id, taken_at AS "takenAt", size_bytes AS "sizeBytes", sha256 AS checksum,
        row_count AS rows, schema_version AS "schemaVersion"
      FROM platform.backup WHERE ${where} ORDER BY id LIMIT ${REMOVED_AT_ONCE}`
    return this.#gate.readPlatform(SYSTEM, (tx) => tx.rows(query.compile(platformSql)))
  }
}
