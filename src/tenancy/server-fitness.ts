/**
 * Whether a PostgreSQL server may be entrusted with tenants: asked before it is registered, with everything
 * that is wrong told at once. The answers are in our own words: what a stranger's server says to us is not
 * shown to whoever made us call it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { unsafeSettings } from './database-settings.ts'
import { connect, type DatabaseAddress } from './pools.ts'
import type { Secrets } from './secrets.ts'
import { isKeyOf, MIGRATOR_ROLE } from './databases.ts'

export type FitnessConcern = 'host' | 'adminUser' | 'adminDatabase' | 'sslMode'

export interface Misfit {
  readonly concerns: FitnessConcern
  readonly code: string
  readonly message: string
}

export interface Fitness {
  readonly misfits: readonly Misfit[]
  /** Which cluster it is, whatever name it is called by; undefined: it was not let in. */
  readonly systemIdentifier: string | undefined
  readonly databases: ReadonlySet<string>
}

export interface ServerHealth {
  readonly systemIdentifier: string
  readonly version: string
  /** Databases of ours: tenants, ready ones, templates, copies. */
  readonly databases: number
  readonly connections: number
}

const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 5_000
/** A database that is just being made is open until its maker has shut it. */
const MAKING_MS = 500

export async function fitnessOf(
  address: DatabaseAddress,
  secrets: Secrets,
  isProduction: boolean,
): Promise<Fitness> {
  const unknown = { systemIdentifier: undefined, databases: new Set<string>() }
  let client: pg.Client
  try {
    client = await connect(address, CONNECT_TIMEOUT_MS)
  } catch (error) {
    return { misfits: [whyNotLetIn(error)], ...unknown }
  }
  try {
    await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
    const facts = await lastingFactsOf(client)
    const settings = Object.fromEntries(facts.settings.map(({ name, setting }) => [name, setting]))
    const unsafe = unsafeSettings(settings).map((message) => ({
      concerns: 'host' as const,
      // Only one of them can be mended by nobody: the version.
      code: message.includes('older') ? 'VERSION' : 'UNSAFE_SETTING',
      message,
    }))
    const misfits = [
      ...unsafe.filter(({ code }) => code === 'VERSION' || isProduction),
      ...missingRights(facts),
      ...foreignKey(facts.keyComment, secrets),
      ...openDoors(facts),
    ]
    return { misfits, systemIdentifier: facts.systemIdentifier, databases: new Set(facts.databases) }
  } catch {
    const message = 'It answers, but not as a PostgreSQL server does'
    return { misfits: [{ concerns: 'host', code: 'NO_ANSWER', message }], ...unknown }
  } finally {
    await client.end().catch(() => {})
  }
}

/** A look at a server, over a connection of its own: it tells whether new ones are let in. */
export async function healthOf(address: DatabaseAddress): Promise<ServerHealth> {
  const client = await connect(address, CONNECT_TIMEOUT_MS)
  try {
    await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
    const { rows } = await client.query<ServerHealth>(
      `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
         current_setting('server_version') AS version, sum(numbackends)::int AS connections,
         (count(*) FILTER (WHERE starts_with(datname, 'erp_')))::int AS databases FROM pg_stat_database`,
    )
    const [health] = rows
    if (!health) throw new Error('The server told nothing of itself')
    return health
  } finally {
    await client.end().catch(() => {})
  }
}

/** In words that are safe to show. */
export function whyNotLetIn(error: unknown): Misfit {
  const { code, message = '', cause } = error as { code?: string; message?: string; cause?: unknown }
  if (cause !== undefined) return whyNotLetIn(cause)
  if (code === '28P01' || code === '28000') {
    return { concerns: 'adminUser', code: 'REFUSED', message: 'The server refuses this user and password' }
  }
  if (code === '3D000') {
    return { concerns: 'adminDatabase', code: 'NOT_THERE', message: 'The server has no such database' }
  }
  if (/does not support SSL/.test(message)) {
    return { concerns: 'sslMode', code: 'NO_TLS', message: 'The server does not offer TLS' }
  }
  if (code?.startsWith('ERR_TLS') || /certificate|self.signed/i.test(`${code} ${message}`)) {
    return { concerns: 'sslMode', code: 'CERTIFICATE', message: "The server's certificate is not trusted" }
  }
  return { concerns: 'host', code: 'UNREACHABLE', message: 'No PostgreSQL server answers there' }
}

interface Facts {
  readonly settings: readonly { name: string; setting: string }[]
  readonly isSuperuser: boolean
  readonly mayCreateDatabases: boolean
  readonly mayCreateRoles: boolean
  readonly keyComment: string | null
  readonly systemIdentifier: string
  readonly databases: readonly string[]
  /** Everybody may connect to them, and we cannot change that. */
  readonly openDatabases: readonly string[] | null
}

/** What is open only at one of two looks has been made or dropped meanwhile. */
async function lastingFactsOf(client: pg.Client): Promise<Facts> {
  const first = await factsOf(client)
  if (first.openDatabases === null) return first
  await sleep(MAKING_MS)
  const second = await factsOf(client)
  const lasting = (second.openDatabases ?? []).filter((name) => first.openDatabases?.includes(name))
  return { ...second, openDatabases: lasting.length > 0 ? lasting : null }
}

async function factsOf(client: pg.Client): Promise<Facts> {
  const { rows: settings } = await client.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name IN
       ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding', 'server_version_num')`,
  )
  const { rows } = await client.query<Omit<Facts, 'settings'>>(
    `SELECT rolsuper AS "isSuperuser", rolcreatedb AS "mayCreateDatabases", rolcreaterole AS "mayCreateRoles",
       (SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '${MIGRATOR_ROLE}') AS "keyComment",
       (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier",
       (SELECT array_agg(datname::text) FROM pg_database) AS databases,
       -- What preparing shuts are the two standard ones, if it may.
       (SELECT array_agg(datname::text ORDER BY datname) FROM pg_database d WHERE datallowconn
          AND NOT (datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE'))
          AND EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a
            WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')) AS "openDatabases"
     FROM pg_roles WHERE rolname = current_user`,
  )
  const [facts] = rows
  if (!facts) throw new Error('The server does not know who asks')
  return { ...facts, settings }
}

function missingRights({ isSuperuser, mayCreateDatabases, mayCreateRoles }: Facts): Misfit[] {
  if (isSuperuser) return []
  const misfits: Misfit[] = []
  if (!mayCreateDatabases) {
    misfits.push({ concerns: 'adminUser', code: 'NO_CREATEDB', message: 'This user may not make databases' })
  }
  if (!mayCreateRoles) {
    misfits.push({ concerns: 'adminUser', code: 'NO_CREATEROLE', message: 'This user may not make roles' })
  }
  return misfits
}

function foreignKey(comment: string | null, secrets: Secrets): Misfit[] {
  if (comment === null || isKeyOf(secrets, comment)) return []
  const message = 'The server belongs to another installation: its roles were made with another SECRET_KEY'
  return [{ concerns: 'host', code: 'FOREIGN', message }]
}

function openDoors({ openDatabases }: Facts): Misfit[] {
  if (openDatabases === null) return []
  const names = openDatabases.slice(0, 5).join(', ')
  const message = `Every tenant could connect to ${names}: their owner must REVOKE CONNECT ON DATABASE … FROM PUBLIC`
  return [{ concerns: 'host', code: 'OPEN_DATABASE', message }]
}
