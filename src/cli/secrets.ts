/** `erp secrets …`: which master key is in use, and changing over to a new one. */
import type { Product } from '../server/product.ts'
import { command } from './command.ts'
import { withProduct } from './program.ts'

const status = command({
  name: 'secrets status',
  summary: 'what is sealed with which key; a key that is named nowhere may leave SECRET_KEY_PREVIOUS',
  run: () => withProduct(printStatus),
})

const rotate = command({
  name: 'secrets rotate',
  summary: 'change over to SECRET_KEY from the one before it (SECRET_KEY_PREVIOUS), and seal everything anew',
  run: () =>
    withProduct(async (product) => {
      const { keyId, sealedAnew, serversLeft, tenantsLeft, unopened } = await product.secretRotation.rotate(
        (count) => process.stderr.write(`${count} sealed anew\n`),
      )
      process.stdout.write(`key ${keyId} is in use; ${sealedAnew} sealed anew\n`)
      await printStatus(product)
      for (const name of [...serversLeft, ...tenantsLeft.map((code) => `tenant ${code}`)])
        process.stderr.write(`not reached, do it again: ${name}\n`)
      for (const name of unopened)
        process.stderr.write(`opened by none of the keys, left as it is: ${name}\n`)
      if (serversLeft.length + tenantsLeft.length + unopened.length > 0) process.exitCode = 1
    }),
})

export const commands = [status, rotate]

async function printStatus({ secrets, secretRotation }: Product): Promise<void> {
  const { keyId: inUse, keyIds } = secrets
  for (const keyId of keyIds) process.stdout.write(`key ${keyId}${keyId === inUse ? ', in use' : ''}\n`)
  const { counts, tenantsLeft } = await secretRotation.counts()
  for (const code of tenantsLeft) process.stderr.write(`could not be asked: tenant ${code}\n`)
  for (const { table, column, keyId, count } of counts) {
    const unknown = keyIds.includes(keyId) ? '' : '\tNOT AMONG THE KEYS GIVEN'
    process.stdout.write(`${keyId}\t${table}.${column}\t${count}${unknown}\n`)
  }
}
