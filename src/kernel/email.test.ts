import { expect, test } from 'vitest'
import { foldedEmail } from './email.ts'

test.each([
  ['Ann@Example.COM', 'ann@example.com'],
  ['İSMAİL@x.example', 'ismail@x.example'],
  ['\u212Aate@x.example', 'kate@x.example'],
  ['ΣΟΦΟΣ@x.example', 'σοφοσ@x.example'],
  ['ｉ@x.example', 'ｉ@x.example'],
  ['Ｉ@x.example', 'ｉ@x.example'],
  ['ı@x.example', 'ı@x.example'],
  ['ſ@x.example', 'ſ@x.example'],
  [' ann@x.example', ' ann@x.example'],
])('%j is %j', (given, folded) => {
  expect(foldedEmail(given)).toBe(folded)
  expect(foldedEmail(folded)).toBe(folded)
})

test('is one character for one, whichever it is', () => {
  const lengths = new Set<number>()
  for (let code = 1; code < 0x1_10_00; code++) {
    if (code < 0xd800 || code > 0xdfff) lengths.add([...foldedEmail(String.fromCodePoint(code))].length)
  }
  expect([...lengths]).toEqual([1])
})
