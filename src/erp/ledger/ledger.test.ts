import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { createJournalEntry } from './contract.ts'
import { trialBalance } from '../reports/contract.ts'

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

test('an entry that is posted is in the trial balance', async () => {
  const body = {
    transactionDate: '2026-03-01',
    status: 'posted' as const,
    lines: [
      { accountCode: '6100', debit: '10.00' },
      { accountCode: '4100', credit: '10.00' },
    ],
  }
  await tenant.admin.call(createJournalEntry, { body })
  expect((await tenant.admin.call(trialBalance)).ok()).toMatchObject({
    totalDebit: '10.00',
    totalCredit: '10.00',
  })
})
