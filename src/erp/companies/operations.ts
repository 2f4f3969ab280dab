import { sql } from 'kysely'
import type { Static } from 'typebox'
import { paginationOf } from '../../http/contract.ts'
import { implement, type Principal, type Route } from '../../http/route.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { tenantSql } from '../../tenancy/handles.ts'
import { WORKS_IN } from '../identity/company-access.ts'
import { getCompany, listCompanies, type Company } from './contract.ts'

type CompanyData = Static<typeof Company>

const COLUMNS = sql.raw(`id, code, name, legal_name AS "legalName", tax_id AS "taxId", country,
  base_currency AS "baseCurrency", fiscal_year_start_month AS "fiscalYearStartMonth",
  chart_template AS "chartTemplate", is_active AS "isActive", created_at AS "createdAt", updated_at AS "updatedAt"`)

/** Only the companies the caller works in, a user or an API key, or that support has entered: another one is not there for them. */
const visibleTo = (caller: Principal | undefined) => sql`c.deleted_at IS NULL
  AND (c.id = ${caller?.support ? caller.companyId : null} OR EXISTS (
    SELECT FROM core.app_user u WHERE u.id = ${caller?.id ?? null} AND ${sql.raw(WORKS_IN)})
  OR EXISTS (SELECT FROM core.api_key k
    WHERE k.id = ${caller?.id ?? null} AND (k.all_companies OR c.id = ANY (k.company_ids))))`

export const companyRoutes: Route[] = [
  implement(listCompanies, async (tx, { query }, { principal }) => {
    const [page, limit] = [query.page ?? 1, query.limit ?? 50]
    const from = sql`FROM core.company c WHERE ${visibleTo(principal)}`
    const [companies, [counted]] = await Promise.all([
      tx.rows(
        sql<CompanyData>`SELECT ${COLUMNS} ${from} ORDER BY code LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(
          tenantSql,
        ),
      ),
      tx.rows(sql<{ total: number }>`SELECT count(*) AS total ${from}`.compile(tenantSql)),
    ])
    return { companies, pagination: paginationOf(counted?.total ?? 0, page, limit) }
  }),
  implement(getCompany, async (tx, { params }, { principal }) => {
    const company = await tx.row(
      sql<CompanyData>`SELECT ${COLUMNS} FROM core.company c
        WHERE c.id = ${params.id} AND ${visibleTo(principal)}`.compile(tenantSql),
    )
    if (!company) throw new Problem(problems.notFound, { message: 'There is no such company' })
    return company
  }),
]
