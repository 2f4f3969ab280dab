import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { log, runUntilSignalled } from './program.ts'

export async function run(): Promise<void> {
  const product = await startProduct(readConfiguration(process.env), { log })
  const port = await product.listen()
  log('info', `Listening on port ${port}`)
  await runUntilSignalled(product)
}
