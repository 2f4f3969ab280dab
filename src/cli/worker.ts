import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { log, parseArguments, runUntilSignalled } from './program.ts'

export async function run(arguments_: string[]): Promise<void> {
  parseArguments(arguments_, {})
  const product = await startProduct(readConfiguration(process.env), { log })
  log('info', 'Working')
  await runUntilSignalled(product)
}
