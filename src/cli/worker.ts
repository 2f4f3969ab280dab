import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { command } from './command.ts'
import { log, runUntilSignalled } from './program.ts'

const worker = command({
  name: 'worker',
  summary: 'background work only',
  run: async () => {
    const product = await startProduct(readConfiguration(process.env), { log })
    await runUntilSignalled(product, () => log('info', 'Working'))
  },
})

export const commands = [worker]
