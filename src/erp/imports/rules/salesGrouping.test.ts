import { describe, expect, test } from 'vitest'
import { noFindings, PROBLEMS_MAXIMUM, ROWS_PER_DOCUMENT_MAXIMUM, SalesGrouping } from './salesGrouping.ts'
import { SALES_COLUMNS } from './salesJournal.ts'

/** Each word is a row of that document; a word with ! has a bad quantity, ? stands for a row without number. */
function group(words: string) {
  const findings = noFindings()
  const documents: string[] = []
  const grouping = new SalesGrouping(findings, ({ number, rowCount }) =>
    documents.push(`${number}×${rowCount}`),
  )
  grouping.take({ line: 1, values: SALES_COLUMNS })
  words.split(' ').forEach((word, index) => {
    const number = word.replace(/[!?|]/g, '')
    const quantity = word.endsWith('!') ? 'x' : '1'
    const values = [number, '1', '', quantity, '2011-01-01', '1', '', '']
    const short = word.endsWith('|')
    grouping.take({ line: index + 2, values: short ? values.slice(1).with(0, number) : values })
  })
  grouping.end()
  return { documents, findings, broken: [...findings.brokenDocuments].sort() }
}

describe('grouping', () => {
  test('contiguous rows', () => {
    const { documents, findings } = group('1 1 2 3 3 3')
    expect(documents).toEqual(['1×2', '2×1', '3×3'])
    expect(findings).toMatchObject({ rows: 6, documents: 3, intactDocuments: 3, problemCount: 0 })
  })

  test('a document interrupted by seven others is still one', () => {
    expect(group('1 2 3 4 5 6 7 8 1').documents).toContain('1×2')
  })

  test('a document that comes again after eight is a problem, once, and is broken', () => {
    const { documents, findings, broken } = group('1 2 3 4 5 6 7 8 9 1 1')
    expect(findings.problems).toMatchObject([{ line: 11, column: 'InvoiceNo', value: '1' }])
    expect(findings.problems[0]!.reason).toContain('ended at line 2')
    expect(broken).toEqual(['1'])
    // It had been given out before; that is why an import reads twice.
    expect(documents).toContain('1×1')
    expect(findings).toMatchObject({ documents: 9, intactDocuments: 8 })
  })

  test.each([
    ['a bad row breaks its document only', '1 1! 1 2', ['1']],
    ['at its start', '1 2! 2 3', ['2']],
    ['alone', '1 2! 3', ['2']],
    ['a row without number inside a document', '1 ? 1 2', ['1']],
    ['between two documents: either may lack it', '0 1 ? 2 3', ['1', '2']],
    ['before the first and after the last', '? 1 2 3 ?', ['1', '3']],
    ['several in a row', '1 ? ? 2', ['1', '2']],
    ['a row of seven columns that names its neighbour above', '1 1| 2', ['1']],
    ['or below', '1 2| 2', ['2']],
    ['or neither', '1 9| 2 3', ['1', '2', '9']],
  ])('%s', (_name, words, expected) => {
    const { broken, documents } = group(words)
    expect(broken).toEqual(expected)
    for (const document of documents) expect(expected).not.toContain(document.split('×')[0])
  })

  test('problems and rows are bounded', () => {
    const { findings } = group(
      Array(PROBLEMS_MAXIMUM + 5)
        .fill('1!')
        .join(' '),
    )
    expect(findings.problems).toHaveLength(PROBLEMS_MAXIMUM)
    expect(findings.problemCount).toBe(PROBLEMS_MAXIMUM + 5)
    const many = group(
      Array(ROWS_PER_DOCUMENT_MAXIMUM + 5)
        .fill('1')
        .join(' '),
    )
    expect(many.broken).toEqual(['1'])
    expect(many.findings.problemCount).toBe(1)
    expect(many.documents).toEqual([])
  })

  test('an empty file and a wrong header make the whole unusable', () => {
    const findings = noFindings()
    new SalesGrouping(findings, () => {}).end()
    expect(findings).toMatchObject({ unusable: true, problemCount: 1 })
    const renamed = noFindings()
    const grouping = new SalesGrouping(renamed, () => expect.unreachable())
    grouping.take({ line: 1, values: ['Invoice', ...SALES_COLUMNS.slice(1)] })
    grouping.take({ line: 2, values: ['1', '1', '', '1', '2011-01-01', '1', '', ''] })
    grouping.end()
    expect(renamed).toMatchObject({ unusable: true, rows: 0, problems: [{ line: 1, column: 'InvoiceNo' }] })
  })
})
