import { minorUnits } from '../../kernel/currency.ts'
import { Decimal } from '../../kernel/decimal.ts'

export interface ExportedEntry {
  readonly number: string
  readonly postingDate: string
  readonly description: string | null
  readonly lines: readonly ExportedLine[]
}

/** Amounts as exact decimals; the side that has none may be null or zero. */
export interface ExportedLine {
  readonly accountCode: string
  readonly accountName: string
  readonly debit: string | null
  readonly credit: string | null
}

/**
 * Posted entries as a plain-text journal that both hledger and ledger read, so that anyone can add up our books
 * with a program that is not ours. A debit is positive, a credit negative.
 */
export async function* hledgerJournal(
  entries: AsyncIterable<ExportedEntry>,
  currency: string,
): AsyncGenerator<string> {
  const places = minorUnits(currency)
  // Says which point is the decimal one, which a lone 1.000 would leave open.
  yield `commodity ${currency}\n    format ${new Decimal(1_000n * 10n ** BigInt(places), places).toFixed(places)} ${currency}\n`
  for await (const entry of entries) {
    const lines = entry.lines.map((line) => posting(line, places, currency))
    yield (
      `\n${entry.postingDate} (${entryCode(entry.number)}) ${payee(entry.description ?? '')}`.trimEnd() +
      `\n${lines.join('')}`
    )
  }
}

function posting(line: ExportedLine, places: number, currency: string): string {
  const amount = Decimal.of(line.debit ?? '0').minus(Decimal.of(line.credit ?? '0'))
  const text = amount.toFixed(Math.max(places, amount.decimalPlaces()))
  return `    ${accountName(line)}  ${text} ${currency}\n`
}

/**
 * The code first, which also keeps a name from beginning with one of the signs that mean something there
 * (brackets, * and !). Two spaces or a tab would end the name, a colon would make it a child, a semicolon
 * would begin a comment.
 */
function accountName({ accountCode, accountName: name }: ExportedLine): string {
  // Reversible, so that two codes never become one account.
  const code = accountCode.replace(/[^A-Za-z0-9._/-]/gu, percentEncoded)
  return `${code} ${oneLine(name).replaceAll(':', '-').replaceAll(';', ',')}`.trimEnd()
}

function percentEncoded(character: string): string {
  return Buffer.from(character).toString('hex').replace(/../g, '%$&')
}

function entryCode(number: string): string {
  return oneLine(number).replaceAll('(', '[').replaceAll(')', ']')
}

/** A semicolon would begin a comment; a bar would part payee and note. */
function payee(description: string): string {
  return oneLine(description).replaceAll(';', ',').replaceAll('|', '/')
}

function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
}
