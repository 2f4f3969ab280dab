/**
 * Which tenants there are and where their data lies, cached by every process. A change is announced by
 * NOTIFY and drops the entry everywhere at once; the age limit is the wall behind it.
 */
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import type { TenantEntry } from '../../http/admission.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead } from '../../tenancy/handles.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { canServe } from '../fleet/rules/compatibility.ts'
import type { DatabaseServers } from '../servers/registry.ts'

const ENTRIES_MAXIMUM = 20_000
const ENTRY_AGE_MS = 5_000
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'tenant-directory', address: null }

type Column = 'id' | 'tenant_code' | 'subdomain'

interface Known extends TenantEntry {
  readonly subdomain: string
  /** `refused`: a password that is not let in any more. */
  readonly address: (refused?: string) => Promise<DatabaseAddress>
}

export class TenantDirectory {
  readonly #gate: Gate
  readonly #servers: DatabaseServers
  readonly #secrets: Secrets
  readonly #schemaVersion: string
  readonly #baseDomain: string
  /** Unknown names are remembered too, so that guessing them costs the database nothing. */
  readonly #entries = new BoundedCache<string, { entry: Known | undefined }>(ENTRIES_MAXIMUM, ENTRY_AGE_MS)

  constructor(options: {
    gate: Gate
    servers: DatabaseServers
    secrets: Secrets
    schemaVersion: string
    baseDomain: string
  }) {
    this.#gate = options.gate
    this.#servers = options.servers
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

  /** Links in mails lead there, whatever host a request said it came by. */
  async subdomainOfTenant(id: string): Promise<string> {
    const entry = await this.#cached('id', id)
    if (!entry) throw new Problem(problems.unavailable)
    return entry.subdomain
  }

  forget(tenantId?: string): void {
    this.#entries.deleteWhere(
      (_key, { entry }) => tenantId === undefined || !entry || entry.location.tenantId === tenantId,
    )
  }

  async #cached(column: Column, value: string): Promise<Known | undefined> {
    const key = `${column}=${value}`
    const known = this.#entries.get(key)
    if (known) return known.entry
    const entry = await this.#gate.readPlatform(SYSTEM, (tx) => this.#read(tx, column, value))
    this.#entries.set(key, { entry })
    // Its address is asked for by id: not another look at the database.
    if (entry && column !== 'id') this.#entries.set(`id=${entry.location.tenantId}`, { entry })
    return entry
  }

  async #read(tx: PlatformRead, column: Column, value: string): Promise<Known | undefined> {
    const row = await tx.row(
      platformSql
        .selectFrom('platform.tenant')
        .select(['id', 'tenant_code', 'subdomain', 'status', 'status_reason', 'server_id', 'database_name'])
        .select(['runtime_role', 'sealed_runtime_password', 'schema_version'])
        .select(['sealed_next_runtime_password', 'suspension_cause'])
        .select((eb) =>
          eb
            .selectFrom('platform.plan as p')
            .select('p.requests_per_hour_limit')
            .whereRef('p.id', '=', 'platform.tenant.plan_id')
            .as('requests_per_hour'),
        )
        .select((eb) =>
          eb
            .selectFrom('platform.schema_version as v')
            .select('v.oldest_code_version')
            .whereRef('v.version', '=', 'platform.tenant.schema_version')
            .as('oldest_code_version'),
        )
        .where('status', '<>', 'failed')
        .where((eb) =>
          column === 'tenant_code'
            ? eb(eb.fn('lower', ['tenant_code']), '=', value)
            : eb(column === 'id' ? 'id' : 'subdomain', '=', value),
        ),
    )
    if (!row) return undefined
    const { id, server_id: serverId, database_name: database } = row
    const { runtime_role: role, sealed_runtime_password: sealed } = row
    const next = row.sealed_next_runtime_password
    const address = async (refused?: string): Promise<DatabaseAddress> => {
      if (database === null || role === null || sealed === null) throw new Problem(problems.unavailable)
      const server = await this.#servers.locate(serverId)
      const current = this.#secrets.open(sealed, role)
      // While it is being changed the server may have the next one already (see passwords.ts).
      const password = refused === current && next !== null ? this.#secrets.open(next, role) : current
      const renewed = (): Promise<DatabaseAddress> => this.#currentAddress(id, true, password)
      return { ...server.runtimeAddress(database, role, password), renewed }
    }
    const location = {
      tenantId: id,
      tenantCode: row.tenant_code,
      address: (anew = false) => this.#currentAddress(id, anew),
    }
    const isUnpaid = row.status === 'suspended' && row.suspension_cause === 'payment'
    const isOpenForExport = isUnpaid || row.status === 'cancelled'
    return {
      location,
      subdomain: row.subdomain,
      address,
      closedBecause: this.#closedBecause(row),
      isOpenForExport,
      requestsPerHour: row.requests_per_hour,
    }
  }

  /** Asked for each new connection: a location that was found before the tenant moved leads to where it is now. */
  async #currentAddress(id: string, anew: boolean, refused?: string): Promise<DatabaseAddress> {
    if (anew) this.forget(id)
    const entry = await this.#cached('id', id)
    if (!entry) throw new Problem(problems.unavailable)
    return entry.address(refused)
  }

  #closedBecause(row: {
    status: string
    schema_version: string | null
    oldest_code_version: string | null
  }): Problem | undefined {
    if (row.status === 'provisioning') {
      return new Problem(problems.unavailable, {
        message: 'This account is being set up',
        retryAfterSeconds: 2,
      })
    }
    if (row.status !== 'active' && row.status !== 'read_only') return new Problem(problems.tenantSuspended)
    const tenant = { version: row.schema_version, oldestCodeVersion: row.oldest_code_version }
    if (!canServe(this.#schemaVersion, tenant)) {
      const message = 'This account is being brought up to date'
      return new Problem(problems.unavailable, { message, retryAfterSeconds: 30 })
    }
    return undefined
  }
}
