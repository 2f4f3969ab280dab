/** What operators of each role may do, as data. */
import type { operatorRoles } from './contract.ts'

export type OperatorRole = (typeof operatorRoles)[number]

const commercial = ['tenants:view', 'plans:view', 'operations:view', 'backups:view', 'alerts:view']

const technical = [...commercial, 'servers:view', 'fleet:view', 'mails:view']

export const operatorPermissions: Readonly<Record<OperatorRole, readonly string[]>> = {
  owner: [
    ...technical,
    'tenants:create',
    'tenants:suspend',
    'tenants:move',
    'tenants:credentials',
    'servers:manage',
    'fleet:migrate',
    'backups:create',
    'backups:delete',
  ],
  billing: [...commercial, 'tenants:suspend'],
  support: [...technical, 'backups:create'],
  'read-only': technical,
}
