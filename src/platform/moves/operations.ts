import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type Route } from '../../http/route.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { recordEvent } from '../audit.ts'
import { choosePlace } from '../servers/placement.ts'
import { claimTenant } from '../tenants/busy.ts'
import { dropKeptCopy, getMove, listMoves, moveTenant, undoMove, type Move } from './contract.ts'
import { operationIdOf, workOf, type Moving } from './moving.ts'
import { tenantProblems } from '../tenants/problems.ts'
import { moveProblems } from './problems.ts'

type MoveData = Static<typeof Move>

/** Each reads and writes a whole database: more at once would only be slower, and disturb those who work. */
const MOVES_AT_ONCE = 4
const MOVABLE = new Set(['active', 'read_only', 'suspended', 'cancelled'])

export function moveRoutes(moving: Moving): Route[] {
  return [
    implement(moveTenant, async (door, { params, body }, { newId }) => {
      const id = newId()
      await door.write((tx) =>
        reserve(tx, { id, tenantId: params.id, serverId: body.serverId, undoesId: null }),
      )
      await moving.start(id)
      return door.read((tx) => read(tx, params.id, id))
    }),
    implement(listMoves, (tx, { params, query }) => list(tx, params.id, query)),
    implement(getMove, (tx, { params }) => read(tx, params.id, params.moveId)),
    implement(undoMove, async (door, { params }, { newId }) => {
      const id = newId()
      await door.write(async (tx) => {
        const move = await read(tx, params.id, params.moveId)
        if (move.status !== 'done') throw new Problem(moveProblems.notUndoable)
        await reserve(tx, { id, tenantId: params.id, serverId: move.fromServerId, undoesId: move.id })
      })
      await moving.start(id)
      return door.read((tx) => read(tx, params.id, id))
    }),
    implement(dropKeptCopy, async (door, { params }) => {
      await door.write(async (tx) => {
        const move = await read(tx, params.id, params.moveId)
        if (move.keptUntil === null) throw new Problem(moveProblems.notKept)
        await refuseBusy(tx, params.id)
        const details = { moveId: move.id }
        const { tenantId } = move
        await recordEvent(tx, {
          action: 'drop kept copy',
          entity: 'tenant',
          entityId: tenantId,
          tenantId,
          details,
        })
      })
      await moving.dropKept(params.moveId)
      return door.read((tx) => read(tx, params.id, params.moveId))
    }),
  ]
}

interface Reservation {
  readonly id: string
  readonly tenantId: string
  readonly serverId: string
  readonly undoesId: string | null
}

/** Writes the move down, with its place on the new server, and takes the tenant for it. */
async function reserve(tx: PlatformTx, { id, tenantId, serverId, undoesId }: Reservation): Promise<void> {
  const tenant = await tx.row(
    platformSql
      .selectFrom('platform.tenant')
      .select([
        'server_id as serverId',
        'status',
        'schema_version as schemaVersion',
        'database_name as database',
      ])
      .where('id', '=', tenantId)
      .forUpdate(),
  )
  if (!tenant) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
  if (!MOVABLE.has(tenant.status) || tenant.database === null) {
    throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${tenant.status}` })
  }
  if (tenant.schemaVersion !== newestVersion('tenant')) throw new Problem(moveProblems.behind)
  if (undoesId !== null) await refuseUnlessLast(tx, tenantId, undoesId)
  if (tenant.serverId === serverId) {
    throw validationProblem([
      { field: 'serverId', code: 'SAME', message: 'The tenant is on this server already' },
    ])
  }
  // Whoever goes back was there before: a draining server takes it, one that is away does not.
  if (undoesId === null) await choosePlace(tx, serverId)
  await refuseTooMany(tx)
  if (!(await claimTenant(tx, tenantId, workOf(id)))) throw new Problem(moveProblems.busy)
  await tx.run(
    platformSql.insertInto('platform.tenant_move').values({
      id,
      tenant_id: tenantId,
      from_server_id: tenant.serverId,
      to_server_id: serverId,
      undoes_id: undoesId,
      status: 'running',
    }),
  )
  const details = { moveId: id, fromServerId: tenant.serverId, toServerId: serverId }
  const action = undoesId === null ? 'move' : 'undo move'
  await recordEvent(tx, { action, entity: 'tenant', entityId: tenantId, tenantId, details })
}

async function refuseUnlessLast(tx: PlatformTx, tenantId: string, moveId: string): Promise<void> {
  const last = await tx.row(
    sql<{
      id: string
    }>`SELECT id FROM platform.tenant_move WHERE tenant_id = ${tenantId} AND status IN ('done', 'running')
      ORDER BY created_at DESC, id DESC LIMIT 1`.compile(platformSql),
  )
  if (last?.id !== moveId) throw new Problem(moveProblems.notUndoable)
  // An undo that failed gives way to the next one.
  await tx.run(
    sql`UPDATE platform.tenant_move SET undoes_id = NULL WHERE undoes_id = ${moveId} AND status = 'failed'
      AND cleared_at IS NOT NULL`.compile(platformSql),
  )
}

async function refuseTooMany(tx: PlatformTx): Promise<void> {
  const counted = await tx.row(
    sql<{ running: number }>`SELECT count(*)::int AS running FROM platform.tenant_move
      WHERE status = 'running'`.compile(platformSql),
  )
  if ((counted?.running ?? 0) < MOVES_AT_ONCE) return
  const message = `${MOVES_AT_ONCE} moves are under way, the most at a time; try again when one is done`
  throw new Problem(problems.unavailable, { message, retryAfterSeconds: 30 })
}

async function refuseBusy(tx: PlatformTx, tenantId: string): Promise<void> {
  const tenant = await tx.row(
    platformSql.selectFrom('platform.tenant').select('busy_with').where('id', '=', tenantId).forUpdate(),
  )
  if (tenant?.busy_with != null) throw new Problem(moveProblems.busy)
}

// ---- reading -------------------------------------------------------------------------------------------

async function list(
  tx: PlatformRead,
  tenantId: string,
  query: Static<NonNullable<typeof listMoves.query>>,
): Promise<{ moves: MoveData[]; pagination: ReturnType<typeof paginationOf> }> {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const [rows, [counted]] = await Promise.all([
    tx.rows(
      select(sql`m.tenant_id = ${tenantId} ORDER BY m.created_at DESC, m.id DESC
        LIMIT ${limit} OFFSET ${(page - 1) * limit}`),
    ),
    tx.rows(
      sql<{ total: number }>`SELECT count(*)::int AS total FROM platform.tenant_move
        WHERE tenant_id = ${tenantId}`.compile(platformSql),
    ),
  ])
  return { moves: rows.map(present), pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

async function read(tx: PlatformRead, tenantId: string, id: string): Promise<MoveData> {
  const row = await tx.row(select(sql`m.tenant_id = ${tenantId} AND m.id = ${id}`))
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such move' })
  return present(row)
}

function select(condition: RawBuilder<unknown>) {
  return sql<Omit<MoveData, 'operationId'>>`SELECT m.id, m.tenant_id AS "tenantId",
      m.from_server_id AS "fromServerId", f.name AS "fromServerName",
      m.to_server_id AS "toServerId", t.name AS "toServerName", m.undoes_id AS "undoesId", m.status, m.error,
      m.tables, m.rows, m.ledger_checksum AS "ledgerChecksum", m.held_milliseconds AS "heldMilliseconds",
      m.switched_at AS "switchedAt", CASE WHEN m.dropped_at IS NULL THEN m.kept_until END AS "keptUntil",
      m.created_at AS "createdAt", m.updated_at AS "updatedAt"
    FROM platform.tenant_move m JOIN platform.server f ON f.id = m.from_server_id
    JOIN platform.server t ON t.id = m.to_server_id WHERE ${condition}`.compile(platformSql)
}

function present(row: Omit<MoveData, 'operationId'>): MoveData {
  return { ...row, operationId: operationIdOf(row.id) }
}
