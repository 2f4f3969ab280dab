import { constraintMeans } from '../../http/constraints.ts'
import { Problem, validationProblem, type ProblemTable } from '../../kernel/problem.ts'

/** What the ledger refuses beside wrong fields. */
export const ledgerProblems = {
  notADraft: { code: 'NOT_A_DRAFT', status: 409, message: 'This entry is posted: it can only be reversed' },
  isADraft: {
    code: 'NOT_POSTED',
    status: 409,
    message: 'Only a posted entry can be reversed; delete the draft',
  },
  alreadyPosted: { code: 'ALREADY_POSTED', status: 409, message: 'This entry is already posted' },
  alreadyReversed: { code: 'ALREADY_REVERSED', status: 409, message: 'This entry has already been reversed' },
  alreadyClosed: { code: 'PERIOD_CLOSED', status: 409, message: 'This period is already closed' },
  notClosed: { code: 'PERIOD_OPEN', status: 409, message: 'This period is open' },
  earlierOpen: { code: 'EARLIER_PERIOD_OPEN', status: 409, message: 'Close the earlier periods first' },
  laterClosed: { code: 'LATER_PERIOD_CLOSED', status: 409, message: 'Open the later periods first' },
  yearOverlaps: {
    code: 'FISCAL_YEAR_OVERLAPS',
    status: 409,
    message: 'Another fiscal year covers some of these days',
  },
} as const satisfies ProblemTable

// What two requests at the same moment can only be told by the database.
constraintMeans('journal_entry_reverses_id_key', () => new Problem(ledgerProblems.alreadyReversed))
constraintMeans('fiscal_year_overlap', () => new Problem(ledgerProblems.yearOverlaps))
constraintMeans('journal_entry_period_open', () => {
  const message = 'The period of this date has just been closed'
  return validationProblem([{ field: 'transactionDate', code: 'PERIOD_CLOSED', message }])
})
