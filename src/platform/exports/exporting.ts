/**
 * Exporting: a durable workflow that writes everything of a tenant into one zip archive. The rows come from one
 * snapshot and go through compression and sealing straight to the storage; the file is opened again when its
 * administrator takes it.
 */
import { createHash } from 'node:crypto'
import { Transform, type Readable } from 'node:stream'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { ZipFile } from 'yazl'
import { Problem, problems } from '../../kernel/problem.ts'
import { reasonOf, stepRunner, type StepRunner, type StepWatch } from '../../jobs/steps.ts'
import { isTakenOver } from '../../jobs/workflows.ts'
import { DatabaseSnapshot } from '../../tenancy/copy.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { recordEvent } from '../audit.ts'
import { newArchiveKey, openArchiveKey } from '../backups/sealed-blocks.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import type { Storages } from '../storage/storages.ts'
import { exportEntries, type Entry } from './contents.ts'
import { openFile, sealFile } from './sealed-file.ts'

export const EXPORT_TENANT = 'export-tenant'
export const exportSteps = ['export-file', 'export-settled'] as const

export interface ExportingPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly storages: Storages
  readonly productVersion: string
  readonly keepDays: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  readonly atStep?: StepWatch | undefined
}

const SYSTEM: Actor = { kind: 'system', id: null, requestId: EXPORT_TENANT, address: null }
const EXPIRED_AT_ONCE = 100
/** Each needs another export to begin and to end meanwhile. */
const LOOKS_MAXIMUM = 5

export class Exporting {
  readonly #ports: ExportingPorts
  readonly #step: StepRunner
  readonly #workflow: (exportId: string) => Promise<void>

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: ExportingPorts) {
    this.#ports = ports
    this.#step = stepRunner(ports.atStep)
    this.#workflow = DBOS.registerWorkflow((exportId: string) => this.#export(exportId), {
      name: EXPORT_TENANT,
    })
  }

  /** The tenant's running export, or a new one. */
  async request(tx: PlatformTx, tenantId: string): Promise<string> {
    const { actor } = tx
    for (let look = 1; look <= LOOKS_MAXIMUM; look++) {
      const made = await tx.row(
        sql<{
          id: string
        }>`INSERT INTO platform.tenant_export (tenant_id, state, requested_by_kind, requested_by)
          VALUES (${tenantId}, 'running', ${actor.kind}, ${actor.id})
          ON CONFLICT (tenant_id) WHERE state = 'running' DO NOTHING RETURNING id`.compile(platformSql),
      )
      if (made) {
        await recordEvent(tx, { action: 'export', entity: 'tenant', entityId: tenantId, tenantId })
        return made.id
      }
      const running = await tx.row(
        sql<{ id: string }>`SELECT id FROM platform.tenant_export
          WHERE tenant_id = ${tenantId} AND state = 'running'`.compile(platformSql),
      )
      if (running) return running.id
      // It ended between the two: there is room for a new one.
    }
    throw new Problem(problems.unavailable, { retryAfterSeconds: 1 })
  }

  /** Once however often it is called. */
  async start(exportId: string): Promise<void> {
    await DBOS.startWorkflow(this.#workflow, { workflowID: exportOperationId(exportId) })(exportId)
  }

  /** Those whose process died between writing their row and starting their workflow; files past their time. */
  async lookAfter(): Promise<void> {
    const running = await this.#rows(sql`state = 'running'`)
    for (const { id } of running) await this.start(id)
    for (const expired of await this.#rows(sql`state = 'done' AND expires_at < now()`))
      await this.#expire(expired)
  }

  /** Takes away every export of a tenant; may be repeated. How many files there were. */
  async removeAll(tenantId: string): Promise<number> {
    const all = await this.#rows(sql`tenant_id = ${tenantId} AND state = 'done'`)
    for (const one of all) await this.#expire(one)
    return all.length
  }

  /** The zip archive of a finished export. */
  async *open({ id, storageUrl, fileName, sealedKey }: ExportFile): AsyncGenerator<Buffer, void> {
    const { storages, secrets } = this.#ports
    const storage = await storages.get(storageUrl)
    yield* openFile(storage.read(fileName), (fileId) => {
      if (fileId !== id) throw new Error('The file is that of another export')
      return openArchiveKey(secrets, fileId, sealedKey)
    })
  }

  async #export(exportId: string): Promise<void> {
    try {
      const file = await this.#step('export-file', () => this.#write(exportId))
      await this.#step('export-settled', () => this.#settle(exportId, file))
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      this.#ports.log('error', `Export ${exportId} failed: ${reason}`)
      await this.#step(
        'export-undone',
        async () => {
          await this.#removeFile(this.#ports.storages.current, nameOf(exportId))
          await this.#set(
            exportId,
            sql`state = 'failed', error = ${reason.slice(0, 500)}, finished_at = now()`,
          )
        },
        'persistent',
      )
      throw error
    }
  }

  /** Repeated from the beginning if it was broken off: the name is the same, and so nothing else is left. */
  async #write(exportId: string): Promise<WrittenFile> {
    const { gate, servers, secrets, storages, productVersion } = this.#ports
    const tenant = await gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        platformSql
          .selectFrom('platform.tenant_export as e')
          .innerJoin('platform.tenant as t', 't.id', 'e.tenant_id')
          .select(['t.tenant_code', 't.company_name', 't.server_id', 't.database_name', 't.schema_version'])
          .where('e.id', '=', exportId),
      ),
    )
    if (!tenant?.database_name) throw new Error('The tenant has no database')
    if (tenant.schema_version !== newestVersion('tenant'))
      throw new Error('The tenant must be brought up to date first')
    const server = await servers.get(tenant.server_id)
    const snapshot = await DatabaseSnapshot.open(server.migratorAddress(tenant.database_name), 1)
    try {
      const entries = await exportEntries(snapshot, {
        tenantCode: tenant.tenant_code,
        companyName: tenant.company_name,
        schemaVersion: tenant.schema_version,
        productVersion,
      })
      const measured = new Measured()
      const key = newArchiveKey(secrets, exportId)
      const storage = await storages.get(storages.current)
      await storage.write(nameOf(exportId), sealFile(key, zipOf(entries, measured)))
      const { sizeBytes } = measured
      return { storageUrl: storages.current, sealedKey: key.sealed, sizeBytes, checksum: measured.checksum() }
    } finally {
      await snapshot.close()
    }
  }

  async #settle(exportId: string, file: WrittenFile): Promise<void> {
    const { storageUrl, sealedKey, sizeBytes, checksum } = file
    await this.#set(
      exportId,
      sql`state = 'done', storage_url = ${storageUrl}, file_name = ${nameOf(exportId)}, sealed_key = ${sealedKey},
        size_bytes = ${sizeBytes}, checksum = ${checksum}, finished_at = now(),
        expires_at = now() + make_interval(days => ${this.#ports.keepDays})`,
    )
  }

  async #expire({
    id,
    storageUrl,
    fileName,
  }: Pick<ExportFile, 'id' | 'storageUrl' | 'fileName'>): Promise<void> {
    await this.#removeFile(storageUrl, fileName)
    await this.#set(id, sql`state = 'expired', storage_url = NULL, file_name = NULL, sealed_key = NULL`)
  }

  async #removeFile(storageUrl: string, fileName: string): Promise<void> {
    const storage = await this.#ports.storages.get(storageUrl)
    await storage.delete(fileName)
  }

  #rows(where: ReturnType<typeof sql>): Promise<ExportFile[]> {
    const query = sql<ExportFile>`SELECT id, storage_url AS "storageUrl", file_name AS "fileName",
        sealed_key AS "sealedKey"
      FROM platform.tenant_export WHERE ${where} ORDER BY id LIMIT ${EXPIRED_AT_ONCE}`
    return this.#ports.gate.readPlatform(SYSTEM, (tx) => tx.rows(query.compile(platformSql)))
  }

  async #set(exportId: string, what: ReturnType<typeof sql>): Promise<void> {
    const query = sql`UPDATE platform.tenant_export SET ${what}, updated_at = now() WHERE id = ${exportId}`
    await this.#ports.gate.writePlatform(SYSTEM, (tx) => tx.run(query.compile(platformSql)))
  }
}

export interface ExportFile {
  readonly id: string
  readonly storageUrl: string
  readonly fileName: string
  readonly sealedKey: string
}

interface WrittenFile {
  readonly storageUrl: string
  readonly sealedKey: string
  readonly sizeBytes: number
  readonly checksum: string
}

export function exportOperationId(exportId: string): string {
  return `${EXPORT_TENANT}:${exportId}`
}

function nameOf(exportId: string): string {
  return `exports/${exportId}.zip.sealed`
}

/** Each entry is opened when the one before it is written: one statement at a time on the snapshot. */
function zipOf(entries: readonly Entry[], measured: Measured): Readable {
  const zip = new ZipFile()
  for (const { name, open } of entries) {
    zip.addReadStreamLazy(name, { mtime: new Date(), compressionLevel: 6 }, (give) => {
      try {
        give(null, open())
      } catch (error) {
        give(error, null as never)
      }
    })
  }
  zip.end()
  const out = zip.outputStream as Readable
  zip.on('error', (error: Error) => measured.destroy(error))
  out.on('error', (error) => measured.destroy(error))
  return out.pipe(measured)
}

/** Lets bytes pass, and knows how many they were and their SHA-256. */
class Measured extends Transform {
  readonly #hash = createHash('sha256')
  sizeBytes = 0

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk)
    this.sizeBytes += chunk.length
    done(null, chunk)
  }

  checksum(): string {
    return this.#hash.digest('hex')
  }
}
