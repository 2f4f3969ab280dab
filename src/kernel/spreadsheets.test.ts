import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cellOfText, textOfCell } from './spreadsheets.ts'

const awkward = fc.string({ unit: fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', '＝', '1', 'a', ' '), maxLength: 6 }) // prettier-ignore
const texts = fc.oneof(fc.string({ unit: 'binary' }), awkward)

describe('text in a cell', () => {
  test.each([
    ['=1+1', "'=1+1"],
    ['+49 30 1234', "'+49 30 1234"],
    ['-5', "'-5"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', "'\r=1"],
    ['＝1', "'＝1"],
    ["'=1", "''=1"],
    ["'tis", "'tis"],
    ["O'Hara", "O'Hara"],
    ['a=1', 'a=1'],
    ['', ''],
  ])('%j is written %j', (text, cell) => {
    expect(cellOfText(text)).toBe(cell)
    expect(textOfCell(cell)).toBe(text)
  })

  test('is no formula, whatever it was', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(cellOfText(text)).not.toMatch(/^[=+@\t\r\n＝＋－＠-]/)
      }),
    )
  })

  test('is read as it was written, and no two are written alike', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(textOfCell(cellOfText(text))).toBe(text)
      }),
    )
  })

  test('that people typed themselves is left alone', () => {
    for (const cell of ['+49 30 1234', '-5', '=1', "'tis"]) expect(textOfCell(cell)).toBe(cell)
  })
})
