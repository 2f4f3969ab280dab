/** Restores through HTTP, one product: beside, in place, as a new tenant, as a drill; and back. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { trialBalance } from '../../erp/reports/contract.ts'
import { withClient } from '../../tenancy/databases.ts'
import { postEntry, SALES } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { eventually } from '../../testing/process.ts'
import {
  ADMIN_PASSWORD,
  signIn,
  startTestProduct,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { listAlerts } from '../alerts/contract.ts'
import { getBackup } from '../backups/contract.ts'
import { getOperation } from '../operations/contract.ts'
import { getTenant, listTenants } from '../tenants/contract.ts'
import {
  createRestore,
  discardRestore,
  getRestore,
  listRestores,
  startDrill,
  swapRestore,
  undoRestore,
} from './contract.ts'

let product: TestProduct

beforeAll(async () => {
  product = await startTestProduct()
})
afterAll(() => product.stop())

async function salesOf(client: Client): Promise<string> {
  const { rows } = (await client.call(trialBalance)).ok()
  return rows.find(({ accountCode }) => accountCode === SALES)?.credit ?? '0'
}

async function backedUp(tenant: TestTenant): Promise<string> {
  return product.backups.take(tenant.id, 'on-demand')
}

/** Waits for the operation's end; the restore as it is then. */
async function ended(restore: { id: string; operationId: string }, status = 'done') {
  const operation = await eventually(async () => {
    const found = (await product.operator.call(getOperation, { params: { id: restore.operationId } })).ok()
    expect(found.status).toMatch(/done|failed/)
    return found
  })
  expect(operation).toMatchObject({ status })
  return (await product.operator.call(getRestore, { params: { id: restore.id } })).ok()
}

async function restored(
  tenantId: string,
  body: { backupId: string; mode: 'side' | 'swap' | 'clone'; newTenantCode?: string },
) {
  const answer = await product.operator.call(createRestore, { params: { id: tenantId }, body })
  expect(answer.status).toBe(202)
  return ended(answer.ok())
}

async function names(): Promise<string[]> {
  return product.server.withAdmin(async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database UNION ALL SELECT rolname FROM pg_roles`,
    )
    return rows.map(({ name }) => name)
  })
}

/** Signed in again: a restore ends all sessions. */
async function signedIn(tenant: TestTenant): Promise<Client> {
  const user = `ann@${tenant.code.toLowerCase().replaceAll('_', '-')}.example`
  return (await signIn(product.anonymous.with({ tenant: tenant.code }), user, ADMIN_PASSWORD)).client
}

describe('beside, then in place, then back', () => {
  let tenant: TestTenant
  let restoreId: string

  test('the difference tells what would be lost and what would come back', async () => {
    tenant = await product.createTenant()
    await postEntry(tenant.admin, '100.00')
    const backupId = await backedUp(tenant)
    await postEntry(tenant.admin, '7.00')
    const restore = await restored(tenant.id, { backupId, mode: 'side' })
    restoreId = restore.id
    expect(restore).toMatchObject({ state: 'ready', mode: 'side', error: null })
    expect(restore.verification).toMatchObject({ companies: 1, findings: [] })
    expect(restore.verification?.rows).toBeGreaterThan(300)
    const differing = new Map(restore.difference?.tables.map((table) => [table.table, table]))
    expect(differing.get('finance.journal_entry')).toMatchObject({ onlyLive: 1, onlyRestored: 0, changed: 0 })
    expect(differing.get('finance.journal_line')).toMatchObject({ onlyLive: 2 })
    expect(differing.get('finance.journal_line')?.examples).toHaveLength(2)
    // Control: what was not touched is not named.
    expect(differing.has('masters.gl_account')).toBe(false)
    expect(restore.difference?.balances).toContainEqual({
      companyCode: 'MAIN',
      accountCode: SALES,
      currency: 'USD',
      live: '-107.0000',
      restored: '-100.0000',
    })
    // The live one was not touched, and its users are still signed in.
    expect(await salesOf(tenant.admin)).toBe('107.00')
  })

  test('swapped: the books are those of the backup, everybody signs in again, the old database is kept', async () => {
    const swap = await ended((await product.operator.call(swapRestore, { params: { id: restoreId } })).ok())
    expect(swap).toMatchObject({ state: 'swapped', sideDatabase: null, error: null })
    expect(swap.safetyBackupId).not.toBeNull()
    expect(Date.parse(swap.keptUntil ?? '')).toBeGreaterThan(Date.now() + 6 * 86_400_000)
    expect(await names()).toContain(swap.keptDatabase)
    expect((await tenant.admin.call(me)).status).toBe(401)
    const client = await signedIn(tenant)
    expect(await salesOf(client)).toBe('100.00')
    await postEntry(client, '1.00')
    // The tenant's role reaches the database that has its name now, and not the one that was replaced.
    const entry = await product.directory.byId(tenant.id)
    const address = await entry!.location.address()
    await expect(withClient({ ...address, database: swap.keptDatabase ?? '' }, async () => {})).rejects.toThrow(/permission denied/) // prettier-ignore
    await withClient(address, async () => {})
  })

  test('a restore that is swapped is not swapped again', async () => {
    const again = await product.operator.call(swapRestore, { params: { id: restoreId } })
    expect([again.status, again.error.code]).toEqual([409, 'WRONG_STATE'])
  })

  test('undone: what was there before is there again; what was written since stands aside until it is discarded', async () => {
    const undo = await ended((await product.operator.call(undoRestore, { params: { id: restoreId } })).ok())
    expect(undo).toMatchObject({ state: 'undone', keptDatabase: null })
    expect(await salesOf(await signedIn(tenant))).toBe('107.00')
    expect(await names()).toContain(undo.sideDatabase)
    const discarded = (await product.operator.call(discardRestore, { params: { id: restoreId } })).ok()
    expect(discarded.sideDatabase).toBeNull()
    expect(await names()).not.toContain(undo.sideDatabase)
    const suffix = restoreId.replaceAll('-', '').slice(-16)
    expect((await names()).filter((name) => name.includes(suffix))).toEqual([])
  })
})

test('swap in one go, while others keep posting: every answer is a booking or a refusal, never a failure', async () => {
  const tenant = await product.createTenant()
  const neighbour = await product.createTenant()
  await postEntry(tenant.admin, '100.00')
  const backupId = await backedUp(tenant)
  const statuses = new Set<number>()
  let isOver = false
  const posting = (async () => {
    while (!isOver) {
      const answer = await tenant.admin.call(trialBalance)
      statuses.add(answer.status)
      await postEntry(neighbour.admin, '1.00')
    }
  })()
  const restore = await restored(tenant.id, { backupId, mode: 'swap' })
  isOver = true
  await posting
  expect(restore).toMatchObject({ state: 'swapped' })
  expect([...statuses].filter((status) => ![200, 401, 503].includes(status))).toEqual([])
  expect(await salesOf(await signedIn(tenant))).toBe('100.00')
  expect(Number(await salesOf(neighbour.admin))).toBeGreaterThan(0)
})

test('a clone is a tenant of its own, from which nothing goes out and into which no old session leads', async () => {
  const tenant = await product.createTenant()
  await postEntry(tenant.admin, '55.00')
  const backupId = await backedUp(tenant)
  const restore = await restored(tenant.id, { backupId, mode: 'clone', newTenantCode: `${tenant.code}_TRY` })
  expect(restore).toMatchObject({ state: 'cloned', sideDatabase: null })
  const clone = (await product.operator.call(getTenant, { params: { id: restore.newTenantId ?? '' } })).ok()
  expect(clone).toMatchObject({ tenantCode: `${tenant.code}_TRY`, status: 'active', isNeutralised: true })
  // Control: the original is not.
  expect((await product.operator.call(getTenant, { params: { id: tenant.id } })).ok()).toMatchObject({
    isNeutralised: false,
  })
  const token = tenant.admin.options.token ?? ''
  expect((await product.anonymous.with({ tenant: clone.tenantCode, token }).call(me)).status).toBe(401)
  const { client } = await signIn(product.anonymous.with({ tenant: clone.tenantCode }), clone.adminEmail)
  await postEntry(client, '5.00')
  expect([await salesOf(client), await salesOf(tenant.admin)]).toEqual(['60.00', '55.00'])
  const taken = await product.operator.call(createRestore, {
    params: { id: tenant.id },
    body: { backupId, mode: 'clone', newTenantCode: clone.tenantCode },
  })
  expect(taken.status).toBe(409)
})

test("another tenant's backup is refused, and nothing is made", async () => {
  const [one, other] = [await product.createTenant(), await product.createTenant()]
  const backupId = await backedUp(other)
  const answer = await product.operator.call(createRestore, {
    params: { id: one.id },
    body: { backupId, mode: 'swap' },
  })
  expect([answer.status, ...answer.refusals]).toEqual([400, 'backupId UNKNOWN_BACKUP'])
  const { restores } = (await product.operator.call(listRestores, { params: { id: one.id } })).ok()
  expect(restores).toEqual([])
  // Control: its own tenant may have it.
  expect((await restored(other.id, { backupId, mode: 'side' })).state).toBe('ready')
})

describe('a damaged archive', () => {
  let tenant: TestTenant
  let backupId: string

  beforeAll(async () => {
    tenant = await product.createTenant()
    await postEntry(tenant.admin, '100.00')
    backupId = await backedUp(tenant)
    await postEntry(tenant.admin, '7.00')
  })

  /** One bit of the file where the archive lies, somewhere in its rows. */
  async function flipBit(): Promise<void> {
    const { location } = (await product.operator.call(getBackup, { params: { id: backupId } })).ok()
    const file = fileURLToPath(location)
    const bytes = readFileSync(file)
    bytes[Math.floor(bytes.length / 2)]! ^= 1
    writeFileSync(file, bytes)
  }

  test('is refused and named; the live database is not touched, no backup of it is taken', async () => {
    await flipBit()
    const body = { backupId, mode: 'swap' } as const
    const begun = (await product.operator.call(createRestore, { params: { id: tenant.id }, body })).ok()
    const restore = await ended(begun, 'failed')
    expect(restore).toMatchObject({ state: 'failed', sideDatabase: null, safetyBackupId: null })
    expect(restore.error).toMatch(/Block \d+ .* is damaged/)
    expect(await salesOf(tenant.admin)).toBe('107.00') // still signed in, too
    const suffix = restore.id.replaceAll('-', '').slice(-16)
    expect((await names()).filter((name) => name.includes(suffix))).toEqual([])
  })

  test('a drill of it fails, and an alert says so until a drill goes well', async () => {
    const alerts = async () =>
      (
        await product.operator.call(listAlerts, {
          query: { tenantId: tenant.id, kind: 'restore-drill-failed' },
        })
      ).ok().alerts
    const drill = (await product.operator.call(startDrill, { params: { id: tenant.id } })).ok()
    await ended(drill, 'failed')
    expect((await alerts()).map(({ message }) => message)).toEqual([expect.stringMatching(/damaged/)])
    await flipBit() // back to what it was
    expect(
      await ended((await product.operator.call(startDrill, { params: { id: tenant.id } })).ok()),
    ).toMatchObject({ state: 'proven' })
    expect(await alerts()).toEqual([])
  })

  test('control: mended, the same restore goes well', async () => {
    expect(await restored(tenant.id, { backupId, mode: 'side' })).toMatchObject({ state: 'ready' })
  })
})

test('a drill proves the newest backup, tells when, and leaves nothing', async () => {
  const tenant = await product.createTenant()
  await backedUp(tenant)
  const drill = await ended((await product.operator.call(startDrill, { params: { id: tenant.id } })).ok())
  expect(drill).toMatchObject({ mode: 'drill', state: 'proven' })
  const suffix = drill.id.replaceAll('-', '').slice(-16)
  expect((await names()).filter((name) => name.includes(suffix))).toEqual([])
  const { tenants } = (await product.operator.call(listTenants, { query: { search: tenant.code } })).ok()
  expect(Date.parse(tenants[0]?.lastProvenRestoreAt ?? '')).toBeGreaterThan(Date.now() - 60_000)
  const { restores } = (
    await product.operator.call(listRestores, { params: { id: tenant.id }, query: { mode: 'drill' } })
  ).ok()
  expect(restores.map(({ id }) => id)).toEqual([drill.id])
})
