/**
 * Refusals (401, 403, 429) go into the audit log too, the tenant's or the platform's. Nothing was changed, so
 * there is no transaction to travel with: they are gathered for some seconds, alike ones counted, and written
 * behind the answers. A flood costs a few rows: each log takes so many details in a time, and beyond that only
 * counts by code. A crash loses the last seconds.
 */
import { sql } from 'kysely'
import { BoundedCache } from '../kernel/bounded-cache.ts'
import type { Gate, TenantLocation } from '../tenancy/gate.ts'
import { platformSql, tenantSql, type Actor } from '../tenancy/handles.ts'

export interface Refusal {
  /** Whose log it belongs into; undefined: the platform's. */
  readonly tenant: TenantLocation | undefined
  /** Of a tenant that is closed, in the platform's log. */
  readonly tenantId: string | undefined
  readonly actorKind: Actor['kind']
  readonly actorId: string | null
  readonly requestId: string
  readonly address: string
  readonly userAgent: string | null
  readonly operation: string
  readonly code: string
  readonly status: number
  /** Whose account it was about, where the request names one. */
  readonly account: string | null
}

type Log = (level: 'warn', message: string) => void

const WRITE_EVERY_MS = 5_000
const KINDS_MAXIMUM = 1_000
/** Detailed rows that a log takes at once, and how long until it takes one more: 3,000 a day at most. */
const DETAILS_MAXIMUM = 100
const DETAIL_EVERY_MS = 30_000
/** Counts of what found no room are written so often. */
const COUNTS_EVERY_MS = 600_000
const LOGS_MAXIMUM = 10_000

interface Room {
  readonly tenant: TenantLocation | undefined
  left: number
  at: number
  /** By code. */
  counts: Map<string, { status: number; count: number }>
  countsWrittenAt: number
}

export class Refusals {
  readonly #gate: Gate
  readonly #log: Log
  readonly #rooms = new BoundedCache<string, Room>(LOGS_MAXIMUM)
  /** Those with counts that wait to be written. */
  readonly #counting = new Set<Room>()
  #gathered = new Map<string, { refusal: Refusal; count: number }>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(gate: Gate, log: Log) {
    this.#gate = gate
    this.#log = log
  }

  note(refusal: Refusal, nowMs = performance.now()): void {
    const { tenant, tenantId, actorId, address, operation, code, account } = refusal
    const key = JSON.stringify([tenant?.tenantId, tenantId, actorId, address, operation, code, account])
    const known = this.#gathered.get(key)
    if (known) known.count++
    else if (this.#gathered.size < KINDS_MAXIMUM) this.#gathered.set(key, { refusal, count: 1 })
    else this.#count(this.#roomOf(tenant, nowMs), refusal, 1)
    this.#writeLater()
  }

  /** Writes what was gathered, one log after the other; `isLast`: counts do not wait either. */
  write(isLast = false, nowMs = performance.now()): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const gathered = [...this.#gathered.values()]
    this.#gathered = new Map()
    this.#writing = this.#writing.then(() => this.#write(gathered, isLast, nowMs))
    return this.#writing
  }

  async #write(
    gathered: readonly { refusal: Refusal; count: number }[],
    isLast: boolean,
    nowMs: number,
  ): Promise<void> {
    const rows = new Map<Room, object[]>()
    for (const { refusal, count } of gathered) {
      const room = this.#roomOf(refusal.tenant, nowMs)
      if (room.left < 1) {
        this.#count(room, refusal, count)
        continue
      }
      room.left--
      rows.set(room, [...(rows.get(room) ?? []), rowOf(refusal, count)])
    }
    for (const room of new Set([...rows.keys(), ...this.#counting])) {
      const isDue = isLast || nowMs - room.countsWrittenAt > COUNTS_EVERY_MS
      const all = [...(rows.get(room) ?? []), ...(isDue ? takeCounts(room, nowMs) : [])]
      if (isDue) this.#counting.delete(room)
      if (all.length === 0) continue
      await this.#insert(room.tenant, all).catch((error: unknown) =>
        this.#log('warn', `${all.length} refusals could not be written down: ${String(error)}`),
      )
    }
    if (this.#counting.size > 0) this.#writeLater()
  }

  #writeLater(): void {
    this.#timer ??= setTimeout(() => void this.write(), WRITE_EVERY_MS).unref()
  }

  #roomOf(tenant: TenantLocation | undefined, nowMs: number): Room {
    const key = tenant?.tenantId ?? ''
    const room = this.#rooms.get(key) ?? {
      tenant,
      left: DETAILS_MAXIMUM,
      at: nowMs,
      counts: new Map<string, { status: number; count: number }>(),
      countsWrittenAt: nowMs,
    }
    room.left = Math.min(DETAILS_MAXIMUM, room.left + (nowMs - room.at) / DETAIL_EVERY_MS)
    room.at = nowMs
    this.#rooms.set(key, room)
    return room
  }

  #count(room: Room, { code, status }: Refusal, count: number): void {
    const { counts } = room
    this.#counting.add(room)
    counts.set(code, { status, count: (counts.get(code)?.count ?? 0) + count })
  }

  async #insert(tenant: TenantLocation | undefined, rows: readonly object[]): Promise<void> {
    const columns = sql`actor_kind, actor_id, request_id, address, user_agent`
    const records = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r (actor_kind text, actor_id uuid,
      request_id text, address text, user_agent text, operation text, tenant_id uuid, details jsonb)`
    if (tenant) {
      await this.#gate.writeTenant(tenant, null, ACTOR, (tx) =>
        tx.run(
          sql`INSERT INTO audit.change (${columns}, action, entity, new_values)
            SELECT ${columns}, 'refused', operation, details FROM ${records}`.compile(tenantSql),
        ),
      )
    } else {
      await this.#gate.writePlatform(ACTOR, (tx) =>
        tx.run(
          sql`INSERT INTO platform.audit_event (${columns}, action, entity, tenant_id, details)
            SELECT ${columns}, 'refused', operation, tenant_id, details FROM ${records}`.compile(platformSql),
        ),
      )
    }
  }
}

const ACTOR: Actor = { kind: 'system', id: null, requestId: 'refusals', address: null }

function rowOf(refusal: Refusal, count: number): object {
  const { code, status, account } = refusal
  return {
    actor_kind: refusal.actorKind,
    actor_id: refusal.actorId,
    request_id: refusal.requestId,
    address: refusal.address,
    user_agent: refusal.userAgent,
    operation: refusal.operation,
    tenant_id: refusal.tenantId,
    details: { code, status, count, ...(account === null ? {} : { account: account.slice(0, 254) }) },
  }
}

function takeCounts(room: Room, nowMs: number): object[] {
  const rows = [...room.counts].map(([code, { status, count }]) => ({
    actor_kind: 'system',
    request_id: ACTOR.requestId,
    operation: 'several',
    details: { code, status, count },
  }))
  room.counts = new Map()
  room.countsWrittenAt = nowMs
  return rows
}
