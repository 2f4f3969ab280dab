/**
 * Some rules can only be decided by the database, at the moment of writing: two requests take one code at
 * once, a period closes under a posting. Its constraint's name says which rule it was.
 */
import { duplicateProblem, Problem, problems } from '../kernel/problem.ts'

interface DatabaseError {
  readonly code?: string
  readonly table?: string
  readonly constraint?: string
  readonly detail?: string
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'

const meanings = new Map<string, () => Problem>()

/** Said by the module whose rule it is, beside the rule's own words in its problems.ts. */
export function constraintMeans(constraint: string, problem: () => Problem): void {
  meanings.set(constraint, problem)
}

export function constraintProblem(error: unknown): Problem | undefined {
  const { code, table, constraint, detail } = error as DatabaseError
  const named = meanings.get(constraint ?? '')
  if (named) return named()
  if (code === UNIQUE_VIOLATION) return uniqueProblem(table ?? '', constraint ?? '', detail)
  if (code === FOREIGN_KEY_VIOLATION) return new Problem(problems.conflict, { cause: error })
  return undefined
}

/**
 * `Key (company_id, code)=(…, 1000) already exists.`: the last column is the one the caller chose. Where
 * row-level security hides that, the index's name says it: `<table>_<column>_key`.
 */
function uniqueProblem(table: string, constraint: string, detail: string | undefined): Problem {
  const match = /^Key \((.+)\)=\((.+)\) already exists/.exec(detail ?? '')
  const shown = match?.[1]
    ?.split(', ')
    .at(-1)
    ?.replace(/^lower\((.+?)(::text)?\)$/, '$1')
  const column = shown ?? /^(?:company_id_)?(\w+)_key$/.exec(constraint.slice(table.length + 1))?.[1]
  if (column === undefined) return new Problem(problems.conflict)
  const field = column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return duplicateProblem(field, match?.[2]?.split(', ').at(-1))
}
