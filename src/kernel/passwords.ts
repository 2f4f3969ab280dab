/** The rules a password must meet (SPEC 6); each one broken is named. */
import type { FieldProblem } from './problem.ts'

export const PASSWORD_LENGTH_MINIMUM = 8
/** bcrypt looks at 72 bytes; more would be ignored in silence. */
export const PASSWORD_BYTES_MAXIMUM = 72

/** `isCommon` looks a word up, in lower case, in a list of common passwords (see http/common-passwords.ts). */
export function passwordProblems(
  password: string,
  person: { fullName: string; email: string },
  isCommon: (word: string) => boolean,
  field = 'password',
): FieldProblem[] {
  const broken: FieldProblem[] = []
  const refuse = (code: string, message: string): number => broken.push({ field, code, message })
  if (password.length < PASSWORD_LENGTH_MINIMUM) {
    refuse('PASSWORD_TOO_SHORT', `The password needs at least ${PASSWORD_LENGTH_MINIMUM} characters`)
  }
  if (utf8Length(password) > PASSWORD_BYTES_MAXIMUM) {
    refuse('PASSWORD_TOO_LONG', `The password takes at most ${PASSWORD_BYTES_MAXIMUM} bytes`)
  }
  if (!/\p{Lu}/u.test(password)) refuse('PASSWORD_NEEDS_UPPER', 'The password needs an upper-case letter')
  if (!/\p{Ll}/u.test(password)) refuse('PASSWORD_NEEDS_LOWER', 'The password needs a lower-case letter')
  if (!/\p{Nd}/u.test(password)) refuse('PASSWORD_NEEDS_DIGIT', 'The password needs a digit')
  if (!/[^\p{L}\p{Nd}]/u.test(password)) {
    refuse('PASSWORD_NEEDS_SPECIAL', 'The password needs a character that is neither letter nor digit')
  }
  if (containsPerson(password, person)) {
    refuse('PASSWORD_CONTAINS_NAME', 'The password must not contain the name or the e-mail address')
  }
  if (commonForms(password).some(isCommon)) {
    refuse('PASSWORD_COMMON', 'The password is one that many people use, or such a one dressed up a little')
  }
  return broken
}

/**
 * Common passwords are lower-case words; ours must have capitals, digits and signs, which people put round the same
 * words: "Password1!", "P@ssw0rd". So it is looked up as it is, undressed, and with letters for look-alikes.
 */
function commonForms(password: string): string[] {
  const lower = password.toLowerCase()
  const undressed = (text: string): string => text.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '')
  const plain = (text: string): string => [...text].map((one) => LOOK_ALIKES[one] ?? one).join('')
  // Both ways round: of "Dr4g0n-1!" the tail must go before its 1 and ! are read as letters.
  return [lower, undressed(lower), plain(undressed(lower)), undressed(plain(lower))]
}

const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '@': 'a', '4': 'a', '3': 'e', '1': 'i', '!': 'i', '0': 'o', $: 's', '5': 's', '7': 't',
} // prettier-ignore

/** Shorter parts ("Bo", "Li", "de") are in too many words; put together they count. */
const NAME_PART_MINIMUM = 3

function containsPerson(password: string, person: { fullName: string; email: string }): boolean {
  const lower = password.toLowerCase()
  const name = person.fullName.toLowerCase()
  const isIn = (part: string, text: string): boolean =>
    [...part].length >= NAME_PART_MINIMUM && text.includes(part)
  const parts = [...name.split(/[^\p{L}\p{M}]+/u), person.email.toLowerCase().split('@')[0] ?? '']
  // "Bo-Li" is "Bo Li", whatever is put between.
  return parts.some((part) => isIn(part, lower)) || isIn(joined(name), joined(lower))
}

function joined(text: string): string {
  return text.replaceAll(/[^\p{L}\p{M}\p{Nd}]/gu, '')
}

function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}
