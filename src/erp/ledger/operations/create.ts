/** Creating journal entries: one at a time (joined with others that arrive together) or in bulk. */
import type { Static } from 'typebox'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { implement, type GroupMember, type RequestContext } from '../../../http/route.ts'
import type { TenantTx } from '../../../tenancy/handles.ts'
import { loadBooks } from '../books.ts'
import { createJournalEntries, createJournalEntry, type JournalEntryBody } from '../contract.ts'
import { insertDraft } from '../drafts.ts'
import { GENERAL_JOURNAL, post, type PostingInput } from '../posting.ts'
import { presentWritten, type EntryData } from '../presentation.ts'
import { checkEntry, checkPeriod, type Books, type Checked, type Entry } from '../rules/entry.ts'

type Body = Static<typeof JournalEntryBody>

export const createOne = implement<typeof createJournalEntry, Books>(
  createJournalEntry,
  async (tx, { body }, context) => {
    const books = await loadBooks(tx, [body])
    if (body.status === 'posted') {
      const [result] = await postAll(tx, [{ body, context }], books)
      if (!result || result instanceof Problem) throw result ?? new Problem(problems.serverError)
      return result
    }
    const checked = checkEntry(body, books, 'manual')
    if (checked.problems) throw validationProblem(checked.problems)
    return insertDraft(tx, context.newId(), checked.value, context)
  },
  {
    applies: ({ body }) => body.status === 'posted',
    load: (tx, inputs) => loadBooks(tx, inputs.map(({ body }) => body)), // prettier-ignore
    handle: (tx, members, books) => postAll(tx, members.map(bodyOf), books),
  },
)

function bodyOf({ input, context }: GroupMember<typeof createJournalEntry>): Wanted {
  return { body: input.body, context }
}

export const createMany = implement(createJournalEntries, async (tx, { body }, context) => {
  const { journalEntries } = body
  const books = await loadBooks(tx, journalEntries)
  const wrong: FieldProblem[] = []
  const drafts: Entry[] = []
  const postings: PostingInput[] = []
  const order: ('draft' | 'posted')[] = []
  for (const [index, entry] of journalEntries.entries()) {
    const status = entry.status ?? 'draft'
    const checked = checkWanted(entry, books, status, `journalEntries[${index}].`)
    order.push(status)
    if (checked.problems) wrong.push(...checked.problems)
    else if (status === 'draft') drafts.push(checked.value.entry)
    else postings.push(postingOf(checked.value, context))
  }
  if (wrong.length > 0) throw validationProblem(wrong.slice(0, FIELD_PROBLEMS_MAXIMUM))
  if (postings.length > 0) mayPost(context)
  const posted = await post(tx, GENERAL_JOURNAL, postings, context.newId)
  const answers = {
    posted: posted.map((kept, index) => presentWritten(postings[index]!.entry, kept)),
    draft: [] as EntryData[],
  }
  for (const draft of drafts) answers.draft.push(await insertDraft(tx, context.newId(), draft, context))
  const data = order.map((status) => answers[status].shift() as EntryData)
  return { journalEntries: data, count: data.length }
})

const FIELD_PROBLEMS_MAXIMUM = 200

interface Wanted {
  readonly body: Body
  readonly context: RequestContext
}

async function postAll(
  tx: TenantTx,
  wanted: readonly Wanted[],
  books: Books,
): Promise<(EntryData | Problem)[]> {
  const checked = wanted.map(({ body, context }) => {
    try {
      mayPost(context)
    } catch (error) {
      return error as Problem
    }
    const result = checkWanted(body, books, 'posted', '')
    return result.problems ? validationProblem(result.problems) : postingOf(result.value, context)
  })
  const postings = checked.filter((result): result is PostingInput => !(result instanceof Problem))
  const [first] = wanted
  const kept = first ? await post(tx, GENERAL_JOURNAL, postings, first.context.newId) : []
  const answers = new Map(
    kept.map((entry, index) => [entry.id, presentWritten(postings[index]!.entry, entry)]),
  )
  return checked.map((result) => (result instanceof Problem ? result : (answers.get(result.id) as EntryData)))
}

function checkWanted(body: Body, books: Books, status: 'draft' | 'posted', path: string): Checked<Ready> {
  const checked = checkEntry(body, books, 'manual', path)
  const period = status === 'posted' ? checkPeriod(body, books, path) : undefined
  if (checked.problems || period?.problems) {
    return { problems: [...(checked.problems ?? []), ...(period?.problems ?? [])] }
  }
  return { value: { entry: checked.value, period: period?.value } }
}

interface Ready {
  readonly entry: Entry
  readonly period: Parameters<typeof post>[2][number]['period'] | undefined
}

function postingOf({ entry, period }: Ready, context: RequestContext): PostingInput {
  if (!period) throw new Error('Only an entry whose period was checked is posted')
  return { id: context.newId(), entry, period, actor: context.actor }
}

export function mayPost({ principal }: RequestContext): void {
  if (principal?.permissions.has('journal-entries:post')) return
  throw new Problem(problems.permissionDenied, { details: { permission: 'journal-entries:post' } })
}
