/** The steps that make a side database a new tenant's, from which nothing goes out. */
import { sql } from 'kysely'
import { endAccess } from '../../erp/onboarding.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import { databaseNameOf } from '../tenants/databases.ts'
import type { RestoreWork } from './ports.ts'
import { setRestore, setTenant, sideOf, SYSTEM, type RestoreRecord } from './records.ts'
import { isOpenTo } from './side.ts'
import { sideLocation } from './side-work.ts'

/** Nobody of the old tenant's is signed in to the new one; then the database gets its name. May be repeated. */
export async function adopt(work: RestoreWork, restoreId: string): Promise<void> {
  const { servers, gate, records } = work
  const restore = await records.restore(restoreId)
  const clone = await records.tenant(cloneOf(restore))
  const server = await servers.get(restore.serverId)
  const side = sideOf(restore)
  const name = databaseNameOf(clone.tenantCode)
  if (await isOpenTo(server, name, side.role)) return
  const location = await sideLocation(work, restore)
  await gate.writeTenant(location, null, SYSTEM, (tx) => endAccess(tx, 'copied from another account'))
  await gate.closeTenant(location.tenantId)
  await server.rename(side.database, name)
  if (!(await isOpenTo(server, name, side.role)))
    throw new Error(`There is a database ${name} already, and it is none of this tenant's`)
}

export async function settleClone({ records }: RestoreWork, restoreId: string): Promise<void> {
  const restore = await records.restore(restoreId)
  if (restore.state === 'cloned') return
  const cloneId = cloneOf(restore)
  const clone = await records.tenant(cloneId)
  await records.write(async (tx) => {
    await setTenant(tx, cloneId, sql`database_name = ${databaseNameOf(clone.tenantCode)},
      runtime_role = ${restore.sideRole}, sealed_runtime_password = ${restore.sealedSidePassword},
      schema_version = ${newestVersion('tenant')}, status = 'active'`) // prettier-ignore
    await setRestore(tx, restoreId, sql`state = 'cloned', side_database = NULL, side_role = NULL,
      sealed_side_password = NULL, finished_at = now()`) // prettier-ignore
    const details = { restoreId, backupId: restore.backupId, from: restore.tenantId }
    await recordEvent(tx, {
      action: 'clone',
      entity: 'tenant',
      entityId: cloneId,
      tenantId: cloneId,
      details,
    })
    await announce(tx, { kind: 'tenant', tenantId: cloneId })
  })
}

/** The side database may have its new name already. */
export async function dropClone({ servers, records }: RestoreWork, restore: RestoreRecord, reason: string) {
  const cloneId = cloneOf(restore)
  const clone = await records.tenant(cloneId)
  if (clone.status !== 'provisioning') return
  const server = await servers.get(restore.serverId)
  const name = databaseNameOf(clone.tenantCode)
  if (restore.sideRole !== null && (await isOpenTo(server, name, restore.sideRole))) await server.drop(name)
  await records.write((tx) =>
    setTenant(tx, cloneId, sql`status = 'failed', status_reason = ${reason.slice(0, 500)}`),
  )
}

function cloneOf({ newTenantId }: RestoreRecord): string {
  if (newTenantId === null) throw new Error('This restore makes no new tenant')
  return newTenantId
}
