/** What operators of each role may do, as data. */
import type { operatorRoles } from './contract.ts'

export type OperatorRole = (typeof operatorRoles)[number]

const commercial = [
  'tenants:view',
  'plans:view',
  'operations:view',
  'backups:view',
  'alerts:view',
  'exports:view',
]

const technical = [...commercial, 'servers:view', 'fleet:view', 'mails:view', 'restores:view']

export const operatorPermissions: Readonly<Record<OperatorRole, readonly string[]>> = {
  owner: [
    ...technical,
    'tenants:create',
    'tenants:suspend',
    'tenants:move',
    'tenants:credentials',
    'tenants:archive',
    'tenants:delete',
    'servers:manage',
    'fleet:migrate',
    'backups:create',
    'backups:delete',
    'restores:create',
    'exports:create',
    'exports:download',
  ],
  billing: [...commercial, 'tenants:suspend'],
  support: [...technical, 'backups:create', 'restores:create', 'exports:create'],
  'read-only': technical,
}
