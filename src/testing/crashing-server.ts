/**
 * A server that dies or fails at one step of a workflow, for tests; with OF_TENANT at that tenant's provisioning
 * alone, while what it takes over of others goes on as anywhere. CRASH_AT=`<step>:<before|after>` sends itself SIGKILL there; FAIL_AT=`<step>,<step>`
 * throws in these steps, however often they are tried. TELL_STEPS=1 tells of each step that it begins.
 * ONLY_ASKED=1 leaves to others what falls due and what others left behind: nothing else meets the step.
 */
import { readConfiguration } from '../server/configuration.ts'
import { startProduct, SYSTEM, type Product } from '../server/product.ts'
import { platformSql } from '../tenancy/handles.ts'

const {
  CRASH_AT: crashAt,
  FAIL_AT: failAt,
  OF_TENANT: ofTenant,
  TELL_STEPS: tellSteps,
  ONLY_ASKED,
} = process.env

const failing = failAt?.split(',') ?? []
let product: Product | undefined

async function isMeant(tenantId: string | undefined): Promise<boolean> {
  if (ofTenant === undefined || tenantId === undefined) return true
  const byId = platformSql.selectFrom('platform.tenant').select('tenant_code').where('id', '=', tenantId)
  const tenant = await product?.gate.readPlatform(SYSTEM, (tx) => tx.row(byId))
  return tenant?.tenant_code === ofTenant
}

product = await startProduct(readConfiguration(process.env), {
  log: (level, message) => process.stderr.write(`${level} ${message}\n`),
  compensationAttempts: 2,
  tendEveryMs: 500,
  onlyAsked: ONLY_ASKED !== undefined,
  atStep: async (step, moment, tenantId) => {
    if (tellSteps !== undefined && moment === 'before') process.stderr.write(`step ${step} of ${tenantId}\n`)
    if (!(await isMeant(tenantId))) return
    if (`${step}:${moment}` === crashAt) process.kill(process.pid, 'SIGKILL')
    if (failing.includes(step)) throw new Error(`test: step ${step} fails`)
  },
})
await product.ensureFirstOperator()
process.once('SIGINT', () => void product?.stop().then(() => process.exit(0)))
process.stderr.write(`Listening on port ${await product.listen()}\n`)
