/**
 * Visits: what transactions leave in a tenant's database is fetched by visitors, which do not ask thousands
 * of databases whether there is something. A tenant is marked in the platform's database before a writer
 * commits (by each process once in a few seconds), and visited until it has been quiet for a minute. A crash
 * leaves the mark; it is taken away only when nothing can have been committed behind it.
 */
import { sql } from 'kysely'
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import { isUuid } from '../../kernel/ids.ts'
import type { Gate, TenantLocation, Visits } from '../../tenancy/gate.ts'
import { platformSql, type Actor } from '../../tenancy/handles.ts'
import type { TenantDirectory } from './directory.ts'

export interface Visitor {
  readonly name: string
  /** Fetches what is there; answers when there will be something again that nobody will mark, if ever. */
  visit(tenant: TenantLocation): Promise<Date | undefined>
}

export interface VisitSettings {
  /** How often the marks are looked at. */
  readonly lookEveryMs: number
  /** A marked tenant is visited so often. */
  readonly visitEveryMs: number
  /** Without a new mark for so long, a tenant is left alone. */
  readonly quietMs: number
}

export const VISIT_SETTINGS: VisitSettings = { lookEveryMs: 2_000, visitEveryMs: 30_000, quietMs: 60_000 }

interface VisitPorts {
  readonly gate: () => Gate
  readonly directory: () => TenantDirectory
  readonly settings: VisitSettings
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** A writer's mark is good for this long: far shorter than `quietMs`, which must pass without one. */
const MARK_FRESH_MS = 5_000
const URGENT_FRESH_MS = 1_000
const URGENT_DUE_MS = 2_000
const MARKS_MAXIMUM = 20_000
/** Whoever fetches a mark has this long to visit before another process may. */
const LEASE_MS = 120_000
const CLOSED_AGAIN_AFTER_MS = 600_000
const AT_ONCE = 4
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'tenant-visits', address: null }

export class TenantVisits implements Visits {
  readonly #ports: VisitPorts
  readonly #visitors: Visitor[] = []
  readonly #marks = new BoundedCache<string, { at: number; isUrgent: boolean }>(MARKS_MAXIMUM)
  /** Tenants that are being visited because something has just been committed. */
  readonly #atOnce = new Map<string, { isWantedAgain: boolean; done: Promise<void> }>()
  #looking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  /** The platform's own outbox has a visitor of its own: it is one database. */
  #onPlatform: () => void = () => {}

  constructor(ports: VisitPorts) {
    this.#ports = ports
  }

  start(visitors: readonly Visitor[], onPlatform: () => void): void {
    this.#visitors.push(...visitors)
    this.#onPlatform = onPlatform
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    }, this.#ports.settings.lookEveryMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#looking
    await Promise.all([...this.#atOnce.values()].map(({ done }) => done))
  }

  // ---- for the gate ------------------------------------------------------------------------------------

  mark(tenantId: string, isUrgent: boolean): Promise<void> | undefined {
    if (!isUuid(tenantId)) return undefined // a template that is being made
    const known = this.#marks.get(tenantId)
    const nowMs = performance.now()
    if (known && !isUrgent && nowMs - known.at < MARK_FRESH_MS) return undefined
    if (known?.isUrgent && nowMs - known.at < URGENT_FRESH_MS) return undefined
    return this.#write(tenantId, isUrgent, nowMs)
  }

  committed(tenantId: string | null): void {
    if (this.#isStopped || this.#visitors.length === 0) return
    if (tenantId === null) this.#onPlatform()
    else this.#fetchAtOnce(tenantId)
  }

  async #write(tenantId: string, isUrgent: boolean, nowMs: number): Promise<void> {
    const dueMs = isUrgent ? URGENT_DUE_MS : this.#ports.settings.visitEveryMs
    await this.#ports.gate().writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`INSERT INTO platform.tenant_visit (tenant_id, marked_at, due_at)
          SELECT id, clock_timestamp(), clock_timestamp() + ${dueMs} * interval '1 millisecond'
          FROM platform.tenant WHERE id = ${tenantId}
          ON CONFLICT (tenant_id) DO UPDATE SET marked_at = excluded.marked_at, updated_at = now(),
            due_at = least(tenant_visit.due_at, excluded.due_at)`.compile(platformSql),
      ),
    )
    this.#marks.set(tenantId, { at: nowMs, isUrgent })
  }

  /** However many transactions call meanwhile, one visit more is behind the one under way. */
  #fetchAtOnce(tenantId: string): void {
    const known = this.#atOnce.get(tenantId)
    if (known) {
      known.isWantedAgain = true
      return
    }
    const entry = { isWantedAgain: true, done: Promise.resolve() }
    this.#atOnce.set(tenantId, entry)
    entry.done = (async () => {
      while (entry.isWantedAgain) {
        entry.isWantedAgain = false
        await this.#visit(tenantId, undefined)
      }
      this.#atOnce.delete(tenantId)
    })()
  }

  // ---- visiting ----------------------------------------------------------------------------------------

  async #look(): Promise<void> {
    try {
      while (!this.#isStopped) {
        const due = await this.#take(AT_ONCE)
        await Promise.all(due.map(({ tenant_id: id, due_at: leasedUntil }) => this.#visit(id, leasedUntil)))
        if (due.length < AT_ONCE) return
      }
    } catch (error) {
      if (this.#isStopped) return
      this.#ports.log('warn', `Looking for tenants to visit failed: ${String(error)}`)
    }
  }

  #take(maximum: number): Promise<{ tenant_id: string; due_at: string }[]> {
    return this.#ports.gate().writePlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ tenant_id: string; due_at: string }>`
          UPDATE platform.tenant_visit
          SET due_at = clock_timestamp() + ${LEASE_MS} * interval '1 millisecond', updated_at = now()
          WHERE id IN (SELECT id FROM platform.tenant_visit WHERE due_at <= clock_timestamp()
            ORDER BY due_at LIMIT ${maximum} FOR UPDATE SKIP LOCKED)
          RETURNING tenant_id, due_at::text`.compile(platformSql),
      ),
    )
  }

  async #visit(tenantId: string, leasedUntil: string | undefined): Promise<void> {
    if (this.#isStopped) return
    let next: Date | undefined
    try {
      const tenant = await this.#ports.directory().byId(tenantId)
      if (!tenant || tenant.closedBecause) {
        next = new Date(Date.now() + CLOSED_AGAIN_AFTER_MS)
      } else {
        for (const visitor of this.#visitors) {
          const again = await visitor.visit(tenant.location)
          if (again && (!next || again < next)) next = again
        }
      }
      if (leasedUntil !== undefined) await this.#settle(tenantId, leasedUntil, next)
    } catch (error) {
      // Its mark stays, and with it the next visit.
      this.#ports.log('warn', `A visit of tenant ${tenantId} failed: ${String(error)}`)
    }
  }

  /** Nothing is taken away or put off that was marked while the visit was under way. */
  async #settle(tenantId: string, leasedUntil: string, next: Date | undefined): Promise<void> {
    const { visitEveryMs, quietMs } = this.#ports.settings
    await this.#ports.gate().writePlatform(SYSTEM, async (tx) => {
      if (next === undefined) {
        const gone = await tx.run(
          sql`DELETE FROM platform.tenant_visit WHERE tenant_id = ${tenantId} AND due_at = ${leasedUntil}::timestamptz
            AND marked_at < clock_timestamp() - ${quietMs} * interval '1 millisecond'`.compile(platformSql),
        )
        if (gone > 0) return
      }
      const soonest = sql`clock_timestamp() + ${visitEveryMs} * interval '1 millisecond'`
      await tx.run(
        sql`UPDATE platform.tenant_visit SET due_at = CASE
            WHEN marked_at > clock_timestamp() - ${quietMs} * interval '1 millisecond' THEN
              least(${soonest}, ${next?.toISOString() ?? null}::timestamptz)
            ELSE coalesce(${next?.toISOString() ?? null}::timestamptz, ${soonest}) END, updated_at = now()
          WHERE tenant_id = ${tenantId} AND due_at = ${leasedUntil}::timestamptz`.compile(platformSql),
      )
    })
  }
}
