/**
 * Glossary
 * - company: one set of books inside a tenant: its own chart, journals, base currency, fiscal calendar
 */
import { Type } from 'typebox'
import { Id, IdParams, Instant, nullable, operation, pageOf, pageQuery } from '../../http/contract.ts'

export const Company = Type.Object({
  id: Id,
  code: Type.String(),
  name: Type.String(),
  legalName: nullable(Type.String()),
  taxId: nullable(Type.String()),
  country: Type.String(),
  baseCurrency: Type.String(),
  fiscalYearStartMonth: Type.Integer({ minimum: 1, maximum: 12 }),
  chartTemplate: Type.String(),
  isActive: Type.Boolean(),
  createdAt: Instant,
  updatedAt: Instant,
})

export const listCompanies = operation({
  name: 'listCompanies',
  method: 'GET',
  path: '/companies',
  summary: "The tenant's companies",
  tag: 'Companies',
  audience: 'tenant',
  permission: 'companies:view',
  access: 'read',
  query: Type.Object({ page: pageQuery.page, limit: pageQuery.limit }, { additionalProperties: false }),
  data: pageOf('companies', Company),
})

export const getCompany = operation({
  name: 'getCompany',
  method: 'GET',
  path: '/companies/{id}',
  summary: 'One company',
  tag: 'Companies',
  audience: 'tenant',
  permission: 'companies:view',
  access: 'read',
  params: IdParams,
  data: Company,
})
