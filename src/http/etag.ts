/** A row's version is its `updatedAt`, which no two states of a row share (see core.touch). */
import { Problem, problems } from '../kernel/problem.ts'

interface Versioned {
  readonly updatedAt: string | null
}

/** What nobody has written yet has a version too: the second to write it first is told of it. */
export function etagOf({ updatedAt }: Versioned): string {
  return `"${updatedAt ?? 'none'}"`
}

/** If-Match (RFC 9110, 13.1.1): refuses the update of a row the caller has not seen as it is now. */
export function assertUnchanged(ifMatch: string | undefined, row: Versioned): void {
  if (ifMatch === undefined || ifMatch === '*') return
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  if (!tags.includes(etagOf(row))) throw new Problem(problems.lostUpdate)
}
