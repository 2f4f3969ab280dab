/**
 * The steps that put a side database in the live one's place, and back. Writes are held until those under way
 * have ended (tenancy/hold.ts); then the databases exchange their names in one transaction
 * (tenancy/exchange.ts). The tenant's address, role and password stay what they were, so that no process has to
 * learn anything: a request waits a moment, and meets the one database or the other.
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { endAccess } from '../../erp/onboarding.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { exchangeNames } from '../../tenancy/exchange.ts'
import { holdWrites, letWrite } from '../../tenancy/hold.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { identifier } from '../../tenancy/sql-text.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import { forgetTenantSeal } from '../audit/chains.ts'
import { databaseNameOf } from '../tenants/databases.ts'
import type { RestoreWork } from './ports.ts'
import { claimTenant, isHeldFor, releaseTenant } from '../tenants/busy.ts'
import { setRestore, setTenant, sideOf, SYSTEM } from './records.ts'
import { bringUpToDate, isOpenTo, keptName } from './side.ts'
import { sideLocation } from './side-work.ts'

/** From here to the end no move, archive or other restore touches the tenant. An archived one has no database. */
export async function claim(
  { records }: RestoreWork,
  restoreId: string,
): Promise<{ hasLive: boolean; tenantId: string }> {
  const { tenantId } = await records.restore(restoreId)
  await records.write(async (tx) => {
    if (!(await claimTenant(tx, tenantId, ownOperation())))
      throw new Problem(problems.conflict, { message: 'Other work has this tenant to itself' })
    await setRestore(tx, restoreId, sql`state = 'swapping'`)
  })
  return { hasLive: (await records.tenant(tenantId)).databaseName !== null, tenantId }
}

/** Whoever was let in when the backup was made is not let in again by it. */
export async function endOldAccess(work: RestoreWork, restoreId: string): Promise<void> {
  const { gate, records } = work
  const restore = await records.restore(restoreId)
  if (restore.sideDatabase === null || (await isExchanged(work, restoreId))) return
  // It may have stood beside for days, and this code be a newer one.
  await bringUpToDate(await work.servers.get(restore.serverId), restore.sideDatabase)
  const location = await sideLocation(work, restore)
  await gate.writeTenant(location, null, SYSTEM, (tx) => endAccess(tx, 'the account was restored'))
  await gate.closeTenant(location.tenantId)
}

/** Live under the kept name, side under the live one. Found done when it is repeated. */
export async function exchange(work: RestoreWork, restoreId: string): Promise<void> {
  const { servers, gate, records } = work
  const restore = await records.restore(restoreId)
  const tenant = await records.tenant(restore.tenantId)
  if (await isExchanged(work, restoreId)) return
  const server = await servers.get(restore.serverId)
  const side = sideOf(restore)
  const { databaseName: live, runtimeRole: role } = tenant
  if (live === null || role === null) {
    // An archived tenant comes back: what was its side database becomes its own, with its role.
    await server.rename(side.database, databaseNameOf(tenant.tenantCode))
    if (!(await isOpenTo(server, databaseNameOf(tenant.tenantCode), side.role)))
      throw new Error(
        `There is a database ${databaseNameOf(tenant.tenantCode)} already, and it is none of ours`,
      )
    return
  }
  if (tenant.serverId !== restore.serverId)
    throw new Error('The tenant was moved to another server meanwhile: restore the backup again')
  await holdWrites({ server, database: live, role }, () => reconnect(work, tenant.id))
  await gate.closeTenant(tenant.id)
  const kept = keptName(restoreId)
  const names = [
    { from: live, to: kept },
    { from: side.database, to: live },
  ]
  await exchangeNames(server, names, async (client) => {
    await client.query(`REVOKE CONNECT ON DATABASE ${identifier(kept)} FROM ${identifier(role)}`)
    await client.query(`REVOKE CONNECT ON DATABASE ${identifier(live)} FROM ${identifier(side.role)}`)
    await client.query(`GRANT CONNECT ON DATABASE ${identifier(live)} TO ${identifier(role)}`)
  })
}

/** The catalogue knows: a side database that is gone has become the live one. */
export async function isExchanged({ servers, records }: RestoreWork, restoreId: string): Promise<boolean> {
  const restore = await records.restore(restoreId)
  const server = await servers.get(restore.serverId)
  if (await server.exists(keptName(restoreId))) return true
  const tenant = await records.tenant(restore.tenantId)
  const mayBeItsOwn = tenant.databaseName === null && restore.sideRole !== null
  return mayBeItsOwn && isOpenTo(server, databaseNameOf(tenant.tenantCode), restore.sideRole ?? '')
}

export async function settle(work: RestoreWork, restoreId: string): Promise<void> {
  const { servers, gate, records } = work
  const restore = await records.restore(restoreId)
  const tenant = await records.tenant(restore.tenantId)
  if (!(await holds(work, tenant.id))) return
  const isArchived = tenant.databaseName === null
  const server = await servers.get(restore.serverId)
  if (!isArchived && restore.sideRole !== null) await server.dropRole(restore.sideRole)
  await gate.closeTenant(tenant.id)
  await records.write(async (tx) => {
    if (!(await releaseTenant(tx, tenant.id, ownOperation()))) return
    const own = isArchived
      ? sql`, database_name = ${databaseNameOf(tenant.tenantCode)}, runtime_role = ${restore.sideRole},
          sealed_runtime_password = ${restore.sealedSidePassword}, server_id = ${restore.serverId}, status = 'active',
          status_reason = 'restored', archive_backup_id = NULL`
      : sql``
    await setTenant(tx, tenant.id, sql`schema_version = ${newestVersion('tenant')}${own}`)
    const keeps = isArchived
      ? sql``
      : sql`, kept_database = ${keptName(restoreId)}, kept_until = now() + make_interval(days => ${work.keptDays})`
    await setRestore(tx, restoreId, sql`state = 'swapped', side_database = NULL, side_role = NULL,
      sealed_side_password = NULL, error = NULL, finished_at = now()${keeps}`) // prettier-ignore
    const details = { restoreId, backupId: restore.backupId }
    await forgetTenantSeal(tx, tenant.id, 'a backup was restored')
    await recordEvent(tx, {
      action: 'restore',
      entity: 'tenant',
      entityId: tenant.id,
      tenantId: tenant.id,
      details,
    })
    await announce(tx, { kind: 'tenant', tenantId: tenant.id })
    await announce(tx, { kind: 'user-session', tenantId: tenant.id, sessionId: null })
  })
}

/** Before the exchange: the tenant is let go, as it was. `state`: what the restore is from now on. */
export async function release(work: RestoreWork, restoreId: string, state: string, reason: string) {
  const { servers, records } = work
  const { tenantId, operationId, state: found } = await records.restore(restoreId)
  const { serverId, databaseName: database, runtimeRole: role } = await records.tenant(tenantId)
  if (database !== null && role !== null && (await holds(work, tenantId)))
    await letWrite({ server: await servers.get(serverId), database, role })
  await records.write(async (tx) => {
    await releaseTenant(tx, tenantId, ownOperation())
    if (found === 'swapping' && operationId === ownOperation())
      await setRestore(tx, restoreId, sql`state = ${state}, error = ${reason.slice(0, 500)}`)
  })
}

// ---- back ----------------------------------------------------------------------------------------------

/** The restored database under the side's name again, the kept one under the live name. */
export async function exchangeBack(work: RestoreWork, restoreId: string): Promise<void> {
  const { servers, gate, records } = work
  const restore = await records.restore(restoreId)
  const tenant = await records.tenant(restore.tenantId)
  const server = await servers.get(restore.serverId)
  const [kept, aside] = [keptName(restoreId), asideName(restoreId)]
  if (await server.exists(aside)) return
  const { databaseName: live, runtimeRole: role } = tenant
  if (live === null || role === null) throw new Error('The tenant has no database any more')
  if (tenant.serverId !== restore.serverId) throw new Error('The tenant was moved to another server since')
  await letWrite({ server, database: kept, role }) // it was held when it was replaced
  await bringUpToDate(server, kept)
  await holdWrites({ server, database: live, role }, () => reconnect(work, tenant.id))
  await gate.closeTenant(tenant.id)
  const names = [
    { from: live, to: aside },
    { from: kept, to: live },
  ]
  await exchangeNames(server, names, async (client) => {
    await client.query(`REVOKE CONNECT ON DATABASE ${identifier(aside)} FROM ${identifier(role)}`)
    await client.query(`GRANT CONNECT ON DATABASE ${identifier(live)} TO ${identifier(role)}`)
  })
}

export async function settleBack(work: RestoreWork, restoreId: string): Promise<void> {
  const { gate, records } = work
  const { tenantId } = await records.restore(restoreId)
  await gate.closeTenant(tenantId)
  await records.write(async (tx) => {
    if (!(await releaseTenant(tx, tenantId, ownOperation()))) return
    await setRestore(tx, restoreId, sql`state = 'undone', side_database = ${asideName(restoreId)},
      kept_database = NULL, kept_until = NULL, error = NULL, finished_at = now()`) // prettier-ignore
    await forgetTenantSeal(tx, tenantId, 'a restore was undone')
    await recordEvent(tx, { action: 'undo restore', entity: 'tenant', entityId: tenantId, tenantId, details: { restoreId } }) // prettier-ignore
    await announce(tx, { kind: 'tenant', tenantId })
    await announce(tx, { kind: 'user-session', tenantId, sessionId: null })
  })
}

export async function isExchangedBack(
  { servers, records }: RestoreWork,
  restoreId: string,
): Promise<boolean> {
  const { serverId } = await records.restore(restoreId)
  return (await servers.get(serverId)).exists(asideName(restoreId))
}

/** Not the name it had as a side database: a step that is repeated must tell the two states apart. */
function asideName(restoreId: string): string {
  return keptName(restoreId).replace('erp_kept_', 'erp_side_undone_')
}

/** Every process opens its connections to the tenant anew. */
async function reconnect({ records }: RestoreWork, tenantId: string): Promise<void> {
  await records.write((tx) => announce(tx, { kind: 'tenant', tenantId, reconnect: true }))
}

/** Not if a step is repeated late: then the operation has ended, and the tenant may be anybody's. */
function holds({ gate }: RestoreWork, tenantId: string): Promise<boolean> {
  return gate.readPlatform(SYSTEM, (tx) => isHeldFor(tx, tenantId, ownOperation()))
}

/** Not the one that the restore's row names: that may be a later one, an undoing for instance. */
function ownOperation(): string {
  const id = DBOS.workflowID
  if (id === undefined) throw new Error('Only a workflow has a tenant to itself')
  return id
}
