/**
 * Glossary
 * - category: what is measured (count, weight, length …); units convert within one only
 * - factor: how many base units of the category one of this unit is, exactly
 */
import { field, type MasterDefinition } from '../definition.ts'

export const unitOfMeasure: MasterDefinition = {
  table: 'unit_of_measure',
  singular: 'unitOfMeasure',
  plural: 'unitsOfMeasure',
  path: 'units-of-measure',
  title: 'Units of measure',
  tag: 'Units of measure',
  scope: 'company',
  fields: {
    code: field.text({ required: true, maxLength: 20 }),
    name: field.words({ required: true, maxLength: 100 }),
    category: field.words({ required: true, maxLength: 40 }),
    factor: field.decimal({ default: '1', places: 12 }),
    isBase: field.flag(false),
    isActive: field.flag(true),
  },
  searched: ['code', 'name', 'category'],
  filtered: ['category', 'isBase', 'isActive'],
  sorted: ['code', 'name', 'category', 'createdAt', 'updatedAt'],
  unique: ['code'],
  defaultSort: { field: 'code', order: 'asc' },
}
