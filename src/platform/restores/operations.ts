import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type PlatformDoor, type RequestContext, type Route } from '../../http/route.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { recordEvent } from '../audit.ts'
import {
  createRestore,
  discardRestore,
  getRestore,
  listRestores,
  startDrill,
  swapRestore,
  undoRestore,
  type Restore,
} from './contract.ts'
import type { Drills } from './drills.ts'
import { restoreProblems } from './problems.ts'
import { writeRequest, type RestoreRequest } from './requests.ts'
import { SWAP_RESTORE, UNDO_RESTORE, type Restoring } from './restoring.ts'

type RestoreData = Static<typeof Restore>

export interface RestorePorts {
  readonly restoring: Restoring
  readonly drills: Drills
  readonly secrets: Secrets
}

export function restoreRoutes({ restoring, drills, secrets }: RestorePorts): Route[] {
  const begin = async (door: PlatformDoor, request: RestoreRequest): Promise<RestoreData> => {
    const made = await door.write((tx) => writeRequest(tx, request, secrets))
    const { finished } = await restoring.start(made)
    finished.catch(() => {}) // told by the operation and the restore
    return door.read((tx) => read(tx, request.id))
  }
  /** A further step of a restore: its workflow's name is new each time, so that it may be tried again. */
  const goOn = async (
    door: PlatformDoor,
    id: string,
    kind: string,
    from: RawBuilder<unknown>,
    context: RequestContext,
  ): Promise<RestoreData> => {
    const operationId = `${kind}:${id}:${context.newId().slice(-12)}`
    await door.write(async (tx) => {
      const { tenantId, state } = await read(tx, id)
      const changed = await tx.run(
        sql`UPDATE platform.restore SET state = 'swapping', operation_id = ${operationId}, updated_at = now()
          WHERE id = ${id} AND ${from}`.compile(platformSql),
      )
      if (changed === 0) throw new Problem(restoreProblems.wrongState, { message: `The restore is ${state}` })
      await recordEvent(tx, { action: kind, entity: 'restore', entityId: id, tenantId })
    })
    const { finished } = await restoring.start({ id, operationId })
    finished.catch(() => {})
    return door.read((tx) => read(tx, id))
  }
  return [
    implement(createRestore, (door, { params, body }, context) =>
      begin(door, { id: context.newId(), tenantId: params.id, ...body }),
    ),
    implement(startDrill, async (door, { params }) => {
      const id = await drills.start(params.id)
      return door.read((tx) => read(tx, id))
    }),
    implement(listRestores, (tx, { params, query }) => list(tx, params.id, query)),
    implement(getRestore, (tx, { params }) => read(tx, params.id)),
    implement(swapRestore, (door, { params }, context) =>
      goOn(door, params.id, SWAP_RESTORE, sql`state = 'ready'`, context),
    ),
    implement(undoRestore, (door, { params }, context) =>
      goOn(door, params.id, UNDO_RESTORE, sql`state = 'swapped' AND kept_database IS NOT NULL`, context),
    ),
    implement(discardRestore, async (door, { params }) => {
      const { state } = await door.read((tx) => read(tx, params.id))
      if (state === 'restoring' || state === 'swapping')
        throw new Problem(restoreProblems.wrongState, { message: `The restore is ${state}` })
      await restoring.discard(params.id)
      return door.read((tx) => read(tx, params.id))
    }),
  ]
}

function restores(where: RawBuilder<unknown>) {
  return sql<RestoreData>`SELECT r.id, r.tenant_id AS "tenantId", t.tenant_code AS "tenantCode",
      r.backup_id AS "backupId", r.mode, r.state, r.operation_id AS "operationId", r.new_tenant_id AS "newTenantId",
      r.side_database AS "sideDatabase", r.verification, r.difference, r.safety_backup_id AS "safetyBackupId",
      r.kept_database AS "keptDatabase", r.kept_until AS "keptUntil", r.error, r.created_at AS "createdAt",
      r.finished_at AS "finishedAt"
    FROM platform.restore r JOIN platform.tenant t ON t.id = r.tenant_id WHERE ${where}`
}

async function read(tx: PlatformRead, id: string): Promise<RestoreData> {
  const row = await tx.row(restores(sql`r.id = ${id}`).compile(platformSql))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such restore' })
  return row
}

async function list(
  tx: PlatformRead,
  tenantId: string,
  query: Static<NonNullable<typeof listRestores.query>>,
) {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const where = sql`r.tenant_id = ${tenantId} AND ${query.mode === undefined ? sql`true` : sql`r.mode = ${query.mode}`}`
  const [rows, counted] = await Promise.all([
    tx.rows(
      sql<RestoreData>`${restores(where)} ORDER BY r.id DESC LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(
        platformSql,
      ),
    ),
    tx.row(
      sql<{ total: number }>`SELECT count(*) AS total FROM platform.restore r WHERE ${where}`.compile(
        platformSql,
      ),
    ),
  ])
  return { restores: rows, pagination: paginationOf(Number(counted?.total ?? 0), page, limit) }
}
