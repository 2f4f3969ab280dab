/**
 * Side databases: where a backup comes back to, with a role of its own, so that nothing of the tenant's live
 * database is touched before what came back is proven. Names are made from the restore's id: a step that is
 * repeated finds what it made, and what nobody accounts for is seen.
 */
import { randomBytes } from 'node:crypto'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { TenantLocation } from '../../tenancy/gate.ts'
import { migrate, migrationsOf, moveTo } from '../../tenancy/migrations.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import type { Secrets } from '../../tenancy/secrets.ts'

export const SIDE_PREFIX = 'erp_side_'
export const KEPT_PREFIX = 'erp_kept_'
const ROLE_PREFIX = 'erp_runtime_'
const CONNECTION_LIMIT = 50

export interface Side {
  readonly database: string
  readonly role: string
  readonly sealedPassword: string
}

/** What a restore's side database and role are called, and a new password. */
export function planSide(restoreId: string, secrets: Secrets): Side {
  const role = `${ROLE_PREFIX}${suffixOf(restoreId)}`
  const password = randomBytes(24).toString('base64url')
  return { database: sideName(restoreId), role, sealedPassword: secrets.seal(password, role) }
}

export function sideName(restoreId: string): string {
  return `${SIDE_PREFIX}${suffixOf(restoreId)}`
}

export function keptName(restoreId: string): string {
  return `${KEPT_PREFIX}${suffixOf(restoreId)}`
}

/** The end of a UUID of version 7 is its random part. */
function suffixOf(restoreId: string): string {
  return restoreId.replaceAll('-', '').slice(-16)
}

/** Empty, with the schema that the backup was made under. A load broken off before is of no use: it begins anew. */
export async function makeSide(
  server: DatabaseServer,
  { database, role, sealedPassword }: Side,
  schemaVersion: string,
  secrets: Secrets,
): Promise<DatabaseAddress> {
  if (!migrationsOf('tenant').some(({ name }) => name === schemaVersion))
    throw new Error(`This program knows no schema ${schemaVersion}: the backup is of a newer version`)
  await server.createRuntimeRole(role, secrets.open(sealedPassword, role), CONNECTION_LIMIT)
  await server.drop(database)
  await server.create(database)
  const address = server.migratorAddress(database)
  await moveTo(address, 'tenant', schemaVersion, 'up')
  await server.grantConnect(database, role)
  return address
}

export async function bringUpToDate(server: DatabaseServer, database: string): Promise<string> {
  return (await migrate(server.migratorAddress(database), 'tenant')).version ?? ''
}

/** A location like a tenant's, for the gate; its id is the restore's. */
export function locationOf(
  server: DatabaseServer,
  { database, role, sealedPassword }: Side,
  restoreId: string,
  secrets: Secrets,
): TenantLocation {
  const address = server.runtimeAddress(database, role, secrets.open(sealedPassword, role))
  return { tenantId: restoreId, tenantCode: database, address: () => Promise.resolve(address) }
}

/** Whether the door of a database is open to a role: then it is that role's, under whatever name. */
export async function isOpenTo(server: DatabaseServer, database: string, role: string): Promise<boolean> {
  return server.withAdmin(async (client) => {
    const { rowCount } = await client.query(
      `SELECT 1 FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
       WHERE d.datname = $1 AND r.rolname = $2 AND a.privilege_type = 'CONNECT'`,
      [database, role],
    )
    return rowCount === 1
  })
}
