/** Writes a company's journal as plain-text accounting, so that independent programs can check our balances. */
import { once } from 'node:events'
import { hledgerJournal } from '../erp/imports/journalExport.ts'
import { readJournal } from '../erp/ledger/journal.ts'
import { SYSTEM } from '../server/product.ts'
import { chooseCompany, findTenant, parseArguments, UsageError, withProduct } from './program.ts'

export async function run(arguments_: string[]): Promise<void> {
  const { values } = parseArguments(arguments_, {
    tenant: { type: 'string' },
    company: { type: 'string' },
  })
  const { tenant, company: companyCode } = values
  if (tenant === undefined) throw new UsageError('--tenant is needed')
  await withProduct(async (product) => {
    const location = await findTenant(product, tenant)
    const company = await chooseCompany(product, location, companyCode)
    await product.gate.readTenant(location, company.id, SYSTEM, async (tx) => {
      for await (const text of hledgerJournal(readJournal(tx), company.baseCurrency)) {
        if (!process.stdout.write(text)) await once(process.stdout, 'drain')
      }
    })
  })
}
