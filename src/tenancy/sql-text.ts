/** Small parts of SQL text that must be written with care, in one place. */
import pg from 'pg'

export const identifier = pg.escapeIdentifier
export const literal = pg.escapeLiteral

export function identifierList(names: readonly string[]): string {
  return names.map(identifier).join(', ')
}

/** A pattern for ILIKE that finds the text itself, whatever it contains. */
export function likePattern(search: string): string {
  return `%${search.replace(/[\\%_]/g, (character) => `\\${character}`)}%`
}
