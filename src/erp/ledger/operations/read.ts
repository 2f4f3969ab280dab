/** Reading journal entries: drafts and posted ones in one list. */
import { sql, type RawBuilder } from 'kysely'
import { paginationOf } from '../../../http/contract.ts'
import { implement } from '../../../http/route.ts'
import { Problem, problems } from '../../../kernel/problem.ts'
import { statement, tenantSql, type TenantRead } from '../../../tenancy/handles.ts'
import { likePattern } from '../../../tenancy/sql-text.ts'
import { getJournalEntry, listJournalEntries } from '../contract.ts'
import {
  presentEntry,
  presentSummary,
  type EntryData,
  type LineRow,
  type SummaryRow,
} from '../presentation.ts'

/** A number's parts: as text, the tenth year of a company's numbers would come before its second. */
const NUMBER = ['year_start', 'journal_code', 'sequence'] as const
const SORT_COLUMNS = { postingDate: ['posting_date'], number: NUMBER, totalDebit: ['total'] } as const

export const list = implement(listJournalEntries, async (tx, { query }) => {
  const page = query.page ?? 1
  const limit = query.limit ?? 50
  const offset = (page - 1) * limit
  const direction = query.order === 'asc' ? sql`ASC` : sql`DESC`
  const columns = [...SORT_COLUMNS[query.sort ?? 'postingDate'], 'id']
  const sorted = sql`ORDER BY ${sql.join(columns.map((column) => sql`${sql.ref(column)} ${direction}`))}`
  const byNumber =
    query.sort === 'number' ? sql`ORDER BY e.sequence ${direction} LIMIT ${offset + limit}` : undefined
  const parts = sources(query, byNumber)
  // Each part is cut before they are merged, so that a page reads no more than it must.
  const selected = parts.map(
    ({ rows }) => sql`(SELECT * FROM (${rows}) part ${sorted} LIMIT ${offset + limit})`,
  )
  const [rows, totals] = await Promise.all([
    tx.rows(
      sql<SummaryRow>`SELECT * FROM (${sql.join(selected, sql` UNION ALL `)}) entries ${sorted}
        LIMIT ${limit} OFFSET ${offset}`.compile(tenantSql),
    ),
    tx.rows(sql<{ total: number }>`SELECT (${sql.join(parts.map(({ total }) => total), sql` + `)}) AS total`.compile(tenantSql)), // prettier-ignore
  ])
  return {
    journalEntries: rows.map(presentSummary),
    pagination: paginationOf(totals[0]?.total ?? 0, page, limit),
  }
})

export const get = implement(getJournalEntry, (tx, { params }) => readEntry(tx, params.id))

export async function readEntry(tx: TenantRead, id: string): Promise<EntryData> {
  const [[posted], postedLines, [draft], draftLines] = await Promise.all([
    tx.prepared(POSTED_ENTRY, [id]),
    tx.prepared(POSTED_LINES, [id]),
    tx.prepared(DRAFT_ENTRY, [id]),
    tx.prepared(DRAFT_LINES, [id]),
  ])
  if (posted) return presentEntry(posted, postedLines)
  if (draft) return presentEntry(draft, draftLines)
  throw new Problem(problems.notFound, { message: 'There is no such journal entry' })
}

interface Filters {
  readonly status?: 'draft' | 'posted' | 'reversed' | undefined
  readonly from?: string
  readonly to?: string
  readonly search?: string
}

interface Source {
  readonly rows: RawBuilder<unknown>
  readonly total: RawBuilder<unknown>
}

function sources(filters: Filters, byNumber: RawBuilder<unknown> | undefined): Source[] {
  const { status } = filters
  return [
    ...(status === undefined || status !== 'draft' ? [postedSource(filters, byNumber)] : []),
    ...(status === undefined || status === 'draft' ? [draftSource(filters, byNumber !== undefined)] : []),
  ]
}

/**
 * `byNumber`: each journal's entries of each year come from the index of their numbers, no more of them than
 * the page can need.
 */
function postedSource(filters: Filters, byNumber: RawBuilder<unknown> | undefined): Source {
  const { status, search } = filters
  const conditions = dateConditions(filters)
  if (status === 'posted') conditions.push(sql`r.id IS NULL`)
  if (status === 'reversed') conditions.push(sql`r.id IS NOT NULL`)
  if (search !== undefined && search !== '') {
    const pattern = likePattern(search)
    conditions.push(
      sql`(e.number ILIKE ${pattern} OR e.description ILIKE ${pattern} OR e.reference ILIKE ${pattern})`,
    )
  }
  const from = sql`FROM finance.journal_entry e LEFT JOIN finance.journal_entry r ON r.reverses_id = e.id
    WHERE ${sql.join(conditions, sql` AND `)}`
  const columns = sql`e.id, e.number, e.transaction_date, e.posting_date, e.description, e.reference,
    e.currency, e.total, e.reverses_id, r.id AS reversed_by_id, e.created_at, e.updated_at`
  const rows = byNumber
    ? sql`SELECT found.*, y.start_date AS year_start, j.code AS journal_code
        FROM finance.fiscal_year y CROSS JOIN finance.journal j CROSS JOIN LATERAL (
          SELECT ${columns}, e.sequence ${from} AND e.company_id = y.company_id AND e.journal_id = j.id
            AND e.fiscal_year_id = y.id ${byNumber}) found`
    : sql`SELECT ${columns} ${from}`
  // Numbers have no gaps, so the counters add up to the number of entries: nothing needs counting.
  const isUnfiltered = conditions.length === 1 && status === undefined
  const total = isUnfiltered
    ? sql`(SELECT coalesce(sum(last_number), 0)::bigint FROM finance.number_series)`
    : sql`(SELECT count(*) ${from})`
  return { rows, total }
}

function draftSource(filters: Filters, isByNumber: boolean): Source {
  const { search } = filters
  const conditions = dateConditions(filters)
  if (search !== undefined && search !== '') {
    const pattern = likePattern(search)
    conditions.push(sql`(e.description ILIKE ${pattern} OR e.reference ILIKE ${pattern})`)
  }
  const from = sql`FROM finance.journal_draft e WHERE ${sql.join(conditions, sql` AND `)}`
  const rows = sql`SELECT e.id, NULL::text AS number, e.transaction_date, e.posting_date, e.description,
    e.reference, e.currency, e.total, NULL::uuid AS reverses_id, NULL::uuid AS reversed_by_id, e.created_at,
    e.updated_at${isByNumber ? NO_NUMBER : sql``} ${from}`
  return { rows, total: sql`(SELECT count(*) ${from})` }
}

const NO_NUMBER = sql`, NULL::bigint AS sequence, NULL::date AS year_start, NULL::text AS journal_code`

function dateConditions({ from, to }: Filters): RawBuilder<unknown>[] {
  return [
    sql`true`,
    ...(from === undefined ? [] : [sql`e.posting_date >= ${from}::date`]),
    ...(to === undefined ? [] : [sql`e.posting_date <= ${to}::date`]),
  ]
}

export const POSTED_ENTRY = statement<SummaryRow>(
  'posted-entry',
  `SELECT e.id, e.number, e.transaction_date, e.posting_date, e.description, e.reference, e.currency, e.total,
     e.reverses_id, r.id AS reversed_by_id, e.created_at, e.updated_at
   FROM finance.journal_entry e LEFT JOIN finance.journal_entry r ON r.reverses_id = e.id WHERE e.id = $1`,
)

const DRAFT_ENTRY = statement<SummaryRow>(
  'draft-entry',
  `SELECT id, NULL::text AS number, transaction_date, posting_date, description, reference, currency, total,
     NULL::uuid AS reverses_id, NULL::uuid AS reversed_by_id, created_at, updated_at
   FROM finance.journal_draft WHERE id = $1`,
)

const LINE_COLUMNS = `l.id, l.line_number, l.account_id, a.code AS account_code, a.name AS account_name, l.debit,
  l.credit, l.description, l.currency, l.currency_debit, l.currency_credit, l.exchange_rate`

export const POSTED_LINES = statement<LineRow>(
  'posted-lines',
  `SELECT ${LINE_COLUMNS} FROM finance.journal_line l JOIN masters.gl_account a ON a.id = l.account_id
   WHERE l.entry_id = $1 ORDER BY l.line_number`,
)

const DRAFT_LINES = statement<LineRow>(
  'draft-entry-lines',
  `SELECT ${LINE_COLUMNS} FROM finance.journal_draft_line l JOIN masters.gl_account a ON a.id = l.account_id
   WHERE l.draft_id = $1 ORDER BY l.line_number`,
)
