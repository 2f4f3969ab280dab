/** The whole journal in the order of its dates, read in pages, so that its size does not matter. */
import { statement, type TenantRead } from '../../tenancy/handles.ts'
import { amountText } from './presentation.ts'

export interface JournalRecord {
  readonly number: string
  readonly postingDate: string
  readonly description: string
  readonly lines: readonly { accountCode: string; accountName: string; debit: string; credit: string }[]
}

const PAGE_ENTRIES = 1_000
const BEFORE_ALL = '0001-01-01'
const NO_ID = '00000000-0000-0000-0000-000000000000'

export async function* readJournal(tx: TenantRead): AsyncGenerator<JournalRecord> {
  let [date, id] = [BEFORE_ALL, NO_ID]
  for (;;) {
    const entries = await tx.prepared(ENTRIES, [tx.companyId, date, id, PAGE_ENTRIES])
    const lines = Map.groupBy(
      await tx.prepared(LINES, [entries.map((entry) => entry.id)]),
      ({ entry_id }) => entry_id,
    )
    for (const entry of entries) {
      yield {
        number: entry.number,
        postingDate: entry.posting_date,
        description: entry.description ?? entry.reference ?? '',
        lines: (lines.get(entry.id) ?? []).map((line) => ({
          accountCode: line.code,
          accountName: line.name,
          debit: amountText(line.debit, entry.currency),
          credit: amountText(line.credit, entry.currency),
        })),
      }
    }
    const last = entries.at(-1)
    if (!last || entries.length < PAGE_ENTRIES) return
    ;[date, id] = [last.posting_date, last.id]
  }
}

const ENTRIES = statement<{
  id: string
  number: string
  posting_date: string
  description: string | null
  reference: string | null
  currency: string
}>(
  'journal-page',
  `SELECT id, number, posting_date, description, reference, currency FROM finance.journal_entry
   WHERE company_id = $1 AND (posting_date, id) > ($2::date, $3::uuid) ORDER BY posting_date, id LIMIT $4`,
)

/**
 * The lines of a page in one look: joined entry by entry they were found by walking the whole table each
 * time, straight after a large import, when the table had no statistics yet.
 */
const LINES = statement<{ entry_id: string; code: string; name: string; debit: string; credit: string }>(
  'journal-page-lines',
  `SELECT l.entry_id, a.code, a.name, l.debit, l.credit
   FROM finance.journal_line l JOIN masters.gl_account a ON a.id = l.account_id
   WHERE l.entry_id = ANY($1::uuid[]) ORDER BY l.entry_id, l.line_number`,
)
