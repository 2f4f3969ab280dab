/**
 * A server that dies or fails at one step of provisioning, for tests. CRASH_AT=`<step>:<before|after>` sends
 * itself SIGKILL there; FAIL_AT=`<step>,<step>` throws in these steps, however often they are tried.
 */
import { readConfiguration } from '../server/configuration.ts'
import { startProduct } from '../server/product.ts'

const { CRASH_AT: crashAt, FAIL_AT: failAt } = process.env

const failing = failAt?.split(',') ?? []
const product = await startProduct(readConfiguration(process.env), {
  log: (level, message) => process.stderr.write(`${level} ${message}\n`),
  compensationAttempts: 2,
  tendEveryMs: 500,
  atStep: (step, moment) => {
    if (`${step}:${moment}` === crashAt) process.kill(process.pid, 'SIGKILL')
    if (failing.includes(step)) throw new Error(`test: step ${step} fails`)
  },
})
await product.ensureFirstOperator()
process.stderr.write(`Listening on port ${await product.listen()}\n`)
process.once('SIGINT', () => void product.stop().then(() => process.exit(0)))
