import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { command } from './command.ts'
import { log, runUntilSignalled } from './program.ts'

const worker = command({
  name: 'worker',
  summary: 'background work only',
  run: async () => {
    const product = await startProduct(readConfiguration(process.env), { log })
    log('info', 'Working')
    await runUntilSignalled(product)
  },
})

export const commands = [worker]
