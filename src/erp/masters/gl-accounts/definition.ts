/**
 * Glossary
 * - heading: an account that only groups others; nothing is posted to it
 * - control account: kept by a sub-ledger (receivables, payables, stock, tax, bank), never by hand
 */
import { Type } from 'typebox'
import { operation } from '../../../http/contract.ts'
import { accountTypes } from '../../reports/contract.ts'
import { field, outputOf, type MasterDefinition } from '../definition.ts'

export const controlAccounts = ['none', 'receivable', 'payable', 'inventory', 'tax', 'bank'] as const

export const glAccount: MasterDefinition = {
  table: 'gl_account',
  singular: 'glAccount',
  plural: 'glAccounts',
  path: 'gl-accounts',
  title: 'GL accounts',
  tag: 'GL accounts',
  scope: 'company',
  fields: {
    code: field.text({ required: true, maxLength: 40, pattern: '^[^\\s]([^\\n\\r\\t]*[^\\s])?$' }),
    name: field.words({ required: true, maxLength: 200 }),
    nameArabic: field.words({ nullable: true, maxLength: 200 }),
    type: field.choice(accountTypes, { required: true }),
    parentId: field.reference({ nullable: true }),
    controlAccount: field.choice(controlAccounts, { default: 'none' }),
    postingAllowed: field.flag(true),
    currency: field.currency({ nullable: true, description: 'null: any currency' }),
    isActive: field.flag(true),
  },
  searched: ['code', 'name', 'nameArabic'],
  filtered: ['type', 'parentId', 'controlAccount', 'postingAllowed', 'isActive', 'currency'],
  sorted: ['code', 'name', 'type', 'createdAt', 'updatedAt'],
  unique: ['code'],
  defaultSort: { field: 'code', order: 'asc' },
}

const account = outputOf(glAccount)

export const glAccountTree = operation({
  name: 'glAccountTree',
  method: 'GET',
  path: '/masters/gl-accounts/tree',
  summary: 'GL accounts: the whole chart as a tree',
  tag: 'GL accounts',
  audience: 'tenant',
  permission: 'gl-accounts:view',
  access: 'read',
  data: Type.Object({
    glAccounts: Type.Array(
      Type.Object({
        ...account.properties,
        children: Type.Array(Type.Unknown(), { description: 'The accounts below, of the same shape' }),
      }),
    ),
  }),
})
