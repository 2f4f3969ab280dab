/**
 * A server of a release that does not exist: the code as it is, with further tenant migrations from the folder
 * EXTRA_MIGRATIONS. KILL_AT=`<moment>:<number>` sends itself SIGKILL before or after that many tenants;
 * SLOW_MS waits before each, so that a test can act meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'
import { addMigrationFolder } from '../tenancy/migrations.ts'

const { EXTRA_MIGRATIONS: folder, KILL_AT: killAt, SLOW_MS: slowMs } = process.env
if (folder !== undefined) addMigrationFolder('tenant', folder)

const counts = { before: 0, after: 0 }
const product = await startProduct(readConfiguration(process.env), {
  log: (level, message) => process.stderr.write(`${level} ${message}\n`),
  atTenant: async (_code, moment) => {
    counts[moment]++
    if (`${moment}:${counts[moment]}` === killAt) process.kill(process.pid, 'SIGKILL')
    if (moment === 'before' && slowMs !== undefined) await sleep(Number(slowMs))
  },
})
await product.ensureFirstOperator()
process.once('SIGINT', () => void product.stop().then(() => process.exit(0)))
process.stderr.write(`Listening on port ${await product.listen()}\n`)
