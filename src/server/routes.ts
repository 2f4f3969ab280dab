/** Every route of the product. Also mounted without a database, to write the OpenAPI document. */
import { identityRoutes } from '../erp/identity/operations.ts'
import type { IdentityPorts } from '../erp/identity/ports.ts'
import { roleOperations } from '../erp/identity/roles/contract.ts'
import { userOperations } from '../erp/identity/users/contract.ts'
import { erpRoutes } from '../erp/routes.ts'
import type { Operation } from '../http/contract.ts'
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
import { closingRoutes, type ClosingRoutesPorts } from '../platform/closing/operations.ts'
import { exportRoutes, type ExportPorts } from '../platform/exports/operations.ts'
import { ownExportOperations } from '../platform/exports/contract.ts'
import { restoreRoutes, type RestorePorts } from '../platform/restores/operations.ts'
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
  readonly restores: RestorePorts
  readonly exports: ExportPorts
  readonly closing: ClosingRoutesPorts
}

export function allRoutes(services: RouteServices): Route[] {
  const routes = [
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
    ...restoreRoutes(services.restores),
    ...exportRoutes(services.exports),
    ...closingRoutes(services.closing),
    ...identityRoutes(services.identity),
    ...erpRoutes,
  ]
  for (const { operation } of routes) assertGrantable(operation)
  return routes
}

/** An operation of tenants that no role could be given would be closed to everybody, unnoticed. */
export function assertGrantable({ name, audience, permission }: Operation): void {
  const isGrantable = audience !== 'tenant' || !permission.includes(':') || tenantPermissions.has(permission)
  if (!isGrantable)
    throw new Error(`${name} needs ${permission}, which no role can be given: it does not start`)
}

/** What a tenant's roles can be given. */
export const tenantPermissions: ReadonlySet<string> = new Set(
  [
    ...erpRoutes.map(({ operation }) => operation),
    ...ownExportOperations,
    ...roleOperations,
    ...userOperations,
  ]
    .map(({ permission }) => permission)
    .filter((permission) => permission.includes(':')),
)
