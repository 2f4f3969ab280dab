/** A map that forgets what was used longest ago, and what is older than its age limit. */
export class BoundedCache<Key, Value> {
  readonly #entries = new Map<Key, { value: Value; at: number }>()
  readonly #maximum: number
  readonly #ageMs: number

  constructor(maximum: number, ageMs = Number.POSITIVE_INFINITY) {
    this.#maximum = maximum
    this.#ageMs = ageMs
  }

  get(key: Key, nowMs = Date.now()): Value | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    this.#entries.delete(key)
    if (nowMs - entry.at > this.#ageMs) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: Key, value: Value, nowMs = Date.now()): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, at: nowMs })
    if (this.#entries.size <= this.#maximum) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  deleteWhere(matches: (key: Key, value: Value) => boolean): void {
    for (const [key, { value }] of this.#entries) if (matches(key, value)) this.#entries.delete(key)
  }

  get size(): number {
    return this.#entries.size
  }
}
