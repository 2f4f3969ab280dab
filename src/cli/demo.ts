/** The demo tenant: made through the same door as any other. */
import { randomBytes } from 'node:crypto'
import { createTenant } from '../platform/tenants/contract.ts'
import type { Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'

const CODE = 'demo'
const EMAIL = 'admin@demo.example'

export interface DemoTenant {
  readonly subdomain: string
  readonly email: string
  /** undefined: it was there already. */
  readonly password: string | undefined
}

export async function makeDemoTenant(product: Product): Promise<DemoTenant> {
  if (await product.directory.find({ code: CODE, host: '' })) {
    return { subdomain: CODE, email: EMAIL, password: undefined }
  }
  // Of digits, so that chance does not put the name in it.
  const password = `Show-${randomBytes(8).readBigUInt64BE()}-Up`
  await callPlatform(product, createTenant, {
    body: {
      tenantCode: CODE,
      companyName: 'Demo Trading Ltd',
      subdomain: CODE,
      planCode: 'professional',
      country: 'GB',
      currency: 'GBP',
      adminName: 'Ada Keeper',
      adminEmail: EMAIL,
      adminPassword: password,
    },
  })
  return { subdomain: CODE, email: EMAIL, password }
}
