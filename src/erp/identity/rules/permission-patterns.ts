/**
 * What a role holds are patterns over the permissions that operations declare: `*` is all, `*:view` one ability
 * in every module, `journal-entries:*` every ability in one, `journal-entries:post` itself. Patterns with a star
 * also stand for what later versions bring.
 */

/** The patterns of a role, spelled out over the permissions that operations declare. */
export function expandPermissions(patterns: readonly string[], declared: Iterable<string>): Set<string> {
  const tests = patterns.map((pattern) => patternTest(pattern))
  return new Set([...declared].filter((permission) => tests.some((matches) => matches(permission))))
}

/** The patterns that mean nothing today: misspelt, or of a module that does not exist. */
export function unknownPatterns(patterns: readonly string[], declared: ReadonlySet<string>): string[] {
  return patterns.filter((pattern) => expandPermissions([pattern], declared).size === 0)
}

/**
 * What of `asked` goes beyond `held`. A pattern with a star is covered by one that reaches at least as far, not
 * by a list of what it stands for today: it will stand for more tomorrow.
 */
export function beyond(held: readonly string[], asked: readonly string[]): string[] {
  return asked.filter((pattern) => !held.some((holding) => reaches(holding, pattern)))
}

function reaches(holding: string, pattern: string): boolean {
  if (holding === '*' || holding === pattern) return true
  return !pattern.includes('*') && patternTest(holding)(pattern)
}

function patternTest(pattern: string): (permission: string) => boolean {
  if (pattern === '*') return () => true
  if (pattern.startsWith('*:')) return (permission) => permission.endsWith(pattern.slice(1))
  if (pattern.endsWith(':*')) return (permission) => permission.startsWith(pattern.slice(0, -1))
  return (permission) => permission === pattern
}
