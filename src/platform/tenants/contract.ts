/**
 * Glossary
 * - tenant: one customer of the operator, with a PostgreSQL database of its own
 * - tenant code: what the tenant is called in addresses, headers and the database's name
 * - provisioning: making the tenant's database, role, default data and first admin
 */
import { Type } from 'typebox'
import { NewPassword } from '../../accounts/contract.ts'
import {
  CountryCode,
  CurrencyCode,
  Email,
  Id,
  IdParams,
  Instant,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
} from '../../http/contract.ts'

export const tenantStatuses = [
  'provisioning',
  'active',
  'read_only',
  'suspended',
  'cancelled',
  'archived',
  'deleted',
  'failed',
] as const

export const chartTemplateCodes = ['generic', 'us', 'uk', 'eg'] as const

export const Tenant = Type.Object({
  id: Id,
  tenantCode: Type.String(),
  companyName: Type.String(),
  subdomain: Type.String(),
  planCode: Type.String(),
  status: oneOf(tenantStatuses),
  statusReason: nullable(Type.String()),
  country: Type.String(),
  currency: Type.String(),
  chartTemplate: oneOf(chartTemplateCodes),
  adminName: Type.String(),
  adminEmail: Type.String(),
  serverId: Id,
  databaseName: nullable(Type.String()),
  schemaVersion: nullable(Type.String()),
  statusChangedAt: Instant,
  suspensionCause: nullable(oneOf(['payment', 'other'])),
  archiveBackupId: nullable(Type.String({ description: 'What an archived tenant is restored from' })),
  isNeutralised: Type.Boolean({ description: 'A copy of another tenant: no mails and webhooks leave it' }),
  lastProvenRestoreAt: nullable(
    Type.String({ description: 'When a backup of it was last restored, compared and its books proven' }),
  ),
  busyWith: nullable(Type.String({ description: 'The operation that has this tenant to itself' })),
  isCanary: Type.Boolean({ description: 'Goes first when the fleet is migrated' }),
  address: Type.String({ description: 'Where the tenant signs in' }),
  createdAt: Instant,
  updatedAt: Instant,
})

export const TenantBody = Type.Object(
  {
    tenantCode: Type.String({
      minLength: 2,
      maxLength: 40,
      pattern: '^[A-Za-z][A-Za-z0-9_]*$',
      description: 'Letters, digits and _; unique whatever the case',
    }),
    companyName: Type.String({ minLength: 1, maxLength: 200 }),
    subdomain: Type.String({
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$',
      description: 'DNS label',
    }),
    planCode: Type.String({ maxLength: 40, default: 'trial' }),
    country: CountryCode,
    currency: CurrencyCode,
    chartTemplate: Type.Optional(oneOf(chartTemplateCodes)),
    serverId: Type.Optional(
      Type.String({
        format: 'uuid',
        description: 'The server for its database, e.g. a dedicated one; without it the emptiest shared one',
      }),
    ),
    adminName: Type.String({ minLength: 1, maxLength: 200 }),
    adminEmail: Email,
    adminPassword: Type.Optional(NewPassword),
  },
  { additionalProperties: false },
)

export const CreatedTenant = Type.Object({
  tenant: Tenant,
  operationId: Type.String({ description: 'Poll /platform/operations/{id} while the status is 202' }),
  setPasswordUrl: nullable(
    Type.String({ description: 'Shown once, when no password was given; single use, 72 hours' }),
  ),
})

export const createTenant = operation({
  name: 'createTenant',
  method: 'POST',
  path: '/tenants',
  summary: 'Create a tenant: 201 when ready, 202 with the operation to poll when it takes longer',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:create',
  access: 'steps',
  status: 201,
  body: TenantBody,
  data: CreatedTenant,
  idempotent: true,
})

export const retryProvisioning = operation({
  name: 'retryProvisioning',
  method: 'POST',
  path: '/tenants/{id}/provisioning',
  summary: 'Make a tenant again that failed: what is left of it is cleared first',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:create',
  access: 'steps',
  status: 201,
  params: IdParams,
  data: CreatedTenant,
  idempotent: true,
})

export const listTenants = operation({
  name: 'listTenants',
  method: 'GET',
  path: '/tenants',
  summary: 'Tenants, newest first',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(oneOf(['createdAt', 'tenantCode', 'companyName', 'status', 'planCode'])),
      status: Type.Optional(oneOf(tenantStatuses)),
      planCode: Type.Optional(Type.String({ maxLength: 40 })),
    },
    { additionalProperties: false },
  ),
  data: pageOf('tenants', Tenant),
})

export const getTenant = operation({
  name: 'getTenant',
  method: 'GET',
  path: '/tenants/{id}',
  summary: 'One tenant',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:view',
  access: 'read',
  params: IdParams,
  data: Tenant,
})

const Reason = Type.String({ minLength: 3, maxLength: 500 })

export const suspendTenant = operation({
  name: 'suspendTenant',
  method: 'POST',
  path: '/tenants/{id}/suspend',
  summary: 'Suspend a tenant: its sessions end and its requests are refused; its data stays',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:suspend',
  access: 'steps',
  params: IdParams,
  body: Type.Object(
    {
      reason: Reason,
      cause: Type.Optional(
        oneOf(['payment', 'other'], 'Suspended for not paying, its administrator may still fetch an export'),
      ),
    },
    { additionalProperties: false },
  ),
  data: Tenant,
})

export const activateTenant = operation({
  name: 'activateTenant',
  method: 'POST',
  path: '/tenants/{id}/activate',
  summary: 'Let a suspended tenant work again',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:suspend',
  access: 'write',
  params: IdParams,
  body: Type.Optional(Type.Object({ reason: Type.Optional(Reason) }, { additionalProperties: false })),
  data: Tenant,
})

export const StartedPasswordChange = Type.Object({
  operationId: Type.String({ description: 'Poll /platform/operations/{id}' }),
})

export const changeDatabasePassword = operation({
  name: 'changeDatabasePassword',
  method: 'POST',
  path: '/tenants/{id}/database-password',
  summary: "Give the tenant's database role a new password, while its users work",
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:credentials',
  access: 'steps',
  status: 202,
  params: IdParams,
  data: StartedPasswordChange,
})

export const changeDatabasePasswords = operation({
  name: 'changeDatabasePasswords',
  method: 'POST',
  path: '/fleet/database-passwords',
  summary: "Give every tenant's database role a new password, while their users work",
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:credentials',
  access: 'steps',
  status: 202,
  data: StartedPasswordChange,
})

const Option = Type.Object({ code: Type.String(), name: Type.String() })

export const getTenantOptions = operation({
  name: 'getTenantOptions',
  method: 'GET',
  path: '/tenant-options',
  summary: 'What can be chosen when creating a tenant',
  tag: 'Tenants',
  audience: 'platform',
  permission: 'tenants:view',
  access: 'read',
  data: Type.Object({
    plans: Type.Array(Option),
    countries: Type.Array(Option),
    currencies: Type.Array(Option),
    chartTemplates: Type.Array(
      Type.Object({ code: Type.String(), name: Type.String(), description: Type.String() }),
    ),
  }),
})
