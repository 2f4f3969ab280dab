/** Drafts: entries not yet in the books, in tables of their own, so that the books stay append-only. */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { assertUnchanged } from '../../http/etag.ts'
import type { RequestContext } from '../../http/route.ts'
import { statement, tenantSql, type TenantTx } from '../../tenancy/handles.ts'
import { presentWritten, type EntryData } from './presentation.ts'
import type { Entry, EntryInput } from './rules/entry.ts'

export async function insertDraft(
  tx: TenantTx,
  id: string,
  entry: Entry,
  context: RequestContext,
): Promise<EntryData> {
  const [row] = await tx.prepared(INSERT_DRAFT, [
    id,
    tx.companyId,
    entry.transactionDate,
    entry.postingDate,
    entry.description,
    entry.reference,
    entry.currency,
    entry.total.toString(),
    context.principal?.id ?? null,
  ])
  if (!row) throw new Error('An inserted draft must come back')
  const lineIds = await insertLines(tx, id, entry, context)
  return presentWritten(entry, { id, number: null, ...row, lineIds })
}

export async function replaceDraft(
  tx: TenantTx,
  id: string,
  entry: Entry,
  context: RequestContext,
): Promise<EntryData> {
  const [row] = await tx.prepared(UPDATE_DRAFT, [
    id,
    entry.transactionDate,
    entry.postingDate,
    entry.description,
    entry.reference,
    entry.currency,
    entry.total.toString(),
  ])
  if (!row) throw new Problem(problems.notFound)
  await tx.run(sql`DELETE FROM finance.journal_draft_line WHERE draft_id = ${id}`.compile(tenantSql))
  const lineIds = await insertLines(tx, id, entry, context)
  return presentWritten(entry, { id, number: null, ...row, lineIds })
}

export interface Draft {
  readonly input: EntryInput
  readonly updatedAt: string
}

/** Locks the draft, so that it is posted or changed once. */
export async function lockDraft(
  tx: TenantTx,
  id: string,
  context: RequestContext,
): Promise<Draft | undefined> {
  const [row] = await tx.prepared(LOCK_DRAFT, [id])
  if (!row) return undefined
  assertUnchanged(context.ifMatch, row)
  const lines = await tx.prepared(DRAFT_LINES, [id])
  const { transactionDate, postingDate, description, reference, updatedAt } = row
  return { input: { transactionDate, postingDate, description, reference, lines }, updatedAt }
}

export async function deleteDraft(tx: TenantTx, id: string): Promise<boolean> {
  return (await tx.run(sql`DELETE FROM finance.journal_draft WHERE id = ${id}`.compile(tenantSql))) === 1
}

async function insertLines(
  tx: TenantTx,
  id: string,
  entry: Entry,
  context: RequestContext,
): Promise<string[]> {
  const lines = entry.lines.map((line, index) => ({
    id: context.newId(),
    line_number: index + 1,
    account_id: line.account.id,
    debit: line.debit.toString(),
    credit: line.credit.toString(),
    currency: line.currency,
    currency_debit: line.currencyDebit.toString(),
    currency_credit: line.currencyCredit.toString(),
    exchange_rate: line.exchangeRate.toString(),
    description: line.description,
  }))
  await tx.prepared(INSERT_DRAFT_LINES, [id, tx.companyId, JSON.stringify(lines)])
  return lines.map((line) => line.id)
}

const INSERT_DRAFT = statement<{ createdAt: string; updatedAt: string }>(
  'insert-draft',
  `INSERT INTO finance.journal_draft (id, company_id, transaction_date, posting_date, description, reference,
     currency, total, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
   RETURNING created_at AS "createdAt", updated_at AS "updatedAt"`,
)

const UPDATE_DRAFT = statement<{ createdAt: string; updatedAt: string }>(
  'update-draft',
  `UPDATE finance.journal_draft SET transaction_date = $2, posting_date = $3, description = $4, reference = $5,
     currency = $6, total = $7 WHERE id = $1
   RETURNING created_at AS "createdAt", updated_at AS "updatedAt"`,
)

const INSERT_DRAFT_LINES = statement(
  'insert-draft-lines',
  `INSERT INTO finance.journal_draft_line (id, company_id, draft_id, line_number, account_id, debit, credit,
     currency, currency_debit, currency_credit, exchange_rate, description)
   SELECT id, $2::uuid, $1::uuid, line_number, account_id, debit, credit, currency, currency_debit,
     currency_credit, exchange_rate, description
   FROM json_to_recordset($3::json) AS l (id uuid, line_number int, account_id uuid, debit numeric,
     credit numeric, currency text, currency_debit numeric, currency_credit numeric, exchange_rate numeric,
     description text)`,
)

const LOCK_DRAFT = statement<{
  transactionDate: string
  postingDate: string
  description: string | null
  reference: string | null
  updatedAt: string
}>(
  'lock-draft',
  `SELECT transaction_date AS "transactionDate", posting_date AS "postingDate", description, reference,
     updated_at AS "updatedAt" FROM finance.journal_draft WHERE id = $1 FOR UPDATE`,
)

/** As a caller would have written them, so that posting checks a draft like any other input. */
const DRAFT_LINES = statement<EntryInput['lines'][number]>(
  'draft-lines',
  `SELECT account_id AS "accountId", currency_debit AS debit, currency_credit AS credit, currency,
     exchange_rate AS "exchangeRate", description
   FROM finance.journal_draft_line WHERE draft_id = $1 ORDER BY line_number`,
)
