/**
 * Posting: the only door into the books. One statement writes everything an entry is: its number, header,
 * lines, balances and audit row. The number's counter is locked last, just before the commit, so that
 * postings wait for each other as short as possible; `journal_entry_check` (see the migration) then has
 * the database's own word on what was written.
 */
import type { Actor, TenantTx } from '../../tenancy/handles.ts'
import { statement } from '../../tenancy/handles.ts'
import type { Entry, PeriodFacts } from './rules/entry.ts'

export interface PostingInput {
  readonly id: string
  readonly entry: Entry
  readonly period: PeriodFacts
  /** What the entry was made from, booked once only; null: written by hand. */
  readonly source?: { readonly type: string; readonly id: string } | undefined
  readonly reversesId?: string | undefined
  readonly actor: Actor
}

export interface PostedEntry {
  readonly id: string
  readonly number: string
  readonly createdAt: string
  readonly updatedAt: string
  /** One for each line, in order. */
  readonly lineIds: readonly string[]
}

export const GENERAL_JOURNAL = 'JE'

export async function post(
  tx: TenantTx,
  journalCode: string,
  inputs: readonly PostingInput[],
  newId: () => string,
): Promise<PostedEntry[]> {
  if (inputs.length === 0) return []
  const lineIds = inputs.map(({ entry }) => entry.lines.map(() => newId()))
  const entries = inputs.map((input, position) => headerOf(input, position))
  const lines = inputs.flatMap((input, index) => linesOf(input, lineIds[index] ?? []))
  const rows = await tx.prepared(POST, [
    tx.companyId,
    journalCode,
    JSON.stringify(entries),
    JSON.stringify(lines),
  ])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return inputs.map(({ id }, index) => {
    const row = byId.get(id)
    if (!row) throw new Error(`Journal ${journalCode} does not exist in this company`)
    return { ...row, lineIds: lineIds[index] ?? [] }
  })
}

function headerOf({ id, entry, period, source, reversesId, actor }: PostingInput, position: number): object {
  return {
    position,
    id,
    fiscal_year_id: period.fiscalYearId,
    period_id: period.id,
    transaction_date: entry.transactionDate,
    posting_date: entry.postingDate,
    description: entry.description,
    reference: entry.reference,
    source_type: source?.type,
    source_id: source?.id,
    reverses_id: reversesId,
    currency: entry.currency,
    total: entry.total.toString(),
    line_count: entry.lines.length,
    actor_kind: actor.kind,
    actor_id: actor.id,
    request_id: actor.requestId,
    address: actor.address,
    user_agent: actor.userAgent,
  }
}

function linesOf({ id, entry }: PostingInput, lineIds: readonly string[]): object[] {
  return entry.lines.map((line, index) => ({
    id: lineIds[index],
    entry_id: id,
    line_number: index + 1,
    account_id: line.account.id,
    posting_date: entry.postingDate,
    debit: line.debit.toString(),
    credit: line.credit.toString(),
    currency: line.currency,
    currency_debit: line.currencyDebit.toString(),
    currency_credit: line.currencyCredit.toString(),
    exchange_rate: line.exchangeRate.toString(),
    description: line.description,
  }))
}

const POST = statement<{ id: string; number: string; createdAt: string; updatedAt: string }>(
  'post-entries',
  `WITH input AS MATERIALIZED (
     SELECT * FROM json_to_recordset($3::json) AS e (position int, id uuid, fiscal_year_id uuid, period_id uuid,
       transaction_date date, posting_date date, description text, reference text, source_type text,
       source_id text, reverses_id uuid, currency text, total numeric, line_count int, actor_kind text,
       actor_id uuid, request_id text, address text, user_agent text)
   ), input_line AS MATERIALIZED (
     SELECT * FROM json_to_recordset($4::json) AS l (id uuid, entry_id uuid, line_number int, account_id uuid,
       posting_date date, debit numeric, credit numeric, currency text, currency_debit numeric,
       currency_credit numeric, exchange_rate numeric, description text)
   ), balance AS (
     -- In key order, so that two postings lock the rows they share in the same order.
     INSERT INTO finance.account_balance AS kept (company_id, grain, start_date, account_id, currency, shard,
       debit, credit, currency_debit, currency_credit)
     SELECT $1::uuid, span.grain, span.start_date, l.account_id, l.currency, pg_backend_pid() % 8,
       sum(l.debit), sum(l.credit), sum(l.currency_debit), sum(l.currency_credit)
     FROM input_line l CROSS JOIN LATERAL (VALUES
       ('day', l.posting_date), ('month', date_trunc('month', l.posting_date)::date)) AS span (grain, start_date)
     GROUP BY span.grain, span.start_date, l.account_id, l.currency
     ORDER BY span.grain, span.start_date, l.account_id, l.currency
     ON CONFLICT (company_id, grain, start_date, account_id, currency, shard) DO UPDATE SET
       debit = kept.debit + excluded.debit, credit = kept.credit + excluded.credit,
       currency_debit = kept.currency_debit + excluded.currency_debit,
       currency_credit = kept.currency_credit + excluded.currency_credit, updated_at = now()
     RETURNING 1
   ), series AS (
     -- Waits for the balances: this lock is the one everybody wants.
     INSERT INTO finance.number_series AS kept (company_id, journal_id, fiscal_year_id, last_number)
     SELECT $1::uuid, journal.id, input.fiscal_year_id, count(*)
     FROM input JOIN finance.journal ON journal.code = $2 AND journal.company_id = $1::uuid
     WHERE (SELECT count(*) FROM balance) >= 0
     GROUP BY journal.id, input.fiscal_year_id ORDER BY input.fiscal_year_id
     ON CONFLICT (company_id, journal_id, fiscal_year_id) DO UPDATE SET
       last_number = kept.last_number + excluded.last_number, updated_at = now()
     RETURNING journal_id, fiscal_year_id, last_number
   ), numbered AS (
     SELECT input.*, series.journal_id, series.last_number - count(*) OVER in_year
         + row_number() OVER (in_year ORDER BY input.position) AS sequence,
       year.name AS year_name
     FROM input JOIN series USING (fiscal_year_id) JOIN finance.fiscal_year year ON year.id = input.fiscal_year_id
     WINDOW in_year AS (PARTITION BY input.fiscal_year_id)
   ), entry AS (
     INSERT INTO finance.journal_entry (id, company_id, journal_id, fiscal_year_id, period_id, sequence, number,
       transaction_date, posting_date, description, reference, source_type, source_id, reverses_id, currency,
       total, line_count, posted_by)
     SELECT id, $1::uuid, journal_id, fiscal_year_id, period_id, sequence,
       $2 || '/' || year_name || '/' || lpad(sequence::text, greatest(6, length(sequence::text)), '0'),
       transaction_date, posting_date, description, reference, source_type, source_id, reverses_id, currency,
       total, line_count, actor_id
     FROM numbered
     RETURNING id, number, total, description, created_at, updated_at
   ), line AS (
     INSERT INTO finance.journal_line (id, company_id, entry_id, line_number, account_id, posting_date, debit,
       credit, currency, currency_debit, currency_credit, exchange_rate, description)
     SELECT id, $1::uuid, entry_id, line_number, account_id, posting_date, debit, credit, currency,
       currency_debit, currency_credit, exchange_rate, description
     FROM input_line
   ), audited AS (
     INSERT INTO audit.change (company_id, actor_kind, actor_id, request_id, address, user_agent, action, entity,
       entity_id, new_values)
     SELECT $1::uuid, input.actor_kind, input.actor_id, input.request_id, input.address,
       input.user_agent, CASE WHEN input.reverses_id IS NULL THEN 'post' ELSE 'reverse' END,
       'finance.journal_entry', entry.id,
       jsonb_build_object('number', entry.number, 'posting_date', input.posting_date, 'currency', input.currency,
         'total', entry.total, 'description', entry.description, 'reference', input.reference,
         'reverses_id', input.reverses_id)
     FROM entry JOIN input USING (id)
   )
   SELECT id, number, created_at AS "createdAt", updated_at AS "updatedAt" FROM entry`,
)
