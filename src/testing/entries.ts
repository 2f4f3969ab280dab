/** A journal entry that every chart template can post, for tests whose subject is something else. */
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { chartTemplates } from '../erp/onboarding.ts'
import type { InputOf } from '../http/contract.ts'

export function entryBody(
  amount: string,
  description: string,
  template = 'generic',
): InputOf<typeof createJournalEntry>['body'] {
  const roles = chartTemplates.find(({ code }) => code === template)?.roles
  if (!roles) throw new Error(`There is no chart template ${template}`)
  return {
    transactionDate: `${new Date().getUTCFullYear()}-01-15`,
    status: 'posted',
    description,
    lines: [
      { accountCode: roles.importsClearing, debit: amount, description },
      { accountCode: roles.productSales, credit: amount },
    ],
  }
}
