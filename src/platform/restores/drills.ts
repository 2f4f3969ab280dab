/**
 * Drills: every tenant's newest backup is restored in turn, compared, its books proven, and dropped again. A
 * backup that was never restored is a hope. How long ago the last proof was is a figure each tenant has.
 */
import { sql } from 'kysely'
import { Problem } from '../../kernel/problem.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { SYSTEM } from './records.ts'
import { restoreProblems } from './problems.ts'
import { writeRequest } from './requests.ts'
import type { Restoring } from './restoring.ts'

export interface DrillPorts {
  readonly gate: Gate
  readonly restoring: Restoring
  readonly secrets: Secrets
  /** Each tenant's turn comes once in so many days. */
  readonly everyDays: number
}

/** At the same time in the whole fleet: a drill costs as much as a restore. */
const AT_ONCE = 2
const DRILL_LOCK = 7_241_860_006
/** One that failed is tried again the next day. */
const TRY_AGAIN_AFTER = '1 day'

export class Drills {
  readonly #ports: DrillPorts

  constructor(ports: DrillPorts) {
    this.#ports = ports
  }

  /** A drill of this tenant, or the one that is running. */
  async start(tenantId: string): Promise<string> {
    const made = await this.#ports.gate.writePlatform(SYSTEM, (tx) => this.#request(tx, tenantId))
    const { finished } = await this.#ports.restoring.start(made)
    finished.catch(() => {}) // told by its row and an alert
    return made.id
  }

  /** Those whose turn it is, as far as there is room; several processes at once take turns. */
  async startDue(): Promise<void> {
    const { gate, everyDays } = this.#ports
    const due = await gate.writePlatform(SYSTEM, async (tx) => {
      await tx.rows(sql`SELECT pg_advisory_xact_lock(${DRILL_LOCK})`.compile(platformSql))
      const tenants = await tx.rows(
        sql<{ id: string }>`SELECT t.id FROM platform.tenant t
          WHERE t.status IN ('active', 'read_only', 'suspended') AND t.database_name IS NOT NULL AND t.busy_with IS NULL
            AND coalesce(t.last_proven_restore_at, t.created_at - interval '100 years')
              < now() - make_interval(days => ${everyDays})
            AND EXISTS (SELECT FROM platform.backup b WHERE b.tenant_id = t.id AND b.state = 'good')
            AND NOT EXISTS (SELECT FROM platform.restore r WHERE r.tenant_id = t.id AND r.mode = 'drill'
              AND r.created_at > now() - ${TRY_AGAIN_AFTER}::interval)
          ORDER BY t.last_proven_restore_at NULLS FIRST, t.id
          LIMIT greatest(0, ${AT_ONCE} - (SELECT count(*) FROM platform.restore
            WHERE mode = 'drill' AND state = 'restoring'))`.compile(platformSql),
      )
      const made: { id: string; operationId: string }[] = []
      for (const { id } of tenants) made.push(await this.#request(tx, id))
      return made
    })
    for (const drill of due) {
      const { finished } = await this.#ports.restoring.start(drill)
      finished.catch(() => {})
    }
  }

  /** Seconds since the oldest proof; a tenant that has none counts from its creation. */
  async oldestProofSeconds(): Promise<number> {
    const row = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        sql<{
          seconds: number
        }>`SELECT coalesce(max(extract(epoch FROM now() - coalesce(last_proven_restore_at,
            created_at))), 0)::float8 AS seconds
          FROM platform.tenant WHERE status IN ('active', 'read_only', 'suspended')`.compile(platformSql),
      ),
    )
    return row?.seconds ?? 0
  }

  async #request(tx: PlatformTx, tenantId: string): Promise<{ id: string; operationId: string }> {
    const found = await tx.row(
      sql<{ running: string | null; operation: string | null; backup: string | null }>`SELECT
          (SELECT id FROM platform.restore WHERE tenant_id = t.id AND mode = 'drill' AND state = 'restoring') AS running,
          (SELECT operation_id FROM platform.restore WHERE tenant_id = t.id AND mode = 'drill'
            AND state = 'restoring') AS operation,
          (SELECT id FROM platform.backup WHERE tenant_id = t.id AND state = 'good'
            ORDER BY created_at DESC LIMIT 1) AS backup
        FROM platform.tenant t WHERE t.id = ${tenantId} FOR UPDATE OF t`.compile(platformSql),
    )
    if (found?.running && found.operation) return { id: found.running, operationId: found.operation }
    if (!found?.backup)
      throw new Problem(restoreProblems.backupUnusable, { message: 'This tenant has no backup to prove' })
    return writeRequest(
      tx,
      { id: newId(), tenantId, backupId: found.backup, mode: 'drill' },
      this.#ports.secrets,
    )
  }
}
