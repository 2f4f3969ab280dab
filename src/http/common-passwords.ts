/** The fifty thousand most common passwords of leaks that became public, as zxcvbn collects them. */
import { dictionary } from '@zxcvbn-ts/language-common'

let words: ReadonlySet<string> | undefined

export function isCommonPassword(word: string): boolean {
  words ??= new Set(dictionary['passwords-common'])
  return words.has(word)
}
