/** The OpenAPI document, made from the contracts alone: no database is asked. */
import { createHttpServer } from '../http/server.ts'
import { Metrics } from '../http/metrics.ts'
import type { Route } from '../http/route.ts'
import { allRoutes } from './routes.ts'
import { mountTokenEndpoints } from './token-endpoints.ts'

const unused = (): never => {
  throw new Error('Nothing is served while the document is made')
}
const nothing = {} as never

/** All there are, with nothing behind them. */
export function routesForReading(): Route[] {
  return allRoutes({
    operators: nothing,
    tenants: nothing,
    fleet: { migrations: nothing, reports: nothing, rehearsals: nothing },
    servers: nothing,
    moving: nothing,
    workflows: nothing,
    backups: nothing,
    identity: nothing,
    support: nothing,
    approvals: nothing,
    mails: nothing,
    restores: nothing,
    exports: nothing,
    closing: nothing,
  })
}

export async function openApiDocument(version: string): Promise<object> {
  const app = await createHttpServer(
    routesForReading(),
    {
      gate: {} as never,
      metrics: new Metrics(),
      rateLimits: {} as never,
      noteRefusal: unused,
      findTenant: unused,
      isTenantHost: unused,
      tenantOfToken: unused,
      authenticateUser: unused,
      authenticateOperator: unused,
      notReady: unused,
    },
    { corsOrigins: [], isProduction: true, logLevel: 'silent', version, trustedProxies: [] },
  )
  await mountTokenEndpoints(app, {
    gate: nothing,
    ports: nothing,
    identity: nothing,
    operators: nothing,
    clientTokenSeconds: 0,
  })
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}
