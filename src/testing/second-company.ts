/**
 * `node second-company.ts TENANT CODE NAME CURRENCY`: one more company of a tenant, with the generic chart, on the
 * platform of the environment. For browser tests, as long as there is no operation that makes one.
 */
import { findTenant, withProduct } from '../cli/program.ts'
import { createCompany } from '../erp/onboarding.ts'
import { SYSTEM } from '../server/product.ts'
import { newId } from '../tenancy/new-id.ts'

const [tenantCode = '', code = '', name = '', currency = ''] = process.argv.slice(2)
await withProduct(async (product) => {
  const id = newId()
  const today = new Date().toISOString().slice(0, 10)
  const company = { id, code, name, country: 'EG', currency, chartTemplate: 'generic', today } as const
  await product.gate.writeTenant(await findTenant(product, tenantCode), id, SYSTEM, (tx) =>
    createCompany(tx, company, newId),
  )
})
