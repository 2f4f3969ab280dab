/**
 * A server of our own routes that is guarded otherwise than the product, for controls: what an attack finds
 * there, it would find in the product.
 */
import { Metrics } from '../http/metrics.ts'
import type { Route } from '../http/route.ts'
import { createHttpServer, type HttpPorts } from '../http/server.ts'
import type { Product } from '../server/product.ts'
import { noLimits } from './limits.ts'

export interface WeakServer {
  readonly url: string
  stop(): Promise<void>
}

export async function startWeakServer(
  product: Product,
  routes: readonly Route[],
  guards: Partial<HttpPorts>,
  port = 0,
): Promise<WeakServer> {
  const nobody = (): never => {
    throw new Error('Nobody is let in here')
  }
  const app = await createHttpServer(
    routes,
    {
      gate: product.gate,
      metrics: new Metrics(),
      rateLimits: noLimits(product.gate),
      noteRefusal: () => {},
      findTenant: (reference) => product.directory.find(reference),
      isTenantHost: () => false,
      tenantOfToken: async () => undefined,
      authenticateUser: nobody,
      authenticateOperator: nobody,
      notReady: async () => [],
      ...guards,
    },
    { corsOrigins: [], isProduction: false, logLevel: 'silent', version: '', trustedProxies: [] },
  )
  const url = await app.listen({ host: '127.0.0.1', port })
  return { url, stop: () => app.close() }
}
