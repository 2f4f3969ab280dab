/**
 * What the compiler must refuse. `tsc` is the test: a line below that compiles makes its `@ts-expect-error`
 * unused, which is an error. Nothing here is executed but the control at the end.
 */
import { expect, test } from 'vitest'
import { sql } from 'kysely'
import { implement } from '../http/route.ts'
import { getCompany } from '../erp/companies/contract.ts'
import { listPlans } from '../platform/plans/contract.ts'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import type { Gate, TenantLocation } from './gate.ts'
import {
  platformSql,
  statement,
  tenantSql,
  type Actor,
  type PlatformRead,
  type PlatformTx,
  type TenantRead,
  type TenantTx,
} from './handles.ts'

const remove = sql`DELETE FROM core.session`.compile(tenantSql)

export async function aReaderCannotWrite(read: TenantRead, platform: PlatformRead): Promise<void> {
  // @ts-expect-error -- a reading handle has no `run`
  await read.run(remove)
  // @ts-expect-error -- nor has the platform's
  await platform.run(remove)
  // @ts-expect-error -- and it is no writing handle
  await writes(read)
  // @ts-expect-error -- in disguise neither
  const disguised: TenantTx = { ...read }
  await writes(disguised)
}

export async function aWriterMayRead(tx: TenantTx): Promise<void> {
  await reads(tx)
  await writes(tx)
}

export async function theSidesAreApart(tenant: TenantTx, platform: PlatformTx): Promise<void> {
  // @ts-expect-error -- a tenant's handle is not the platform's
  await platformReads(tenant)
  // @ts-expect-error -- nor the other way round
  await reads(platform)
  await platformReads(platform)
}

export async function aHandleComesFromTheGateOnly(gate: Gate, location: TenantLocation, actor: Actor) {
  // @ts-expect-error -- there is no handle without a transaction
  const made: TenantRead = { actor, tenantId: '', tenantCode: '', companyId: null }
  // @ts-expect-error -- a location is needed
  await gate.readTenant(null, null, actor, reads)
  // @ts-expect-error -- a code alone is none
  await gate.readTenant('acme', null, actor, reads)
  // @ts-expect-error -- the company must be said, be it null
  await gate.readTenant(location, actor, reads)
  // @ts-expect-error -- reading does not hand out a writing handle
  await gate.readTenant(location, null, actor, writes)
  // @ts-expect-error -- nor does the platform's side
  await gate.readPlatform(actor, platformWrites)
  await gate.writeTenant(location, null, actor, writes)
  return made
}

export async function aBuilderReachesNoDatabase(): Promise<void> {
  // @ts-expect-error -- the tenant's builder does not know the platform's tables
  tenantSql.selectFrom('platform.tenant')
  // @ts-expect-error -- nor the platform's the tenant's
  platformSql.selectFrom('core.company')
  // @ts-expect-error -- a statement is text and a name, it cannot be executed
  await statement('x', 'SELECT 1').execute()
}

export const handlersGetWhatTheirContractSays = [
  implement(getCompany, async (tx) => {
    // @ts-expect-error -- 'read' in the contract: no writing
    await tx.run(remove)
    return {} as never
  }),
  implement(listPlans, async (tx) => {
    // @ts-expect-error -- the platform's audience: no tenant handle
    await reads(tx)
    return { plans: [] }
  }),
  implement(createJournalEntry, async (tx, { body }) => {
    await writes(tx)
    // @ts-expect-error -- the body is typed by the contract
    void body.tenantId
    return {} as never
  }),
]

async function reads(tx: TenantRead): Promise<void> {
  await tx.rows(remove)
}
async function writes(tx: TenantTx): Promise<void> {
  await tx.run(remove)
}
async function platformReads(tx: PlatformRead): Promise<void> {
  await tx.rows(remove)
}
async function platformWrites(tx: PlatformTx): Promise<void> {
  await tx.run(remove)
}

test('a builder without a handle executes nothing', async () => {
  await expect(tenantSql.selectFrom('core.company').selectAll().execute()).resolves.toEqual([])
  expect(handlersGetWhatTheirContractSays).toHaveLength(3)
})
