import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CsvRecords,
  LINE_LENGTH_MAXIMUM,
  parseCsvRecord,
  RECORD_LINES_MAXIMUM,
  type CsvRecord,
} from './csvRecords.ts'

function recordsOf(lines: readonly string[], columnCount = 3): CsvRecord[] {
  const taken: CsvRecord[] = []
  const records = new CsvRecords(columnCount, (record) => taken.push(record))
  for (const line of lines) records.push(line)
  records.end()
  return taken
}

/** Line and values, or line, column and the first words of the reason. */
function briefly(lines: readonly string[], columnCount = 3) {
  return recordsOf(lines, columnCount).map((record) =>
    'reason' in record
      ? [record.line, record.column, record.reason.slice(0, 12)]
      : [record.line, record.values],
  )
}

describe('one record', () => {
  test.each([
    ['a,b,c', ['a', 'b', 'c']],
    ['', ['']],
    [',', ['', '']],
    ['a,', ['a', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"a ""b""",c', ['a "b"', 'c']],
    ['"",""', ['', '']],
    ['a,"b\nc"', ['a', 'b\nc']],
    [' a , b', [' a ', ' b']],
  ])('%j', (text, values) => {
    expect(parseCsvRecord(text)).toEqual({ values })
  })

  test.each([
    ['a,b"c', { values: ['a'], column: 1, reason: expect.stringContaining('not quoted') }],
    ['a,"b"c,d', { values: ['a'], column: 1, reason: expect.stringContaining('after the closing') }],
    ['a,"b', { values: ['a'], unclosed: true }],
    ['"', { values: [], unclosed: true }],
  ])('%j', (text, expected) => {
    expect(parseCsvRecord(text)).toEqual(expected)
  })

  test('agrees with csv-parse about every short text, right or wrong', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ' ', ',', ',', '"', '"'), { minLength: 1, maxLength: 14 })
    fc.assert(
      fc.property(text, (characters) => {
        const line = characters.join('')
        const parsed = parseCsvRecord(line)
        const ours = 'column' in parsed || 'unclosed' in parsed ? null : parsed.values
        expect(ours).toEqual(theirs(line))
      }),
      { numRuns: 5_000 },
    )
  })

  function theirs(line: string): string[] | null {
    try {
      // A record delimiter that cannot occur, as the text is one record. Theirs takes one empty value for none.
      return (parse(line, { record_delimiter: '\n', relax_column_count: true })[0] as string[]) ?? ['']
    } catch {
      return null
    }
  }
})

describe('lines', () => {
  test.each<[string, string[], unknown[]]>([
    [
      'are counted from 1, empty ones too',
      ['a,b,c', '', 'd,e,f\r', '\r', 'g'],
      [
        [1, ['a', 'b', 'c']],
        [3, ['d', 'e', 'f']],
        [5, ['g']],
      ],
    ],
    [
      'of one record',
      ['a,b,c', 'd,"e\r', '', 'e",f', 'g,h,i'],
      [
        [1, ['a', 'b', 'c']],
        [2, ['d', 'e\n\ne', 'f']],
        [5, ['g', 'h', 'i']],
      ],
    ],
    [
      'after a quote never closed',
      ['a,"b,c', 'd,e,f', 'g,h,i'],
      [
        [1, 1, 'a quote is o'],
        [2, ['d', 'e', 'f']],
        [3, ['g', 'h', 'i']],
      ],
    ],
    [
      'after a quote that another line seems to close',
      ['a,"b,c', 'd,"e",f', 'g,h,i'],
      [
        [1, 1, 'a quote is o'],
        [2, ['d', 'e', 'f']],
        [3, ['g', 'h', 'i']],
      ],
    ],
    [
      'two in a row that open a quote',
      ['a,"b,c', 'd,"e,f', 'g,h,i'],
      [
        [1, 1, 'a quote is o'],
        [2, 1, 'a quote is o'],
        [3, ['g', 'h', 'i']],
      ],
    ],
    [
      'with a stray quote',
      ['a,b"b,c', 'd,e,f'],
      [
        [1, 1, 'there is a q'],
        [2, ['d', 'e', 'f']],
      ],
    ],
  ])('%s', (_name, lines, expected) => {
    expect(briefly(lines)).toEqual(expected)
  })

  test('a quoted value may run over a few lines and no more', () => {
    const open = ['a,"b', ...Array<string>(RECORD_LINES_MAXIMUM - 2).fill('x')]
    expect(briefly([...open, 'c",d']).length).toBe(1)
    expect(briefly([...open, 'x', 'c",d'])[0]).toEqual([1, 1, 'a quote is o'])
  })

  test('a line may be long and no longer', () => {
    const long = 'x'.repeat(LINE_LENGTH_MAXIMUM)
    expect(briefly([long, `${long}x`, 'a,b,c'], 1)).toEqual([
      [1, [long]],
      [2, -1, 'the line is '],
      [3, ['a', 'b', 'c']],
    ])
    expect(briefly(['a,"b', `${long}x`, 'a,b,c']).map(([line]) => line)).toEqual([1, 2, 3])
  })

  test('no line is lost, whatever the quotes', () => {
    const line = fc.array(fc.constantFrom('a', ',', '"'), { maxLength: 6 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 25 }), (lines) => {
        const covered = new Set<number>()
        for (const record of recordsOf(lines)) {
          const breaks = 'reason' in record ? 0 : record.values.join('').split('\n').length - 1
          for (let offset = 0; offset <= breaks; offset++) {
            expect(covered.has(record.line + offset)).toBe(false)
            covered.add(record.line + offset)
          }
        }
        lines.forEach((text, index) => text !== '' && expect(covered.has(index + 1)).toBe(true))
      }),
      { numRuns: 2_000 },
    )
  })
})
