/** The floor of `auth-overhead`: the product's own routes with nobody asking who it is that calls. */
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfiguration } from '../src/server/configuration.ts'
import { startProduct } from '../src/server/product.ts'
import { startWeakServer } from '../src/testing/weak-server.ts'

const product = await startProduct(readConfiguration(process.env), { onlyAsked: true })
const routes = product.routes.map((route) => ({
  ...route,
  operation: { ...route.operation, permission: 'anonymous' as const },
}))
await startWeakServer(product, routes, {}, Number(process.env['PORT']))
process.once('SIGTERM', () => process.exit(0))
await sleep(2 ** 31 - 1)
