/** What operators of each role may do, as data. */
export const operatorRoles = ['owner', 'billing', 'support', 'read-only'] as const

export type OperatorRole = (typeof operatorRoles)[number]

const commercial = [
  'tenants:view',
  'plans:view',
  'operations:view',
  'backups:view',
  'alerts:view',
  'exports:view',
  'approvals:view',
]

const technical = [
  ...commercial,
  'servers:view',
  'fleet:view',
  'mails:view',
  'restores:view',
  'operators:view',
  'support-sessions:view',
]

export const operatorPermissions: Readonly<Record<OperatorRole, readonly string[]>> = {
  owner: [
    ...technical,
    'audit-log:view',
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
    'operators:manage',
    'support-sessions:add',
    'approvals:decide',
    'mails:resend',
  ],
  billing: [...commercial, 'tenants:suspend', 'approvals:decide'],
  support: [
    ...technical,
    'audit-log:view',
    'backups:create',
    'restores:create',
    'exports:create',
    'support-sessions:add',
    'approvals:decide',
    'mails:resend',
  ],
  'read-only': technical,
}

/** Who can be the second one where two must agree. */
export const decidingRoles = operatorRoles.filter((role) =>
  operatorPermissions[role].includes('approvals:decide'),
)

/** Whether a role holds nothing that the other does not: nobody grants more than they hold. */
export function isWithin(role: OperatorRole, held: OperatorRole): boolean {
  const permissions = new Set(operatorPermissions[held])
  return operatorPermissions[role].every((permission) => permissions.has(permission))
}
