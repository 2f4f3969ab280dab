/**
 * Databases and roles on one PostgreSQL server: create, clone from a template, rename, drop. Every step
 * may be repeated: what is already so is left so.
 *
 * Roles: `erp_migrator` owns every tenant database and its objects; `erp_tenant_runtime` (no login) holds
 * the rights on the tables, granted once in the template and copied with it; each tenant has a login role
 * that is a member of it and can connect to its own database only.
 */
import type pg from 'pg'
import { connect, ConnectionPools, isConnectionLoss, type DatabaseAddress } from './pools.ts'
import { scramVerifier, type Secrets } from './secrets.ts'
import { lookupForPooler, preparePooler } from './pooler.ts'
import { identifier, literal } from './sql-text.ts'

export const MIGRATOR_ROLE = 'erp_migrator'
export const RUNTIME_GROUP_ROLE = 'erp_tenant_runtime'
const STATEMENT_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 10_000
/** Whoever holds a lock across the server may be making a template or moving a database. */
const LOCK_WAIT_MS = 600_000
/** Locks are held over one connection while another works, by several workflows at once. */
const ADMIN_CONNECTIONS = 8
/** A pooler may give a session that has just become idle to the next one before it is ended. */
const IDLE_MS = 1_000
/** Key of the advisory lock under which server-wide objects are made: two starting processes take turns. */
const SERVER_LOCK = 7_241_860_001

const KEY_COMMENT = 'solution-erp key '

const INTERNAL_ERROR = 'XX000'
const OBJECT_IN_USE = '55006'
const DUPLICATE_DATABASE = '42P04'
const DUPLICATE_OBJECT = '42710'
const UNIQUE_VIOLATION = '23505'

export interface DatabaseServerOptions {
  /** The role that a pooler looks passwords up with, at the pooler's address; `database` is of no meaning. */
  readonly pooler?: DatabaseAddress | undefined
}

export class DatabaseServer {
  readonly admin: DatabaseAddress
  readonly #pooler: DatabaseAddress | undefined
  readonly #secrets: Secrets
  /** The key that the password of this server's migrator is made from. */
  #keyId: string
  readonly #connections = new ConnectionPools({
    connectionsMaximum: ADMIN_CONNECTIONS,
    connectionsPerDatabaseMaximum: ADMIN_CONNECTIONS,
    waitMs: STATEMENT_TIMEOUT_MS,
    idleMs: 10_000,
    answerMs: LOCK_WAIT_MS,
  })

  constructor(admin: DatabaseAddress, secrets: Secrets, options: DatabaseServerOptions = {}) {
    this.admin = admin
    this.#pooler = options.pooler
    this.#secrets = secrets
    this.#keyId = secrets.keyId
  }

  get keyId(): string {
    return this.#keyId
  }

  /** The address of one database as the role that owns its objects. */
  migratorAddress(database: string): DatabaseAddress {
    const renewed = async (): Promise<DatabaseAddress> => {
      await this.recogniseKey()
      return this.migratorAddress(database)
    }
    return { ...this.admin, database, user: MIGRATOR_ROLE, password: this.#migratorPassword(), renewed }
  }

  /** Where a tenant's requests go: to the pooler, if there is one. Everything else goes to the server itself. */
  runtimeAddress(database: string, role: string, password: string): DatabaseAddress {
    return { ...(this.#pooler ?? this.admin), database, user: role, password }
  }

  #migratorPassword(keyId: string = this.#keyId): string {
    return this.#secrets.derive('migrator-password', 32, keyId).toString('base64url')
  }

  /** Makes the server-wide roles, and shuts the public doors of the standard databases. */
  async prepare(): Promise<void> {
    await this.withLock(SERVER_LOCK, () =>
      this.withAdmin(async (client) => {
        await ensureRole(client, RUNTIME_GROUP_ROLE, 'NOLOGIN')
        await ensureRole(client, MIGRATOR_ROLE, 'LOGIN')
        await this.#recognise(client)
        await this.#setMigratorPassword(client, this.#keyId)
        await client.query(`GRANT ${MIGRATOR_ROLE} TO CURRENT_USER`)
        await closePublicDoors(client)
        if (this.#pooler) await preparePooler(client, this.#pooler)
      }),
    )
    if (this.#pooler) await this.#openToPooler(this.#pooler.user)
  }

  /** Databases made before there was a pooler; those made since have it from their template. */
  async #openToPooler(role: string): Promise<void> {
    const closed = await this.withAdmin(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT d.datname AS name FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
         WHERE r.rolname = $1 AND NOT has_database_privilege($2, d.oid, 'CONNECT')`,
        [MIGRATOR_ROLE, role],
      )
      return rows.map(({ name }) => name)
    })
    for (const name of closed) await this.#teachPooler(name, role)
  }

  async #teachPooler(database: string, role: string): Promise<void> {
    const name = identifier(database)
    const isSealed = await this.withAdmin(async (client) => {
      const { rows } = await client.query<{ open: boolean }>(
        'SELECT datallowconn AS open FROM pg_database WHERE datname = $1',
        [database],
      )
      return rows[0]?.open === false
    })
    if (isSealed) await this.withAdmin((client) => client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)) // prettier-ignore
    try {
      await withClient({ ...this.admin, database }, (client) =>
        client.query(lookupForPooler(role, RUNTIME_GROUP_ROLE)),
      )
      await this.withAdmin((client) => client.query(`GRANT CONNECT ON DATABASE ${name} TO ${identifier(role)}`)) // prettier-ignore
    } finally {
      if (isSealed) await this.withAdmin((client) => client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)) // prettier-ignore
    }
  }

  /** Changes the migrator over to another of our keys; processes that know both follow (see `renewed`). */
  async changeKey(keyId: string): Promise<void> {
    await this.withLock(SERVER_LOCK, () =>
      this.withAdmin(async (client) => {
        await this.#recognise(client) // never from a key that is none of ours
        await this.#setMigratorPassword(client, keyId)
      }),
    )
  }

  /** Another process may have changed the key. */
  async recogniseKey(): Promise<void> {
    await this.withAdmin((client) => this.#recognise(client))
  }

  /** The password and the name of its key change in one transaction. */
  async #setMigratorPassword(client: pg.Client, keyId: string): Promise<void> {
    const salt = this.#secrets.derive('migrator-salt', 16, keyId)
    const verifier = scramVerifier(this.#migratorPassword(keyId), salt)
    await client.query(
      `ALTER ROLE ${MIGRATOR_ROLE} PASSWORD ${literal(verifier)};
       COMMENT ON ROLE ${MIGRATOR_ROLE} IS ${literal(`${KEY_COMMENT}${keyId}`)}`,
    )
    this.#keyId = keyId
  }

  /**
   * The server remembers which SECRET_KEY its roles' passwords come from, and that one is used, be it an
   * earlier one of ours: processes that know no other may still be running. A key that is none of ours is
   * refused before anything is changed: we would lock out every running process and could read no password.
   */
  async #recognise(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ comment: string | null }>(
      `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
      [MIGRATOR_ROLE],
    )
    const comment = rows[0]?.comment ?? null
    if (comment === null) return
    const known = comment.startsWith(KEY_COMMENT) ? comment.slice(KEY_COMMENT.length) : ''
    if (!this.#secrets.knows(known)) {
      throw new Error(
        `SECRET_KEY is not the one this PostgreSQL server was set up with (${comment}, not ${KEY_COMMENT}${this.#secrets.keyIds.join(' or ')})`,
      )
    }
    this.#keyId = known
  }

  /** One process at a time, across the server. */
  async withLock<Result>(key: number, work: () => Promise<Result>): Promise<Result> {
    return this.withAdmin(async (client) => {
      await client.query('SET statement_timeout = 0')
      await client.query('SELECT pg_advisory_lock($1)', [key])
      try {
        return await work()
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [key])
      }
    })
  }

  /** A template: compact, and closed to everybody, so that nothing keeps it from being copied. */
  async seal(database: string): Promise<void> {
    if (this.#pooler) await this.#teachPooler(database, this.#pooler.user)
    await withClient(this.migratorAddress(database), (client) => client.query('VACUUM (FREEZE, ANALYZE)'))
    await this.withAdmin((client) =>
      retryWhileInUse(() => client.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`)),
    )
  }

  async exists(database: string): Promise<boolean> {
    return this.withAdmin(async (client) => {
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
      return rowCount === 1
    })
  }

  async databaseNames(prefix: string): Promise<string[]> {
    return this.withAdmin(async (client) => {
      const { rows } = await client.query('SELECT datname FROM pg_database WHERE starts_with(datname, $1)', [
        prefix,
      ])
      return rows.map((row: { datname: string }) => row.datname)
    })
  }

  /** `template` undefined: an empty database. */
  async create(database: string, template?: string, owner: string = MIGRATOR_ROLE): Promise<void> {
    const from = template === undefined ? '' : `TEMPLATE ${identifier(template)}`
    await this.withAdmin(async (client) => {
      await retryWhileInUse(() =>
        unlessThere(() =>
          client.query(`CREATE DATABASE ${identifier(database)} OWNER ${identifier(owner)} ${from}`),
        ),
      )
      await retryWhileInUse(() => client.query(`REVOKE ALL ON DATABASE ${identifier(database)} FROM PUBLIC`))
    })
  }

  /** Another database of the new name is a failure: what is called so then is not what was renamed. */
  async rename(from: string, to: string): Promise<void> {
    await this.withAdmin((client) =>
      retryWhileInUse(() => client.query(`ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`)),
    )
  }

  async drop(database: string): Promise<void> {
    await this.withAdmin((client) =>
      client.query(`DROP DATABASE IF EXISTS ${identifier(database)} WITH (FORCE)`),
    )
  }

  /** A tenant's login role; a repeated call sets the password again. */
  async createRuntimeRole(role: string, password: string, connectionLimit: number): Promise<void> {
    await this.withAdmin(async (client) => {
      await ensureRole(client, role, 'LOGIN')
      await client.query(
        `ALTER ROLE ${identifier(role)} CONNECTION LIMIT ${connectionLimit} PASSWORD ${literal(scramVerifier(password))};
         ALTER ROLE ${identifier(role)} SET statement_timeout = '30s';
         ALTER ROLE ${identifier(role)} SET lock_timeout = '10s';
         ALTER ROLE ${identifier(role)} SET idle_in_transaction_session_timeout = '60s';
         ALTER ROLE ${identifier(role)} SET jit = off;
         GRANT ${RUNTIME_GROUP_ROLE} TO ${identifier(role)}`,
      )
    })
  }

  /** Resolves to the server's own time: what was let in before it was let in with the old one. */
  async changeRuntimePassword(role: string, password: string): Promise<string> {
    return this.withAdmin(async (client) => {
      await client.query(`ALTER ROLE ${identifier(role)} PASSWORD ${literal(scramVerifier(password))}`)
      const { rows } = await client.query<{ now: string }>('SELECT clock_timestamp() AS now')
      return rows[0]?.now ?? ''
    })
  }

  /**
   * Ends sessions that are older than their role's change: those that have lain idle for a while, or all.
   * Resolves to how many are left.
   */
  async endSessionsBefore(
    changes: readonly { readonly role: string; readonly changedAt: string }[],
    includingBusy: boolean,
  ): Promise<number> {
    if (changes.length === 0) return 0
    return this.withAdmin(async (client) => {
      const { rows } = await client.query<{ ended: boolean }>(
        `SELECT (state = 'idle' AND state_change < now() - $4 * interval '1 ms' OR $3) AND pg_terminate_backend(pid) AS ended
         FROM pg_stat_activity JOIN unnest($1::text[], $2::timestamptz[]) AS change (role, at) ON usename = role
         WHERE backend_start < at`,
        [changes.map(({ role }) => role), changes.map(({ changedAt }) => changedAt), includingBusy, IDLE_MS],
      )
      return rows.filter(({ ended }) => !ended).length
    })
  }

  /** Leaves a database to one role. Where that is not ours to say, `openDoors` tells. */
  async closeToOthers(database: string, role: string): Promise<void> {
    const name = identifier(database)
    await this.withAdmin(async (client) => {
      await client
        .query(`GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO ${identifier(role)}`)
        .catch(() => {})
      await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`).catch(() => {})
    })
  }

  /** Databases that every role may enter. */
  async openDoors(): Promise<string[]> {
    return this.withAdmin(async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT datname AS name FROM pg_database
         WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT') ORDER BY 1`,
      )
      return rows.map(({ name }) => name)
    })
  }

  /**
   * Opens the door of one database to one role, and to no other: whoever died behind CREATE DATABASE has left it
   * open to every tenant's role.
   */
  async grantConnect(database: string, role: string): Promise<void> {
    const roles = [role, ...(this.#pooler ? [this.#pooler.user] : [])].map(identifier).join(', ')
    const name = identifier(database)
    const text = `REVOKE ALL ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO ${roles}`
    await this.withAdmin((client) => retryWhileInUse(() => client.query(text)))
  }

  async dropRole(role: string): Promise<void> {
    await this.withAdmin((client) => client.query(`DROP ROLE IF EXISTS ${identifier(role)}`))
  }

  /** Connections are kept for a while: making one costs more than most of what is done over it. */
  async withAdmin<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = await this.#connections.acquire('admin', () => Promise.resolve(this.admin))
    let isBroken = true
    try {
      // Not awaited: it travels with the first statement of the work.
      const limited = client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
      limited.catch(() => {})
      const result = await work(client)
      await limited
      isBroken = false
      return result
    } catch (error) {
      isBroken = isConnectionLoss(error)
      throw error
    } finally {
      this.#connections.release(client, isBroken)
    }
  }

  close(): Promise<void> {
    return this.#connections.closeAll()
  }
}

/** Whether a server that says this of its migrator was set up with one of our keys. */
export function isKeyOf(secrets: Secrets, comment: string): boolean {
  return comment.startsWith(KEY_COMMENT) && secrets.knows(comment.slice(KEY_COMMENT.length))
}

export async function withClient<Result>(
  address: DatabaseAddress,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect(address, CONNECT_TIMEOUT_MS)
  try {
    await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
    return await work(client)
  } finally {
    await client.end()
  }
}

export function addressOf(url: string, ssl: pg.ClientConfig['ssl']): DatabaseAddress {
  const parsed = new URL(url)
  return {
    host: decodeURIComponent(parsed.hostname),
    port: Number(parsed.port || 5432),
    database: decodeURIComponent(parsed.pathname.slice(1)) || 'postgres',
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    ssl,
  }
}

/** `authority`: the certificates (PEM) a server's must come from; undefined: the well-known ones. */
export function sslOf(
  mode: 'disable' | 'require' | 'verify-full',
  authority?: string,
): pg.ClientConfig['ssl'] {
  if (mode === 'disable') return false
  if (mode === 'require') return { rejectUnauthorized: false }
  return { rejectUnauthorized: true, ...(authority === undefined ? {} : { ca: authority }) }
}

async function ensureRole(client: pg.Client, role: string, login: 'LOGIN' | 'NOLOGIN'): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])
  if (rowCount === 1) return
  await unlessThere(() => client.query(`CREATE ROLE ${identifier(role)} ${login}`))
}

/**
 * A tenant's role must reach nothing but its own database, so PUBLIC may not connect to the standard
 * ones. Only their owner can say so: on a server set up by somebody else, its administrator has to (see README).
 */
async function closePublicDoors(client: pg.Client): Promise<void> {
  await client.query(`GRANT CONNECT ON DATABASE postgres TO CURRENT_USER`).catch(() => {})
  for (const database of ['postgres', 'template1']) {
    await client.query(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`).catch(() => {})
  }
}

/**
 * Copying or renaming waits until the last connection to the source is gone; autovacuum may be there too. Of two
 * who change one row of the catalogue at the same moment, PostgreSQL breaks one off.
 */
async function retryWhileInUse(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work()
      return
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string }
      const isPassing =
        code === OBJECT_IN_USE || (code === INTERNAL_ERROR && message === 'tuple concurrently updated')
      if (!isPassing || attempt === 20) throw error
      await new Promise((resolve) => setTimeout(resolve, 25 * attempt))
    }
  }
}

/** Two processes make one at the same moment: the catalogue's own index may be the one to say so. */
async function unlessThere(make: () => Promise<unknown>): Promise<void> {
  try {
    await make()
  } catch (error) {
    const { code } = error as { code?: string }
    if (code !== DUPLICATE_DATABASE && code !== DUPLICATE_OBJECT && code !== UNIQUE_VIOLATION) throw error
  }
}
