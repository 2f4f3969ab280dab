/**
 * What the generic screen needs to know of a master: its address, the name its list goes by, and its fields.
 * A new master is one entry here and its words in the locales.
 */
import type { Texts } from '../../shared/locales/en.ts'
import type { MasterKey } from './keys.ts'

export interface MasterField {
  name: keyof Texts['masterFields']
  kind: 'text' | 'decimal' | 'integer' | 'date' | 'switch' | 'currency'
  isRequired?: boolean
  /** Shown in the form only. */
  isUnlisted?: boolean
  /** Chosen when the row is made, and never changed. */
  isFixed?: boolean
  initial?: string | number | boolean
}

export interface MasterDefinition {
  path: `/masters/${MasterKey}`
  plural: string
  /** The field a row is called by. */
  title: (row: MasterRow) => string
  fields: readonly MasterField[]
}

export interface MasterRow {
  id: string
  [field: string]: unknown
}

const code: MasterField = { name: 'code', kind: 'text', isRequired: true }
const name: MasterField = { name: 'name', kind: 'text', isRequired: true }
const isActive: MasterField = { name: 'isActive', kind: 'switch', initial: true }

export const masterDefinitions: Record<MasterKey, MasterDefinition> = {
  'units-of-measure': {
    path: '/masters/units-of-measure',
    plural: 'unitsOfMeasure',
    title: (row) => String(row['code']),
    fields: [
      code,
      name,
      { name: 'category', kind: 'text', isRequired: true },
      { name: 'factor', kind: 'decimal', isRequired: true, initial: '1' },
      { name: 'isBase', kind: 'switch', initial: false },
      isActive,
    ],
  },
  currencies: {
    path: '/masters/currencies',
    plural: 'currencies',
    title: (row) => String(row['code']),
    fields: [
      { ...code, isFixed: true },
      name,
      { name: 'symbol', kind: 'text' },
      { name: 'numericCode', kind: 'text', isUnlisted: true },
      { name: 'minorUnits', kind: 'integer', isRequired: true, initial: 2 },
      isActive,
    ],
  },
  'exchange-rates': {
    path: '/masters/exchange-rates',
    plural: 'exchangeRates',
    title: (row) => `${String(row['fromCurrency'])}/${String(row['toCurrency'])} ${String(row['rateDate'])}`,
    fields: [
      { name: 'fromCurrency', kind: 'currency', isRequired: true },
      { name: 'toCurrency', kind: 'currency', isRequired: true },
      { name: 'rateDate', kind: 'date', isRequired: true },
      { name: 'mid', kind: 'decimal', isRequired: true },
      { name: 'buy', kind: 'decimal' },
      { name: 'sell', kind: 'decimal' },
      { name: 'source', kind: 'text', initial: 'manual' },
      isActive,
    ],
  },
}
