/** What can still be done to an entry: change, delete or post a draft; reverse what is posted. */
import { Decimal } from '../../../kernel/decimal.ts'
import { Problem, problems, validationProblem, type ProblemKind } from '../../../kernel/problem.ts'
import { implement } from '../../../http/route.ts'
import { statement, type TenantRead } from '../../../tenancy/handles.ts'
import { loadBooks } from '../books.ts'
import { deleteJournalEntry, postJournalEntry, reverseJournalEntry, updateJournalEntry } from '../contract.ts'
import { deleteDraft, lockDraft, replaceDraft } from '../drafts.ts'
import { GENERAL_JOURNAL, post } from '../posting.ts'
import { presentWritten } from '../presentation.ts'
import { ledgerProblems } from '../problems.ts'
import { checkEntry, checkPeriod, reversalOf, type Entry } from '../rules/entry.ts'
import { POSTED_ENTRY, POSTED_LINES } from './read.ts'

export const update = implement(updateJournalEntry, async (tx, { params, body }, context) => {
  const draft = await lockDraft(tx, params.id, context)
  if (!draft) throw await elsewhere(tx, params.id, ledgerProblems.notADraft)
  if (body.status === 'posted') {
    const field = { field: 'status', code: 'NOT_ALLOWED', message: 'Post a draft by POST …/{id}/post' }
    throw validationProblem([field])
  }
  const checked = checkEntry(body, await loadBooks(tx, [body]), 'manual')
  if (checked.problems) throw validationProblem(checked.problems)
  return replaceDraft(tx, params.id, checked.value, context)
})

export const remove = implement(deleteJournalEntry, async (tx, { params }, context) => {
  const draft = await lockDraft(tx, params.id, context)
  if (!draft || !(await deleteDraft(tx, params.id)))
    throw await elsewhere(tx, params.id, ledgerProblems.notADraft)
  return {}
})

export const postDraft = implement(postJournalEntry, async (tx, { params }, context) => {
  const draft = await lockDraft(tx, params.id, context)
  if (!draft) throw await elsewhere(tx, params.id, ledgerProblems.alreadyPosted)
  const books = await loadBooks(tx, [draft.input])
  const checked = checkEntry(draft.input, books, 'manual')
  const period = checkPeriod(draft.input, books)
  if (checked.problems || period.problems) {
    throw validationProblem([...(checked.problems ?? []), ...(period.problems ?? [])])
  }
  await deleteDraft(tx, params.id)
  const posting = { id: params.id, entry: checked.value, period: period.value, actor: context.actor }
  const [kept] = await post(tx, GENERAL_JOURNAL, [posting], context.newId)
  if (!kept) throw new Error('A posted entry must come back')
  return presentWritten(checked.value, kept)
})

export const reverse = implement(reverseJournalEntry, async (tx, { params, body }, context) => {
  const original = await readPosted(tx, params.id)
  if (!original) throw await elsewhere(tx, params.id, ledgerProblems.isADraft)
  if (original.reversedById !== null) throw new Problem(ledgerProblems.alreadyReversed)
  const { transactionDate } = body
  if (transactionDate < original.entry.postingDate) {
    const message = `A reversal cannot be dated before its entry (${original.entry.postingDate})`
    throw validationProblem([{ field: 'transactionDate', code: 'BEFORE_ENTRY', message }])
  }
  const entry = reversalOf(original.entry, transactionDate, `Reversal of ${original.number}: ${body.reason}`)
  const period = checkPeriod(entry, await loadBooks(tx, [{ transactionDate, lines: [] }]))
  if (period.problems) throw validationProblem(period.problems)
  const posting = {
    id: context.newId(),
    entry,
    period: period.value,
    reversesId: params.id,
    actor: context.actor,
  }
  const [kept] = await post(tx, GENERAL_JOURNAL, [posting], context.newId)
  if (!kept) throw new Error('A posted entry must come back')
  return presentWritten(entry, { ...kept, reversesId: params.id })
})

/** Why the entry is not where it was looked for: it is on the other side, or nowhere. */
async function elsewhere(tx: TenantRead, id: string, kind: ProblemKind): Promise<Problem> {
  const table = kind === ledgerProblems.isADraft ? DRAFT_EXISTS : POSTED_EXISTS
  const [found] = await tx.prepared(table, [id])
  return found
    ? new Problem(kind)
    : new Problem(problems.notFound, { message: 'There is no such journal entry' })
}

const POSTED_EXISTS = statement<{ id: string }>(
  'entry-exists',
  'SELECT id FROM finance.journal_entry WHERE id = $1',
)
const DRAFT_EXISTS = statement<{ id: string }>(
  'draft-exists',
  'SELECT id FROM finance.journal_draft WHERE id = $1',
)

interface Posted {
  readonly entry: Entry
  readonly number: string
  readonly reversedById: string | null
}

async function readPosted(tx: TenantRead, id: string): Promise<Posted | undefined> {
  const [[header], lines] = await Promise.all([
    tx.prepared(POSTED_ENTRY, [id]),
    tx.prepared(POSTED_LINES, [id]),
  ])
  if (!header) return undefined
  const entry: Entry = {
    transactionDate: header.transaction_date,
    postingDate: header.posting_date,
    description: header.description,
    reference: header.reference,
    currency: header.currency,
    total: Decimal.of(header.total),
    lines: lines.map((line) => ({
      account: {
        id: line.account_id,
        code: line.account_code,
        name: line.account_name,
        isActive: true,
        postingAllowed: true,
        controlAccount: 'none',
        currency: null,
      },
      debit: Decimal.of(line.debit),
      credit: Decimal.of(line.credit),
      currency: line.currency,
      currencyDebit: Decimal.of(line.currency_debit),
      currencyCredit: Decimal.of(line.currency_credit),
      exchangeRate: Decimal.of(line.exchange_rate),
      description: line.description,
    })),
  }
  return { entry, number: header.number ?? '', reversedById: header.reversed_by_id }
}
