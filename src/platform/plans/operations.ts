import { Decimal } from '../../kernel/decimal.ts'
import { minorUnits } from '../../kernel/currency.ts'
import { implement, type Route } from '../../http/route.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { listPlans } from './contract.ts'

export const planRoutes: Route[] = [
  implement(listPlans, async (tx) => {
    const plans = await tx.rows(
      platformSql
        .selectFrom('platform.plan')
        .select([
          'id',
          'code',
          'name',
          'monthly_price as monthlyPrice',
          'currency',
          'companies_limit as companiesLimit',
          'users_per_company_limit as usersPerCompanyLimit',
          'transactions_per_month_limit as transactionsPerMonthLimit',
          'storage_gigabytes_limit as storageGigabytesLimit',
          'requests_per_hour_limit as requestsPerHourLimit',
          'support',
          'is_active as isActive',
        ])
        .orderBy('monthly_price'),
    )
    const priced = plans.map((plan) => {
      const monthlyPrice = Decimal.of(plan.monthlyPrice).toFixed(minorUnits(plan.currency))
      return { ...plan, monthlyPrice }
    })
    return { plans: priced }
  }),
]
