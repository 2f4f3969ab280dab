/**
 * Whether tenants' schemas are what the migrations make of them: each is read from its database and compared
 * with the template's. Nobody can connect to the template, so a copy of it is read, once a server and process.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { paginationOf } from '../../http/contract.ts'
import type { PlatformDoor } from '../../http/route.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { currentVersion, newestVersion } from '../../tenancy/migrations.ts'
import {
  compareSchemas,
  describeSchema,
  fingerprintOf,
  type SchemaDescription,
} from '../../tenancy/schema-description.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import type { TenantDatabases } from '../tenants/databases.ts'
import type { getSchemaReport, SchemaReport } from './contract.ts'
import { MIGRATED_STATUSES } from './plan.ts'

type Report = Static<typeof SchemaReport>
type Line = Report['tenants'][number]

export interface SchemaReportPorts {
  readonly servers: DatabaseServers
  readonly databases: Pick<TenantDatabases, 'makeBlank'>
  readonly parallel: number
}

interface Row {
  readonly tenantId: string
  readonly tenantCode: string
  readonly serverId: string
  readonly serverName: string
  readonly recordedVersion: string | null
  readonly database: string
  readonly role: string | null
}

const SCRATCH_PREFIX = 'erp_scratch_'
/** Reading a schema takes a second; one that is still there was left by a process that died. */
const SCRATCH_AGE_MS = 600_000
const DIFFERENCES_SHOWN = 50

export class SchemaReports {
  readonly #ports: SchemaReportPorts
  readonly #references = new Map<string, Promise<SchemaDescription>>()

  constructor(ports: SchemaReportPorts) {
    this.#ports = ports
  }

  async report(
    door: PlatformDoor,
    query: Static<NonNullable<typeof getSchemaReport.query>>,
  ): Promise<Report> {
    const { page = 1, limit = 200, tenantCode } = query
    const where = sql`t.status = ANY (${[...MIGRATED_STATUSES]}) AND t.database_name IS NOT NULL
      ${tenantCode === undefined ? sql`` : sql`AND lower(t.tenant_code) = lower(${tenantCode})`}`
    const [rows, total] = await door.read(async (tx) => [
      await tx.rows(
        sql<Row>`SELECT t.id AS "tenantId", t.tenant_code AS "tenantCode", s.id AS "serverId", s.name AS "serverName",
            t.schema_version AS "recordedVersion", t.database_name AS database, t.runtime_role AS role
          FROM platform.tenant t JOIN platform.server s ON s.id = t.server_id WHERE ${where}
          ORDER BY lower(t.tenant_code) LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(platformSql),
      ),
      (
        await tx.row(
          sql<{ total: number }>`SELECT count(*)::int AS total FROM platform.tenant t WHERE ${where}`.compile(
            platformSql,
          ),
        )
      )?.total ?? 0,
    ])
    const lines: Line[] = []
    const queue = rows.entries()
    const worker = async (): Promise<void> => {
      for (const [index, row] of queue) lines[index] = await this.#line(row)
    }
    await Promise.all(Array.from({ length: this.#ports.parallel }, worker))
    return {
      codeVersion: newestVersion('tenant'),
      tenants: lines,
      pagination: paginationOf(total, page, limit),
    }
  }

  /** What processes that died in the middle have left. */
  async tidy(): Promise<void> {
    const { servers } = this.#ports
    for (const { id } of await servers.list()) {
      const server = await servers.get(id)
      for (const name of await server.databaseNames(SCRATCH_PREFIX)) {
        const madeAtMs = Number(name.slice(SCRATCH_PREFIX.length).split('_')[0])
        if (!(madeAtMs > Date.now() - SCRATCH_AGE_MS)) await server.drop(name)
      }
    }
  }

  async #line(row: Row): Promise<Line> {
    const { tenantId, tenantCode, serverName, recordedVersion } = row
    const line = { tenantId, tenantCode, serverName, recordedVersion, error: null }
    const nothing = { actualVersion: null, fingerprint: null, templateFingerprint: null }
    try {
      const server = await this.#ports.servers.locate(row.serverId)
      const address = server.migratorAddress(row.database)
      const [reference, actualVersion, found] = await Promise.all([
        this.#reference(row.serverId),
        currentVersion(address),
        describeSchema(address, row.role),
      ])
      const target = newestVersion('tenant')
      const isCurrent = actualVersion === target
      const differences = isCurrent ? compareSchemas(reference, found) : []
      const moved = actualVersion === null || actualVersion < target ? 'behind' : 'ahead'
      return {
        ...line,
        actualVersion,
        fingerprint: fingerprintOf(found),
        templateFingerprint: fingerprintOf(reference),
        status: !isCurrent ? moved : differences.length === 0 ? 'same' : 'drifted',
        differenceCount: differences.length,
        differences: differences.slice(0, DIFFERENCES_SHOWN),
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return {
        ...line,
        ...nothing,
        status: 'unreachable',
        differenceCount: 0,
        differences: [],
        error: reason,
      }
    }
  }

  #reference(serverId: string): Promise<SchemaDescription> {
    const known = this.#references.get(serverId)
    if (known) return known
    const reading = this.#readTemplate(serverId)
    this.#references.set(serverId, reading)
    reading.catch(() => this.#references.delete(serverId))
    return reading
  }

  async #readTemplate(serverId: string): Promise<SchemaDescription> {
    const { servers, databases } = this.#ports
    const server = await servers.get(serverId)
    const scratch = `${SCRATCH_PREFIX}${Date.now()}_${randomBytes(4).toString('hex')}`
    try {
      await databases.makeBlank(serverId, scratch)
      return await describeSchema(server.migratorAddress(scratch), null)
    } finally {
      await server.drop(scratch)
    }
  }
}
