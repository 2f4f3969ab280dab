/**
 * Moving a tenant to another server: a durable workflow. The database is copied while its users work; what
 * they wrote meanwhile is brought after it; then writes are held for the last rows, both databases are
 * compared, and the tenant's row is switched. Until the switch everything can be taken back without a trace;
 * after it the old database is kept for a while.
 *
 * A database is never made or dropped under a tenant's name: on the new server it is `erp_moving_<move>` until
 * the switch, on the old one `erp_moved_<move>` from then on (docs/adr/0006).
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { runStep } from '../../jobs/steps.ts'
import { isTakenOver, startWorkflow } from '../../jobs/workflows.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { catchUp, sinceNow, sinceOf, type CaughtUp } from '../../tenancy/catch-up.ts'
import { copySnapshot, DatabaseSnapshot, verifyCopy } from '../../tenancy/copy.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import { platformSql, type Actor } from '../../tenancy/handles.ts'
import { holdWrites, letWrite, openDatabase, shutDatabase, type HeldDatabase } from '../../tenancy/hold.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { ledgerProof } from '../../erp/onboarding.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import { releaseTenant } from '../tenants/busy.ts'
import type { TenantDatabases } from '../tenants/databases.ts'

export const MOVE_TENANT = 'move-tenant'
export const moveSteps = ['copy', 'catch up', 'hold', 'last rows', 'compare', 'switch', 'finish'] as const
type Step = (typeof moveSteps)[number] | 'compensation'
const ENDED = new Set(['SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'])

const STEP_ATTEMPTS = 3
const COMPENSATION_ATTEMPTS = 11
/** Catching up with writers in the open ends when so few rows are left for the moment in which they wait. */
const FEW_ROWS = 200
const ROUNDS_MAXIMUM = 4
const LOOKED_AT_MAXIMUM = 1_000

export interface MovingPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly databases: TenantDatabases
  readonly secrets: Secrets
  /** Writes wait no longer than this: then the move is given up, and they go on where they were. */
  readonly holdMaximumMs: number
  readonly keepDays: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop the process or fail here; nothing else does. */
  readonly atStep?:
    ((step: string, moment: 'before' | 'after', tenantId: string) => void | Promise<void>) | undefined
  readonly compensationAttempts?: number | undefined
}

/** What a move is about, and where it stands. */
interface Journey {
  readonly moveId: string
  readonly tenantId: string
  readonly tenantCode: string
  readonly database: string
  readonly role: string
  readonly sealedPassword: string
  readonly schemaVersion: string | null
  readonly fromId: string
  readonly toId: string
  readonly isSwitched: boolean
  readonly isCleared: boolean
  readonly undoesId: string | null
  readonly undoes: { readonly kept: string; readonly writtenSince: string } | undefined
}

interface Portrait {
  readonly tables: number
  readonly rows: number
  readonly ledgerChecksum: string
  readonly writtenSince: string
}

export class Moving {
  readonly #ports: MovingPorts
  readonly #workflow: (moveId: string) => Promise<void>
  readonly #actor: Actor = { kind: 'system', id: null, requestId: MOVE_TENANT, address: null }

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: MovingPorts) {
    this.#ports = ports
    this.#workflow = DBOS.registerWorkflow((moveId: string) => this.#move(moveId), { name: MOVE_TENANT })
  }

  get keepDays(): number {
    return this.#ports.keepDays
  }

  /** Starts a move that is written down, once however often it is called. */
  async start(moveId: string): Promise<void> {
    await startWorkflow(this.#workflow, operationIdOf(moveId), moveId) // the move's row tells how it ends
  }

  /**
   * Moves that nobody works on: their process died before their workflow began, or their workflow has ended
   * without being able to finish them or to clear up (a server was away for too long). And kept copies whose
   * time is up.
   */
  async tend(): Promise<void> {
    const open = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        sql<{
          id: string
          isFailed: boolean
          isSwitched: boolean
        }>`SELECT id, status = 'failed' AS "isFailed",
            switched_at IS NOT NULL AS "isSwitched" FROM platform.tenant_move
          WHERE status = 'running' OR (status = 'failed' AND cleared_at IS NULL)
          ORDER BY updated_at LIMIT ${LOOKED_AT_MAXIMUM}`.compile(platformSql),
      ),
    )
    for (const { id, isFailed, isSwitched } of open) {
      const workflow = await DBOS.getWorkflowStatus(operationIdOf(id))
      if (workflow && !ENDED.has(workflow.status)) continue
      const work = workflow === null ? this.start(id) : isSwitched ? this.#finish(id) : this.#takeBack(id, 'its workflow has ended') // prettier-ignore
      await work.catch((error: unknown) =>
        this.#ports.log(
          'warn',
          `Move ${id} (${isFailed ? 'to clear' : 'to end'}) must wait: ${String(error)}`,
        ),
      )
    }
    await this.#dropOverdue()
  }

  async #dropOverdue(): Promise<void> {
    const overdue = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        sql<{ id: string }>`SELECT id FROM platform.tenant_move WHERE kept_database IS NOT NULL
          AND dropped_at IS NULL AND status <> 'running' AND kept_until < now()
          LIMIT ${LOOKED_AT_MAXIMUM}`.compile(platformSql),
      ),
    )
    for (const { id } of overdue) {
      await this.dropKept(id).catch((error: unknown) =>
        this.#ports.log('warn', `The kept copy of move ${id} could not be dropped yet: ${String(error)}`),
      )
    }
  }

  /** The old database, and its role there if nothing else of the tenant is on that server. May be repeated. */
  async dropKept(moveId: string): Promise<void> {
    const { gate, servers } = this.#ports
    const kept = await gate.readPlatform(this.#actor, (tx) =>
      tx.row(
        sql<{ database: string; serverId: string; role: string | null; isAtHome: boolean }>`SELECT
            m.kept_database AS database, m.from_server_id AS "serverId", t.runtime_role AS role,
            t.server_id = m.from_server_id AS "isAtHome"
          FROM platform.tenant_move m JOIN platform.tenant t ON t.id = m.tenant_id
          WHERE m.id = ${moveId} AND m.kept_database IS NOT NULL AND m.dropped_at IS NULL`.compile(
          platformSql,
        ),
      ),
    )
    if (!kept) return
    const server = await servers.get(kept.serverId)
    await server.drop(kept.database)
    if (!kept.isAtHome && kept.role !== null) await dropUnusedRole(server, kept.role)
    await gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        sql`UPDATE platform.tenant_move SET dropped_at = now(), updated_at = now()
          WHERE id = ${moveId} AND dropped_at IS NULL`.compile(platformSql),
      ),
    )
  }

  // ---- the workflow ------------------------------------------------------------------------------------

  async #move(moveId: string): Promise<void> {
    const { tenantId } = await this.#journey(moveId)
    const step = <Result>(name: Step, work: () => Promise<Result>): Promise<Result> =>
      this.#step(tenantId, name, work)
    try {
      const copiedAt = await step('copy', () => this.#copy(moveId))
      const since = await step('catch up', () => this.#catchUp(moveId, copiedAt))
      const heldAtMs = await step('hold', () => this.#hold(moveId))
      const inTime = <Result>(work: Promise<Result>): Promise<Result> => this.#inTime(heldAtMs, work)
      await step('last rows', () => inTime(this.#lastRows(moveId, since)))
      const portrait = await step('compare', () => inTime(this.#compare(moveId)))
      // Not raced against the clock: it is short, and half of it behind our back would be worse than late.
      await step('switch', () => this.#switch(moveId, portrait, heldAtMs))
    } catch (error) {
      if (isTakenOver(error)) throw error
      const reason = reasonOf(error)
      const isTakenBack = await step('compensation', () => this.#takeBack(moveId, reason))
      if (isTakenBack) throw error
    }
    await step('finish', () => this.#finish(moveId))
  }

  async #step<Result>(tenantId: string, name: Step, work: () => Promise<Result>): Promise<Result> {
    const { atStep, compensationAttempts = COMPENSATION_ATTEMPTS } = this.#ports
    const retries =
      name === 'compensation' || name === 'finish'
        ? { maxAttempts: compensationAttempts, backoffRate: 2 }
        : { maxAttempts: name === 'compare' ? 1 : STEP_ATTEMPTS, backoffRate: 2 }
    return runStep(
      async () => {
        await atStep?.(`move ${name}`, 'before', tenantId)
        const result = await work()
        await atStep?.(`move ${name}`, 'after', tenantId)
        return result
      },
      { name, retriesAllowed: true, intervalSeconds: 0.2, ...retries },
    )
  }

  /** Whatever is still at work when the time is up loses its database to the compensation. */
  async #inTime<Result>(heldAtMs: number, work: Promise<Result>): Promise<Result> {
    const leftMs = heldAtMs + this.#ports.holdMaximumMs - Date.now()
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_, reject) => {
      const error = new Error(`Writes were held for ${this.#ports.holdMaximumMs} ms, which is the most`)
      timer = setTimeout(() => reject(error), Math.max(leftMs, 0))
    })
    try {
      return await Promise.race([work, tooLate])
    } finally {
      clearTimeout(timer)
      work.catch(() => {})
    }
  }

  // ---- steps -------------------------------------------------------------------------------------------

  /** Returns where catching up with the source begins. Repeated, it begins anew. */
  async #copy(moveId: string): Promise<string> {
    const { databases, secrets } = this.#ports
    const journey = await this.#journey(moveId)
    const [from, to] = await this.#servers(journey)
    const working = workingName(moveId)
    const { undoes, role } = journey
    if (undoes && (await takeKept(to, undoes.kept, working, role))) return undoes.writtenSince
    await databases.makeRole(to, role, secrets.open(journey.sealedPassword, role))
    await databases.makeBlank(journey.toId, working)
    const snapshot = await DatabaseSnapshot.open(from.migratorAddress(journey.database))
    try {
      await copySnapshot(snapshot, to.migratorAddress(working))
      return sinceOf(snapshot.transactions)
    } finally {
      await snapshot.close()
    }
  }

  /** In the open, until so little is left that writers wait only briefly for it. */
  async #catchUp(moveId: string, since: string): Promise<string> {
    let from = since
    let rowsBefore = Number.POSITIVE_INFINITY
    for (let round = 1; round <= ROUNDS_MAXIMUM; round++) {
      const caughtUp = await this.#catchUpOnce(moveId, from)
      from = caughtUp.since
      const rows = caughtUp.changedRows + caughtUp.deletedRows
      // Where they write as fast as we follow, another round brings us no nearer.
      if (rows <= FEW_ROWS || rows > rowsBefore / 2) break
      rowsBefore = rows
    }
    return from
  }

  async #catchUpOnce(moveId: string, since: string): Promise<CaughtUp> {
    const journey = await this.#journey(moveId)
    const [from, to] = await this.#servers(journey)
    const target = to.migratorAddress(workingName(moveId))
    return catchUp(from.migratorAddress(journey.database), target, since)
  }

  async #hold(moveId: string): Promise<number> {
    const journey = await this.#journey(moveId)
    const heldAtMs = Date.now()
    await holdWrites(await this.#heldSource(journey), () => this.#reconnect(journey.tenantId))
    return heldAtMs
  }

  async #lastRows(moveId: string, since: string): Promise<void> {
    await this.#catchUpOnce(moveId, since)
  }

  async #compare(moveId: string): Promise<Portrait> {
    const journey = await this.#journey(moveId)
    const [from, to] = await this.#servers(journey)
    const target = to.migratorAddress(workingName(moveId))
    const { isEqual, differences, tables, proofs } = await verifyCopy(
      from.migratorAddress(journey.database),
      target,
      [ledgerProof],
    )
    if (!isEqual) throw new Error(`The copy differs: ${differences.slice(0, 5).join('; ')}`)
    return {
      tables: tables.length,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0),
      ledgerChecksum: checksumOf(proofs[0]?.answer ?? ''),
      writtenSince: await sinceNow(target),
    }
  }

  /** The new database gets the tenant's name and role, the old one is shut, and then the tenant's row changes. */
  async #switch(moveId: string, portrait: Portrait, heldAtMs: number): Promise<void> {
    const journey = await this.#journey(moveId)
    if (journey.isSwitched) return
    const [from, to] = await this.#servers(journey)
    const { database, role, tenantId } = journey
    const [working, kept] = [workingName(moveId), keptName(moveId)]
    if (Date.now() > heldAtMs + this.#ports.holdMaximumMs) throw new Error('Writes were held for too long')
    if (await to.exists(working)) {
      await to.grantConnect(working, role)
      await to.rename(working, database)
    }
    if (!(await from.exists(kept))) {
      await shutDatabase({ server: from, database, role }, () => this.#reconnect(tenantId))
      await from.rename(database, kept)
    }
    const heldMs = Date.now() - heldAtMs
    const { gate, keepDays } = this.#ports
    await gate.writePlatform(this.#actor, async (tx) => {
      const isOurs = await tx.run(
        sql`UPDATE platform.tenant_move SET switched_at = now(), updated_at = now(), kept_database = ${kept},
            kept_until = now() + make_interval(days => ${keepDays}), held_milliseconds = ${heldMs},
            tables = ${portrait.tables}, rows = ${portrait.rows}, ledger_checksum = ${portrait.ledgerChecksum},
            written_since = ${portrait.writtenSince}, schema_version = ${journey.schemaVersion}
          WHERE id = ${moveId} AND status = 'running'`.compile(platformSql),
      )
      const switched = await tx.run(
        sql`UPDATE platform.tenant SET server_id = ${journey.toId}, updated_at = clock_timestamp()
          WHERE id = ${tenantId} AND server_id = ${journey.fromId} AND busy_with = ${workOf(moveId)}`.compile(
          platformSql,
        ),
      )
      if (isOurs + switched !== 2) throw new Error('The tenant is no longer where it was when the move began')
      await announce(tx, { kind: 'tenant', tenantId, reconnect: true })
    })
  }

  async #finish(moveId: string): Promise<void> {
    const { tenantId, fromId, toId, undoesId } = await this.#journey(moveId)
    // Where the tenant lives again, a copy of before is of no use.
    if (undoesId !== null) await this.dropKept(undoesId)
    await this.#ports.gate.writePlatform(this.#actor, async (tx) => {
      const done = await tx.run(
        sql`UPDATE platform.tenant_move SET status = 'done', updated_at = now()
          WHERE id = ${moveId} AND status = 'running'`.compile(platformSql),
      )
      await releaseTenant(tx, tenantId, workOf(moveId))
      if (done === 0) return
      await tx.run(
        sql`UPDATE platform.tenant_move SET status = 'undone', updated_at = now()
          WHERE id = ${undoesId}`.compile(platformSql),
      )
      const details = { moveId, fromServerId: fromId, toServerId: toId }
      await recordEvent(tx, { action: 'moved', entity: 'tenant', entityId: tenantId, tenantId, details })
    })
  }

  // ---- taking it back ----------------------------------------------------------------------------------

  /** Whether it was taken back; once switched, it is not: then the move is brought to its end. May be repeated. */
  async #takeBack(moveId: string, reason: string): Promise<boolean> {
    // Decided in the row first: the switch, should it still be at work somewhere, finds that it is too late.
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        sql`UPDATE platform.tenant_move SET status = 'failed', error = ${reason.slice(0, 500)}, updated_at = now()
          WHERE id = ${moveId} AND status = 'running' AND switched_at IS NULL`.compile(platformSql),
      ),
    )
    const journey = await this.#journey(moveId)
    if (journey.isSwitched) return false
    if (journey.isCleared) return true // the tenant may be anybody's by now
    const { tenantId, tenantCode, database } = journey
    this.#ports.log('error', `Moving tenant ${tenantCode} failed and is taken back: ${reason}`)
    // First of all people work again; the rest is clearing up.
    const source = await this.#heldSource(journey)
    const kept = keptName(moveId)
    if (await source.server.exists(kept)) await source.server.rename(kept, database)
    await openDatabase(source)
    await letWrite(source)
    await this.#reconnect(tenantId)
    await this.#clear(journey, reason)
    return true
  }

  /** The new server is as it was before. */
  async #clear({ moveId, tenantId, toId, database, role, undoesId }: Journey, reason: string): Promise<void> {
    const { gate, servers, databases } = this.#ports
    const to = await servers.get(toId)
    await to.drop(workingName(moveId))
    if (await databases.isOf(to, role, database)) await to.drop(database)
    await dropUnusedRole(to, role)
    await gate.writePlatform(this.#actor, async (tx) => {
      const cleared = await tx.run(
        sql`UPDATE platform.tenant_move SET cleared_at = now(), updated_at = now()
          WHERE id = ${moveId} AND cleared_at IS NULL`.compile(platformSql),
      )
      await releaseTenant(tx, tenantId, workOf(moveId))
      if (cleared === 0) return
      // The copy that an undo began with is gone.
      await tx.run(
        sql`UPDATE platform.tenant_move SET dropped_at = now(), updated_at = now()
          WHERE id = ${undoesId} AND dropped_at IS NULL`.compile(platformSql),
      )
      const details = { moveId, reason: reason.slice(0, 500) }
      await recordEvent(tx, {
        action: 'move failed',
        entity: 'tenant',
        entityId: tenantId,
        tenantId,
        details,
      })
    })
  }

  // ---- where things are --------------------------------------------------------------------------------

  async #servers({ fromId, toId }: Journey): Promise<[DatabaseServer, DatabaseServer]> {
    const { servers } = this.#ports
    return [await servers.get(fromId), await servers.get(toId)]
  }

  async #heldSource({ fromId, database, role }: Journey): Promise<HeldDatabase> {
    return { server: await this.#ports.servers.get(fromId), database, role }
  }

  #reconnect(tenantId: string): Promise<void> {
    return this.#ports.gate.writePlatform(this.#actor, (tx) =>
      announce(tx, { kind: 'tenant', tenantId, reconnect: true }),
    )
  }

  async #journey(moveId: string): Promise<Journey> {
    const row = await this.#ports.gate.readPlatform(this.#actor, (tx) =>
      tx.row(
        sql<JourneyRow>`SELECT m.id AS "moveId", t.id AS "tenantId", t.tenant_code AS "tenantCode",
            t.database_name AS database, t.runtime_role AS role, t.sealed_runtime_password AS "sealedPassword",
            t.schema_version AS "schemaVersion", m.from_server_id AS "fromId", m.to_server_id AS "toId",
            m.switched_at IS NOT NULL AS "isSwitched", m.cleared_at IS NOT NULL AS "isCleared", m.undoes_id AS "undoesId",
            CASE WHEN u.dropped_at IS NULL AND u.schema_version = t.schema_version THEN u.kept_database END AS kept,
            u.written_since AS "writtenSince"
          FROM platform.tenant_move m JOIN platform.tenant t ON t.id = m.tenant_id
          LEFT JOIN platform.tenant_move u ON u.id = m.undoes_id WHERE m.id = ${moveId}`.compile(platformSql),
      ),
    )
    if (!row) throw new Error(`There is no move ${moveId}`)
    const { kept, writtenSince, database, role, sealedPassword, ...journey } = row
    if (database === null || role === null || sealedPassword === null) {
      throw new Error('The tenant has no database')
    }
    const undoes = kept === null || writtenSince === null ? undefined : { kept, writtenSince }
    return { ...journey, database, role, sealedPassword, undoes }
  }
}

interface JourneyRow extends Omit<Journey, 'undoes' | 'database' | 'role' | 'sealedPassword'> {
  readonly database: string | null
  readonly role: string | null
  readonly sealedPassword: string | null
  readonly kept: string | null
  readonly writtenSince: string | null
}

/** The kept copy becomes the database to catch up; whether it was there. May be repeated. */
async function takeKept(
  server: DatabaseServer,
  kept: string,
  working: string,
  role: string,
): Promise<boolean> {
  if (await server.exists(kept)) await server.rename(kept, working)
  if (!(await server.exists(working))) return false
  const database = { server, database: working, role }
  await letWrite(database)
  await openDatabase(database)
  return true
}

/** A role that still has a database here (a kept copy) stays. */
async function dropUnusedRole(server: DatabaseServer, role: string): Promise<void> {
  await server.dropRole(role).catch((error: unknown) => {
    if ((error as { code?: string }).code !== '2BP01') throw error
  })
}

/** A step that was tried several times tells all its failures; the last one is enough. */
function reasonOf(error: unknown): string {
  const { errors } = error as { errors?: unknown }
  const last: unknown = Array.isArray(errors) ? errors.at(-1) : error
  return last instanceof Error ? last.message : String(last)
}

function checksumOf(answer: string): string {
  return (JSON.parse(answer || 'null') as { balances?: string } | null)?.balances ?? ''
}

export function operationIdOf(moveId: string): string {
  return `${MOVE_TENANT}:${moveId}`
}

/** What a moving tenant is busy with. */
export function workOf(moveId: string): string {
  return `move:${moveId}`
}

function workingName(moveId: string): string {
  return `erp_moving_${moveId.replaceAll('-', '')}`
}

function keptName(moveId: string): string {
  return `erp_moved_${moveId.replaceAll('-', '')}`
}
