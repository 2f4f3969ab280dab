import { findCurrency } from '../../../kernel/currency.ts'
import type { FieldProblem } from '../../../kernel/problem.ts'
import type { Route } from '../../../http/route.ts'
import { statement } from '../../../tenancy/handles.ts'
import { masterRoutes, type MasterRow, type MasterValues } from '../engine.ts'
import { currency } from './definition.ts'

export const currencyRoutes: Route[] = masterRoutes(currency, {
  check: async (tx, values, before) => {
    const users = before ? (await tx.prepared(USED_BY, [before['code']])).map(({ label }) => label) : []
    return [...checkIso(values), ...checkUsed(values, before, users)]
  },
  usedBy: async (tx, row) => (await tx.prepared(USED_BY, [row['code']])).map(({ label }) => label),
})

/** Amounts of an ISO currency have the places ISO 4217 gives them; others are the tenant's own. */
function checkIso(values: MasterValues): FieldProblem[] {
  const iso = findCurrency(String(values['code']))
  if (!iso || iso.minorUnits === null || iso.minorUnits === values['minorUnits']) return []
  const message = `${iso.code} has ${iso.minorUnits} decimal places (ISO 4217)`
  return [{ field: 'minorUnits', code: 'NOT_ISO', message }]
}

function checkUsed(
  values: MasterValues,
  before: MasterRow | undefined,
  users: readonly string[],
): FieldProblem[] {
  if (!before || users.length === 0) return []
  const fixed = ['code', 'minorUnits'].filter((name) => values[name] !== before[name])
  return fixed.map((field) => ({ field, code: 'IN_USE', message: `Used by ${users.join(', ')}` }))
}

/** A currency is referred to by its code, which no foreign key shows. */
const USED_BY = statement<{ label: string }>(
  'currency-used-by',
  'SELECT label FROM masters.currency_used_by($1) AS label',
)
