import type { CsvRecord } from './csvRecords.ts'
import {
  documentNumberProblem,
  documentOf,
  headerProblems,
  parseSalesRow,
  printable,
  SALES_COLUMNS,
  type RowProblem,
  type SalesDocument,
  type SalesRow,
} from './salesJournal.ts'

export const PROBLEMS_MAXIMUM = 1_000
export const DOCUMENTS_MAXIMUM = 500_000
export const ROWS_PER_DOCUMENT_MAXIMUM = 10_000
/**
 * Documents held open at once, so that one may be interrupted by up to seven others. The rows of a document are
 * nearly always contiguous; in the year one is interrupted: 542806 (lines 78088 to 78128) by C542805, which was
 * keyed in within the same minute (lines 78092 and 78093).
 */
export const OPEN_DOCUMENTS_MAXIMUM = 8

/** What a reading found out about its file; complete only when the file has been read to its end. */
export interface SalesFileFindings {
  /** Rows below the header, good and bad. */
  rows: number
  /** Different document numbers, good and bad. */
  documents: number
  /** Documents without a bad row. */
  intactDocuments: number
  /** The first PROBLEMS_MAXIMUM of problemCount. */
  problems: RowProblem[]
  problemCount: number
  /** Numbers of the documents that have a bad row, or may have one; also numbers that only a bad row names. */
  brokenDocuments: Set<string>
  /** The file as a whole cannot be trusted: nothing of it may be posted. */
  unusable: boolean
}

export function noFindings(): SalesFileFindings {
  return {
    rows: 0,
    documents: 0,
    intactDocuments: 0,
    problems: [],
    problemCount: 0,
    brokenDocuments: new Set(),
    unusable: false,
  }
}

/** Gathers records into documents. Memory: the open documents' rows, and a number for every document met. */
export class SalesGrouping {
  readonly #findings: SalesFileFindings
  readonly #emit: (document: SalesDocument) => void
  #headerSeen = false
  /** The document touched last is last. */
  readonly #open = new Map<string, { rows: SalesRow[]; lastLine: number }>()
  readonly #lastLineOfClosed = new Map<string, number>()
  #previousNumber: string | null = null
  /** A row whose document is unknown: it stands after `previous` and seemed to say `numbers`. */
  #doubt: { previous: string | null; numbers: Set<string> } | null = null

  constructor(findings: SalesFileFindings, emit: (document: SalesDocument) => void) {
    this.#findings = findings
    this.#emit = emit
  }

  take(record: CsvRecord): void {
    if (this.#findings.unusable) return
    if (!this.#headerSeen) return this.#takeHeader(record)
    this.#findings.rows++
    const { line, values } = record
    const parsed = 'reason' in record ? [faultOf(record)] : parseSalesRow(values, line)
    if (!Array.isArray(parsed)) return this.#takeRow(parsed.documentNumber, line, parsed)
    for (const problem of parsed) this.#report(problem)
    const number = documentNumberProblem(values[0] ?? '') === null ? ownText(values[0]!) : null
    const splitsWell = !('reason' in record) && values.length === SALES_COLUMNS.length
    if (number === null || !splitsWell) return this.#takeDoubtful(number)
    this.#markBroken(number)
    this.#takeRow(number, line, null)
  }

  /** The file itself is wrong, not one of its rows. */
  refuse(line: number, reason: string): void {
    this.#report({ line, column: '', value: '', reason })
    this.#findings.unusable = true
  }

  end(): void {
    if (!this.#headerSeen && !this.#findings.unusable) this.refuse(1, 'the file is empty')
    this.#settleDoubt(null)
    for (const number of this.#open.keys()) this.#close(number)
  }

  #takeHeader(record: CsvRecord): void {
    this.#headerSeen = true
    const problems = 'reason' in record ? [faultOf(record)] : headerProblems(record.values, record.line)
    for (const problem of problems) this.#report(problem)
    this.#findings.unusable = problems.length > 0
  }

  #takeRow(number: string, line: number, row: SalesRow | null): void {
    this.#settleDoubt(number)
    const endedAt = this.#lastLineOfClosed.get(number)
    if (endedAt !== undefined) return this.#takeLateRow(number, line, endedAt)
    let document = this.#open.get(number)
    if (!document) {
      if (this.#findings.documents >= DOCUMENTS_MAXIMUM) {
        return this.refuse(line, `more than ${DOCUMENTS_MAXIMUM} documents: split the file`)
      }
      this.#findings.documents++
      if (this.#open.size >= OPEN_DOCUMENTS_MAXIMUM) this.#close(this.#open.keys().next().value!)
      document = { rows: [], lastLine: line }
      this.#open.set(ownText(number), document)
    } else if (number !== this.#previousNumber) {
      this.#open.delete(number)
      this.#open.set(ownText(number), document)
    }
    document.lastLine = line
    this.#previousNumber = number
    if (this.#findings.brokenDocuments.has(number)) document.rows.length = 0
    else if (document.rows.length >= ROWS_PER_DOCUMENT_MAXIMUM) {
      this.#breakDocument(number, line, `the document has more than ${ROWS_PER_DOCUMENT_MAXIMUM} rows`)
    } else if (row) document.rows.push(row)
  }

  #takeLateRow(number: string, line: number, endedAt: number): void {
    this.#previousNumber = number
    if (this.#findings.brokenDocuments.has(number)) return
    const allowed = `at most ${OPEN_DOCUMENTS_MAXIMUM - 1} others may stand between its rows`
    this.#breakDocument(number, line, `the document ended at line ${endedAt} and goes on here: ${allowed}`)
  }

  #breakDocument(number: string, line: number, reason: string): void {
    this.#report({ line, column: 'InvoiceNo', value: printable(number), reason })
    this.#markBroken(number)
  }

  #markBroken(number: string): void {
    if (this.#findings.brokenDocuments.has(number)) return
    this.#findings.brokenDocuments.add(ownText(number))
    // It was given out as intact; a reader learns otherwise from the findings at the end.
    if (this.#lastLineOfClosed.has(number)) this.#findings.intactDocuments--
  }

  /**
   * A row without a readable number, or one that falls apart so that its first value need not be its number,
   * may belong to the document before it or to the one after it. Where the neighbours do not settle it, both
   * are broken: leaving out a whole document is seen and mended, posting one that lacks a row is not.
   */
  #takeDoubtful(number: string | null): void {
    this.#doubt ??= { previous: this.#previousNumber, numbers: new Set() }
    if (this.#doubt.numbers.size < PROBLEMS_MAXIMUM) this.#doubt.numbers.add(number ?? '')
    if (number !== null && number === this.#doubt.previous) this.#markBroken(number)
  }

  #settleDoubt(next: string | null): void {
    const doubt = this.#doubt
    if (!doubt) return
    this.#doubt = null
    const [only] = doubt.numbers
    const settled = doubt.numbers.size === 1 && (only === doubt.previous || only === next)
    const suspects = settled ? [only!] : [...doubt.numbers, doubt.previous, next]
    for (const number of suspects) {
      if (number !== null && number !== '') this.#markBroken(number)
    }
  }

  #close(number: string): void {
    const document = this.#open.get(number)!
    this.#open.delete(number)
    this.#lastLineOfClosed.set(number, document.lastLine)
    if (this.#findings.brokenDocuments.has(number)) return
    this.#findings.intactDocuments++
    this.#emit(documentOf(document.rows))
  }

  #report(problem: RowProblem): void {
    this.#findings.problemCount++
    if (this.#findings.problems.length < PROBLEMS_MAXIMUM) this.#findings.problems.push(problem)
  }
}

function faultOf(fault: Extract<CsvRecord, { reason: string }>): RowProblem {
  const { line, values, column, reason } = fault
  return { line, column: SALES_COLUMNS[column] ?? '', value: printable(values[0] ?? ''), reason }
}

/** A copy: V8's slices keep the chunk of the file they were cut from, and numbers are kept to the end. */
function ownText(text: string): string {
  return Array.from(text).join('')
}
