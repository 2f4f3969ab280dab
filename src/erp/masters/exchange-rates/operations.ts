import { Decimal } from '../../../kernel/decimal.ts'
import { Problem, problems, type FieldProblem } from '../../../kernel/problem.ts'
import { implement, type Route } from '../../../http/route.ts'
import { statement } from '../../../tenancy/handles.ts'
import { MasterStore, masterRoutes, type MasterValues } from '../engine.ts'
import { exchangeRate, lookUpExchangeRate } from './definition.ts'

export const exchangeRateRoutes: Route[] = [
  implement(lookUpExchangeRate, async (tx, { query }) => {
    const { fromCurrency, toCurrency, date } = query
    const [latest] = await tx.prepared(LATEST, [fromCurrency, toCurrency, date])
    const rate = latest && (await new MasterStore(exchangeRate).get(tx, latest.id))
    if (rate) return rate as never
    const message = `There is no rate from ${fromCurrency} to ${toCurrency} on or before ${date}`
    throw new Problem(problems.notFound, { message })
  }),
  ...masterRoutes(exchangeRate, {
    check: async (tx, values) => {
      const codes = [values['fromCurrency'], values['toCurrency']]
      const known = (await tx.prepared(KNOWN, [codes])).map(({ code }) => code)
      return [...checkCurrencies(values, known), ...checkRates(values)]
    },
  }),
]

function checkCurrencies(values: MasterValues, known: readonly string[]): FieldProblem[] {
  const wrong = ['fromCurrency', 'toCurrency']
    .filter((name) => !known.includes(String(values[name])))
    .map((field) => ({
      field,
      code: 'UNKNOWN_CURRENCY',
      message: `Currency ${String(values[field])} is unknown or inactive here`,
    }))
  if (values['fromCurrency'] !== values['toCurrency']) return wrong
  return [
    ...wrong,
    { field: 'toCurrency', code: 'SAME_CURRENCY', message: 'The two currencies are the same' },
  ]
}

function checkRates(values: MasterValues): FieldProblem[] {
  return ['mid', 'buy', 'sell']
    .filter((name) => values[name] !== null && !Decimal.parse(String(values[name]))?.isPositive())
    .map((field) => ({ field, code: 'NOT_POSITIVE', message: `${field} must be above 0` }))
}

const KNOWN = statement<{ code: string }>(
  'known-currencies',
  'SELECT code FROM masters.currency WHERE code = ANY($1::text[]) AND is_active AND deleted_at IS NULL',
)

const LATEST = statement<{ id: string }>(
  'latest-exchange-rate',
  `SELECT id FROM masters.exchange_rate
   WHERE from_currency = $1 AND to_currency = $2 AND rate_date <= $3::date AND is_active AND deleted_at IS NULL
   ORDER BY rate_date DESC LIMIT 1`,
)
