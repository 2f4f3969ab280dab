/** Puts the documents of a sales file into the books: once each, however often the import is started. */
import { sql } from 'kysely'
import { fiscalYearOn } from '../ledger/rules/fiscal-year.ts'
import { insertFiscalYear } from '../ledger/operations/calendar.ts'
import { loadBooks } from '../ledger/books.ts'
import { GENERAL_JOURNAL, post, type PostingInput } from '../ledger/posting.ts'
import { checkEntry, checkPeriod } from '../ledger/rules/entry.ts'
import { validationProblem, type FieldProblem } from '../../kernel/problem.ts'
import { statement, tenantSql, type TenantTx } from '../../tenancy/handles.ts'
import type { SalesEntry } from './rules/salesJournal.ts'

const KNOWN_SOURCES = statement<{ source_id: string }>(
  'known-sources',
  'SELECT source_id FROM finance.journal_entry WHERE source_type = $1 AND source_id = ANY($2::text[])',
)

/** All of the batch that is not yet in the books, or none. */
export async function postSalesBatch(
  tx: TenantTx,
  entries: readonly SalesEntry[],
  newId: () => string,
): Promise<{ posted: number; alreadyThere: number }> {
  const ids = entries.map(({ source }) => source.id)
  const known = new Set(
    (await tx.prepared(KNOWN_SOURCES, [entries[0]?.source.type, ids])).map((row) => row.source_id),
  )
  const fresh = entries.filter(({ source }) => !known.has(source.id))
  if (fresh.length > 0) {
    await ensureFiscalYears(tx, fresh.map(({ transactionDate }) => transactionDate), newId) // prettier-ignore
    await post(tx, GENERAL_JOURNAL, await checkedPostings(tx, fresh, newId), newId)
  }
  return { posted: fresh.length, alreadyThere: known.size }
}

async function checkedPostings(
  tx: TenantTx,
  entries: readonly SalesEntry[],
  newId: () => string,
): Promise<PostingInput[]> {
  const books = await loadBooks(tx, entries)
  const wrong: FieldProblem[] = []
  const postings: PostingInput[] = []
  for (const entry of entries) {
    const path = `document ${entry.source.id}: `
    const checked = checkEntry(entry, books, 'manual', path)
    const period = checkPeriod(entry, books, path)
    if (checked.problems || period.problems)
      wrong.push(...(checked.problems ?? []), ...(period.problems ?? []))
    else {
      const { source } = entry
      postings.push({ id: newId(), entry: checked.value, period: period.value, source, actor: tx.actor })
    }
  }
  if (wrong.length > 0) throw validationProblem(wrong.slice(0, 50))
  return postings
}

/** History comes before the fiscal years that a new company starts with: those it needs are made, open. */
async function ensureFiscalYears(tx: TenantTx, dates: readonly string[], newId: () => string): Promise<void> {
  const [first, last] = [dates.toSorted()[0] ?? '', dates.toSorted().at(-1) ?? '']
  const [company] = await tx.rows(
    sql<{
      month: number
    }>`SELECT fiscal_year_start_month AS month FROM core.company WHERE id = ${tx.companyId}`.compile(
      tenantSql,
    ),
  )
  const wanted = [first, last].map((date) => fiscalYearOn(date, company?.month ?? 1))
  for (const year of new Map(wanted.map((candidate) => [candidate.name, candidate])).values()) {
    const [covered] = await tx.rows(
      sql<{ name: string }>`SELECT name FROM finance.fiscal_year
        WHERE start_date <= ${year.endDate} AND end_date >= ${year.startDate}`.compile(tenantSql),
    )
    if (!covered) await insertFiscalYear(tx, newId(), year, newId)
  }
}
