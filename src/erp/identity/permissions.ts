/**
 * The permission matrix as data: what each built-in role may do. A role holds patterns (`*`, `*:view`,
 * `journal-entries:*`), so that an administrator also has what later versions bring.
 */
export interface BuiltInRole {
  readonly name: string
  readonly description: string
  readonly permissions: readonly string[]
  /** Largest discount a holder may grant; null: without a limit. */
  readonly discountPercentMaximum: string | null
  readonly discountAmountMaximum: string | null
}

export const ADMINISTRATOR = 'Administrator'

const masters = ['gl-accounts', 'units-of-measure', 'currencies', 'exchange-rates', 'companies']
const viewMasters = masters.map((module) => `${module}:view`)

const noDiscounts = { discountPercentMaximum: '0', discountAmountMaximum: '0' }

export const builtInRoles: readonly BuiltInRole[] = [
  {
    name: ADMINISTRATOR,
    description: 'May do everything in this tenant',
    permissions: ['*'],
    discountPercentMaximum: null,
    discountAmountMaximum: null,
  },
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
    ...noDiscounts,
  },
  {
    name: 'Sales',
    description: 'Sells; sees the masters it needs',
    permissions: [...viewMasters],
    ...noDiscounts,
  },
  {
    name: 'Purchasing',
    description: 'Buys; sees the masters it needs',
    permissions: [...viewMasters],
    ...noDiscounts,
  },
  {
    name: 'Warehouse',
    description: 'Keeps the stock and its units',
    permissions: [...viewMasters, 'units-of-measure:*'],
    ...noDiscounts,
  },
  {
    name: 'Viewer',
    description: 'Sees everything, changes nothing',
    permissions: ['*:view'],
    ...noDiscounts,
  },
]
