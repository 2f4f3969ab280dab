/**
 * Some rules can only be decided by the database, at the moment of writing: two requests take one code at
 * once, a period closes under a posting. Its constraint's name says which rule it was.
 */
import { duplicateProblem, Problem, problems, validationProblem } from '../kernel/problem.ts'

interface DatabaseError {
  readonly code?: string
  readonly constraint?: string
  readonly detail?: string
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'

export function constraintProblem(error: unknown): Problem | undefined {
  const { code, constraint, detail } = error as DatabaseError
  if (constraint === 'journal_entry_period_open') {
    return validationProblem([
      {
        field: 'transactionDate',
        code: 'PERIOD_CLOSED',
        message: 'The period of this date has just been closed',
      },
    ])
  }
  if (code === UNIQUE_VIOLATION) return uniqueProblem(detail)
  if (code === FOREIGN_KEY_VIOLATION) return new Problem(problems.conflict, { cause: error })
  return undefined
}

/** `Key (company_id, code)=(…, 1000) already exists.`: the last column is the one the caller chose. */
function uniqueProblem(detail: string | undefined): Problem {
  const match = /^Key \((.+)\)=\((.+)\) already exists/.exec(detail ?? '')
  const column = match?.[1]
    ?.split(', ')
    .at(-1)
    ?.replace(/^lower\((.+?)(::text)?\)$/, '$1')
  const value = match?.[2]?.split(', ').at(-1)
  if (column === undefined) return new Problem(problems.conflict)
  return duplicateProblem(
    column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  )
}
