/** The shapes the screens speak of, taken from the API's own description. */
import type { paths } from './api.d.ts'

/** The API's paths below its base address, as the screens name them. */
export type ApiPaths = {
  [Path in keyof paths as Path extends `/api/v1${infer Below}` ? Below : never]: paths[Path]
}

type SuccessStatus = 200 | 201 | 202 | '2XX'

type SuccessBody<Operation> = Operation extends { responses: infer Responses }
  ? {
      [Status in keyof Responses & SuccessStatus]: Responses[Status] extends {
        content: { 'application/json': infer Body }
      }
        ? Body
        : never
    }[keyof Responses & SuccessStatus]
  : never

type DataOf<Operation> = SuccessBody<Operation> extends { data: infer Data } ? Data : never
type BodyOf<Operation> = Operation extends { requestBody: { content: { 'application/json': infer Body } } }
  ? Body
  : never

type OptionalBodyOf<Operation> = Operation extends {
  requestBody?: { content: { 'application/json': infer Body } }
}
  ? Body
  : never

export type Operator = DataOf<ApiPaths['/platform/auth/login']['post']>['operator']
export type Restriction = NonNullable<Operator['restriction']>
export type AccountSession = DataOf<ApiPaths['/auth/sessions']['get']>['sessions'][number]
export type OperatorList = DataOf<ApiPaths['/platform/operators']['get']>
export type OperatorPerson = OperatorList['operators'][number]
export type OperatorStatus = OperatorPerson['status']
export type NewOperator = BodyOf<ApiPaths['/platform/operators']['post']>
export type OperatorChange = BodyOf<ApiPaths['/platform/operators/{id}']['put']>
export type TenantList = DataOf<ApiPaths['/platform/tenants']['get']>
export type Tenant = TenantList['tenants'][number]
export type TenantStatus = Tenant['status']
export type NewTenant = BodyOf<ApiPaths['/platform/tenants']['post']>
export type TenantOptions = DataOf<ApiPaths['/platform/tenant-options']['get']>
export type CreatedTenant = DataOf<ApiPaths['/platform/tenants']['post']>
export type Operation = DataOf<ApiPaths['/platform/operations/{id}']['get']>
export type OperationStatus = Operation['status']
export type OperationList = DataOf<ApiPaths['/platform/operations']['get']>

export type ServerList = DataOf<ApiPaths['/platform/servers']['get']>
export type Server = ServerList['servers'][number]
export type NewServer = BodyOf<ApiPaths['/platform/servers']['post']>

export type BackupList = DataOf<ApiPaths['/platform/backups']['get']>
export type Backup = BackupList['backups'][number]
export type BackupState = Backup['state']

export type Restore = DataOf<ApiPaths['/platform/restores/{id}']['get']>
export type RestoreMode = Restore['mode']
export type NewRestore = BodyOf<ApiPaths['/platform/tenants/{id}/restores']['post']>
export type Move = DataOf<ApiPaths['/platform/tenants/{id}/moves/{moveId}']['get']>
export type TenantExport = DataOf<ApiPaths['/platform/tenants/{id}/exports']['get']>['exports'][number]

export type ApprovalList = DataOf<ApiPaths['/platform/approvals']['get']>
export type Approval = DataOf<ApiPaths['/platform/approvals/{id}']['get']>
export type SupportSessionList = DataOf<ApiPaths['/platform/support-sessions']['get']>
export type SupportSession = SupportSessionList['supportSessions'][number]
export type SupportAccess = DataOf<ApiPaths['/support-access']['get']>

export type SchemaReport = DataOf<ApiPaths['/platform/fleet/schema-report']['get']>
export type FleetPlan = DataOf<ApiPaths['/platform/fleet/plan']['get']>
export type FleetMigrationList = DataOf<ApiPaths['/platform/fleet-migrations']['get']>
export type FleetMigration = FleetMigrationList['fleetMigrations'][number]
export type FleetMigrationDetail = DataOf<ApiPaths['/platform/fleet-migrations/{id}']['get']>
export type TenantMigration = FleetMigrationDetail['failures'][number]
export type NewFleetMigration = OptionalBodyOf<ApiPaths['/platform/fleet-migrations']['post']>

export type User = DataOf<ApiPaths['/auth/login']['post']>['user']
export type Company = User['companies'][number]

export type ApiKeyList = DataOf<ApiPaths['/api-keys']['get']>
export type ApiKey = ApiKeyList['apiKeys'][number]
export type NewApiKey = BodyOf<ApiPaths['/api-keys']['post']>
export type ApiKeyChange = BodyOf<ApiPaths['/api-keys/{id}']['put']>
export type SingleSignOn = DataOf<ApiPaths['/single-sign-on']['get']>
export type SingleSignOnChange = BodyOf<ApiPaths['/single-sign-on']['put']>
export type TenantUserList = DataOf<ApiPaths['/users']['get']>
export type TenantUser = TenantUserList['users'][number]
export type NewTenantUser = BodyOf<ApiPaths['/users']['post']>
export type TenantUserChange = BodyOf<ApiPaths['/users/{id}']['put']>
export type UserEvent = DataOf<ApiPaths['/users/{id}/activity']['get']>['activity'][number]
export type EmailSettings = DataOf<ApiPaths['/users/{id}/email-settings']['get']>
export type EmailSettingsChange = BodyOf<ApiPaths['/users/{id}/email-settings']['put']>
export type EmailTest = DataOf<ApiPaths['/users/{id}/email-settings/test']['post']>
export type TenantMail = DataOf<ApiPaths['/mails']['get']>['mails'][number]
export type PlatformMailList = DataOf<ApiPaths['/platform/mails']['get']>
export type PlatformMail = PlatformMailList['mails'][number]
export type RoleList = DataOf<ApiPaths['/roles']['get']>
export type Role = DataOf<ApiPaths['/roles/{id}']['get']>
export type NewRole = BodyOf<ApiPaths['/roles']['post']>
export type RoleChange = BodyOf<ApiPaths['/roles/{id}']['put']>
export type PermissionModule = DataOf<ApiPaths['/roles/permissions']['get']>['modules'][number]

export type GlAccount = DataOf<ApiPaths['/masters/gl-accounts/{id}']['get']>
/** The description of the tree cannot say that it goes on below itself. */
export interface GlAccountNode extends GlAccount {
  children: GlAccountNode[]
}
export type NewGlAccount = BodyOf<ApiPaths['/masters/gl-accounts']['post']>

export type JournalEntryList = DataOf<ApiPaths['/finance/journal-entries']['get']>
export type JournalEntry = DataOf<ApiPaths['/finance/journal-entries/{id}']['get']>
export type NewJournalEntry = BodyOf<ApiPaths['/finance/journal-entries']['post']>
export type NewReversal = BodyOf<ApiPaths['/finance/journal-entries/{id}/reversal']['post']>

export type TrialBalance = DataOf<ApiPaths['/reports/trial-balance']['get']>
export type GeneralLedger = DataOf<ApiPaths['/reports/general-ledger']['get']>

export type FiscalYear = DataOf<ApiPaths['/finance/fiscal-years']['get']>['fiscalYears'][number]
export type Period = FiscalYear['periods'][number]

type TenantAuditEntry = DataOf<ApiPaths['/audit-log']['get']>['auditEntries'][number]
type PlatformAuditEntry = DataOf<ApiPaths['/platform/audit-log']['get']>['auditEntries'][number]
/** Of either log. */
export type AuditEntry = Omit<TenantAuditEntry, 'companyId'> &
  Partial<Pick<PlatformAuditEntry, 'tenantId' | 'tenantCode' | 'details'>>
