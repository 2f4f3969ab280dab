import { createReadStream, existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Decimal } from '../../kernel/decimal.ts'
import { chartTemplates, type AccountRole } from '../companies/rules/charts.ts'
import { noFindings } from './rules/salesGrouping.ts'
import { SALES_COLUMNS, SALES_ROLES, type SalesEntry } from './rules/salesJournal.ts'
import {
  BATCH_ENTRIES,
  importSalesJournal,
  readSalesDocuments,
  type SalesImportProgress,
} from './salesJournal.ts'

const firstMonth = fileURLToPath(new URL('../../testing/data/online-retail-2010-12.csv.gz', import.meta.url))
// The whole year is too large to keep in the repository.
const dataFolder =
  process.env['SHARED_DATA_DIR'] ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url))
const wholeYear = `${dataFolder}/online-retail/online-retail.csv.gz`
const isYearWanted = existsSync(wholeYear) || process.env['REQUIRE_SALES_DATA'] === '1'
if (!isYearWanted) {
  console.warn(
    `${wholeYear} is not there: the whole year is NOT read (REQUIRE_SALES_DATA=1 makes this a failure)`,
  )
}

const accountsByRole = new Map<AccountRole, string>(SALES_ROLES.map((role) => [role, role]))

/** The ledger in small: a source is posted once, a batch is posted whole or not at all. */
class Books {
  readonly entries = new Map<string, SalesEntry>()
  batches = 0
  /** Fails from this batch on. */
  failsAt = Infinity

  postBatch = async (batch: readonly SalesEntry[]) => {
    if (++this.batches >= this.failsAt) throw new Error('the database went away')
    const fresh = batch.filter(({ source }) => !this.entries.has(source.id))
    for (const entry of fresh) this.entries.set(entry.source.id, entry)
    return { posted: fresh.length, alreadyThere: batch.length - fresh.length }
  }

  /** Debit less credit by account, as text; throws when an entry does not balance. */
  balances(): Record<string, string> {
    const balances = new Map<string, Decimal>()
    for (const { lines, reference } of this.entries.values()) {
      let sum = Decimal.zero
      expect(lines.length).toBeGreaterThanOrEqual(2)
      for (const { accountCode, debit, credit } of lines) {
        expect(
          [debit, credit].filter((side) => side !== undefined && Decimal.of(side).isPositive()),
        ).toHaveLength(1)
        const amount = Decimal.of(debit ?? '0').minus(Decimal.of(credit ?? '0'))
        sum = sum.plus(amount)
        balances.set(accountCode, (balances.get(accountCode) ?? Decimal.zero).plus(amount))
      }
      if (!sum.isZero()) throw new Error(`${reference} is out by ${sum.toString()}`)
    }
    return Object.fromEntries([...balances].map(([account, balance]) => [account, balance.toFixed(2)]))
  }
}

function importFile(file: string, books: Books, onProgress?: (progress: SalesImportProgress) => void) {
  const { postBatch } = books
  const open = () => createReadStream(file)
  return importSalesJournal({
    open,
    companyAccounts: accountsByRole,
    postBatch,
    skipBadRows: false,
    ...(onProgress && { onProgress }),
  })
}

function importText(text: string | Buffer, books: Books, skipBadRows = false, chunkBytes = 7) {
  const bytes = Buffer.from(text)
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  )
  return importSalesJournal({
    open: () => Readable.from(chunks),
    companyAccounts: accountsByRole,
    postBatch: books.postBatch,
    skipBadRows,
  })
}

async function imported(result: ReturnType<typeof importSalesJournal>) {
  const summary = await result
  if (summary.outcome !== 'imported') throw new Error(JSON.stringify(summary))
  return summary
}

const header = SALES_COLUMNS.join(',')
const line = (number: string, price = '2.50') =>
  `${number},21730,"LAMP, SMALL",2,2010-12-01 08:26:00,${price},17850,France`
const csv = (...lines: string[]) => [header, ...lines].join('\n') + '\n'

describe('the real sales', () => {
  test('first month: 2,025 documents, 748,957.02 to the cent', async () => {
    const books = new Books()
    const progress: SalesImportProgress[] = []
    const summary = await imported(importFile(firstMonth, books, (each) => progress.push(each)))
    expect(summary).toMatchObject({
      rows: 42_481,
      documents: 2_025,
      posted: 1_885,
      withoutValue: 140,
      alreadyThere: 0,
      skippedDocuments: [],
      total: '748957.02',
      roundingDifference: '0',
    })
    const { importsClearing, ...others } = books.balances()
    expect(importsClearing).toBe('748957.02')
    expect(Decimal.sum(Object.values(others).map((balance) => Decimal.of(balance))).toString()).toBe(
      '-748957.02',
    )
    expect(progress.at(-1)).toMatchObject({ phase: 'posting', documents: 2_025, documentsExpected: 2_025 })
    const again = await imported(importFile(firstMonth, books))
    expect(again).toMatchObject({ posted: 0, alreadyThere: 1_885, total: '748957.02' })
  })

  test.skipIf(!isYearWanted)(
    'whole year: 25,900 documents, 9,747,747.93, and 0.004 in four prices',
    { timeout: 120_000 },
    async () => {
      const books = new Books()
      const summary = await imported(importFile(wholeYear, books))
      expect(summary).toMatchObject({
        rows: 541_909,
        documents: 25_900,
        posted: 23_798,
        withoutValue: 2_102,
        total: '9747747.93',
        roundingDifference: '0.004',
        roundedRows: [
          { line: 157_197, document: '550193' },
          { line: 279_047, document: '561226' },
          { line: 359_873, document: '568200' },
          { line: 361_743, document: '568375' },
        ].map((where) => ({ ...where, exact: '0.001', posted: '0.00' })),
      })
      // Summed over the file by another program (Python's csv and decimal), by stock code, row by row.
      expect(books.balances()).toEqual({
        importsClearing: '9747747.93',
        productSales: '-9792708.88',
        carriageIncome: '-279462.12',
        salesDiscount: '5696.22',
        manualSales: '68671.64',
        giftVouchers: '-685.81',
        samples: '3049.39',
        platformFees: '221520.50',
        bankCharges: '7175.64',
        charityCommission: '7933.43',
        badDebt: '11062.06',
      })
      // The one document with another in between: 4 rows before it and 35 after.
      const [clearing] = books.entries.get('542806')!.lines
      expect(clearing).toEqual({ accountCode: 'importsClearing', debit: '846.69' })
    },
  )

  test('a run that dies is started again and posts the rest, nothing twice', async () => {
    const books = new Books()
    books.failsAt = 4
    await expect(importFile(firstMonth, books)).rejects.toThrow('the database went away')
    expect(books.entries.size).toBe(3 * BATCH_ENTRIES)
    books.failsAt = Infinity
    const summary = await imported(importFile(firstMonth, books))
    expect(summary).toMatchObject({ alreadyThere: 750, posted: 1_135, total: '748957.02' })
    expect(books.balances()['importsClearing']).toBe('748957.02')
  })

  test('every chart has the accounts', () => {
    for (const { roles } of chartTemplates)
      for (const role of SALES_ROLES) expect(roles[role]).toMatch(/^\d+$/)
  })
})

describe('a file with broken rows', () => {
  const broken = csv(
    line('1'),
    line('2'),
    '2,21730,LAMP,two,2010-02-30 08:26:00,2.50,17850,France',
    line('3'),
    line('4', '1.25'),
    '5,21730,"LAMP,2,2010-12-01 08:26:00,2.50,17850,France',
    line('5'),
    line('6'),
  )

  test('says line, column and reason, and posts nothing', async () => {
    const books = new Books()
    const refusal = await importText(broken, books)
    expect(refusal).toMatchObject({ outcome: 'refused', unusable: false, problemCount: 3 })
    expect(refusal.problems).toMatchObject([
      { line: 4, column: 'Quantity', value: 'two' },
      { line: 4, column: 'InvoiceDate', value: '2010-02-30 08:26:00', reason: 'there is no such date' },
      { line: 7, column: 'Description', value: '5', reason: 'a quote is opened and not closed' },
    ])
    expect(books.batches).toBe(0)
  })

  test('told to skip, leaves the documents out whole and posts the others', async () => {
    const books = new Books()
    const summary = await imported(importText(broken, books, true))
    expect(summary).toMatchObject({ posted: 4, documents: 6, skippedDocuments: ['2', '5'], problemCount: 3 })
    expect(summary.total).toBe('17.50')
    expect([...books.entries.keys()]).toEqual(['1', '3', '4', '6'])
  })

  test('a document that comes again much later is left out whole, though its first rows were good', async () => {
    const numbers = ['1', ...Array.from({ length: 20 }, (_, index) => String(100 + index)), '1']
    const books = new Books()
    expect(await importText(csv(...numbers.map((number) => line(number))), books)).toMatchObject({
      outcome: 'refused',
      problems: [{ line: 23, column: 'InvoiceNo', value: '1' }],
    })
    const summary = await imported(importText(csv(...numbers.map((number) => line(number))), books, true))
    expect(summary).toMatchObject({ posted: 20, skippedDocuments: ['1'] })
    expect(books.entries.has('1')).toBe(false)
  })

  test.each<[string, string | Buffer, RegExp]>([
    ['empty', '', /empty/],
    ['another header', csv(line('1')).replace('UnitPrice', 'Price'), /must be UnitPrice/],
    ['UTF-16', Buffer.from(csv(line('1')), 'utf16le'), /header/],
    ['gzip cut short', gzipSync(csv(...Array<string>(5_000).fill(line('1')))).subarray(0, -20), /cut short/],
    ['gzip damaged', gzipSync(csv(line('1'))).fill(0x55, 12, 30), /damaged/],
  ])('%s: unusable, even when told to skip', async (_name, text, reason) => {
    const books = new Books()
    const refusal = await importText(text, books, true)
    expect(refusal).toMatchObject({ outcome: 'refused', unusable: true })
    expect(refusal.problems.at(-1)!.reason).toMatch(reason)
    expect(books.batches).toBe(0)
  })

  test('Latin-1 text is named, not garbled', async () => {
    const latin = Buffer.from(csv(line('1').replace('SMALL', '£40')), 'latin1')
    expect(await importText(latin, new Books())).toMatchObject({
      outcome: 'refused',
      problems: [{ line: 2, column: 'Description', reason: 'contains bytes that are not UTF-8 text' }],
    })
  })
})

describe('reading', () => {
  const text = csv(line('1').replace('SMALL', 'SMALL £40\nSECOND LINE'), line('2'))
  test.each([
    ['plain', Buffer.from(text)],
    ['CRLF', Buffer.from(text.replaceAll('\n', '\r\n'))],
    ['with a byte order mark', Buffer.from(`\uFEFF${text}`)],
    ['without a last line break', Buffer.from(text.trimEnd())],
    ['gzip', gzipSync(text)],
    ['gzip in two parts', Buffer.concat([gzipSync(text.slice(0, 90)), gzipSync(text.slice(90))])],
  ])('%s, in chunks of every size', async (_name, bytes) => {
    for (const chunkBytes of [1, 2, 3, 100, 1_000_000]) {
      const summary = await imported(importText(bytes, new Books(), false, chunkBytes))
      expect(summary).toMatchObject({ rows: 2, posted: 2, total: '10.00' })
    }
  })

  test('a header alone posts nothing', async () => {
    expect(await imported(importText(csv(), new Books()))).toMatchObject({
      documents: 0,
      posted: 0,
      total: '0.00',
    })
  })

  test('who stops early closes the file, and a file that is not there is an error', async () => {
    const stream = createReadStream(firstMonth)
    for await (const document of readSalesDocuments(stream, noFindings())) {
      expect(document.number).toBe('536365')
      break
    }
    expect(stream.destroyed).toBe(true)
    const missing = readSalesDocuments('/nowhere/sales.csv.gz', noFindings())
    await expect(missing.next()).rejects.toThrow('ENOENT')
  })

  test('a line without end takes no memory without end', async () => {
    const piece = Buffer.alloc(1 << 20, 'x')
    const findings = noFindings()
    const endless = Readable.from(
      (function* () {
        yield Buffer.from(csv(line('1')))
        for (let index = 0; index < 64; index++) yield piece
        yield Buffer.from(`\n${line('2')}\n`)
      })(),
    )
    const numbers: string[] = []
    for await (const { number } of readSalesDocuments(endless, findings)) numbers.push(number)
    expect(findings.problems).toMatchObject([{ line: 3, column: '' }])
    expect(findings.rows).toBe(3)
  })

  test('a file that changes after the check is noticed', async () => {
    for (const second of [
      csv(line('1')),
      csv(line('1'), line('9', 'x'), line('2')),
      csv(line('1'), line('2'), line('3')),
    ]) {
      const texts = [csv(line('1'), line('2')), second]
      const result = importSalesJournal({
        open: () => Readable.from([Buffer.from(texts.shift()!)]),
        companyAccounts: accountsByRole,
        postBatch: new Books().postBatch,
        skipBadRows: false,
      })
      await expect(result).rejects.toThrow('has changed')
    }
  })

  test('missing accounts and a miscounting ledger stop it', async () => {
    const open = () => Readable.from([Buffer.from(csv(line('1')))])
    const postBatch = async () => ({ posted: 0, alreadyThere: 0 })
    const withoutFees = new Map([...accountsByRole].filter(([role]) => role !== 'platformFees'))
    const options = { open, postBatch, skipBadRows: false }
    await expect(importSalesJournal({ ...options, companyAccounts: withoutFees })).rejects.toThrow(
      'platformFees',
    )
    await expect(importSalesJournal({ ...options, companyAccounts: accountsByRole })).rejects.toThrow(
      '1 entries',
    )
  })
})
