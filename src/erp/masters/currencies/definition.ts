import { field, type MasterDefinition } from '../definition.ts'

export const currency: MasterDefinition = {
  table: 'currency',
  singular: 'currency',
  plural: 'currencies',
  path: 'currencies',
  title: 'Currencies',
  tag: 'Currencies',
  scope: 'tenant',
  fields: {
    code: field.text({ required: true, maxLength: 3, pattern: '^[A-Z]{3}$', description: 'ISO 4217 code' }),
    name: field.words({ required: true, maxLength: 100 }),
    numericCode: field.text({ nullable: true, maxLength: 3, pattern: '^[0-9]{3}$' }),
    minorUnits: field.integer({ default: 2, minimum: 0, maximum: 4 }),
    symbol: field.text({ nullable: true, maxLength: 8 }),
    isActive: field.flag(true),
  },
  searched: ['code', 'name'],
  filtered: ['isActive'],
  sorted: ['code', 'name', 'createdAt', 'updatedAt'],
  unique: ['code'],
  defaultSort: { field: 'code', order: 'asc' },
}
