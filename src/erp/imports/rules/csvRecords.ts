/**
 * Lines of a CSV file (RFC 4180) to records, with the line and the column of whatever is wrong. Why not
 * csv-parse, which the tests hold this against: there one quote that is never closed swallows the rest of the
 * file (or fails it), and line breaks inside quotes are counted twice in files with CRLF. Here a quoted value
 * may run over a few lines; when that leads nowhere, the line that opened the quote is to blame and reading goes
 * on at the line after it, so that one bad line costs one record.
 */
export type CsvRecord = CsvValues | CsvFault

export interface CsvValues {
  /** Lines count from 1; a record of several lines has the number of its first. */
  readonly line: number
  readonly values: readonly string[]
}

export interface CsvFault {
  readonly line: number
  /** What could be read before the fault. */
  readonly values: readonly string[]
  /** Counts from 0; -1 for the whole line. */
  readonly column: number
  readonly reason: string
}

export const LINE_LENGTH_MAXIMUM = 65_536
export const RECORD_LINES_MAXIMUM = 10

export class CsvRecords {
  readonly #columnCount: number
  readonly #take: (record: CsvRecord) => void
  #line = 0
  /** Lines of a record whose quoted value is still open, the first of them numbered #heldFrom. */
  #held: string[] = []
  #heldFrom = 0

  constructor(columnCount: number, take: (record: CsvRecord) => void) {
    this.#columnCount = columnCount
    this.#take = take
  }

  /** The number of the last line pushed. */
  get line(): number {
    return this.#line
  }

  /** A line without its line break. One longer than LINE_LENGTH_MAXIMUM may come cut to just above that. */
  push(text: string): void {
    this.#line++
    this.#accept(text.endsWith('\r') ? text.slice(0, -1) : text, this.#line)
  }

  end(): void {
    while (this.#held.length > 0) this.#giveUpHeld()
  }

  #accept(text: string, line: number): void {
    if (text.length > LINE_LENGTH_MAXIMUM) {
      this.end()
      const reason = `the line is longer than ${LINE_LENGTH_MAXIMUM} characters`
      this.#take({ line, values: [], column: -1, reason })
    } else if (this.#held.length > 0) {
      this.#acceptContinuation(text)
    } else if (text !== '') {
      const parsed = parseCsvRecord(text)
      if ('unclosed' in parsed) {
        this.#held = [text]
        this.#heldFrom = line
      } else this.#take({ line, ...parsed })
    }
  }

  #acceptContinuation(text: string): void {
    this.#held.push(text)
    const joined = this.#held.join('\n')
    const parsed = parseCsvRecord(joined)
    if ('unclosed' in parsed) {
      if (this.#held.length >= RECORD_LINES_MAXIMUM || joined.length > LINE_LENGTH_MAXIMUM) this.#giveUpHeld()
    } else if (!('reason' in parsed) && parsed.values.length === this.#columnCount) {
      this.#held = []
      this.#take({ line: this.#heldFrom, values: parsed.values })
    } else this.#giveUpHeld()
  }

  #giveUpHeld(): void {
    const [first, ...following] = this.#held
    const line = this.#heldFrom
    this.#held = []
    const { values } = parseCsvRecord(first!)
    this.#take({ line, values, column: values.length, reason: 'a quote is opened and not closed' })
    following.forEach((text, index) => this.#accept(text, line + 1 + index))
  }
}

type Parsed =
  | { values: string[] }
  | { values: string[]; column: number; reason: string }
  | { values: string[]; unclosed: true }

export function parseCsvRecord(text: string): Parsed {
  if (!text.includes('"')) return { values: text.split(',') }
  const values: string[] = []
  let at = 0
  for (;;) {
    if (text.charCodeAt(at) === QUOTE) {
      const quoted = quotedValue(text, at + 1)
      if (!quoted) return { values, unclosed: true }
      at = quoted.end
      if (at < text.length && text.charCodeAt(at) !== COMMA) {
        return { values, column: values.length, reason: 'there is text after the closing quote' }
      }
      values.push(quoted.value)
      if (at === text.length) return { values }
    } else {
      const comma = text.indexOf(',', at)
      const value = comma < 0 ? text.slice(at) : text.slice(at, comma)
      if (value.includes('"')) {
        return { values, column: values.length, reason: 'there is a quote inside a value that is not quoted' }
      }
      values.push(value)
      if (comma < 0) return { values }
      at = comma
    }
    at++
  }
}

function quotedValue(text: string, start: number): { value: string; end: number } | null {
  let value = ''
  let from = start
  for (;;) {
    const quote = text.indexOf('"', from)
    if (quote < 0) return null
    if (text.charCodeAt(quote + 1) !== QUOTE)
      return { value: value + text.slice(from, quote), end: quote + 1 }
    value += text.slice(from, quote + 1)
    from = quote + 2
  }
}

const QUOTE = 34
const COMMA = 44
