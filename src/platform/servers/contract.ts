/**
 * Glossary
 * - server: a PostgreSQL server that tenants' databases lie on
 * - configured server: the one that the configuration names; it is always there
 * - draining: takes no new tenants, because those it has are to be moved away
 * - room: how many tenants' databases a server may have
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, oneOf, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const serverKinds = ['shared', 'dedicated'] as const
export const serverStates = ['active', 'draining', 'full'] as const
export const serverSslModes = ['disable', 'require', 'verify-full'] as const

export const Server = Type.Object({
  id: Id,
  name: Type.String(),
  kind: oneOf(serverKinds),
  state: oneOf(serverStates),
  isConfigured: Type.Boolean({ description: 'The configuration names it; its address is not kept here' }),
  region: nullable(Type.String()),
  host: nullable(Type.String()),
  port: nullable(Type.Integer()),
  sslMode: nullable(oneOf(serverSslModes)),
  databaseLimit: nullable(Type.Integer({ description: "Tenants' databases at most; null: no limit" })),
  tenants: Type.Integer({ description: 'Tenants that live here or are on their way here' }),
  health: Type.Object({
    isReachable: nullable(Type.Boolean({ description: 'null: nobody has looked yet' })),
    version: nullable(Type.String()),
    databases: nullable(Type.Integer({ description: 'All of ours: tenants, ready ones, templates, copies' })),
    connections: nullable(Type.Integer()),
    lastError: nullable(Type.String()),
    checkedAt: nullable(Instant),
  }),
  createdAt: Instant,
  updatedAt: Instant,
})

const Name = Type.String({ minLength: 1, maxLength: 60, pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]*$' })
const Region = Type.String({ minLength: 1, maxLength: 60 })
const Limit = Type.Integer({ minimum: 1, maximum: 100_000 })

/** Where a server is and who administers it. */
const connection = {
  host: Type.String({
    minLength: 1,
    maxLength: 253,
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$',
    description: 'Name or address',
  }),
  port: Type.Integer({ minimum: 1, maximum: 65_535, default: 5432 }),
  sslMode: oneOf(serverSslModes),
  adminUser: Type.String({ minLength: 1, maxLength: 63, description: 'May create databases and roles' }),
  adminPassword: Type.String({ minLength: 1, maxLength: 1000, description: 'Kept sealed, never shown' }),
  adminDatabase: Type.String({ minLength: 1, maxLength: 63, default: 'postgres' }),
}

export const ServerBody = Type.Object(
  {
    name: Name,
    kind: oneOf(serverKinds),
    region: Type.Optional(Region),
    databaseLimit: Type.Optional(Limit),
    ...connection,
  },
  { additionalProperties: false },
)

export const ServerChanges = Type.Object(
  {
    name: Type.Optional(Name),
    kind: Type.Optional(oneOf(serverKinds)),
    state: Type.Optional(oneOf(serverStates)),
    region: Type.Optional(nullable(Region)),
    databaseLimit: Type.Optional(nullable(Limit)),
    host: Type.Optional(connection.host),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    sslMode: Type.Optional(connection.sslMode),
    adminUser: Type.Optional(connection.adminUser),
    adminPassword: Type.Optional(connection.adminPassword),
    adminDatabase: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  },
  { additionalProperties: false },
)

const shared = { tag: 'Servers', audience: 'platform' } as const

export const listServers = operation({
  ...shared,
  name: 'listServers',
  method: 'GET',
  path: '/servers',
  summary: 'Database servers with their room and health, the oldest first',
  permission: 'servers:view',
  access: 'read',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      search: pageQuery.search,
      state: Type.Optional(oneOf(serverStates)),
      kind: Type.Optional(oneOf(serverKinds)),
    },
    { additionalProperties: false },
  ),
  data: pageOf('servers', Server),
})

export const getServer = operation({
  ...shared,
  name: 'getServer',
  method: 'GET',
  path: '/servers/{id}',
  summary: 'One database server',
  permission: 'servers:view',
  access: 'read',
  params: IdParams,
  data: Server,
  versioned: true,
})

export const registerServer = operation({
  ...shared,
  name: 'registerServer',
  method: 'POST',
  path: '/servers',
  summary: 'Register a database server; it is looked at first, and whatever is wrong with it is told at once',
  permission: 'servers:manage',
  access: 'steps',
  status: 201,
  body: ServerBody,
  data: Server,
  idempotent: true,
})

export const changeServer = operation({
  ...shared,
  name: 'changeServer',
  method: 'PUT',
  path: '/servers/{id}',
  summary: 'Change what is given; a new address must lead to the same databases',
  permission: 'servers:manage',
  access: 'steps',
  params: IdParams,
  body: ServerChanges,
  data: Server,
  versioned: true,
})

export const removeServer = operation({
  ...shared,
  name: 'removeServer',
  method: 'DELETE',
  path: '/servers/{id}',
  summary: 'Take away a database server that has no tenants left',
  permission: 'servers:manage',
  access: 'steps',
  params: IdParams,
  data: Type.Object({ id: Id }),
})

export const checkServer = operation({
  ...shared,
  name: 'checkServer',
  method: 'POST',
  path: '/servers/{id}/check',
  summary: 'Look at a database server now',
  permission: 'servers:view',
  access: 'steps',
  params: IdParams,
  data: Server,
})
