/**
 * The one way in which an e-mail address is compared: by Unicode's simple lower case of each character, as
 * PostgreSQL's lower() does it. JavaScript's own lower case makes two characters of `İ` and looks at what stands
 * beside `Σ`.
 *
 * Whoever looks somebody up asks the database for `lower(email) = <folded>`, never for lower() of what was typed:
 * so whichever spellings reach one account, they are folded to the same text, and what is counted by it is counted
 * together.
 */
export function foldedEmail(address: string): string {
  return Array.from(address, (character) => (character === 'İ' ? 'i' : character.toLowerCase())).join('')
}
