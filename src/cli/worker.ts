import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { log, runUntilSignalled } from './program.ts'

export async function run(): Promise<void> {
  const product = await startProduct(readConfiguration(process.env), { log })
  log('info', 'Working')
  await runUntilSignalled(product)
}
