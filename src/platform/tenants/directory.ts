/**
 * Which tenants there are and where their data lies, cached by every process. A change is announced by
 * NOTIFY and drops the entry everywhere at once; the age limit is the wall behind it.
 */
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import type { TenantEntry } from '../../http/server.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'

const ENTRIES_MAXIMUM = 20_000
const ENTRY_AGE_MS = 5_000
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'tenant-directory', address: null }

type Column = 'id' | 'tenant_code' | 'subdomain'

export class TenantDirectory {
  readonly #gate: Gate
  readonly #server: DatabaseServer
  readonly #secrets: Secrets
  readonly #schemaVersion: string
  readonly #baseDomain: string
  /** Unknown names are remembered too, so that guessing them costs the database nothing. */
  readonly #entries = new BoundedCache<string, { entry: TenantEntry | undefined }>(
    ENTRIES_MAXIMUM,
    ENTRY_AGE_MS,
  )

  constructor(options: {
    gate: Gate
    server: DatabaseServer
    secrets: Secrets
    schemaVersion: string
    baseDomain: string
  }) {
    this.#gate = options.gate
    this.#server = options.server
    this.#secrets = options.secrets
    this.#schemaVersion = options.schemaVersion
    this.#baseDomain = options.baseDomain
  }

  /** By header and host: where both name a tenant, they must name the same. */
  async find({ code, host }: { code: string | undefined; host: string }): Promise<TenantEntry | undefined> {
    const subdomain = this.subdomainOf(host)
    const byHost = subdomain === undefined ? undefined : await this.#cached('subdomain', subdomain)
    if (subdomain !== undefined && !byHost) return undefined
    if (code === undefined) return byHost
    const byCode = await this.#cached('tenant_code', code.toLowerCase())
    return byHost && byCode?.location.tenantId !== byHost.location.tenantId ? undefined : byCode
  }

  byId(id: string): Promise<TenantEntry | undefined> {
    return this.#cached('id', id)
  }

  subdomainOf(host: string): string | undefined {
    const suffix = `.${this.#baseDomain}`
    const name = host.toLowerCase()
    return name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined
  }

  forget(tenantId?: string): void {
    this.#entries.deleteWhere(
      (_key, { entry }) => tenantId === undefined || !entry || entry.location.tenantId === tenantId,
    )
  }

  async #cached(column: Column, value: string): Promise<TenantEntry | undefined> {
    const key = `${column}=${value}`
    const known = this.#entries.get(key)
    if (known) return known.entry
    const entry = await this.#gate.readPlatform(SYSTEM, (tx) => this.#read(tx, column, value))
    this.#entries.set(key, { entry })
    return entry
  }

  async #read(tx: PlatformRead, column: Column, value: string): Promise<TenantEntry | undefined> {
    const row = await tx.row(
      platformSql
        .selectFrom('platform.tenant')
        .select(['id', 'tenant_code', 'status', 'status_reason', 'database_name', 'runtime_role'])
        .select(['sealed_runtime_password', 'schema_version'])
        .where('status', '<>', 'failed')
        .where((eb) =>
          column === 'tenant_code'
            ? eb(eb.fn('lower', ['tenant_code']), '=', value)
            : eb(column === 'id' ? 'id' : 'subdomain', '=', value),
        ),
    )
    if (!row) return undefined
    const { database_name: database, runtime_role: role, sealed_runtime_password: sealed } = row
    const location = {
      tenantId: row.id,
      tenantCode: row.tenant_code,
      address: async () => {
        if (database === null || role === null || sealed === null) throw new Problem(problems.unavailable)
        return this.#server.runtimeAddress(database, role, this.#secrets.open(sealed, role))
      },
    }
    return { location, closedBecause: this.#closedBecause(row) }
  }

  #closedBecause(row: { status: string; schema_version: string | null }): Problem | undefined {
    if (row.status === 'provisioning') {
      return new Problem(problems.unavailable, {
        message: 'This account is being set up',
        retryAfterSeconds: 2,
      })
    }
    if (row.status !== 'active' && row.status !== 'read_only') return new Problem(problems.tenantSuspended)
    if (row.schema_version !== this.#schemaVersion) {
      const message = 'This account is being brought up to date'
      return new Problem(problems.unavailable, { message, retryAfterSeconds: 30 })
    }
    return undefined
  }
}
