import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Decimal } from '../../kernel/decimal.ts'
import type { AccountRole } from '../companies/rules/charts.ts'
import { CsvRecords, LINE_LENGTH_MAXIMUM } from './rules/csvRecords.ts'
import { noFindings, SalesGrouping, type SalesFileFindings } from './rules/salesGrouping.ts'
import {
  entryOf,
  SALES_COLUMNS,
  SALES_ROLES,
  type RowProblem,
  type SalesDocument,
  type SalesEntry,
} from './rules/salesJournal.ts'

/** A quarter of what a bulk posting may hold (BULK_ENTRIES_MAXIMUM), so that no batch locks the books for long. */
export const BATCH_ENTRIES = 250
export const LISTED_MAXIMUM = 1_000

export interface SalesImportProgress {
  readonly phase: 'checking' | 'posting'
  readonly rows: number
  readonly documents: number
  /** Documents to be posted or found without value; null while checking. */
  readonly documentsExpected: number | null
  /** Of the file as it lies on disk; with its size, the progress of either phase. */
  readonly bytesRead: number
}

export interface SalesImportOptions {
  /** Opens the file from its beginning: it is read twice, first to check it and then to post it. */
  readonly open: () => Readable
  readonly companyAccounts: ReadonlyMap<AccountRole, string>
  /**
   * Posts the entries whose source is not yet in the books, all of these or none. Restarting rests on it alone:
   * what an earlier run has posted is counted as already there.
   */
  readonly postBatch: (entries: readonly SalesEntry[]) => Promise<{ posted: number; alreadyThere: number }>
  readonly skipBadRows: boolean
  readonly onProgress?: (progress: SalesImportProgress) => void
}

export interface SalesImportProblems {
  readonly rows: number
  /** Different document numbers in the file. */
  readonly documents: number
  /** The first 1,000 of problemCount. */
  readonly problems: readonly RowProblem[]
  readonly problemCount: number
}

/** Nothing was posted. */
export interface SalesImportRefusal extends SalesImportProblems {
  readonly outcome: 'refused'
  /** Skipping would not help: the header is wrong, or the file cannot be read to its end. */
  readonly unusable: boolean
}

export interface SalesImportSummary extends SalesImportProblems {
  readonly outcome: 'imported'
  readonly posted: number
  readonly alreadyThere: number
  readonly withoutValue: number
  /** Numbers of documents left out because of a bad row: the first 1,000 of skippedDocumentCount. */
  readonly skippedDocuments: readonly string[]
  readonly skippedDocumentCount: number
  /** Net, of what this run posted and what was already there: what the books now hold of this file. */
  readonly total: string
  /** Rows whose quantity × price was no whole number of cents: the first 1,000, and all of them in sum. */
  readonly roundedRows: readonly { line: number; document: string; exact: string; posted: string }[]
  /** Exact less posted, over all rounded rows. */
  readonly roundingDifference: string
}

/**
 * The documents of a sales file, plain or gzip (told by its first bytes, whatever its name). Only documents
 * without a bad row come out; what is wrong goes into `findings`, which is complete when the reading has ended:
 * a document already given out may turn out broken when its number comes up again far below.
 */
export async function* readSalesDocuments(
  source: string | Readable,
  findings: SalesFileFindings,
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<SalesDocument> {
  const ready: SalesDocument[] = []
  const grouping = new SalesGrouping(findings, (document) => ready.push(document))
  const records = new CsvRecords(SALES_COLUMNS.length, (record) => grouping.take(record))
  const stream = typeof source === 'string' ? createReadStream(source) : source
  try {
    for await (const lines of linesOf(plainBytes(stream, onBytes))) {
      for (const line of lines) records.push(line)
      yield* ready
      ready.length = 0
      if (findings.unusable) return
    }
  } catch (error) {
    if (!isGzipError(error)) throw error
    grouping.refuse(records.line, `the gzip data is damaged or cut short here: ${error.message}`)
    return
  } finally {
    // Closing would otherwise trickle down through gunzip some time after the caller has stopped.
    stream.destroy()
  }
  records.end()
  grouping.end()
  yield* ready
}

/**
 * Checks the whole file, then posts it, an entry a document, in batches. If anything is wrong, nothing is
 * posted, unless bad rows are to be skipped: then the documents they stand in are left out whole.
 */
export async function importSalesJournal(
  options: SalesImportOptions,
): Promise<SalesImportSummary | SalesImportRefusal> {
  requireAccounts(options.companyAccounts)
  const checked = await checkFile(options)
  if (checked.unusable || (checked.problemCount > 0 && !options.skipBadRows)) {
    return { outcome: 'refused', unusable: checked.unusable, ...problemsOf(checked) }
  }
  const posting = new Posting(options)
  const findings = noFindings()
  let bytesRead = 0
  const report = () => {
    const { rows } = findings
    const { documents } = posting
    const documentsExpected = checked.intactDocuments
    options.onProgress?.({ phase: 'posting', rows, documents, documentsExpected, bytesRead })
  }
  const reading = readSalesDocuments(options.open(), findings, (count) => (bytesRead += count))
  for await (const document of reading) {
    if (checked.brokenDocuments.has(document.number)) continue
    // Broken documents are known from the check. Another one means that it was another file.
    if (findings.brokenDocuments.size > checked.brokenDocuments.size) throw fileChanged()
    if (await posting.take(document)) report()
  }
  if (findings.rows !== checked.rows || findings.problemCount !== checked.problemCount) throw fileChanged()
  if (posting.documents !== checked.intactDocuments) throw fileChanged()
  await posting.flush()
  report()
  return {
    outcome: 'imported',
    ...problemsOf(checked),
    ...posting.summary(),
    skippedDocuments: [...checked.brokenDocuments].slice(0, LISTED_MAXIMUM),
    skippedDocumentCount: checked.brokenDocuments.size,
  }
}

class Posting {
  documents = 0
  readonly #options: SalesImportOptions
  readonly #accountCodeOf: (role: AccountRole) => string
  #batch: SalesEntry[] = []
  #batchTotal = Decimal.zero
  #posted = 0
  #alreadyThere = 0
  #withoutValue = 0
  #total = Decimal.zero
  #roundingDifference = Decimal.zero
  readonly #roundedRows: { line: number; document: string; exact: string; posted: string }[] = []

  constructor(options: SalesImportOptions) {
    this.#options = options
    this.#accountCodeOf = (role) => options.companyAccounts.get(role)!
  }

  /** True when a batch was sent off. */
  async take(document: SalesDocument): Promise<boolean> {
    this.documents++
    this.#noteRounding(document)
    const result = entryOf(document, this.#accountCodeOf)
    if ('withoutValue' in result) {
      this.#withoutValue++
      return false
    }
    this.#batch.push(result.entry)
    this.#batchTotal = this.#batchTotal.plus(document.total)
    if (this.#batch.length < BATCH_ENTRIES) return false
    await this.flush()
    return true
  }

  async flush(): Promise<void> {
    const entries = this.#batch
    if (entries.length === 0) return
    const { posted, alreadyThere } = await this.#options.postBatch(entries)
    if (posted + alreadyThere !== entries.length) {
      throw new Error(`${entries.length} entries, but ${posted} posted and ${alreadyThere} already there`)
    }
    this.#posted += posted
    this.#alreadyThere += alreadyThere
    this.#total = this.#total.plus(this.#batchTotal)
    this.#batch = []
    this.#batchTotal = Decimal.zero
  }

  summary() {
    return {
      posted: this.#posted,
      alreadyThere: this.#alreadyThere,
      withoutValue: this.#withoutValue,
      total: this.#total.toFixed(2),
      roundedRows: this.#roundedRows,
      roundingDifference: this.#roundingDifference.toString(),
    }
  }

  #noteRounding(document: SalesDocument): void {
    for (const row of document.roundedRows) {
      this.#roundingDifference = this.#roundingDifference.plus(row.exactAmount.minus(row.amount))
      if (this.#roundedRows.length >= LISTED_MAXIMUM) continue
      const exact = row.exactAmount.toString()
      this.#roundedRows.push({
        line: row.line,
        document: document.number,
        exact,
        posted: row.amount.toFixed(2),
      })
    }
  }
}

async function checkFile({ open, onProgress }: SalesImportOptions): Promise<SalesFileFindings> {
  const findings = noFindings()
  let bytesRead = 0
  let documents = 0
  const report = () => {
    const { rows } = findings
    onProgress?.({ phase: 'checking', rows, documents, documentsExpected: null, bytesRead })
  }
  for await (const _document of readSalesDocuments(open(), findings, (count) => (bytesRead += count))) {
    if (++documents % BATCH_ENTRIES === 0) report()
  }
  report()
  return findings
}

function problemsOf(findings: SalesFileFindings): SalesImportProblems {
  const { rows, documents, problems, problemCount } = findings
  return { rows, documents, problems, problemCount }
}

function requireAccounts(companyAccounts: ReadonlyMap<AccountRole, string>): void {
  const missing = SALES_ROLES.filter((role) => !companyAccounts.get(role))
  if (missing.length > 0) throw new Error(`the company has no account for: ${missing.join(', ')}`)
}

function fileChanged(): Error {
  return new Error('the file has changed between being checked and being posted; import it again')
}

async function* plainBytes(source: Readable, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  const raw = counted(source, onBytes)
  let start: Buffer = Buffer.alloc(0)
  while (start.length < GZIP_MAGIC.length) {
    const next = await raw.next()
    if (next.done) break
    start = Buffer.concat([start, next.value])
  }
  if (start.length === 0) return
  const whole = prepended(start, raw)
  if (!start.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) {
    yield* whole
    return
  }
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // A failure of either side reaches whoever iterates over the last stream, so the callback has nothing to do.
  yield* pipeline(Readable.from(whole, { objectMode: false }), gunzip, () => {})
}

async function* counted(source: Readable, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    onBytes(bytes.length)
    yield bytes
  }
}

async function* prepended(start: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield start
  yield* rest
}

/** The lines of each chunk. One that exceeds LINE_LENGTH_MAXIMUM comes cut, yet long enough to be noticed. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new TextDecoder()
  let unfinished = ''
  for await (const chunk of chunks) {
    const lines = (unfinished + decoder.decode(chunk, { stream: true })).split('\n')
    unfinished = lines.pop()!
    if (unfinished.length > 2 * LINE_LENGTH_MAXIMUM) unfinished = unfinished.slice(0, LINE_LENGTH_MAXIMUM + 1)
    yield lines
  }
  unfinished += decoder.decode()
  if (unfinished !== '') yield [unfinished]
}

function isGzipError(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
  )
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])
const CHUNK_BYTES = 65_536
