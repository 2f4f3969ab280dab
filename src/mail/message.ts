/**
 * Glossary
 * - mail: one message to one recipient, made from a template
 * - content: what is read: HTML and the same as plain text
 * - outbox: where a mail waits, in the same database as the change that caused it
 */
import { Problem, validationProblem } from '../kernel/problem.ts'

export interface MailContent {
  readonly subject: string
  readonly html: string
  readonly text: string
}

/** One address, nothing that begins another header or another recipient (RFC 5321 without its exotic forms). */
const ADDRESS = /^[^\s@<>(),;:"\\[\]\p{Cc}]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/iu
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u

export function mailAddress(address: string, field = 'email'): string {
  if (ADDRESS.test(address) && address.length <= 254) return address
  throw headerProblem(field, 'is no address that mail can be sent to')
}

/** Text of one line: a line break in a header begins the next header. */
export function headerText(text: string, field: string): string {
  if (!CONTROL.test(text)) return text
  throw headerProblem(field, 'has a line break or another control character')
}

function headerProblem(field: string, what: string): Problem {
  return validationProblem([{ field, code: 'HEADER', message: `${field} ${what}` }])
}
