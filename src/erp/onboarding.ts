/**
 * The one door through which the platform enters the ERP: what every tenant starts with, its first company
 * and its first administrator; the proof of its books, for those who back them up and bring them back; and support.
 */
import { sql } from 'kysely'
import { currencies, minorUnits } from '../kernel/currency.ts'
import { hashSecret } from '../http/tokens.ts'
import { tenantSql, type TenantTx } from '../tenancy/handles.ts'
import { ledgerProof } from './checks/ledger-proof.ts'
import { chartTemplates, type ChartTemplateCode } from './companies/rules/charts.ts'
import { unitsOfMeasure } from './companies/rules/units.ts'
import { ADMINISTRATOR, builtInRoles } from './identity/permissions.ts'
import { insertFiscalYear } from './ledger/operations/calendar.ts'
import { GENERAL_JOURNAL } from './ledger/posting.ts'
import { fiscalYearOn } from './ledger/rules/fiscal-year.ts'

export { chartTemplates, ledgerProof, type ChartTemplateCode }
export { supportPermissions } from './support/rules/support-abilities.ts'
export {
  admitSupport,
  dismissSupport,
  supportStay,
  witnessSupport,
  type SupportAccessKind,
} from './support/sessions.ts'
export { accountBalances, endAccess, proveBooks, type AccountBalance, type ReadIn } from './checks/proof.ts'

/** What is the same for every tenant: put into the template database once, and copied with it. */
export async function insertTenantDefaults(tx: TenantTx): Promise<void> {
  await tx.run(
    sql`INSERT INTO core.role
      (name, description, permissions, discount_percent_maximum, discount_amount_maximum, is_built_in)
    SELECT name, description, permissions, "discountPercentMaximum", "discountAmountMaximum", true
    FROM jsonb_to_recordset(${JSON.stringify(builtInRoles)}::jsonb) AS r (name text, description text,
      permissions text[], "discountPercentMaximum" numeric, "discountAmountMaximum" numeric)
    ON CONFLICT DO NOTHING`.compile(tenantSql),
  )
  const list = currencies.map(({ code, name, numeric }) => ({
    code,
    name,
    numeric,
    minor_units: minorUnits(code),
  }))
  await tx.run(
    sql`INSERT INTO masters.currency (code, name, numeric_code, minor_units)
    SELECT code, name, numeric, minor_units
    FROM jsonb_to_recordset(${JSON.stringify(list)}::jsonb) AS c (code text, name text, numeric text, minor_units smallint)
    ON CONFLICT DO NOTHING`.compile(tenantSql),
  )
}

export interface FirstCompany {
  readonly id: string
  readonly code: string
  readonly name: string
  readonly country: string
  readonly currency: string
  readonly chartTemplate: ChartTemplateCode
  readonly today: string
}

/** A company with its chart of accounts, units, fiscal year and journal. Repeating it changes nothing. */
export async function createCompany(tx: TenantTx, company: FirstCompany, newId: () => string): Promise<void> {
  const created = await tx.run(
    sql`INSERT INTO core.company (id, code, name, country, base_currency, chart_template)
    VALUES (${company.id}, ${company.code}, ${company.name}, ${company.country}, ${company.currency},
      ${company.chartTemplate}) ON CONFLICT (id) DO NOTHING`.compile(tenantSql),
  )
  if (created === 0) return
  await insertChart(tx, company.id, company.chartTemplate, newId)
  await tx.run(
    sql`INSERT INTO masters.unit_of_measure (company_id, code, name, category, factor, is_base)
    SELECT ${company.id}::uuid, code, name, category, factor, "isBase"
    FROM jsonb_to_recordset(${JSON.stringify(unitsOfMeasure)}::jsonb)
      AS u (code text, name text, category text, factor numeric, "isBase" boolean)`.compile(tenantSql),
  )
  await tx.run(
    sql`INSERT INTO finance.journal (company_id, code, name)
    VALUES (${company.id}, ${GENERAL_JOURNAL}, 'General journal')`.compile(tenantSql),
  )
  await insertFiscalYear(tx, newId(), fiscalYearOn(company.today, 1), newId)
}

async function insertChart(
  tx: TenantTx,
  companyId: string,
  template: ChartTemplateCode,
  newId: () => string,
): Promise<void> {
  const chart = chartTemplates.find(({ code }) => code === template)
  if (!chart) throw new Error(`There is no chart template ${template}`)
  const ids = new Map(chart.accounts.map(({ code }) => [code, newId()]))
  const accounts = chart.accounts.map((account) => ({
    id: ids.get(account.code),
    code: account.code,
    name: account.name,
    name_arabic: account.nameArabic ?? null,
    type: account.type,
    parent_id: account.parentCode === null ? null : ids.get(account.parentCode),
    control_account: account.controlAccount,
    posting_allowed: account.postingAllowed,
  }))
  await tx.run(
    sql`INSERT INTO masters.gl_account
      (id, company_id, code, name, name_arabic, type, parent_id, control_account, posting_allowed)
    SELECT id, ${companyId}::uuid, code, name, name_arabic, type, parent_id, control_account, posting_allowed
    FROM jsonb_to_recordset(${JSON.stringify(accounts)}::jsonb) AS a (id uuid, code text, name text,
      name_arabic text, type text, parent_id uuid, control_account text, posting_allowed boolean)`.compile(
      tenantSql,
    ),
  )
}

export interface FirstAdministrator {
  readonly id: string
  readonly fullName: string
  readonly email: string
  readonly passwordHash: string | null
  /** Secret of a set-password link, for an administrator without a password. */
  readonly linkSecret: string | null
  readonly linkExpiresAt: string
}

export async function createAdministrator(tx: TenantTx, admin: FirstAdministrator): Promise<void> {
  await tx.run(
    sql`INSERT INTO core.app_user
      (id, full_name, email, password_hash, password_changed_at, role_id, all_companies)
    SELECT ${admin.id}, ${admin.fullName}, ${admin.email}, ${admin.passwordHash}, now(), id, true
    FROM core.role WHERE name = ${ADMINISTRATOR} ON CONFLICT (id) DO NOTHING`.compile(tenantSql),
  )
  if (admin.linkSecret === null) return
  await tx.run(
    sql`INSERT INTO core.password_token (user_id, token_hash, expires_at)
    VALUES (${admin.id}, ${hashSecret(admin.linkSecret)}, ${admin.linkExpiresAt})
    ON CONFLICT (token_hash) DO NOTHING`.compile(tenantSql),
  )
}
