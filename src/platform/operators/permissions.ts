/** What operators of each role may do, as data. */
import type { operatorRoles } from './contract.ts'

export type OperatorRole = (typeof operatorRoles)[number]

export const operatorPermissions: Readonly<Record<OperatorRole, readonly string[]>> = {
  owner: [
    'tenants:view',
    'tenants:create',
    'tenants:suspend',
    'plans:view',
    'operations:view',
    'fleet:view',
    'fleet:migrate',
  ],
  billing: ['tenants:view', 'tenants:suspend', 'plans:view', 'operations:view'],
  support: ['tenants:view', 'plans:view', 'operations:view', 'fleet:view'],
  'read-only': ['tenants:view', 'plans:view', 'operations:view', 'fleet:view'],
}
