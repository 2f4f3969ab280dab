/** Writes a company's journal as plain-text accounting, so that independent programs can check our balances. */
import { once } from 'node:events'
import { hledgerJournal } from '../erp/imports/journalExport.ts'
import { readJournal } from '../erp/ledger/journal.ts'
import { SYSTEM } from '../server/product.ts'
import { command } from './command.ts'
import { chooseCompany, findTenant, withProduct } from './program.ts'

async function run(tenant: string, companyCode: string | undefined): Promise<void> {
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

const exportJournal = command({
  name: 'export-journal',
  summary: 'write the journal as plain text that hledger and ledger read',
  options: {
    tenant: { type: 'string', value: 'CODE', required: true, help: 'whose journal' },
    company: { type: 'string', value: 'CODE', help: 'which company, where there are several' },
  },
  run: ({ values }) => run(values.tenant, values.company),
})

export const commands = [exportJournal]
