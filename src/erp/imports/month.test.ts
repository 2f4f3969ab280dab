/**
 * The wholesaler's first month in a tenant's books: our trial balance, the control total of the data's
 * source, and hledger and ledger fed with an export of the journal must say the same to the cent.
 */
import { createReadStream } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Decimal } from '../../kernel/decimal.ts'
import { accountants } from '../../testing/accountants.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { SYSTEM } from '../../server/product.ts'
import { checkBooks } from '../checks/books.ts'
import { chartTemplates } from '../companies/rules/charts.ts'
import { readJournal } from '../ledger/journal.ts'
import { trialBalance } from '../reports/contract.ts'
import { hledgerJournal } from './journalExport.ts'
import type { AccountRole } from '../companies/rules/charts.ts'
import { importSalesJournal } from './salesJournal.ts'
import { postSalesBatch } from './salesPosting.ts'
import { newId } from '../../tenancy/new-id.ts'

const firstMonth = fileURLToPath(new URL('../../testing/data/online-retail-2010-12.csv.gz', import.meta.url))

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant({ chartTemplate: 'uk', country: 'GB', currency: 'GBP' })
})
afterAll(() => product.stop())

async function location() {
  const found = await product.directory.find({ code: tenant.code, host: '' })
  if (!found) throw new Error('The tenant is gone')
  return found.location
}

async function importMonth() {
  const where = await location()
  const roles = chartTemplates.find(({ code }) => code === 'uk')?.roles ?? {}
  return importSalesJournal({
    open: () => createReadStream(firstMonth),
    companyAccounts: new Map(Object.entries(roles) as [AccountRole, string][]),
    skipBadRows: false,
    postBatch: (entries) =>
      product.gate.writeTenant(where, tenant.companyId, SYSTEM, (tx) => postSalesBatch(tx, entries, newId)),
  })
}

test('the month is posted once, and the trial balance shows its control total', async () => {
  expect(await importMonth()).toMatchObject({
    outcome: 'imported',
    posted: 1885,
    alreadyThere: 0,
    total: '748957.02',
  })
  expect(await importMonth()).toMatchObject({ posted: 0, alreadyThere: 1885, total: '748957.02' })
  const balance = (await tenant.admin.call(trialBalance, { query: { asOf: '2010-12-31' } })).ok()
  const clearing = balance.rows.find(({ accountName }) => accountName === 'Imports clearing')
  expect(clearing).toMatchObject({ debit: '748957.02', credit: '0.00' })
  expect(balance.totalDebit).toBe(balance.totalCredit)
  const findings = await product.gate.readTenant(await location(), tenant.companyId, SYSTEM, checkBooks)
  expect(findings).toEqual([])
})

describe.each(accountants)('$name', ({ balances, isWanted }) => {
  test.skipIf(!isWanted)('adds the exported journal up to the same balances', async () => {
    const text = await product.gate.readTenant(await location(), tenant.companyId, SYSTEM, async (tx) =>
      wholeText(hledgerJournal(readJournal(tx), 'GBP')),
    )
    const { rows } = (await tenant.admin.call(trialBalance, { query: { asOf: '2010-12-31' } })).ok()
    const ours = rows.map(({ accountCode, accountName, debit, credit }) => [
      `${accountCode} ${accountName}`,
      Decimal.of(debit).minus(Decimal.of(credit)).toString(),
    ])
    expect(balances(text)).toEqual(Object.fromEntries(ours))
    // The control: a cent more in one entry is noticed.
    expect(() => balances(text.replace(/(\d)(\.\d\d GBP\s*)$/, '9$1$2'))).toThrow(/balance/)
  })
})

async function wholeText(parts: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const part of parts) text += part
  return text
}
