/** The OpenAPI document, made from the contracts alone: no database is asked. */
import { createHttpServer } from '../http/server.ts'
import { Metrics } from '../http/metrics.ts'
import { allRoutes } from './routes.ts'
import { OperatorSessions } from '../platform/operators/sessions.ts'

export async function openApiDocument(version: string): Promise<object> {
  const unused = (): never => {
    throw new Error('Nothing is served while the document is made')
  }
  const nothing = {} as never
  const app = await createHttpServer(
    allRoutes({
      operators: new OperatorSessions(nothing, nothing),
      announceOperatorSessionEnd: unused,
      tenants: nothing,
      fleet: { migrations: nothing, reports: nothing, rehearsals: nothing },
      servers: nothing,
      moving: nothing,
      workflows: nothing,
      backups: nothing,
      identity: nothing,
      mails: nothing,
      restores: nothing,
      exports: nothing,
      closing: nothing,
    }),
    {
      gate: {} as never,
      metrics: new Metrics(),
      rateLimits: {} as never,
      findTenant: unused,
      isTenantHost: unused,
      tenantOfToken: unused,
      authenticateUser: unused,
      authenticateOperator: unused,
      notReady: unused,
    },
    { corsOrigins: [], isProduction: true, logLevel: 'silent', version, trustedProxies: [] },
  )
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}
