/**
 * Text in a cell of a CSV file. A spreadsheet takes text that begins like a formula for one, and would carry it
 * out: an apostrophe before it keeps it text. Text that has the apostrophe already gets another one, so that a
 * reader of ours finds every text again exactly as it was. Numbers are no text: they stay as they are.
 */

/** For JavaScript and for PostgreSQL alike; the full-width signs are formulas to some spreadsheets. */
export const FORMULA_PATTERN = String.raw`^'*[=+@\t\r\n＝＋－＠-]`

const FORMULA = new RegExp(FORMULA_PATTERN, 'u')

export function cellOfText(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text
}

/** What people typed themselves has no apostrophe before it, and is left as it is. */
export function textOfCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell
}
