import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf, type Download } from '../../http/contract.ts'
import { implement, type RequestContext, type Route } from '../../http/route.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import {
  createOwnExport,
  createTenantExport,
  downloadOwnExport,
  downloadTenantExport,
  getOwnExport,
  listOwnExports,
  listTenantExports,
  type TenantExport,
} from './contract.ts'
import { exportOperationId, type Exporting } from './exporting.ts'
import { exportProblems } from './problems.ts'

type ExportData = Static<typeof TenantExport>
type Page = { readonly page?: number; readonly limit?: number }

export interface ExportPorts {
  readonly exporting: Exporting
  /** A tenant's routes get its own database; what exports there are is written in the platform's. */
  readonly gate: Gate
}

export function exportRoutes({ exporting, gate }: ExportPorts): Route[] {
  const begin = async (tenantId: string, context: RequestContext): Promise<ExportData> => {
    const id = await gate.writePlatform(context.actor, (tx) => exporting.request(tx, tenantId))
    await exporting.start(id)
    return gate.readPlatform(context.actor, (tx) => read(tx, tenantId, id))
  }
  const download = async (tenantId: string, id: string, context: RequestContext): Promise<Download> => {
    const found = await gate.writePlatform(context.actor, async (tx) => {
      const row = await readRow(tx, tenantId, id)
      const { storageUrl, fileName, sealedKey, sizeBytes } = row
      if (row.state !== 'done' || storageUrl === null || fileName === null || sealedKey === null)
        throw new Problem(exportProblems.notReady)
      await recordEvent(tx, { action: 'download export', entity: 'tenant', entityId: tenantId, tenantId, details: { exportId: id } }) // prettier-ignore
      return { id, storageUrl, fileName, sealedKey, sizeBytes: Number(sizeBytes) }
    })
    return {
      stream: exporting.open(found),
      fileName: `export-${id}.zip`,
      contentType: 'application/zip',
      sizeBytes: found.sizeBytes,
    }
  }
  return [
    implement(createTenantExport, async (door, { params }, context) => {
      await door.read((tx) => mustExist(tx, params.id))
      return begin(params.id, context)
    }),
    implement(listTenantExports, (tx, { params, query }) => list(tx, params.id, query)),
    implement(downloadTenantExport, (_door, { params }, context) =>
      download(params.id, params.exportId, context),
    ),
    implement(createOwnExport, (_door, _input, context) => begin(context.tenant.tenantId, context)),
    implement(listOwnExports, (_door, { query }, context) =>
      gate.readPlatform(context.actor, (tx) => list(tx, context.tenant.tenantId, query)),
    ),
    implement(getOwnExport, (_door, { params }, context) =>
      gate.readPlatform(context.actor, (tx) => read(tx, context.tenant.tenantId, params.id)),
    ),
    implement(downloadOwnExport, (_door, { params }, context) =>
      download(context.tenant.tenantId, params.id, context),
    ),
  ]
}

async function mustExist(tx: PlatformRead, tenantId: string): Promise<void> {
  const row = await tx.row(
    platformSql.selectFrom('platform.tenant').select('database_name').where('id', '=', tenantId),
  )
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
  if (row.database_name === null)
    throw new Problem(problems.conflict, { message: 'The tenant has no database to export' })
}

function exports(tenantId: string) {
  return platformSql
    .selectFrom('platform.tenant_export')
    .select(['id', 'tenant_id as tenantId', 'state', 'size_bytes as sizeBytes', 'checksum', 'error'])
    .select(['storage_url as storageUrl', 'file_name as fileName', 'sealed_key as sealedKey'])
    .select(['expires_at as expiresAt', 'created_at as createdAt', 'finished_at as finishedAt'])
    .where('tenant_id', '=', tenantId)
}

async function readRow(tx: PlatformRead, tenantId: string, id: string) {
  const row = await tx.row(exports(tenantId).where('id', '=', id))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such export' })
  return row
}

async function read(tx: PlatformRead, tenantId: string, id: string): Promise<ExportData> {
  return present(await readRow(tx, tenantId, id))
}

async function list(tx: PlatformRead, tenantId: string, query: Page) {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const [rows, [counted]] = await Promise.all([
    tx.rows(
      exports(tenantId)
        .orderBy('id', 'desc')
        .limit(limit)
        .offset((page - 1) * limit),
    ),
    tx.rows(
      sql<{ total: number }>`SELECT count(*) AS total FROM platform.tenant_export
        WHERE tenant_id = ${tenantId}`.compile(platformSql),
    ),
  ])
  return { exports: rows.map(present), pagination: paginationOf(Number(counted?.total ?? 0), page, limit) }
}

function present({
  storageUrl: _url,
  fileName: _name,
  sealedKey: _key,
  ...row
}: Awaited<ReturnType<typeof readRow>>): ExportData {
  return { ...row, operationId: exportOperationId(row.id) } as ExportData
}
