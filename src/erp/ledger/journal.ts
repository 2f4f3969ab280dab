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
    const rows = await tx.prepared(PAGE, [tx.companyId, date, id, PAGE_ENTRIES])
    for (const row of rows) {
      yield {
        number: row.number,
        postingDate: row.posting_date,
        description: row.description ?? row.reference ?? '',
        lines: row.lines.map((line) => ({
          accountCode: line.code,
          accountName: line.name,
          debit: amountText(line.debit, row.currency),
          credit: amountText(line.credit, row.currency),
        })),
      }
    }
    const last = rows.at(-1)
    if (!last || rows.length < PAGE_ENTRIES) return
    ;[date, id] = [last.posting_date, last.id]
  }
}

/** Amounts as text: json numbers would become floats on the way. */
const PAGE = statement<{
  id: string
  number: string
  posting_date: string
  description: string | null
  reference: string | null
  currency: string
  lines: { code: string; name: string; debit: string; credit: string }[]
}>(
  'journal-page',
  `SELECT e.id, e.number, e.posting_date, e.description, e.reference, e.currency, lines.lines
   FROM finance.journal_entry e CROSS JOIN LATERAL (
     SELECT json_agg(json_build_object('code', a.code, 'name', a.name, 'debit', l.debit::text,
       'credit', l.credit::text) ORDER BY l.line_number) AS lines
     FROM finance.journal_line l JOIN masters.gl_account a ON a.id = l.account_id WHERE l.entry_id = e.id
   ) lines
   WHERE e.company_id = $1 AND (e.posting_date, e.id) > ($2::date, $3::uuid)
   ORDER BY e.posting_date, e.id LIMIT $4`,
)
