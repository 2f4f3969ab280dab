/**
 * The PostgreSQL servers that tenants' databases lie on. One is named by the configuration; the others are
 * rows that carry their address and, sealed, their administrator. Each is prepared once in a process before
 * anything is made on it. A changed row is announced; its age is the wall behind that.
 */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { DatabaseServer, sslOf } from '../../tenancy/databases.ts'
import { checkDatabaseServer } from '../../tenancy/database-settings.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead } from '../../tenancy/handles.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import type { Secrets } from '../../tenancy/secrets.ts'

/** Bounds what a process keeps of them; registering refuses more. */
export const SERVERS_MAXIMUM = 200
const ENTRY_AGE_MS = 30_000
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'database-servers', address: null }

export interface DatabaseServersOptions {
  readonly gate: Gate
  readonly secrets: Secrets
  /** The server of the configuration, prepared already. */
  readonly configured: DatabaseServer
  readonly certificateAuthority: string | undefined
  readonly isProduction: boolean
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

export interface ServerSummary {
  readonly id: string
  readonly name: string
  readonly kind: 'shared' | 'dedicated'
  readonly state: 'active' | 'draining' | 'full'
  /** The one that the configuration names. */
  readonly isConfigured: boolean
}

interface Entry {
  readonly server: DatabaseServer
  readonly readAtMs: number
  prepared: Promise<void> | undefined
}

export class DatabaseServers {
  readonly #options: DatabaseServersOptions
  readonly #entries = new Map<string, Entry>()
  readonly #stale = new Set<string>()
  #isClosed = false

  constructor(options: DatabaseServersOptions) {
    this.#options = options
  }

  /** To make, change or drop something there: the server has its roles, and its settings are safe. */
  async get(id: string): Promise<DatabaseServer> {
    const entry = await this.#entry(id)
    entry.prepared ??= this.#prepare(entry.server)
    try {
      await entry.prepared
    } catch (error) {
      entry.prepared = undefined
      throw error
    }
    return entry.server
  }

  /** To know its addresses: nothing is asked of the server itself. */
  async locate(id: string): Promise<DatabaseServer> {
    return (await this.#entry(id)).server
  }

  /** All there are, the oldest first. */
  list(): Promise<ServerSummary[]> {
    return this.#options.gate.readPlatform(SYSTEM, (tx) => listServers(tx))
  }

  /** A row was changed: it is read again before it is used again. */
  forget(id?: string): void {
    for (const known of id === undefined ? this.#entries.keys() : [id]) this.#stale.add(known)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const { configured } = this.#options
    const others = [...this.#entries.values()].filter(({ server }) => server !== configured)
    this.#entries.clear()
    await Promise.all(others.map(({ server }) => server.close()))
  }

  async #entry(id: string): Promise<Entry> {
    const known = this.#entries.get(id)
    if (known && !this.#stale.has(id) && Date.now() - known.readAtMs < ENTRY_AGE_MS) return known
    if (this.#isClosed) throw new Problem(problems.unavailable, { retryAfterSeconds: 1 })
    this.#stale.delete(id)
    const address = await this.#options.gate.readPlatform(SYSTEM, (tx) => this.#read(tx, id))
    const current = this.#entries.get(id) // another reader may have been quicker
    const isSame = current && (address === undefined || sameAddress(current.server.admin, address))
    const entry: Entry = {
      server: isSame ? current.server : this.#serverAt(address),
      readAtMs: Date.now(),
      prepared: isSame ? current.prepared : address === undefined ? Promise.resolve() : undefined,
    }
    this.#entries.set(id, entry)
    if (current && !isSame) await current.server.close()
    return entry
  }

  #serverAt(address: DatabaseAddress | undefined): DatabaseServer {
    const { configured, secrets } = this.#options
    return address === undefined ? configured : new DatabaseServer(address, secrets)
  }

  /** undefined: the server of the configuration. */
  async #read(tx: PlatformRead, id: string): Promise<DatabaseAddress | undefined> {
    const row = await tx.row(
      platformSql
        .selectFrom('platform.server')
        .select(['host', 'port', 'ssl_mode', 'admin_database', 'sealed_admin_user', 'sealed_admin_password'])
        .where('id', '=', id)
        .where('deleted_at', 'is', null),
    )
    if (!row) throw new Problem(problems.notFound, { message: 'There is no such server' })
    if (row.host === null) return undefined
    const { secrets } = this.#options
    return this.adminAddress({
      host: row.host,
      port: row.port ?? 0,
      sslMode: row.ssl_mode as ServerConnection['sslMode'],
      adminDatabase: row.admin_database ?? '',
      adminUser: secrets.open(row.sealed_admin_user ?? '', `${id}/user`),
      adminPassword: secrets.open(row.sealed_admin_password ?? '', `${id}/password`),
    })
  }

  adminAddress(connection: ServerConnection): DatabaseAddress {
    const { host, port, sslMode, adminUser, adminPassword, adminDatabase } = connection
    return {
      host,
      port,
      database: adminDatabase,
      user: adminUser,
      password: adminPassword,
      ssl: sslOf(sslMode, this.#options.certificateAuthority),
    }
  }

  async #prepare(server: DatabaseServer): Promise<void> {
    const { isProduction, log } = this.#options
    await checkDatabaseServer(server, isProduction, log)
    await server.prepare()
  }
}

export interface ServerConnection {
  readonly host: string
  readonly port: number
  readonly sslMode: 'disable' | 'require' | 'verify-full'
  readonly adminUser: string
  readonly adminPassword: string
  readonly adminDatabase: string
}

/** As they are kept: the administrator sealed, bound to this server's row. */
export function sealedConnection(secrets: Secrets, id: string, connection: ServerConnection) {
  return {
    host: connection.host,
    port: connection.port,
    ssl_mode: connection.sslMode,
    admin_database: connection.adminDatabase,
    sealed_admin_user: secrets.seal(connection.adminUser, `${id}/user`),
    sealed_admin_password: secrets.seal(connection.adminPassword, `${id}/password`),
  }
}

export function listServers(tx: PlatformRead): Promise<ServerSummary[]> {
  return tx.rows(
    sql<ServerSummary>`SELECT id, name, kind, state, host IS NULL AS "isConfigured" FROM platform.server WHERE deleted_at IS NULL
      ORDER BY created_at, id LIMIT ${SERVERS_MAXIMUM}`.compile(platformSql),
  )
}

function sameAddress(one: DatabaseAddress, other: DatabaseAddress): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
