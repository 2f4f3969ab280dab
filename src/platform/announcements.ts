/**
 * Announcements: what one process changed and others have cached, told by LISTEN / NOTIFY on the platform
 * database. Sent inside a transaction, heard when it commits. A listener that was cut off forgets all it
 * has cached, because it cannot know what it missed.
 */
import pg from 'pg'
import { sql } from 'kysely'
import { platformSql, type PlatformTx } from '../tenancy/handles.ts'
import type { DatabaseAddress } from '../tenancy/pools.ts'

export type Announcement =
  | { readonly kind: 'tenant'; readonly tenantId: string }
  | { readonly kind: 'user-session'; readonly tenantId: string; readonly sessionId: string | null }
  | { readonly kind: 'operator-session'; readonly sessionId: string }

const CHANNEL = 'erp_changes'
const RECONNECT_MS = 1_000

export async function announce(tx: PlatformTx, announcement: Announcement): Promise<void> {
  await tx.rows(sql`SELECT pg_notify(${CHANNEL}, ${JSON.stringify(announcement)})`.compile(platformSql))
}

export class Announcements {
  readonly #address: DatabaseAddress
  readonly #hear: (announcement: Announcement) => void
  readonly #forgetAll: () => void
  #client: pg.Client | undefined
  #stopped = false

  constructor(address: DatabaseAddress, hear: (announcement: Announcement) => void, forgetAll: () => void) {
    this.#address = address
    this.#hear = hear
    this.#forgetAll = forgetAll
  }

  async start(): Promise<void> {
    const client = new pg.Client({
      ...this.#address,
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    } as pg.ClientConfig)
    client.on('error', () => client.end().catch(() => {}))
    client.on('end', () => {
      if (!this.#stopped) setTimeout(() => void this.#restart(), RECONNECT_MS).unref()
    })
    client.on('notification', ({ payload }) => {
      if (payload !== undefined) this.#hear(JSON.parse(payload) as Announcement)
    })
    await client.connect()
    await client.query(`LISTEN ${CHANNEL}`)
    this.#client = client
    this.#forgetAll()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#client?.end().catch(() => {})
  }

  async #restart(): Promise<void> {
    if (this.#stopped) return
    await this.start().catch(() => setTimeout(() => void this.#restart(), RECONNECT_MS).unref())
  }
}
