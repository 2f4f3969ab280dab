/** `erp check`: the proofs of erp/checks over every company of a tenant, and of its audit log. Exit code 1 when anything is wrong. */
import { checkNames } from '../erp/checks/books.ts'
import { checkTenant } from '../erp/checks/tenant.ts'
import { SYSTEM, type Product } from '../server/product.ts'
import { printVerdict } from './audit.ts'
import { command, UsageError } from './command.ts'
import { activeTenantCodes, findTenant, withProduct } from './program.ts'

async function run(tenantCode: string | undefined): Promise<void> {
  await withProduct(async (product) => {
    const codes = tenantCode === undefined ? await activeTenantCodes(product) : [tenantCode]
    let findings = 0
    for (const code of codes) findings += await check(product, code)
    if (findings > 0) process.exitCode = 1
  })
}

async function check(product: Product, code: string): Promise<number> {
  const location = await findTenant(product, code)
  let count = 0
  for (const { code: company, findings } of await checkTenant(product.gate, location, SYSTEM)) {
    count += findings.length
    const verdict =
      findings.length === 0 ? `${checkNames.length} checks hold` : `${findings.length} finding(s)`
    process.stdout.write(`${code} ${company}: ${verdict}\n`)
    for (const { check, detail } of findings) process.stdout.write(`  ${check}: ${detail}\n`)
  }
  printVerdict(code, await product.auditChains.verifyTenant(location))
  return count
}

const checkCommand = command({
  name: 'check',
  summary: 'prove that balances equal their lines, numbers have no gaps, the audit log is whole, and more',
  arguments: ['[TENANT]'],
  options: { all: { type: 'boolean', help: 'every active tenant' } },
  run: ({ values, positionals: [tenantCode] }) => {
    if (values.all === (tenantCode !== undefined)) throw new UsageError('One tenant, or --all?')
    return run(tenantCode)
  },
})

export const commands = [checkCommand]
