/**
 * A server that dies or fails at one step of provisioning, for tests. CRASH_AT=`<step>:<before|after>` sends
 * itself SIGKILL there; FAIL_AT=`<step>` throws in that step, however often it is tried.
 */
import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'

const { CRASH_AT: crashAt, FAIL_AT: failAt } = process.env

const product = await startProduct(readConfiguration(process.env), {
  log: (level, message) => process.stderr.write(`${level} ${message}\n`),
  atStep: (step, moment) => {
    if (`${step}:${moment}` === crashAt) process.kill(process.pid, 'SIGKILL')
    if (step === failAt) throw new Error(`test: step ${step} fails`)
  },
})
await product.ensureFirstOperator()
process.stderr.write(`Listening on port ${await product.listen()}\n`)
process.once('SIGINT', () => void product.stop().then(() => process.exit(0)))
