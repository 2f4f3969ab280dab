import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { log, parseArguments, runUntilSignalled } from './program.ts'

export async function run(arguments_: string[]): Promise<void> {
  parseArguments(arguments_, {})
  const product = await startProduct(readConfiguration(process.env), { log })
  const generatedPassword = await product.ensureFirstOperator()
  if (generatedPassword !== undefined) {
    const { operatorEmail } = product.configuration
    process.stdout.write(`First operator (shown this once): ${operatorEmail} / ${generatedPassword}\n`)
  }
  const port = await product.listen()
  log('info', `Listening on port ${port}`)
  await runUntilSignalled(product)
}
