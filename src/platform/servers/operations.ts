import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems, validationProblem, type FieldProblem } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { assertUnchanged } from '../../http/etag.ts'
import { implement, type PlatformDoor, type RequestContext, type Route } from '../../http/route.ts'
import { DatabaseServer } from '../../tenancy/databases.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { fitnessOf, type Fitness } from '../../tenancy/server-fitness.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import type { TenantDatabases } from '../tenants/databases.ts'
import {
  changeServer,
  checkServer,
  getServer,
  listServers,
  registerServer,
  removeServer,
  type Server,
  type ServerBody,
  type ServerChanges,
} from './contract.ts'
import type { ServerHealthChecks } from './health.ts'
import { TENANTS } from './placement.ts'
import { sealedConnection, SERVERS_MAXIMUM, type DatabaseServers, type ServerConnection } from './registry.ts'

export interface ServerPorts {
  readonly servers: DatabaseServers
  readonly databases: TenantDatabases
  readonly health: ServerHealthChecks
  readonly secrets: Secrets
  readonly isProduction: boolean
}

type ServerData = Static<typeof Server>
type Body = Static<typeof ServerBody>
type Changes = Static<typeof ServerChanges>

const CONNECTION_FIELDS = ['host', 'port', 'sslMode', 'adminUser', 'adminPassword', 'adminDatabase'] as const

export function serverRoutes(ports: ServerPorts): Route[] {
  return [
    implement(listServers, (tx, { query }) => list(tx, query)),
    implement(getServer, (tx, { params }) => read(tx, params.id)),
    implement(registerServer, (door, { body }, context) => register(ports, door, body, context)),
    implement(changeServer, (door, { params, body }, context) =>
      change(ports, door, params.id, body, context),
    ),
    implement(removeServer, (door, { params }) => remove(ports, door, params.id)),
    implement(checkServer, async (door, { params }) => {
      await door.read((tx) => read(tx, params.id))
      await ports.health.check(params.id)
      return door.read((tx) => read(tx, params.id))
    }),
  ]
}

// ---- registering ---------------------------------------------------------------------------------------

async function register(
  ports: ServerPorts,
  door: PlatformDoor,
  body: Body,
  context: RequestContext,
): Promise<ServerData> {
  const { secrets } = ports
  const id = context.newId()
  const { known, wrong } = await door.read(async (tx) => ({
    known: await countServers(tx),
    wrong: await nameTaken(tx, body.name, null),
  }))
  if (known >= SERVERS_MAXIMUM) {
    throw new Problem(problems.conflict, {
      message: `There are ${known} servers already, the most there can be`,
    })
  }
  const address = ports.servers.adminAddress(body)
  const fitness = await fitnessOf(address, secrets, ports.isProduction)
  wrong.push(...fieldProblems(ports, body, fitness))
  wrong.push(...(await door.read((tx) => clusterKnown(tx, fitness, null))))
  if (wrong.length > 0) throw validationProblem(wrong)
  await prepare(ports, address)
  await door.write(async (tx) => {
    await tx.run(
      platformSql.insertInto('platform.server').values({
        id,
        name: body.name,
        kind: body.kind,
        region: body.region ?? null,
        database_limit: body.databaseLimit ?? null,
        ...sealedConnection(secrets, id, body),
        system_identifier: fitness.systemIdentifier ?? null,
      }),
    )
    const details = { name: body.name, kind: body.kind, host: body.host, port: body.port }
    await recordEvent(tx, { action: 'register', entity: 'server', entityId: id, details })
    await announce(tx, { kind: 'server', serverId: id })
  })
  await ports.health.check(id)
  void ports.databases.refill() // its template, and its first ready databases
  return door.read((tx) => read(tx, id))
}

/** Its roles and its shut doors, before anybody can be sent there. */
async function prepare({ secrets }: ServerPorts, address: DatabaseAddress): Promise<void> {
  const server = new DatabaseServer(address, secrets)
  try {
    await server.prepare()
  } finally {
    await server.close()
  }
}

function fieldProblems(
  { isProduction }: ServerPorts,
  { sslMode }: ServerConnection,
  fitness: Fitness,
): FieldProblem[] {
  const wrong = fitness.misfits.map(({ concerns, code, message }) => ({ field: concerns, code, message }))
  if (isProduction && sslMode === 'disable') {
    const message = 'Production needs `require` or `verify-full`'
    return [...wrong, { field: 'sslMode', code: 'NO_TLS', message }]
  }
  return wrong
}

/** A cluster that is reached by two names would be given twice its room. */
async function clusterKnown(
  tx: PlatformRead,
  { systemIdentifier }: Fitness,
  exceptId: string | null,
): Promise<FieldProblem[]> {
  const known = await tx.row(
    sql<{
      name: string
    }>`SELECT name FROM platform.server WHERE system_identifier = ${systemIdentifier ?? null}
      AND deleted_at IS NULL AND id IS DISTINCT FROM ${exceptId}::uuid`.compile(platformSql),
  )
  if (!known) return []
  return [{ field: 'host', code: 'KNOWN', message: `This server is registered already, as ${known.name}` }]
}

async function countServers(tx: PlatformRead): Promise<number> {
  const counted = await tx.row(
    platformSql
      .selectFrom('platform.server')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('deleted_at', 'is', null),
  )
  return Number(counted?.count ?? 0)
}

async function nameTaken(tx: PlatformRead, name: string, exceptId: string | null): Promise<FieldProblem[]> {
  const taken = await tx.row(
    sql`SELECT 1 FROM platform.server WHERE lower(name) = lower(${name}) AND deleted_at IS NULL
      AND id IS DISTINCT FROM ${exceptId}::uuid`.compile(platformSql),
  )
  return taken ? [{ field: 'name', code: 'DUPLICATE', message: `There is a server ${name} already` }] : []
}

// ---- changing ------------------------------------------------------------------------------------------

async function change(
  ports: ServerPorts,
  door: PlatformDoor,
  id: string,
  body: Changes,
  { ifMatch }: RequestContext,
): Promise<ServerData> {
  const before = await door.read(async (tx) => {
    const server = await read(tx, id)
    assertUnchanged(ifMatch, server)
    if (body.name !== undefined) {
      const wrong = await nameTaken(tx, body.name, id)
      if (wrong.length > 0) throw validationProblem(wrong)
    }
    return server
  })
  const given = CONNECTION_FIELDS.filter((field) => body[field] !== undefined)
  const connection = given.length === 0 ? undefined : await changedConnection(ports, door, before, body)
  const { name, kind, state, region, databaseLimit } = body
  await door.write(async (tx) => {
    const changed = await tx.run(
      platformSql
        .updateTable('platform.server')
        .set({
          ...(name === undefined ? {} : { name }),
          ...(kind === undefined ? {} : { kind }),
          ...(state === undefined ? {} : { state }),
          ...(region === undefined ? {} : { region }),
          ...(databaseLimit === undefined ? {} : { database_limit: databaseLimit }),
          ...(connection === undefined ? {} : sealedConnection(ports.secrets, id, connection)),
          updated_at: sql`clock_timestamp()`,
        })
        .where('id', '=', id)
        .where('updated_at', '=', before.updatedAt)
        .where('deleted_at', 'is', null),
    )
    if (changed === 0) throw new Problem(problems.lostUpdate)
    const { adminPassword: _kept, ...details } = body
    await recordEvent(tx, { action: 'change', entity: 'server', entityId: id, details })
    await announce(tx, { kind: 'server', serverId: id })
  })
  ports.servers.forget(id) // our own notice comes too late for what follows
  if (connection !== undefined) await ports.health.check(id)
  if (state === 'active') void ports.databases.refill()
  return door.read((tx) => read(tx, id))
}

/** A server that moved, or a standby that took its place: the databases of its tenants must be there. */
async function changedConnection(
  ports: ServerPorts,
  door: PlatformDoor,
  before: ServerData,
  body: Changes,
): Promise<ServerConnection> {
  const refuse = (field: string, code: string, message: string): Problem =>
    validationProblem([{ field, code, message }])
  const { host, port, sslMode } = before
  if (host === null || port === null || sslMode === null) {
    throw refuse('host', 'CONFIGURED', 'The address of this server is in the configuration (DATABASE_URL)')
  }
  const isElsewhere = (['host', 'port', 'sslMode'] as const).some((field) => (body[field] ?? before[field]) !== before[field]) // prettier-ignore
  // We sign in there before we know who it is: what we keep is not shown to whatever address somebody names.
  if (isElsewhere && body.adminPassword === undefined)
    throw refuse('adminPassword', 'REQUIRED', 'Another address takes the administrator’s password again')
  const { user, password, database } = (await ports.servers.locate(before.id)).admin
  const connection: ServerConnection = {
    host: body.host ?? host,
    port: body.port ?? port,
    sslMode: body.sslMode ?? sslMode,
    adminUser: body.adminUser ?? user,
    adminPassword: body.adminPassword ?? password,
    adminDatabase: body.adminDatabase ?? database,
  }
  const fitness = await fitnessOf(ports.servers.adminAddress(connection), ports.secrets, ports.isProduction)
  const wrong = fieldProblems(ports, connection, fitness)
  if (fitness.systemIdentifier !== undefined) {
    const tenants = await door.read((tx) => databasesOfTenants(tx, before.id))
    const missing = tenants.filter((name) => !fitness.databases.has(name))
    if (missing.length > 0) {
      const message = `${missing.length} of the ${tenants.length} tenants of this server have no database there`
      wrong.push({ field: 'host', code: 'ANOTHER_SERVER', message })
    }
    wrong.push(...(await door.read((tx) => clusterKnown(tx, fitness, before.id))))
  }
  if (wrong.length > 0) throw validationProblem(wrong)
  await prepare(ports, ports.servers.adminAddress(connection))
  return connection
}

async function databasesOfTenants(tx: PlatformRead, serverId: string): Promise<string[]> {
  const rows = await tx.rows(
    sql<{ name: string }>`SELECT database_name AS name FROM platform.tenant
      WHERE server_id = ${serverId} AND database_name IS NOT NULL`.compile(platformSql),
  )
  return rows.map(({ name }) => name)
}

// ---- taking away ---------------------------------------------------------------------------------------

async function remove(ports: ServerPorts, door: PlatformDoor, id: string): Promise<{ id: string }> {
  const server = await door.read((tx) => read(tx, id))
  if (server.isConfigured) {
    throw new Problem(problems.conflict, { message: 'The configured server cannot be taken away' })
  }
  // Nobody is sent there any more while we clear up.
  await door.write(async (tx) => {
    await tx.run(platformSql.updateTable('platform.server').set({ state: 'draining' }).where('id', '=', id))
    await refuseWhileUsed(tx, id)
  })
  await ports.databases.withdraw(id)
  await door.write(async (tx) => {
    await refuseWhileUsed(tx, id)
    await tx.run(
      platformSql
        .updateTable('platform.server')
        .set({
          deleted_at: sql`clock_timestamp()`,
          updated_at: sql`clock_timestamp()`,
          sealed_admin_user: null,
          sealed_admin_password: null,
        })
        .where('id', '=', id),
    )
    await recordEvent(tx, {
      action: 'remove',
      entity: 'server',
      entityId: id,
      details: { name: server.name },
    })
    await announce(tx, { kind: 'server', serverId: id })
  })
  ports.servers.forget(id)
  return { id }
}

async function refuseWhileUsed(tx: PlatformRead, id: string): Promise<void> {
  const row = await tx.row(
    sql<{ tenants: number; moving: number; kept: number }>`SELECT
        (SELECT count(*)::int FROM platform.tenant
           WHERE server_id = ${id} AND (database_name IS NOT NULL OR status = 'provisioning')) AS tenants,
        (SELECT count(*)::int FROM platform.tenant_move WHERE ${id} IN (from_server_id, to_server_id)
           AND (status = 'running' OR (status = 'failed' AND cleared_at IS NULL))) AS moving,
        (SELECT count(*)::int FROM platform.tenant_move
           WHERE from_server_id = ${id} AND kept_database IS NOT NULL AND dropped_at IS NULL) AS kept`.compile(
      platformSql,
    ),
  )
  const { tenants = 0, moving = 0, kept = 0 } = row ?? {}
  if (tenants + moving + kept === 0) return
  const what = [
    ...(tenants > 0 ? [`${tenants} tenant(s) live on this server; move them away first`] : []),
    ...(moving > 0 ? [`${moving} move(s) from or to it are under way`] : []),
    ...(kept > 0 ? [`${kept} old database(s) of moved tenants are kept here; drop them or wait`] : []),
  ]
  throw new Problem(problems.inUse, { message: what.join('; '), details: { tenants, moving, kept } })
}

// ---- reading -------------------------------------------------------------------------------------------

async function list(
  tx: PlatformRead,
  query: Static<NonNullable<typeof listServers.query>>,
): Promise<{ servers: ServerData[]; pagination: ReturnType<typeof paginationOf> }> {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const matches = sql`s.deleted_at IS NULL
    AND (${query.state ?? null}::text IS NULL OR s.state = ${query.state ?? null})
    AND (${query.kind ?? null}::text IS NULL OR s.kind = ${query.kind ?? null})
    AND (${query.search ?? null}::text IS NULL OR concat_ws(' ', s.name, s.host, s.region) ILIKE ${likePattern(query.search ?? '')})`
  const [rows, [counted]] = await Promise.all([
    tx.rows(
      sql<Row>`${SELECT} WHERE ${matches} ORDER BY s.created_at, s.id LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(
        platformSql,
      ),
    ),
    tx.rows(
      sql<{ total: number }>`SELECT count(*)::int AS total FROM platform.server s WHERE ${matches}`.compile(
        platformSql,
      ),
    ),
  ])
  return { servers: rows.map(present), pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

async function read(tx: PlatformRead, id: string): Promise<ServerData> {
  const row = await tx.row(
    sql<Row>`${SELECT} WHERE s.id = ${id} AND s.deleted_at IS NULL`.compile(platformSql),
  )
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such server' })
  return present(row)
}

const SELECT = sql`SELECT s.id, s.name, s.kind, s.state, s.host IS NULL AS "isConfigured", s.region, s.host, s.port,
    s.ssl_mode AS "sslMode", s.database_limit AS "databaseLimit", ${TENANTS} AS tenants,
    s.is_reachable AS "isReachable", s.server_version AS version, s.database_count AS databases,
    s.connection_count AS connections, s.last_error AS "lastError", s.checked_at AS "checkedAt",
    s.created_at AS "createdAt", s.updated_at AS "updatedAt"
  FROM platform.server s`

type Row = Omit<ServerData, 'health'> & ServerData['health']

function present(row: Row): ServerData {
  const { isReachable, version, databases, connections, lastError, checkedAt, ...server } = row
  return { ...server, health: { isReachable, version, databases, connections, lastError, checkedAt } }
}
