/**
 * Glossary
 * - mid, buy, sell: what one unit of the from-currency is worth, paid and asked, in the to-currency
 */
import { Type } from 'typebox'
import { CurrencyCode, DateText, operation } from '../../../http/contract.ts'
import { field, outputOf, type MasterDefinition } from '../definition.ts'

export const exchangeRate: MasterDefinition = {
  table: 'exchange_rate',
  singular: 'exchangeRate',
  plural: 'exchangeRates',
  path: 'exchange-rates',
  title: 'Exchange rates',
  tag: 'Exchange rates',
  scope: 'tenant',
  fields: {
    fromCurrency: field.currency({ required: true }),
    toCurrency: field.currency({ required: true }),
    rateDate: field.date({ required: true }),
    mid: field.decimal({ required: true, places: 12 }),
    buy: field.decimal({ nullable: true, places: 12 }),
    sell: field.decimal({ nullable: true, places: 12 }),
    source: field.text({ default: 'manual', maxLength: 60 }),
    isActive: field.flag(true),
  },
  searched: ['fromCurrency', 'toCurrency', 'source'],
  filtered: ['fromCurrency', 'toCurrency', 'rateDate', 'isActive'],
  sorted: ['rateDate', 'fromCurrency', 'toCurrency', 'createdAt', 'updatedAt'],
  unique: [],
  defaultSort: { field: 'rateDate', order: 'desc' },
}

export const lookUpExchangeRate = operation({
  name: 'lookUpExchangeRate',
  method: 'GET',
  path: '/masters/exchange-rates/lookup',
  summary: 'Exchange rates: the latest on or before a day',
  tag: 'Exchange rates',
  audience: 'tenant',
  permission: 'exchange-rates:view',
  access: 'read',
  query: Type.Object(
    { fromCurrency: CurrencyCode, toCurrency: CurrencyCode, date: DateText },
    { additionalProperties: false },
  ),
  data: outputOf(exchangeRate),
})
