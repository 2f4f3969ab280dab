/**
 * How far the operator's support reaches in each module: the one place where it is said.
 *
 * - 'work': looks, and with the tenant's consent works like an administrator
 * - 'look': looks, and never changes: who may do what, and with which secrets, is the tenant's alone
 * - 'none': not even that: whoever consents, whoever looks, and what takes everything along
 *
 * A module that is not named here is closed to support (a test asks for its line).
 */
export type SupportReach = 'work' | 'look' | 'none'

export const supportReach: Readonly<Record<string, SupportReach>> = {
  companies: 'work',
  'gl-accounts': 'work',
  'units-of-measure': 'work',
  currencies: 'work',
  'exchange-rates': 'work',
  'journal-entries': 'work',
  'fiscal-years': 'work',
  reports: 'work',
  users: 'look',
  roles: 'look',
  'api-keys': 'look',
  'single-sign-on': 'look',
  'audit-log': 'look',
  mails: 'look',
  'support-access': 'none',
  'tenant-exports': 'none',
}

/** The permissions of a support session, out of those that operations declare. */
export function supportPermissions(
  declared: Iterable<string>,
  mayChange: boolean,
  reaches: Readonly<Record<string, SupportReach>> = supportReach,
): Set<string> {
  return new Set(
    [...declared].filter((permission) => {
      const [module = '', ability] = permission.split(':')
      const reach = Object.hasOwn(reaches, module) ? reaches[module] : 'none'
      if (ability === 'view') return reach !== 'none'
      return mayChange && reach === 'work'
    }),
  )
}
