/** Fiscal years and their periods. */
import { sql } from 'kysely'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import { implement } from '../../../http/route.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { closePeriod, createFiscalYear, listFiscalYears, reopenPeriod } from '../contract.ts'
import { ledgerProblems } from '../problems.ts'
import { checkFiscalYear, periodsOf, type YearDates } from '../rules/fiscal-year.ts'

export const create = implement(createFiscalYear, async (tx, { body }, context) => {
  const problems = checkFiscalYear(body)
  if (problems.length > 0) throw validationProblem(problems)
  await lockCalendar(tx)
  const overlapping = await tx.row(
    tenantSql
      .selectFrom('finance.fiscal_year')
      .select('name')
      .where('start_date', '<=', body.endDate)
      .where('end_date', '>=', body.startDate),
  )
  if (overlapping) {
    const message = `Fiscal year ${overlapping.name} covers some of these days`
    throw new Problem(ledgerProblems.yearOverlaps, { message })
  }
  // Postings in it would change the balances that a closed period begins with.
  const later = await neighbour(tx, body.startDate, 'later closed')
  if (later) throw new Problem(ledgerProblems.laterClosed, { message: `Open ${later} first` })
  const id = context.newId()
  await insertFiscalYear(tx, id, body, context.newId)
  const [year] = await readYears(tx, id)
  if (!year) throw new Error('A created fiscal year must come back')
  return year
})

export const list = implement(listFiscalYears, async (tx) => ({ fiscalYears: await readYears(tx, null) }))

export const close = implement(closePeriod, async (tx, { params }) => {
  const period = await lockPeriod(tx, params.id)
  if (period.status === 'closed') throw new Problem(ledgerProblems.alreadyClosed)
  const earlier = await neighbour(tx, period.start_date, 'earlier open')
  if (earlier) {
    throw new Problem(ledgerProblems.earlierOpen, {
      message: `Close ${earlier} first: periods close in order`,
    })
  }
  return setStatus(tx, params.id, 'closed', null)
})

export const reopen = implement(reopenPeriod, async (tx, { params, query }) => {
  const period = await lockPeriod(tx, params.id)
  if (period.status === 'open') throw new Problem(ledgerProblems.notClosed)
  const later = await neighbour(tx, period.start_date, 'later closed')
  if (later) throw new Problem(ledgerProblems.laterClosed, { message: `Open ${later} first` })
  return setStatus(tx, params.id, 'open', query.reason)
})

export async function insertFiscalYear(
  tx: TenantTx,
  id: string,
  year: YearDates,
  newId: () => string,
): Promise<void> {
  const periods = periodsOf(year).map((period) => ({ id: newId(), ...period }))
  await tx.run(
    tenantSql.insertInto('finance.fiscal_year').values({
      id,
      company_id: tx.companyId ?? '',
      name: year.name,
      start_date: year.startDate,
      end_date: year.endDate,
    }),
  )
  await tx.run(
    tenantSql.insertInto('finance.period').values(
      periods.map((period) => ({
        id: period.id,
        company_id: tx.companyId ?? '',
        fiscal_year_id: id,
        name: period.name,
        start_date: period.startDate,
        end_date: period.endDate,
      })),
    ),
  )
}

/** Two requests that shape the calendar take turns. */
async function lockCalendar(tx: TenantTx): Promise<void> {
  await tx.rows(
    sql`SELECT pg_advisory_xact_lock(hashtextextended('calendar' || ${tx.companyId}, 0))`.compile(tenantSql),
  )
}

/** Exclusive against the shared lock of every posting in this period (see finance.check_posted_entries). */
async function lockPeriod(tx: TenantTx, id: string): Promise<{ status: string; start_date: string }> {
  await lockCalendar(tx)
  await tx.rows(sql`SELECT pg_advisory_xact_lock(hashtextextended(${id}::uuid::text, 0))`.compile(tenantSql))
  const period = await tx.row(
    tenantSql.selectFrom('finance.period').select(['status', 'start_date']).where('id', '=', id),
  )
  if (!period) throw new Problem(problems.notFound, { message: 'There is no such period' })
  return { status: period.status, start_date: String(period.start_date) }
}

async function neighbour(
  tx: TenantRead,
  startDate: string,
  which: 'earlier open' | 'later closed',
): Promise<string | undefined> {
  const isEarlier = which === 'earlier open'
  const row = await tx.row(
    tenantSql
      .selectFrom('finance.period')
      .select('name')
      .where('status', '=', isEarlier ? 'open' : 'closed')
      .where('start_date', isEarlier ? '<' : '>', startDate)
      .orderBy('start_date', isEarlier ? 'asc' : 'desc')
      .limit(1),
  )
  return row?.name
}

interface PeriodData {
  id: string
  name: string
  startDate: string
  endDate: string
  status: 'open' | 'closed'
  statusReason: string | null
}

async function setStatus(
  tx: TenantTx,
  id: string,
  status: 'open' | 'closed',
  reason: string | null,
): Promise<PeriodData> {
  const row = await tx.row(
    sql<PeriodData>`UPDATE finance.period SET status = ${status}, status_reason = ${reason} WHERE id = ${id}
      RETURNING id, name, start_date AS "startDate", end_date AS "endDate", status,
        status_reason AS "statusReason"`.compile(tenantSql),
  )
  if (!row) throw new Problem(problems.notFound)
  return row
}

interface YearData extends Omit<PeriodData, 'statusReason'> {
  periods: PeriodData[]
}

function readYears(tx: TenantRead, id: string | null): Promise<YearData[]> {
  return tx.rows(
    sql<YearData>`SELECT y.id, y.name, y.start_date AS "startDate", y.end_date AS "endDate",
        CASE WHEN bool_and(p.status = 'closed') THEN 'closed' ELSE 'open' END AS status,
        json_agg(json_build_object('id', p.id, 'name', p.name, 'startDate', p.start_date, 'endDate', p.end_date,
          'status', p.status, 'statusReason', p.status_reason) ORDER BY p.start_date) AS periods
      FROM finance.fiscal_year y JOIN finance.period p ON p.fiscal_year_id = y.id
      WHERE ${id}::uuid IS NULL OR y.id = ${id}::uuid
      GROUP BY y.id ORDER BY y.start_date DESC`.compile(tenantSql),
  )
}
