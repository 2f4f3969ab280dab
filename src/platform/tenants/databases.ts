/**
 * The databases of tenants: the template they are cloned from, the few that are kept ready, and the one
 * that becomes a tenant's. A database is always made under a name of its own and renamed when it is taken:
 * a database that bears a tenant's name was given to that tenant, whatever died in between.
 */
import { randomBytes } from 'node:crypto'
import { sql, type RawBuilder } from 'kysely'
import { insertTenantDefaults } from '../../erp/onboarding.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { fingerprint, migrate, newestVersion } from '../../tenancy/migrations.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import type { DatabaseServers } from '../servers/registry.ts'

const TEMPLATE_PREFIX = 'erp_template_'
export const READY_PREFIX = 'erp_ready_'
export const TENANT_PREFIX = 'erp_tenant_'
export const ROLE_PREFIX = 'erp_runtime_'
const CONNECTION_LIMIT = 50
const TEMPLATE_LOCK = 7_241_860_002
/** A clone takes seconds; one still "building" after this was left by a process that died. */
const ABANDONED_AFTER = '5 minutes'

export interface ReadyDatabase {
  readonly id: string
  readonly server_id: string
  readonly database_name: string
  readonly runtime_role: string
  readonly sealed_runtime_password: string
  readonly template_fingerprint: string
}

const COLUMNS = [
  'id',
  'server_id',
  'database_name',
  'runtime_role',
  'sealed_runtime_password',
  'template_fingerprint',
] as const

const UNDEFINED_DATABASE = '3D000'
const TEMPLATE_TRIES = 3

export interface TenantDatabasesOptions {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly readyTarget: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

export class TenantDatabases {
  readonly template = `${TEMPLATE_PREFIX}${fingerprint('tenant')}`
  readonly #options: TenantDatabasesOptions
  readonly #actor: Actor = { kind: 'system', id: null, requestId: 'tenant-databases', address: null }
  #refilling: Promise<void> | undefined
  #stopped = false

  constructor(options: TenantDatabasesOptions) {
    this.#options = options
  }

  // ---- the template ------------------------------------------------------------------------------------

  /** On every server that may get tenants. One that is away gets its template with its first database. */
  async ensureTemplates(): Promise<void> {
    const { servers, log } = this.#options
    for (const { id, name, state, isConfigured } of await servers.list()) {
      if (state !== 'active') continue
      await this.#ensureTemplate(id).catch((error: unknown) => {
        if (isConfigured) throw error
        log('warn', `Server ${name} could not be given its template: ${String(error)}`)
      })
    }
  }

  /** Migrated and filled once per version of the schema; nobody can connect to it, so it is always free to copy. */
  async #ensureTemplate(serverId: string): Promise<void> {
    const { servers, gate } = this.#options
    const server = await servers.get(serverId)
    if (await server.exists(this.template)) return
    await server.withLock(TEMPLATE_LOCK, async () => {
      if (await server.exists(this.template)) return
      const building = `${this.template}_building`
      await server.drop(building)
      await server.create(building)
      const address = server.migratorAddress(building)
      await migrate(address, 'tenant')
      // Connections are pooled by this name: that of another server's template must be another one.
      const tenantId = `${building}@${serverId}`
      const location = { tenantId, tenantCode: building, address: () => Promise.resolve(address) }
      await gate.writeTenant(location, null, this.#actor, insertTenantDefaults)
      await gate.closeTenant(tenantId)
      await server.seal(building)
      await server.rename(building, this.template)
      await this.#dropOtherTemplates(server)
    })
  }

  /** Older templates serve nobody but a process of an older version, which makes its own again. */
  async #dropOtherTemplates(server: DatabaseServer): Promise<void> {
    for (const name of await server.databaseNames(TEMPLATE_PREFIX)) {
      if (name !== this.template) await server.drop(name)
    }
  }

  // ---- the ready ones ----------------------------------------------------------------------------------

  /** Fills the pool up in the background; one filling at a time in this process. */
  refill(): Promise<void> {
    this.#refilling ??= this.#fill()
      .catch((error: unknown) => {
        if (!this.#stopped)
          this.#options.log('error', `Filling the pool of ready databases failed: ${String(error)}`)
      })
      .finally(() => {
        this.#refilling = undefined
      })
    return this.#refilling
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#refilling
  }

  async #fill(): Promise<void> {
    const { servers, log } = this.#options
    for (const { id, name, kind, state } of await servers.list()) {
      try {
        await this.#dropAbandoned(id)
        if (kind === 'shared' && state === 'active') await this.#fillServer(id)
      } catch (error) {
        // One that is away must not keep the others from being filled.
        if (!this.#stopped) log('error', `Filling the pool of server ${name} failed: ${String(error)}`)
      }
    }
  }

  async #fillServer(serverId: string): Promise<void> {
    const { gate, readyTarget } = this.#options
    while (!this.#stopped) {
      const planned = await gate.writePlatform(this.#actor, (tx) =>
        this.#plan(tx, serverId, null, readyTarget),
      )
      if (!planned) return
      await this.build(planned)
      await gate.writePlatform(this.#actor, (tx) => setState(tx, planned.id, 'ready'))
    }
  }

  /** Writes down a database to be made, unless there are enough of them. */
  async #plan(
    tx: PlatformTx,
    serverId: string,
    tenantId: string | null,
    target: number,
  ): Promise<ReadyDatabase | undefined> {
    await tx.rows(sql`SELECT pg_advisory_xact_lock(${TEMPLATE_LOCK})`.compile(platformSql))
    const counted = await tx.row(
      platformSql
        .selectFrom('platform.ready_database')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('server_id', '=', serverId)
        .where('template_fingerprint', '=', this.template)
        .where('state', 'in', ['building', 'ready'])
        .where('claimed_by', 'is', null),
    )
    if (tenantId === null && Number(counted?.count ?? 0) >= target) return undefined
    const suffix = randomBytes(8).toString('hex')
    const role = `${ROLE_PREFIX}${suffix}`
    const password = randomBytes(24).toString('base64url')
    return tx.row(
      platformSql
        .insertInto('platform.ready_database')
        .values({
          server_id: serverId,
          database_name: `${READY_PREFIX}${suffix}`,
          runtime_role: role,
          sealed_runtime_password: this.#options.secrets.seal(password, role),
          template_fingerprint: this.template,
          state: 'building',
          claimed_by: tenantId,
        })
        .returning(COLUMNS),
    )
  }

  /** Role and clone of one planned database; may be repeated. */
  async build(planned: ReadyDatabase): Promise<void> {
    const { servers, secrets } = this.#options
    const { database_name: database, runtime_role: role } = planned
    const server = await servers.get(planned.server_id)
    const password = secrets.open(planned.sealed_runtime_password, role)
    // Side by side; both have ended before anything is undone.
    const made = await Promise.allSettled([
      this.makeRole(server, role, password),
      this.#clone(server, database, planned.server_id),
    ])
    for (const outcome of made) if (outcome.status === 'rejected') throw outcome.reason
    await server.grantConnect(database, role)
  }

  makeRole(server: DatabaseServer, role: string, password: string): Promise<void> {
    return server.createRuntimeRole(role, password, CONNECTION_LIMIT)
  }

  /** An empty tenant's database that nobody but the migrator can enter, to copy a tenant into. Repeated, a new one. */
  async makeBlank(serverId: string, database: string): Promise<void> {
    const server = await this.#options.servers.get(serverId)
    await server.drop(database)
    await this.#clone(server, database, serverId)
  }

  async #clone(server: DatabaseServer, database: string, serverId: string): Promise<void> {
    if (await server.exists(database)) return
    for (let attempt = 1; ; attempt++) {
      await this.#ensureTemplate(serverId)
      try {
        return await server.create(database, this.template)
      } catch (error) {
        // A process of another version has dropped our template in between.
        const isGone = (error as { code?: string }).code === UNDEFINED_DATABASE
        if (!isGone || attempt === TEMPLATE_TRIES) throw error
      }
    }
  }

  /**
   * Whether the database was made for this role: the grant is given before the database gets its tenant's
   * name. One that bears the name without it is somebody else's, and is neither entered nor dropped.
   */
  async isOf(server: DatabaseServer, role: string, database: string): Promise<boolean> {
    return server.withAdmin(async (client) => {
      const { rowCount } = await client.query(
        `SELECT 1 FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
         WHERE d.datname = $1 AND r.rolname = $2 AND a.privilege_type = 'CONNECT'`,
        [database, role],
      )
      return rowCount === 1
    })
  }

  #dropAbandoned(serverId: string): Promise<void> {
    const isAbandoned = sql<boolean>`((state = 'building' AND created_at < now() - ${ABANDONED_AFTER}::interval)
      OR (state = 'ready' AND template_fingerprint <> ${this.template}))`
    return this.#dropReady(serverId, isAbandoned)
  }

  async #dropReady(serverId: string, which: RawBuilder<boolean>): Promise<void> {
    const { gate, servers } = this.#options
    const abandoned = await gate.readPlatform(this.#actor, (tx) =>
      tx.rows(
        sql<ReadyDatabase>`SELECT ${sql.join(COLUMNS.map((column) => sql.ref(column)))} FROM platform.ready_database
          WHERE server_id = ${serverId} AND claimed_by IS NULL AND ${which}`.compile(platformSql),
      ),
    )
    if (abandoned.length === 0) return
    const server = await servers.get(serverId)
    for (const { id, database_name: database, runtime_role: role } of abandoned) {
      await server.drop(database)
      await server.dropRole(role)
      await gate.writePlatform(this.#actor, (tx) => forget(tx, id))
    }
  }

  /** Takes away what we keep on a server that gets no more tenants: ready databases and templates. */
  async withdraw(serverId: string): Promise<void> {
    await this.#refilling
    await this.#dropReady(serverId, sql<boolean>`true`)
    const server = await this.#options.servers.get(serverId)
    for (const name of await server.databaseNames(TEMPLATE_PREFIX)) await server.drop(name)
  }

  // ---- a tenant's --------------------------------------------------------------------------------------

  /** Gives the tenant a database: a ready one if there is any, else one made now. May be repeated. */
  async give(tenantId: string, tenantCode: string): Promise<void> {
    const { gate, servers } = this.#options
    const database = databaseNameOf(tenantCode)
    const given = await gate.writePlatform(this.#actor, async (tx) => {
      const claimed = (await claimedBy(tx, tenantId)) ?? (await this.#claim(tx, tenantId))
      const chosen = claimed ?? (await this.#plan(tx, await serverOf(tx, tenantId), tenantId, 0))
      if (!chosen) throw new Error('A database planned for a tenant must come back')
      await tx.run(
        platformSql
          .updateTable('platform.tenant')
          .set({
            database_name: database,
            runtime_role: chosen.runtime_role,
            schema_version: chosen.template_fingerprint === this.template ? newestVersion('tenant') : null,
            sealed_runtime_password: chosen.sealed_runtime_password,
          })
          .where('id', '=', tenantId),
      )
      return { ...chosen, isReady: claimed?.state === 'ready' }
    })
    const server = await servers.get(given.server_id)
    const isNameTaken = await server.exists(database)
    if (!isNameTaken) {
      if (!given.isReady) await this.build(given)
      await server.rename(given.database_name, database)
    }
    if (!(await this.isOf(server, given.runtime_role, database))) {
      throw new Error(`There is a database ${database} already, and it is none of this tenant's`)
    }
    void this.refill()
  }

  /** Brings the tenant's database to the version of this code, if it is not there yet. */
  async migrateTenant(serverId: string, database: string): Promise<string | null> {
    const address = (await this.#options.servers.get(serverId)).migratorAddress(database)
    return (await migrate(address, 'tenant')).version
  }

  /** Undoes `give`: neither database nor role is left. May be repeated. */
  async takeBack(tenantId: string, tenantCode: string): Promise<void> {
    const { gate, servers } = this.#options
    const claimed = await gate.writePlatform(this.#actor, (tx) => claimedBy(tx, tenantId))
    if (!claimed) return // nothing was given: a database of that name is not ours
    const server = await servers.get(claimed.server_id)
    await gate.closeTenant(tenantId)
    await server.drop(claimed.database_name)
    const database = databaseNameOf(tenantCode)
    if (await this.isOf(server, claimed.runtime_role, database)) await server.drop(database)
    await server.dropRole(claimed.runtime_role)
    await gate.writePlatform(this.#actor, (tx) => forget(tx, claimed.id))
  }

  /** The gift is complete: from now on the tenant's own row says what is its. */
  async settle(tx: PlatformTx, tenantId: string): Promise<void> {
    await tx.run(platformSql.deleteFrom('platform.ready_database').where('claimed_by', '=', tenantId))
  }

  async #claim(tx: PlatformTx, tenantId: string): Promise<(ReadyDatabase & { state: string }) | undefined> {
    const row = await tx.row(
      sql<ReadyDatabase>`UPDATE platform.ready_database SET claimed_by = ${tenantId}, state = 'claimed', updated_at = now()
        WHERE id = (SELECT id FROM platform.ready_database WHERE state = 'ready' AND claimed_by IS NULL
          AND server_id = (SELECT server_id FROM platform.tenant WHERE id = ${tenantId})
          AND template_fingerprint = ${this.template} ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING ${sql.join(COLUMNS.map((column) => sql.ref(column)))}`.compile(platformSql),
    )
    return row && { ...row, state: 'ready' }
  }
}

export function databaseNameOf(tenantCode: string): string {
  return `${TENANT_PREFIX}${tenantCode.toLowerCase()}`
}

function claimedBy(
  tx: PlatformTx,
  tenantId: string,
): Promise<(ReadyDatabase & { state: string }) | undefined> {
  return tx.row(
    platformSql
      .selectFrom('platform.ready_database')
      .select([...COLUMNS, 'state'])
      .where('claimed_by', '=', tenantId),
  )
}

async function serverOf(tx: PlatformTx, tenantId: string): Promise<string> {
  const row = await tx.row(
    platformSql.selectFrom('platform.tenant').select('server_id').where('id', '=', tenantId),
  )
  if (!row) throw new Error(`There is no tenant ${tenantId}`)
  return row.server_id
}

async function setState(tx: PlatformTx, id: string, state: 'ready'): Promise<void> {
  await tx.run(platformSql.updateTable('platform.ready_database').set({ state }).where('id', '=', id))
}

async function forget(tx: PlatformTx, id: string): Promise<void> {
  await tx.run(platformSql.deleteFrom('platform.ready_database').where('id', '=', id))
}
