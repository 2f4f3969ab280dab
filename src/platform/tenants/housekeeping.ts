/**
 * Housekeeping: what is of no more use goes after a while: answers kept for Idempotency-Keys, ended sessions,
 * spent links. A tenant that is visited is looked after once a day; one that fell silent once more, when the
 * last of its things has grown old, and then no more: a thousand idle databases are not woken for nothing.
 */
import { sql } from 'kysely'
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx, type TenantTx } from '../../tenancy/handles.ts'
import type { TenantDirectory } from './directory.ts'

export interface HousekeepingPorts {
  readonly gate: Gate
  readonly directory: TenantDirectory
  readonly purgeAfterDays: number
  /** Each deletes at most PURGE_BATCH rows of each kind and tells how many went. */
  readonly purgeTenant: (tx: TenantTx, before: Date) => Promise<number>
  readonly purgePlatform: (tx: PlatformTx, before: Date) => Promise<number>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

export const PURGE_BATCH = 1_000
const BATCHES_MAXIMUM = 100
const ROUND_EVERY_MS = 3_600_000
const TENANTS_AT_ONCE = 20
const TENANTS_MAXIMUM = 1_000
const MARKED_MAXIMUM = 20_000
const DAY_MS = 86_400_000

export class Housekeeping {
  readonly #ports: HousekeepingPorts
  readonly #actor: Actor = { kind: 'system', id: null, requestId: 'housekeeping', address: null }
  readonly #marked = new BoundedCache<string, true>(MARKED_MAXIMUM, ROUND_EVERY_MS)
  #unwritten = new Set<string>()
  #nextRoundAtMs = 0
  #stopped = false

  constructor(ports: HousekeepingPorts) {
    this.#ports = ports
  }

  /** Costs a look into memory. A mark that is lost with its process is made again by the next visit. */
  visited(tenantId: string): void {
    if (this.#marked.get(tenantId)) return
    this.#marked.set(tenantId, true)
    if (this.#unwritten.size < MARKED_MAXIMUM) this.#unwritten.add(tenantId)
  }

  /** Called often: writes down who was visited, and goes round when an hour has passed. */
  async tend(): Promise<void> {
    await this.writeMarks()
    if (Date.now() < this.#nextRoundAtMs) return
    this.#nextRoundAtMs = Date.now() + ROUND_EVERY_MS
    await this.round()
  }

  async writeMarks(): Promise<void> {
    const marks = [...this.#unwritten]
    if (marks.length === 0) return
    this.#unwritten = new Set()
    await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.run(
        sql`INSERT INTO platform.tenant_activity (tenant_id, active_at)
          SELECT id, now() FROM platform.tenant WHERE id = ANY(${marks}::uuid[]) ORDER BY id
          ON CONFLICT (tenant_id) DO UPDATE SET active_at = now(), updated_at = now()`.compile(platformSql),
      ),
    )
  }

  /** Everything that is due now; the ids of the tenants that were looked after. */
  async round(): Promise<string[]> {
    const { gate, purgePlatform, purgeAfterDays, log } = this.#ports
    const before = new Date(Date.now() - purgeAfterDays * DAY_MS)
    let rows = await this.#inBatches(() => gate.writePlatform(this.#actor, (tx) => purgePlatform(tx, before)))
    const visited: string[] = []
    while (!this.#stopped && visited.length < TENANTS_MAXIMUM) {
      const due = await this.#take()
      if (due.length === 0) break
      for (const tenantId of due) rows += await this.#purge(tenantId, before)
      visited.push(...due)
    }
    if (rows > 0) log('info', `${rows} row(s) older than ${purgeAfterDays} days purged`)
    return visited
  }

  stop(): void {
    this.#stopped = true
  }

  /** Written down before it is done: another process does not do it too, and a tenant that fails waits a day. */
  async #take(): Promise<string[]> {
    const age = sql`${`${this.#ports.purgeAfterDays} days`}::interval`
    const taken = await this.#ports.gate.writePlatform(this.#actor, (tx) =>
      tx.rows(
        sql<{ tenant_id: string }>`UPDATE platform.tenant_activity SET purged_at = now(), updated_at = now()
          WHERE tenant_id IN (
            SELECT tenant_id FROM platform.tenant_activity
            WHERE (active_at > purged_at AND purged_at < now() - interval '1 day')
              OR (active_at + ${age} < now() AND purged_at < active_at + ${age})
            ORDER BY purged_at LIMIT ${TENANTS_AT_ONCE} FOR UPDATE SKIP LOCKED)
          RETURNING tenant_id`.compile(platformSql),
      ),
    )
    return taken.map(({ tenant_id: tenantId }) => tenantId)
  }

  async #purge(tenantId: string, before: Date): Promise<number> {
    const { gate, directory, purgeTenant, log } = this.#ports
    try {
      const tenant = await directory.byId(tenantId)
      if (!tenant || tenant.closedBecause?.status === 503) return 0 // gone, or not of our schema
      return await this.#inBatches(() =>
        gate.writeTenant(tenant.location, null, this.#actor, (tx) => purgeTenant(tx, before)),
      )
    } catch (error) {
      log('warn', `Purging tenant ${tenantId} failed: ${String(error)}`)
      return 0
    }
  }

  /** Short transactions: nobody waits for a long one, and what is left after so many waits for the next round. */
  async #inBatches(batch: () => Promise<number>): Promise<number> {
    let rows = 0
    for (let count = 0; count < BATCHES_MAXIMUM && !this.#stopped; count++) {
      const gone = await batch()
      rows += gone
      if (gone === 0) break
    }
    return rows
  }
}
