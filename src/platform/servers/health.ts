/**
 * How the servers are: looked at every few seconds by every process, written down by the one that comes
 * first. Placement leaves out a server that does not answer.
 */
import { sql } from 'kysely'
import type { Metrics } from '../../http/metrics.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { healthOf, whyNotLetIn, type ServerHealth } from '../../tenancy/server-fitness.ts'
import { SERVERS_MAXIMUM, type DatabaseServers, type ServerSummary } from './registry.ts'

const CHECK_EVERY_MS = 15_000
/** What another process has written since is fresh enough. */
const FRESH_FOR = '10 seconds'
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'server-health', address: null }

export interface ServerHealthOptions {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

type Seen = { readonly health: ServerHealth } | { readonly error: string }

export class ServerHealthChecks {
  readonly #options: ServerHealthOptions
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> | undefined

  constructor(options: ServerHealthOptions) {
    this.#options = options
  }

  start(): void {
    void this.#checkAll()
    this.#timer = setInterval(() => void this.#checkAll(), CHECK_EVERY_MS)
    this.#timer.unref()
  }

  /** As last written down by whoever looked; few servers, so each has its own figures. */
  measure(metrics: Metrics): void {
    const figures = (column: string) => async () => {
      const rows = await this.#options.gate.readPlatform(SYSTEM, (tx) =>
        tx.rows(
          sql<{
            name: string
            figure: number
          }>`SELECT name, ${sql.ref(column)}::int AS figure FROM platform.server
            WHERE deleted_at IS NULL AND ${sql.ref(column)} IS NOT NULL
            ORDER BY created_at LIMIT ${SERVERS_MAXIMUM}`.compile(platformSql),
        ),
      )
      return rows.map(({ name, figure }) => [name, figure] as const)
    }
    metrics.gauges('erp_server_up', 'Whether the database server answers', 'server', figures('is_reachable'))
    metrics.gauges('erp_server_databases', 'Databases of ours on it', 'server', figures('database_count'))
    metrics.gauges('erp_server_connections', 'Connections to it', 'server', figures('connection_count'))
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#checking
  }

  /** Now, whatever was written a moment ago. */
  async check(id: string): Promise<void> {
    const seen = await this.#look(id)
    await this.#options.gate.writePlatform(SYSTEM, (tx) => write(tx, id, seen, '0 seconds'))
  }

  /** One round at a time: a server that hangs must not gather rounds behind it. */
  #checkAll(): Promise<void> {
    this.#checking ??= this.#round().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #round(): Promise<void> {
    const { gate, servers, log } = this.#options
    try {
      await Promise.all(
        (await servers.list()).map(async (server) => {
          const seen = await this.#lookTwice(server.id)
          this.#tell(server, seen)
          await gate.writePlatform(SYSTEM, (tx) => write(tx, server.id, seen, FRESH_FOR))
        }),
      )
    } catch (error) {
      log('warn', `Looking at the database servers failed: ${String(error)}`)
    }
  }

  /** One that was only slow once is not away. */
  async #lookTwice(id: string): Promise<Seen> {
    const seen = await this.#look(id)
    return 'health' in seen ? seen : this.#look(id)
  }

  async #look(id: string): Promise<Seen> {
    try {
      return { health: await healthOf((await this.#options.servers.locate(id)).admin) }
    } catch (error) {
      return { error: whyNotLetIn(error).message }
    }
  }

  /** Said once, not every few seconds. */
  readonly #away = new Set<string>()
  #tell({ id, name }: ServerSummary, seen: Seen): void {
    const { log } = this.#options
    if ('error' in seen && !this.#away.has(id)) {
      this.#away.add(id)
      log('error', `Server ${name} is away: ${seen.error}`)
    } else if ('health' in seen && this.#away.delete(id)) {
      log('info', `Server ${name} is back`)
    }
  }
}

/** Figures of a server that is away stay as they were last seen. `updated_at` is the operator's: see ETag. */
async function write(tx: PlatformTx, id: string, seen: Seen, freshFor: string): Promise<void> {
  const figures =
    'health' in seen
      ? sql`is_reachable = true, last_error = NULL, server_version = ${seen.health.version},
          system_identifier = ${seen.health.systemIdentifier},
          database_count = ${seen.health.databases}, connection_count = ${seen.health.connections}`
      : sql`is_reachable = false, last_error = ${seen.error}`
  await tx.run(
    sql`UPDATE platform.server SET ${figures}, checked_at = clock_timestamp()
      WHERE id = ${id} AND deleted_at IS NULL AND (checked_at IS NULL
        OR checked_at < clock_timestamp() - ${freshFor}::interval
        OR is_reachable IS DISTINCT FROM ${'health' in seen})`.compile(platformSql),
  )
}
