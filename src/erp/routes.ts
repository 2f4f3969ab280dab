/** Every route of the ERP, module by module. */
import type { Route } from '../http/route.ts'
import { auditRoutes } from './audit/operations.ts'
import { companyRoutes } from './companies/operations.ts'
import { ledgerRoutes } from './ledger/routes.ts'
import { currencyRoutes } from './masters/currencies/operations.ts'
import { exchangeRateRoutes } from './masters/exchange-rates/operations.ts'
import { glAccountRoutes } from './masters/gl-accounts/operations.ts'
import { unitOfMeasureRoutes } from './masters/units-of-measure/operations.ts'
import { reportRoutes } from './reports/operations.ts'

export const erpRoutes: readonly Route[] = [
  ...auditRoutes,
  ...companyRoutes,
  ...glAccountRoutes,
  ...unitOfMeasureRoutes,
  ...currencyRoutes,
  ...exchangeRateRoutes,
  ...ledgerRoutes,
  ...reportRoutes,
]
