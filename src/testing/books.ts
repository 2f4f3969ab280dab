/** What tests of the books share: entries, more users and companies, and the database behind the API. */
import type pg from 'pg'
import type { Static, TAny, TObject } from 'typebox'
import { checkBooks, type Finding } from '../erp/checks/books.ts'
import { createCompany } from '../erp/onboarding.ts'
import {
  closePeriod,
  createJournalEntry,
  listFiscalYears,
  type JournalEntryBody,
  type JournalLineBody,
} from '../erp/ledger/contract.ts'
import { login } from '../erp/identity/contract.ts'
import { masterOperations, type MasterDefinition, type MasterOperations } from '../erp/masters/definition.ts'
import type { Operation } from '../http/contract.ts'
import { uuidV7 } from '../kernel/ids.ts'
import { SYSTEM } from '../server/product.ts'
import { withClient } from '../tenancy/databases.ts'
import { randomBytes } from 'node:crypto'
import type { Client } from './client.ts'
import { ADMIN_PASSWORD, type TestProduct, type TestTenant } from './product.ts'

export type EntryBody = Static<typeof JournalEntryBody>
export type LineBody = Static<typeof JournalLineBody>

/** Accounts of the generic chart that anybody may post to. */
export const CLEARING = '1190'
export const SALES = '4110'
export const MARKETING = '6110'
export const RENT = '6310'

export function newId(): string {
  return uuidV7(Date.now(), randomBytes(10))
}

export function entryBody(amount: string, overrides: Partial<EntryBody> = {}): EntryBody {
  const lines = [
    { accountCode: CLEARING, debit: amount },
    { accountCode: SALES, credit: amount },
  ]
  return { transactionDate: '2026-03-15', status: 'posted', lines, ...overrides }
}

export async function postEntry(client: Client, amount: string, overrides: Partial<EntryBody> = {}) {
  return (await client.call(createJournalEntry, { body: entryBody(amount, overrides) })).ok()
}

/** Closes periods up to and with the named one (`2026-03`). */
export async function closeUntil(client: Client, name: string): Promise<void> {
  const { fiscalYears } = (await client.call(listFiscalYears)).ok()
  const periods = fiscalYears.flatMap((year) => year.periods).toSorted((a, b) => (a.startDate < b.startDate ? -1 : 1)) // prettier-ignore
  for (const period of periods) {
    if (period.name > name) return
    if (period.status === 'open') (await client.call(closePeriod, { params: { id: period.id } })).ok()
  }
}

export async function periodNamed(client: Client, name: string) {
  const { fiscalYears } = (await client.call(listFiscalYears)).ok()
  const period = fiscalYears.flatMap((year) => year.periods).find((candidate) => candidate.name === name)
  if (!period) throw new Error(`There is no period ${name}`)
  return period
}

type AnyObject = TObject<Record<string, TAny>>

/** An operation whose schemas are made at run time: what goes in and comes out is for the test to know. */
interface UntypedOperation extends Omit<Operation, 'params' | 'query' | 'body' | 'data'> {
  readonly params: AnyObject
  readonly query: AnyObject
  readonly body: TAny
  readonly data: TAny
}

export function untypedOperations(
  definition: MasterDefinition,
): Record<keyof MasterOperations, UntypedOperation> {
  return masterOperations(definition) as never
}

// ---- the database itself -------------------------------------------------------------------------------

type Work<Result> = (client: pg.Client) => Promise<Result>

async function locationOf(product: TestProduct, tenant: TestTenant) {
  const found = await product.directory.find({ code: tenant.code, host: '' })
  if (!found) throw new Error(`There is no tenant ${tenant.code}`)
  return found.location
}

/** As the tenant's own login role, which is all the program has while it serves. */
export async function asRuntime<Result>(
  product: TestProduct,
  tenant: TestTenant,
  work: Work<Result>,
): Promise<Result> {
  const location = await locationOf(product, tenant)
  return withClient(await location.address(), work)
}

export async function asSuperuser<Result>(
  product: TestProduct,
  tenant: TestTenant,
  work: Work<Result>,
): Promise<Result> {
  const { database } = await (await locationOf(product, tenant)).address()
  return withClient({ ...product.server.admin, database }, work)
}

export async function query<Row>(
  product: TestProduct,
  tenant: TestTenant,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return asSuperuser(product, tenant, async (client) => (await client.query(text, values)).rows as Row[])
}

/** Everything a refused request must leave as it was. */
export async function snapshot(product: TestProduct, tenant: TestTenant): Promise<object> {
  const [row] = await query<object>(
    product,
    tenant,
    `SELECT (SELECT count(*)::int FROM finance.journal_entry) AS entries,
       (SELECT count(*)::int FROM finance.journal_line) AS lines,
       (SELECT count(*)::int FROM finance.journal_draft) AS drafts,
       (SELECT count(*)::int FROM finance.journal_draft_line) AS draft_lines,
       (SELECT coalesce(sum(last_number), 0)::int FROM finance.number_series) AS numbers,
       (SELECT coalesce(sum(debit), 0)::text || ' ' || coalesce(sum(credit), 0) || ' ' || count(*)
        FROM finance.account_balance) AS balances,
       (SELECT count(*)::int FROM masters.gl_account) AS accounts,
       (SELECT count(*)::int FROM core.idempotency_key) AS keys,
       (SELECT count(*)::int FROM audit.change) AS changes`,
  )
  return row ?? {}
}

export async function findings(
  product: TestProduct,
  tenant: TestTenant,
  companyId: string = tenant.companyId,
): Promise<Finding[]> {
  return product.gate.readTenant(await locationOf(product, tenant), companyId, SYSTEM, checkBooks)
}

// ---- more users and companies, for which there is no address yet ---------------------------------------

/** A user with the administrator's password and the named role, signed in. */
export async function addUser(
  product: TestProduct,
  tenant: TestTenant,
  email: string,
  role: string,
): Promise<{ id: string; client: Client }> {
  await query(
    product,
    tenant,
    `INSERT INTO core.app_user (full_name, email, password_hash, role_id, all_companies)
     SELECT $1::text, $1::text, (SELECT password_hash FROM core.app_user WHERE password_hash IS NOT NULL LIMIT 1),
       id, true FROM core.role WHERE name = $2`,
    [email, role],
  )
  return signInTo(product, tenant, email, tenant.companyId)
}

export async function signInTo(
  product: TestProduct,
  tenant: TestTenant,
  email: string,
  companyId: string,
): Promise<{ id: string; client: Client }> {
  const client = product.anonymous.with({ tenant: tenant.code })
  const session = (await client.call(login, { body: { email, password: ADMIN_PASSWORD, companyId } })).ok()
  return { id: session.user.id, client: client.with({ token: session.token }) }
}

/** A second company of the tenant, with the generic chart. */
export async function addCompany(
  product: TestProduct,
  tenant: TestTenant,
  code: string,
  currency = 'USD',
): Promise<string> {
  const id = newId()
  const company = { id, code, name: code, country: 'US', currency, chartTemplate: 'generic', today: '2026-06-01' } as const // prettier-ignore
  await product.gate.writeTenant(await locationOf(product, tenant), id, SYSTEM, (tx) =>
    createCompany(tx, company, newId),
  )
  return id
}
