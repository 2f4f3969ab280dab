/**
 * Glossary
 * - journal entry: a dated set of lines whose debits equal its credits; once posted it never changes
 * - line: one account debited or credited, never both
 * - draft: an entry not yet in the books; it has no number and may be changed or thrown away
 * - reversal: the entry that undoes another one, dated in an open period
 * - control account: an account kept by its sub-ledger; manual entries may not touch it
 * - transaction date: when it happened; posting date: the day whose period it is booked in
 * - base amount: the amount in the company's base currency, in which the entry balances
 */
import { Type } from 'typebox'
import {
  Amount,
  AmountInput,
  CurrencyCode,
  DateText,
  Id,
  IdParams,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
} from '../../http/contract.ts'

export const LINES_MAXIMUM = 1_000
export const BULK_ENTRIES_MAXIMUM = 1_000
const BULK_BODY_BYTES = 16 * 1_048_576

export const JournalLineBody = Type.Object(
  {
    accountId: Type.Optional(Id),
    accountCode: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
    debit: Type.Optional(nullable(AmountInput)),
    credit: Type.Optional(nullable(AmountInput)),
    description: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
    currency: Type.Optional(CurrencyCode),
    exchangeRate: Type.Optional(AmountInput),
  },
  { additionalProperties: false },
)

/** Whether the day exists is checked with the entry's other rules, so that all that is wrong is told at once. */
const EntryDate = Type.String({ maxLength: 20, description: 'YYYY-MM-DD', examples: ['2026-01-31'] })

export const JournalEntryBody = Type.Object(
  {
    transactionDate: EntryDate,
    postingDate: Type.Optional(EntryDate),
    description: Type.Optional(Type.String({ maxLength: 500 })),
    reference: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
    lines: Type.Array(JournalLineBody, { minItems: 2, maxItems: LINES_MAXIMUM }),
    status: Type.Optional(oneOf(['draft', 'posted'], 'Default: draft')),
  },
  { additionalProperties: false },
)

export const entryStatuses = ['draft', 'posted', 'reversed'] as const

const entryFields = {
  id: Id,
  number: nullable(Type.String({ description: 'Gapless per journal and fiscal year; null for a draft' })),
  status: oneOf(entryStatuses),
  transactionDate: DateText,
  postingDate: DateText,
  description: nullable(Type.String()),
  reference: nullable(Type.String()),
  currency: Type.String({ description: "The company's base currency" }),
  totalDebit: Amount,
  totalCredit: Amount,
  reversesId: nullable(Id),
  reversedById: nullable(Id),
  createdAt: Instant,
  updatedAt: Instant,
  postedAt: nullable(Instant),
}

export const JournalLine = Type.Object({
  id: Id,
  lineNumber: Type.Integer(),
  accountId: Id,
  accountCode: Type.String(),
  accountName: Type.String(),
  debit: Amount,
  credit: Amount,
  description: nullable(Type.String()),
  currency: Type.String(),
  currencyDebit: Amount,
  currencyCredit: Amount,
  exchangeRate: Amount,
})

export const JournalEntrySummary = Type.Object(entryFields)
export const JournalEntry = Type.Object({ ...entryFields, lines: Type.Array(JournalLine) })

const journal = { tag: 'Journals', audience: 'tenant' } as const

export const createJournalEntry = operation({
  ...journal,
  name: 'createJournalEntry',
  method: 'POST',
  path: '/finance/journal-entries',
  summary: 'Create a journal entry, as a draft or posted at once',
  permission: 'journal-entries:add',
  access: 'write',
  status: 201,
  idempotent: true,
  body: JournalEntryBody,
  data: JournalEntry,
})

export const createJournalEntries = operation({
  ...journal,
  name: 'createJournalEntries',
  method: 'POST',
  path: '/finance/journal-entries/bulk',
  summary: 'Create up to 1,000 journal entries: all or none',
  bodyLimitBytes: BULK_BODY_BYTES,
  permission: 'journal-entries:add',
  access: 'write',
  status: 201,
  idempotent: true,
  body: Type.Object(
    { journalEntries: Type.Array(JournalEntryBody, { minItems: 1, maxItems: BULK_ENTRIES_MAXIMUM }) },
    { additionalProperties: false },
  ),
  data: Type.Object({ journalEntries: Type.Array(JournalEntrySummary), count: Type.Integer() }),
})

export const listJournalEntries = operation({
  ...journal,
  name: 'listJournalEntries',
  method: 'GET',
  path: '/finance/journal-entries',
  summary: 'Journal entries, newest first',
  permission: 'journal-entries:view',
  access: 'read',
  query: Type.Object(
    {
      page: pageQuery.page,
      limit: pageQuery.limit,
      search: pageQuery.search,
      sort: Type.Optional(oneOf(['postingDate', 'number', 'totalDebit'])),
      order: pageQuery.order,
      status: Type.Optional(oneOf(entryStatuses)),
      from: Type.Optional(DateText),
      to: Type.Optional(DateText),
    },
    { additionalProperties: false },
  ),
  data: pageOf('journalEntries', JournalEntrySummary),
})

export const getJournalEntry = operation({
  ...journal,
  name: 'getJournalEntry',
  method: 'GET',
  path: '/finance/journal-entries/{id}',
  summary: 'One journal entry with its lines',
  permission: 'journal-entries:view',
  access: 'read',
  params: IdParams,
  data: JournalEntry,
  versioned: true,
})

export const updateJournalEntry = operation({
  ...journal,
  name: 'updateJournalEntry',
  method: 'PUT',
  path: '/finance/journal-entries/{id}',
  summary: 'Replace a draft',
  permission: 'journal-entries:edit',
  access: 'write',
  params: IdParams,
  body: JournalEntryBody,
  data: JournalEntry,
  versioned: true,
})

export const deleteJournalEntry = operation({
  ...journal,
  name: 'deleteJournalEntry',
  method: 'DELETE',
  path: '/finance/journal-entries/{id}',
  summary: 'Throw a draft away; a posted entry can only be reversed',
  permission: 'journal-entries:delete',
  access: 'write',
  params: IdParams,
  data: Nothing,
  isConditional: true,
})

export const postJournalEntry = operation({
  ...journal,
  name: 'postJournalEntry',
  method: 'POST',
  path: '/finance/journal-entries/{id}/post',
  summary: 'Post a draft: it gets its number and enters the books',
  permission: 'journal-entries:post',
  access: 'write',
  idempotent: true,
  params: IdParams,
  data: JournalEntry,
  isConditional: true,
})

export const reverseJournalEntry = operation({
  ...journal,
  name: 'reverseJournalEntry',
  method: 'POST',
  path: '/finance/journal-entries/{id}/reversal',
  summary: 'Undo a posted entry by a mirrored one, dated in an open period',
  permission: 'journal-entries:post',
  access: 'write',
  status: 201,
  idempotent: true,
  params: IdParams,
  body: Type.Object(
    { transactionDate: DateText, reason: Type.String({ minLength: 1, maxLength: 500 }) },
    { additionalProperties: false },
  ),
  data: JournalEntry,
})

// ---- fiscal years and periods --------------------------------------------------------------------------

export const periodStatuses = ['open', 'closed'] as const

export const Period = Type.Object({
  id: Id,
  name: Type.String(),
  startDate: DateText,
  endDate: DateText,
  status: oneOf(periodStatuses),
  statusReason: nullable(Type.String()),
})

export const FiscalYear = Type.Object({
  id: Id,
  name: Type.String(),
  startDate: DateText,
  endDate: DateText,
  status: oneOf(periodStatuses, 'closed when all its periods are'),
  periods: Type.Array(Period),
})

const calendar = { tag: 'Fiscal calendar', audience: 'tenant' } as const

export const createFiscalYear = operation({
  ...calendar,
  name: 'createFiscalYear',
  method: 'POST',
  path: '/finance/fiscal-years',
  summary: 'Create a fiscal year with its monthly periods, open',
  permission: 'fiscal-years:add',
  access: 'write',
  status: 201,
  body: Type.Object(
    { name: Type.String({ minLength: 1, maxLength: 40 }), startDate: DateText, endDate: DateText },
    { additionalProperties: false },
  ),
  data: FiscalYear,
})

export const listFiscalYears = operation({
  ...calendar,
  name: 'listFiscalYears',
  method: 'GET',
  path: '/finance/fiscal-years',
  summary: 'Fiscal years with their periods, newest first',
  permission: 'fiscal-years:view',
  access: 'read',
  data: Type.Object({ fiscalYears: Type.Array(FiscalYear) }),
})

export const closePeriod = operation({
  ...calendar,
  name: 'closePeriod',
  method: 'POST',
  path: '/finance/periods/{id}/closure',
  summary: 'Close a period: nothing can be posted in it. Earlier periods must be closed first',
  permission: 'fiscal-years:close-period',
  access: 'write',
  params: IdParams,
  data: Period,
})

export const reopenPeriod = operation({
  ...calendar,
  name: 'reopenPeriod',
  method: 'DELETE',
  path: '/finance/periods/{id}/closure',
  summary: 'Open a closed period again, with a reason. Later periods must be open',
  permission: 'fiscal-years:close-period',
  access: 'write',
  params: IdParams,
  query: Type.Object(
    { reason: Type.String({ minLength: 3, maxLength: 500 }) },
    { additionalProperties: false },
  ),
  data: Period,
})
