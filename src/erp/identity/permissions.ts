/**
 * The permission matrix as data: what each built-in role may do. A role holds patterns (`*`, `*:view`,
 * `journal-entries:*`), so that an administrator also has what later versions bring.
 */
export interface BuiltInRole {
  readonly name: string
  readonly description: string
  readonly permissions: readonly string[]
}

export const ADMINISTRATOR = 'Administrator'

const masters = ['gl-accounts', 'units-of-measure', 'currencies', 'exchange-rates', 'companies']
const viewMasters = masters.map((module) => `${module}:view`)

export const builtInRoles: readonly BuiltInRole[] = [
  { name: ADMINISTRATOR, description: 'May do everything in this tenant', permissions: ['*'] },
  {
    name: 'Accountant',
    description: 'Keeps the books: accounts, journals, periods and reports',
    permissions: [
      ...viewMasters,
      'gl-accounts:*',
      'currencies:*',
      'exchange-rates:*',
      'journal-entries:*',
      'fiscal-years:*',
      'reports:*',
    ],
  },
  {
    name: 'Sales',
    description: 'Sells; sees the masters it needs',
    permissions: [...viewMasters],
  },
  {
    name: 'Purchasing',
    description: 'Buys; sees the masters it needs',
    permissions: [...viewMasters],
  },
  {
    name: 'Warehouse',
    description: 'Keeps the stock and its units',
    permissions: [...viewMasters, 'units-of-measure:*'],
  },
  { name: 'Viewer', description: 'Sees everything, changes nothing', permissions: ['*:view'] },
]

/** The patterns of a role, spelled out over the permissions that operations declare. */
export function expandPermissions(patterns: readonly string[], declared: Iterable<string>): Set<string> {
  const tests = patterns.map((pattern) => patternTest(pattern))
  return new Set([...declared].filter((permission) => tests.some((matches) => matches(permission))))
}

function patternTest(pattern: string): (permission: string) => boolean {
  if (pattern === '*') return () => true
  if (pattern.startsWith('*:')) return (permission) => permission.endsWith(pattern.slice(1))
  if (pattern.endsWith(':*')) return (permission) => permission.startsWith(pattern.slice(0, -1))
  return (permission) => permission === pattern
}
