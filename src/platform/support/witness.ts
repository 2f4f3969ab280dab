/**
 * Evidence for the tenant of what its support looks at: how often each operation was asked for in a session. The
 * first time a process is asked for one, it is written before the operation begins: what was looked at is never
 * without a trace. How often after that is written every few seconds; a killed process loses those figures alone.
 */
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import type { Actor } from '../../tenancy/handles.ts'
import { witnessSupport } from '../../erp/onboarding.ts'

const WRITE_EVERY_MS = 5_000
/** A session lasts four hours at most. */
const FORGET_AFTER_MS = 4 * 3_600_000
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'support-witness', address: null }

interface Uses {
  readonly location: TenantLocation
  /** Bounded by the operations there are. */
  readonly written: Set<string>
  pending: Map<string, number>
  lastAt: Date
}

export class SupportWitness {
  readonly #gate: Gate
  readonly #log: (level: 'warn', message: string) => void
  readonly #sessions = new Map<string, Uses>()
  #timer: NodeJS.Timeout | undefined

  constructor(gate: Gate, log: (level: 'warn', message: string) => void) {
    this.#gate = gate
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => void this.writeAll(), WRITE_EVERY_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.writeAll()
  }

  /** Fails when the evidence cannot be written: what leaves none is not shown. */
  async saw(sessionId: string, location: TenantLocation, operation: string): Promise<void> {
    const uses = this.#sessions.get(sessionId) ?? {
      location,
      written: new Set(),
      pending: new Map(),
      lastAt: new Date(),
    }
    this.#sessions.set(sessionId, uses)
    uses.pending.set(operation, (uses.pending.get(operation) ?? 0) + 1)
    uses.lastAt = new Date()
    if (uses.written.has(operation)) return
    await this.#write(sessionId, uses)
    uses.written.add(operation)
  }

  /** What is known of a session, e.g. because it ends. */
  async write(sessionId: string): Promise<void> {
    const uses = this.#sessions.get(sessionId)
    if (uses) await this.#write(sessionId, uses)
  }

  async writeAll(): Promise<void> {
    for (const [sessionId, uses] of this.#sessions) {
      await this.#write(sessionId, uses).catch((error: unknown) =>
        this.#log('warn', `What support looked at could not be counted yet: ${String(error)}`),
      )
      if (Date.now() - uses.lastAt.getTime() > FORGET_AFTER_MS) this.#sessions.delete(sessionId)
    }
  }

  async #write(sessionId: string, uses: Uses): Promise<void> {
    const { pending } = uses
    if (pending.size === 0) return
    uses.pending = new Map()
    try {
      await this.#gate.writeTenant(uses.location, null, SYSTEM, (tx) =>
        witnessSupport(tx, sessionId, Object.fromEntries(pending), uses.lastAt),
      )
    } catch (error) {
      for (const [name, count] of pending) uses.pending.set(name, (uses.pending.get(name) ?? 0) + count)
      throw error
    }
  }
}
