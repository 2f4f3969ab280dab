import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PASSWORD_BYTES_MAXIMUM, passwordProblems } from './passwords.ts'

const ann = { fullName: 'Ann Keeper', email: 'ann.keeper@example.com' }
const isCommon = (word: string): boolean => ['password', 'p@ssw0rd', 'dragon', '123456'].includes(word)
const codes = (password: string, person = ann): string[] =>
  passwordProblems(password, person, isCommon).map(({ code }) => code)

describe('each rule', () => {
  test.each([
    ['Str0ng-pass!', []],
    ['S0-a', ['PASSWORD_TOO_SHORT']],
    ['str0ng-pass!', ['PASSWORD_NEEDS_UPPER']],
    ['STR0NG-PASS!', ['PASSWORD_NEEDS_LOWER']],
    ['Strong-pass!', ['PASSWORD_NEEDS_DIGIT']],
    ['Str0ngpass99', ['PASSWORD_NEEDS_SPECIAL']],
    ['My-Keeper-1x', ['PASSWORD_CONTAINS_NAME']],
    ['X1-ANN.KEEPERx', ['PASSWORD_CONTAINS_NAME']],
    [
      '',
      [
        'PASSWORD_TOO_SHORT',
        'PASSWORD_NEEDS_UPPER',
        'PASSWORD_NEEDS_LOWER',
        'PASSWORD_NEEDS_DIGIT',
        'PASSWORD_NEEDS_SPECIAL',
      ],
    ],
  ])('%j', (password, expected) => {
    expect(codes(password)).toEqual(expected)
  })

  test('letters and digits of any script count', () => {
    expect(codes('Ünterstadt-٣٤')).toEqual([])
    expect(codes('Ж-ж-1-ж-ж')).toEqual([])
  })

  test.each([
    ['Ann Keeper', 'Ann-12345!', true],
    ['Ann Keeper', 'HANNover-1', true], // wherever it stands
    ['Ann Keeper', 'Str0ng-pass!', false],
    ['Bo Li', 'Boli-12345!', true],
    ['Bo Li', 'xx-BO_li-12345', true],
    ['Bo Li', 'Bottle-1-Lid', false], // neither part alone
    ['Jean-Luc O’Neil', 'Neil-12345', true],
    ['Jean-Luc O’Neil', 'Luc-12345x', true],
    ['Ali 2026', 'Autumn-2026', false],
    ['王小明', 'A1-王小明-xxx', true],
    ['Zoë', 'Zoë-123456', true],
    ['Al', 'Also-12345', false],
    [' ', 'Str0ng pass!', false],
  ])('of %j: %j holds it: %s', (fullName, password, isHeld) => {
    const found = codes(password, { fullName, email: 'x@example.com' })
    expect(found.includes('PASSWORD_CONTAINS_NAME')).toBe(isHeld)
  })

  test('what stands before the @ counts from three letters on', () => {
    const of = (email: string) => codes('Pete-12345', { fullName: 'Someone', email })
    expect([of('pet@example.com'), of('pe@example.com')]).toEqual([['PASSWORD_CONTAINS_NAME'], []])
  })

  test('the field is named as the caller wrote it', () => {
    expect(passwordProblems('S0-a', ann, isCommon, 'adminPassword')[0]).toMatchObject({
      field: 'adminPassword',
    })
  })
})

describe('common passwords', () => {
  test.each(['Password1!', 'P@ssw0rd', '2026-Dragon!', 'Dr4g0n-1!', 'PASSWORd#99', '!!Passw0rd1'])(
    '%s is one, dressed up',
    (password) => {
      expect(codes(password)).toContain('PASSWORD_COMMON')
    },
  )

  test.each(['Dragon-flies-9', 'My-password-1', 'Str0ng-pass!'])('%s is none', (password) => {
    expect(codes(password)).toEqual([])
  })
})

describe('length', () => {
  test('bcrypt looks at 72 bytes: 72 pass, 73 do not, whatever the characters', () => {
    const fit = `Aa1-${'x'.repeat(PASSWORD_BYTES_MAXIMUM - 4)}`
    expect(codes(fit)).toEqual([])
    expect(codes(`${fit}x`)).toEqual(['PASSWORD_TOO_LONG'])
    expect(codes(`Aa1-${'é'.repeat(34)}`)).toEqual([])
    expect(codes(`Aa1-${'é'.repeat(35)}`)).toEqual(['PASSWORD_TOO_LONG'])
    expect(codes(`Aa1-${'😀'.repeat(18)}`)).toEqual(['PASSWORD_TOO_LONG'])
  })

  test('bytes are counted as UTF-8 counts them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 8, maxLength: 60 }), (password) => {
        const isLong = new TextEncoder().encode(password).length > PASSWORD_BYTES_MAXIMUM
        expect(codes(password).includes('PASSWORD_TOO_LONG')).toBe(isLong)
      }),
    )
  })
})
