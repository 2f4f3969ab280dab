import { describe, expect, test } from 'vitest'
import { readInvitations } from './invitation-file.ts'

const told = (text: string, maximum = 10): string[] =>
  readInvitations(text, maximum).problems.map(({ line, field, code }) => `${line} ${field} ${code}`)

test('lines become values by column, whatever their order, quotes and line breaks', () => {
  const text =
    '\uFEFFEmail,FULLNAME,role,companies\r\na@b.example,"Ann, the ""Keeper""",Viewer,\r\n\r\nc@d.example, Bob ,Sales,MAIN;B\r\n'
  expect(readInvitations(text, 10)).toEqual({
    problems: [],
    rows: [
      { line: 2, values: { email: 'a@b.example', fullName: 'Ann, the "Keeper"', role: 'Viewer' } },
      { line: 4, values: { email: 'c@d.example', fullName: 'Bob', role: 'Sales', companies: 'MAIN;B' } },
    ],
  })
})

describe('what is wrong with its form is told by line', () => {
  test.each([
    ['', ['1  UNKNOWN_COLUMN', '1 fullName REQUIRED', '1 email REQUIRED', '1 role REQUIRED']],
    ['fullName,email,role,salary\na,b,c,d', ['1 salary UNKNOWN_COLUMN']],
    ['fullName,email\na,b', ['1 role REQUIRED']],
    ['fullName,email,role,email\na,b,c,d', ['1  DUPLICATE']],
    ['fullName,email,role', ['1  EMPTY']],
    ['fullName,email,role\n\n\r\n', ['1  EMPTY']],
    ['fullName,email,role\na,b,c\na,b\na,b,c,d', ['3  CSV', '4  CSV']],
    ['fullName,email,role\n"a" x,b,c\na,"b,c', ['2 fullName CSV', '3 email CSV']],
    ['fullName,email,role\na,b,c\na,b,c\na,b,c', ['1  TOO_MANY']],
  ])('%j', (text, expected) => {
    expect(told(text, 2)).toEqual(expected)
  })
})
