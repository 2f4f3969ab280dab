/** A row's version is its `updatedAt`, which no two states of a row share (see core.touch). */
import { Problem, problems } from '../kernel/problem.ts'

export function etagOf(row: { updatedAt: string }): string {
  return `"${row.updatedAt}"`
}

/** If-Match (RFC 9110, 13.1.1): refuses the update of a row the caller has not seen as it is now. */
export function assertUnchanged(ifMatch: string | undefined, row: { updatedAt: string }): void {
  if (ifMatch === undefined || ifMatch === '*') return
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  if (!tags.includes(etagOf(row))) throw new Problem(problems.lostUpdate)
}
