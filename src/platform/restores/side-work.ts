/** The steps that every restore begins with: the side database, loaded, brought up to date, proven, compared. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { accountBalances, proveBooks, type AccountBalance, type ReadIn } from '../../erp/onboarding.ts'
import { compareDatabases } from '../../tenancy/difference.ts'
import type { TenantLocation } from '../../tenancy/gate.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import type { BalanceDifference, Difference, Verification } from './contract.ts'
import type { ArchivedFigures, RestoreWork } from './ports.ts'
import { sideOf, SYSTEM, type RestoreRecord } from './records.ts'
import { bringUpToDate, locationOf, makeSide } from './side.ts'

const BALANCES_MAXIMUM = 200

export async function loadSide(
  work: RestoreWork,
  restoreId: string,
): Promise<ArchivedFigures & Pick<RestoreRecord, 'mode'>> {
  const { servers, secrets, backups, records } = work
  const restore = await records.restore(restoreId)
  const server = await servers.get(restore.serverId)
  const side = sideOf(restore)
  await makeSide(server, side, await backups.schemaVersionOf(restore.backupId), secrets)
  const figures = await backups.load(restore.backupId, server, side.database)
  return { mode: restore.mode, ...figures }
}

export async function migrateSide({ servers, records }: RestoreWork, restoreId: string): Promise<void> {
  const restore = await records.restore(restoreId)
  await bringUpToDate(await servers.get(restore.serverId), sideOf(restore).database)
}

/** The books of every company, as the tenant's own role sees them. */
export async function checkSide(
  work: RestoreWork,
  restoreId: string,
  { tables, rows }: ArchivedFigures,
): Promise<void> {
  const { gate, backups, records } = work
  const restore = await records.restore(restoreId)
  const location = await sideLocation(work, restore)
  try {
    const { companies, findings } = await proveBooks(reader(work, location))
    const schemaVersion = await backups.schemaVersionOf(restore.backupId)
    const verification: Static<typeof Verification> = {
      schemaVersion,
      tables,
      rows,
      companies,
      findings: [...findings],
    }
    await records.set(restoreId, sql`verification = ${JSON.stringify(verification)}::jsonb`)
  } finally {
    await gate.closeTenant(location.tenantId)
  }
}

/** Against the live database as it is now; an archived tenant has none. */
export async function compareSide(work: RestoreWork, restoreId: string): Promise<void> {
  const { servers, gate, records } = work
  const restore = await records.restore(restoreId)
  const tenant = await records.tenant(restore.tenantId)
  const live = await work.locate(tenant.id)
  if (tenant.databaseName === null || live === undefined) return
  if (tenant.schemaVersion !== newestVersion('tenant')) {
    work.log('warn', `${tenant.tenantCode} is of an older schema: its restore is not compared with it`)
    return
  }
  const side = sideOf(restore)
  const [liveServer, sideServer] = [await servers.get(tenant.serverId), await servers.get(restore.serverId)]
  const tables = await compareDatabases(
    liveServer.migratorAddress(tenant.databaseName),
    sideServer.migratorAddress(side.database),
  )
  const location = await sideLocation(work, restore)
  try {
    const [ours, theirs] = [
      await accountBalances(reader(work, live)),
      await accountBalances(reader(work, location)),
    ]
    const balances = differingBalances(ours, theirs)
    const difference: Static<typeof Difference> = {
      comparedAt: new Date().toISOString(),
      tables: tables.map((table) => ({ ...table, examples: [...table.examples] })),
      balances: balances.slice(0, BALANCES_MAXIMUM),
      balancesAreCut: balances.length > BALANCES_MAXIMUM,
    }
    await records.set(restoreId, sql`difference = ${JSON.stringify(difference)}::jsonb`)
  } finally {
    await gate.closeTenant(location.tenantId)
  }
}

export function differingBalances(
  live: readonly AccountBalance[],
  restored: readonly AccountBalance[],
): Static<typeof BalanceDifference>[] {
  const NOTHING = '0.0000'
  const both = new Map<string, Static<typeof BalanceDifference>>()
  const add = (side: 'live' | 'restored', accounts: readonly AccountBalance[]): void => {
    for (const { companyCode, accountCode, currency, balance } of accounts) {
      const key = JSON.stringify([companyCode, accountCode, currency])
      const known = both.get(key) ?? { companyCode, accountCode, currency, live: NOTHING, restored: NOTHING }
      both.set(key, { ...known, [side]: balance })
    }
  }
  add('live', live)
  add('restored', restored)
  return [...both]
    .filter(([, found]) => found.live !== found.restored)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, found]) => found)
}

export async function sideLocation(
  { servers, secrets }: RestoreWork,
  restore: RestoreRecord,
): Promise<TenantLocation> {
  return locationOf(await servers.get(restore.serverId), sideOf(restore), restore.id, secrets)
}

function reader({ gate }: RestoreWork, location: TenantLocation): ReadIn {
  return (companyId, read) => gate.readTenant(location, companyId, SYSTEM, read)
}
