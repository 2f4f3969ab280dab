import { Type } from 'typebox'
import { Amount, Id, nullable, operation } from '../../http/contract.ts'

export const Plan = Type.Object({
  id: Id,
  code: Type.String(),
  name: Type.String(),
  monthlyPrice: Amount,
  currency: Type.String(),
  companiesLimit: nullable(Type.Integer({ description: 'null: no limit' })),
  usersPerCompanyLimit: nullable(Type.Integer()),
  transactionsPerMonthLimit: nullable(Type.Integer()),
  storageGigabytesLimit: Type.Integer(),
  requestsPerHourLimit: Type.Integer(),
  support: Type.String(),
  isActive: Type.Boolean(),
})

export const listPlans = operation({
  name: 'listPlans',
  method: 'GET',
  path: '/plans',
  summary: 'Plans on offer, cheapest first',
  tag: 'Plans',
  audience: 'platform',
  permission: 'plans:view',
  access: 'read',
  data: Type.Object({ plans: Type.Array(Plan) }),
})
