/** Every route of the product. Also mounted without a database, to write the OpenAPI document. */
import { identityRoutes, type IdentityPorts } from '../erp/identity/operations.ts'
import { erpRoutes } from '../erp/routes.ts'
import type { Route } from '../http/route.ts'
import type { Workflows } from '../jobs/workflows.ts'
import { fleetOperation, fleetRoutes, type FleetServices } from '../platform/fleet/operations.ts'
import { alertRoutes } from '../platform/alerts/alerts.ts'
import type { Backups } from '../platform/backups/backups.ts'
import { backupRoutes } from '../platform/backups/operations.ts'
import { mailRoutes, type MailPorts } from '../platform/mails/operations.ts'
import { moveRoutes } from '../platform/moves/operations.ts'
import type { Moving } from '../platform/moves/moving.ts'
import { operationRoutes } from '../platform/operations/operations.ts'
import type { OperatorSessions } from '../platform/operators/sessions.ts'
import { planRoutes } from '../platform/plans/operations.ts'
import { serverRoutes, type ServerPorts } from '../platform/servers/operations.ts'
import { tenantRoutes, type TenantPorts } from '../platform/tenants/operations.ts'

export interface RouteServices {
  readonly operators: OperatorSessions
  readonly announceOperatorSessionEnd: (sessionId: string) => Promise<void>
  readonly tenants: TenantPorts
  readonly fleet: FleetServices
  readonly servers: ServerPorts
  readonly moving: Moving
  readonly workflows: Workflows
  readonly backups: Backups
  readonly identity: IdentityPorts
  readonly mails: MailPorts
}

export function allRoutes(services: RouteServices): Route[] {
  return [
    ...services.operators.routes(services.announceOperatorSessionEnd),
    ...planRoutes,
    ...tenantRoutes(services.tenants),
    ...fleetRoutes(services.fleet),
    ...backupRoutes(services.backups),
    ...alertRoutes,
    ...operationRoutes(services.workflows, [fleetOperation]),
    ...serverRoutes(services.servers),
    ...mailRoutes(services.mails),
    ...moveRoutes(services.moving),
    ...identityRoutes(services.identity),
    ...erpRoutes,
  ]
}

/** What a tenant's roles can be given. */
export const tenantPermissions: ReadonlySet<string> = new Set(
  erpRoutes.map(({ operation }) => operation.permission).filter((permission) => permission.includes(':')),
)
