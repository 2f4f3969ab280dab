/** `erp single-sign-on …`: the operator's way to let a tenant in again whose identity provider keeps everybody out. */
import { randomUUID } from 'node:crypto'
import { switchOffSingleSignOn } from '../erp/identity/single-sign-on/settings.ts'
import { command } from './command.ts'
import { findTenant, withProduct } from './program.ts'

const disable = command({
  name: 'single-sign-on disable',
  summary:
    'passwords are good again in this tenant, and its identity provider is asked nothing; settings stay',
  arguments: ['TENANT'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const tenant = await findTenant(product, code)
      const actor = { kind: 'system', id: null, requestId: `cli-${randomUUID()}`, address: null } as const
      const wasOn = await product.gate.writeTenant(tenant, null, actor, switchOffSingleSignOn)
      process.stdout.write(
        wasOn ? `single sign-on of ${code} is switched off\n` : `single sign-on of ${code} was not on\n`,
      )
    }),
})

export const commands = [disable]
