/** Every route of the product. Also mounted without a database, to write the OpenAPI document. */
import { emailOperations } from '../erp/identity/email/contract.ts'
import { identityRoutes } from '../erp/identity/operations.ts'
import type { IdentityPorts } from '../erp/identity/ports.ts'
import { apiKeyOperations } from '../erp/identity/api-keys/contract.ts'
import { roleOperations } from '../erp/identity/roles/contract.ts'
import { singleSignOnOperations } from '../erp/identity/single-sign-on/contract.ts'
import { userOperations } from '../erp/identity/users/contract.ts'
import { tenantMailOperations } from '../erp/mail/contract.ts'
import { tenantMailRoutes } from '../erp/mail/operations.ts'
import { erpRoutes } from '../erp/routes.ts'
import { supportAccessOperations } from '../erp/support/contract.ts'
import { supportAccessRoutes } from '../erp/support/operations.ts'
import type { Operation } from '../http/contract.ts'
import type { Route } from '../http/route.ts'
import type { Workflows } from '../jobs/workflows.ts'
import { fleetOperation, fleetRoutes, type FleetServices } from '../platform/fleet/operations.ts'
import { alertRoutes } from '../platform/alerts/alerts.ts'
import type { Backups } from '../platform/backups/backups.ts'
import { backupRoutes } from '../platform/backups/operations.ts'
import { platformAuditRoutes } from '../platform/audit/operations.ts'
import { mailRoutes, type MailPorts } from '../platform/mails/operations.ts'
import { moveRoutes } from '../platform/moves/operations.ts'
import type { Moving } from '../platform/moves/moving.ts'
import { operationRoutes } from '../platform/operations/operations.ts'
import type { OperatorPorts } from '../platform/operators/accounts.ts'
import { operatorRoutes } from '../platform/operators/operations.ts'
import { planRoutes } from '../platform/plans/operations.ts'
import { serverRoutes, type ServerPorts } from '../platform/servers/operations.ts'
import { closingRoutes, type ClosingRoutesPorts } from '../platform/closing/operations.ts'
import { exportRoutes, type ExportPorts } from '../platform/exports/operations.ts'
import { approvalRoutes } from '../platform/approvals/operations.ts'
import type { Approvals } from '../platform/approvals/approvals.ts'
import { supportRoutes } from '../platform/support/operations.ts'
import type { SupportSessions } from '../platform/support/sessions.ts'
import { ownExportOperations } from '../platform/exports/contract.ts'
import { restoreRoutes, type RestorePorts } from '../platform/restores/operations.ts'
import { tenantRoutes, type TenantPorts } from '../platform/tenants/operations.ts'

export interface RouteServices {
  readonly operators: OperatorPorts
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
  readonly support: SupportSessions
  readonly approvals: Approvals
}

export function allRoutes(services: RouteServices): Route[] {
  const routes = [
    ...operatorRoutes(services.operators),
    ...planRoutes,
    ...tenantRoutes(services.tenants),
    ...fleetRoutes(services.fleet),
    ...backupRoutes(services.backups),
    ...alertRoutes,
    ...operationRoutes(services.workflows, [fleetOperation]),
    ...serverRoutes(services.servers),
    ...mailRoutes(services.mails),
    ...platformAuditRoutes,
    ...moveRoutes(services.moving),
    ...restoreRoutes(services.restores),
    ...exportRoutes(services.exports),
    ...closingRoutes(services.closing),
    ...supportRoutes(services.support),
    ...approvalRoutes(services.approvals),
    ...identityRoutes(services.identity),
    ...supportAccessRoutes(services.identity.support),
    ...tenantMailRoutes(services.identity.mails),
    ...erpRoutes,
  ]
  for (const { operation } of routes) {
    assertGrantable(operation)
    assertKeepable(operation)
  }
  return routes
}

/** An operation of tenants that no role could be given would be closed to everybody, unnoticed. */
export function assertGrantable({ name, audience, permission }: Operation): void {
  const isGrantable = audience !== 'tenant' || !permission.includes(':') || tenantPermissions.has(permission)
  if (!isGrantable)
    throw new Error(`${name} needs ${permission}, which no role can be given: it does not start`)
}

/** What waits for a second operator is kept as it was asked for, and shown to them. */
export function assertKeepable({ name, needsApproval, audience, access, body }: Operation): void {
  if (!needsApproval) return
  const holdsSecret = /"[^"]*(password|secret|token|credential)[^"]*":/i.test(JSON.stringify(body ?? {}))
  if (holdsSecret || audience !== 'platform' || access === 'read')
    throw new Error(`${name} cannot wait for approval: of the platform, changing, without secrets`)
}

/** What a tenant's roles can be given. */
export const tenantPermissions: ReadonlySet<string> = new Set(
  [
    ...erpRoutes.map(({ operation }) => operation),
    ...ownExportOperations,
    ...supportAccessOperations,
    ...roleOperations,
    ...apiKeyOperations,
    ...singleSignOnOperations,
    ...userOperations,
    ...emailOperations,
    ...tenantMailOperations,
  ]
    .map(({ permission }) => permission)
    .filter((permission) => permission.includes(':')),
)
