import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { command } from './command.ts'
import { log, runUntilSignalled } from './program.ts'

async function run(): Promise<void> {
  const product = await startProduct(readConfiguration(process.env), { log })
  const generatedPassword = await product.ensureFirstOperator()
  if (generatedPassword !== undefined) {
    const { operatorEmail } = product.configuration
    process.stdout.write(`First operator (shown this once): ${operatorEmail} / ${generatedPassword}\n`)
  }
  const port = await product.listen()
  await runUntilSignalled(product, () => log('info', `Listening on port ${port}`))
}

export const commands = [command({ name: 'serve', summary: 'the HTTP server', run })]
