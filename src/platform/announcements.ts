/**
 * Announcements: what one process changed and others have cached, told by LISTEN / NOTIFY on the platform
 * database. Sent inside a transaction, heard when it commits. A listener that was cut off forgets all it
 * has cached, because it cannot know what it missed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { sql } from 'kysely'
import { platformSql, type PlatformTx } from '../tenancy/handles.ts'
import { clientConfig, type DatabaseAddress } from '../tenancy/pools.ts'

export type Announcement =
  /** `reconnect`: its database is shut, moved or held, so that connections to it are opened anew. */
  | { readonly kind: 'tenant'; readonly tenantId: string; readonly reconnect?: true }
  | { readonly kind: 'server'; readonly serverId: string }
  | { readonly kind: 'user-session'; readonly tenantId: string; readonly sessionId: string | null }
  /** null: any operator's. */
  | { readonly kind: 'operator-session'; readonly sessionId: string | null }
  /** A support session, or what a tenant lets support do, has ended or changed. */
  | { readonly kind: 'support' }
  | { readonly kind: 'secret-key' }

const CHANNEL = 'erp_changes'
const RECONNECT_MS = 1_000

export async function announce(tx: PlatformTx, announcement: Announcement): Promise<void> {
  await tx.rows(sql`SELECT pg_notify(${CHANNEL}, ${JSON.stringify(announcement)})`.compile(platformSql))
}

/** Many tenants changed at once. */
export async function announceTenants(tx: PlatformTx, tenantIds: readonly string[]): Promise<void> {
  if (tenantIds.length === 0) return
  await tx.rows(
    sql`SELECT pg_notify(${CHANNEL}, json_build_object('kind', 'tenant', 'tenantId', id)::text)
      FROM unnest(${tenantIds}::text[]) AS id`.compile(platformSql),
  )
}

/** A listening process says in PostgreSQL's list of connections which master keys it knows, the newest first. */
export const LISTENER = 'erp keys '

export function keysOfListener(name: string): string[] {
  return name.slice(LISTENER.length).split(' ')
}

export class Announcements {
  readonly #address: DatabaseAddress
  readonly #hear: (announcement: Announcement) => void
  readonly #forgetAll: () => void
  readonly #name: string
  #client: pg.Client | undefined
  #stopped = false

  constructor(
    address: DatabaseAddress,
    hear: (announcement: Announcement) => void,
    forgetAll: () => void,
    keyIds: readonly string[] = [],
  ) {
    this.#name = `${LISTENER}${keyIds.join(' ')}`
    this.#address = address
    this.#hear = hear
    this.#forgetAll = forgetAll
  }

  async start(): Promise<void> {
    const client = new pg.Client({
      ...clientConfig(this.#address),
      application_name: this.#name,
      connectionTimeoutMillis: 5_000,
    })
    client.on('error', () => client.end().catch(() => {}))
    client.on('notification', ({ payload }) => this.#heard(payload))
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    // Not before: an attempt that failed ends too, and whoever made it makes the next one.
    client.once('end', () => void this.#comeBack())
    this.#client = client
    this.#forgetAll()
    if (this.#stopped) await client.end()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#client?.end().catch(() => {})
  }

  async #comeBack(): Promise<void> {
    while (!this.#stopped) {
      await sleep(RECONNECT_MS, undefined, { ref: false })
      if (this.#stopped) return
      try {
        return await this.start()
      } catch {
        // Still away.
      }
    }
  }

  #heard(payload: string | undefined): void {
    try {
      this.#hear(JSON.parse(payload ?? '') as Announcement)
    } catch {
      this.#forgetAll() // something has changed, and only another version of this program knows what
    }
  }
}
