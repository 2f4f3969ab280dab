import fc from 'fast-check'
import { Type, type TSchema } from 'typebox'
import { describe, expect, test } from 'vitest'
import '../erp/ledger/problems.ts' // says what the ledger's constraints mean
import { constraintProblem } from './constraints.ts'
import { AmountInput, DateText, Email, Id, nullable, oneOf } from './contract.ts'
import { bodyProblems, unstorableText } from './validation.ts'

const told = (schema: TSchema, value: unknown): string[] =>
  bodyProblems(schema, value).map(({ field, code }) => `${field} ${code}`)

const one = (schema: TSchema): TSchema => Type.Object({ a: Type.Optional(schema) }, { additionalProperties: false }) // prettier-ignore

describe('each wrong field is named by its path, with a code', () => {
  test.each<[string, TSchema, unknown, string[]]>([
    ['missing', Type.Object({ a: Id, b: Id }), {}, ['a REQUIRED', 'b REQUIRED']],
    ['unknown', one(Id), { b: 1, 'c/d': 2 }, ['b UNKNOWN_FIELD', 'c/d UNKNOWN_FIELD']],
    ['in a list', one(Type.Array(one(Id))), { a: [{}, { a: 'x' }] }, ['a[1].a FORMAT']],
    ['too few', one(Type.Array(Id, { minItems: 1 })), { a: [] }, ['a TOO_FEW']],
    ['too many', one(Type.Array(Id, { maxItems: 0 })), { a: ['x'] }, ['a TOO_MANY', 'a[0] FORMAT']],
    ['too short', one(Type.String({ minLength: 1 })), { a: '' }, ['a TOO_SHORT']],
    ['too long', one(Type.String({ maxLength: 1 })), { a: 'ab' }, ['a TOO_LONG']],
    ['no choice', one(oneOf(['x', 'y'])), { a: 'z' }, ['a NOT_ALLOWED']],
    ['no id', one(Id), { a: '7' }, ['a FORMAT']],
    ['no day', one(DateText), { a: '2026-02-30' }, ['a FORMAT']],
    ['no address', one(Email), { a: 'a@b@c' }, ['a FORMAT']],
    ['another type', one(Type.String()), { a: 1 }, ['a TYPE']],
    ['no type of several', one(nullable(AmountInput)), { a: true }, ['a TYPE']],
    ['null where none may be', one(Type.String()), { a: null }, ['a TYPE']],
    ['no id and not null', one(nullable(Id)), { a: 'x' }, ['a FORMAT']],
    ['too long and not null', one(nullable(Type.String({ maxLength: 1 }))), { a: 'xx' }, ['a TOO_LONG']],
    ['null where it may be', one(nullable(Id)), { a: null }, []],
    ['a number or text', one(nullable(AmountInput)), { a: 1.5 }, []],
    ['no coercion in a body', one(Type.Boolean()), { a: 'true' }, ['a TYPE']],
    ['the whole body', one(Id), 7, [' TYPE']],
  ])('%s', (_name, schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected)
  })

  test('at most 200 are told', () => {
    const schema = Type.Object({ a: Type.Array(Id) })
    expect(told(schema, { a: Array.from({ length: 500 }, () => 'x') })).toHaveLength(200)
  })
})

describe('text that cannot be kept', () => {
  test('is found anywhere, by its path', () => {
    const body = { a: ['x', { 'b\u0000': 1, c: '\ud800' }], d: '\u0000' }
    expect(unstorableText(body).map(({ field, code }) => `${field} ${code}`)).toEqual([
      'a[1] NUL_CHARACTER',
      'a[1].c NOT_UNICODE',
      'd NUL_CHARACTER',
    ])
  })

  test('is not seen in what is proper', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value)
        fc.pre(!text.includes('\\u0000') && !/\\ud[89a-f]/i.test(text))
        expect(unstorableText(value)).toEqual([])
      }),
    )
  })

  test('is found wherever it hides', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { maxLength: 10 }), (path) => {
        fc.pre(path.every((name) => !name.includes('\u0000') && name.isWellFormed() && name !== '__proto__'))
        const value = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), 'a\u0000')
        expect(unstorableText(value).map(({ code }) => code)).toEqual(['NUL_CHARACTER'])
      }),
    )
  })

  test('depth has a bound', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
    expect(unstorableText(deep(32))).toEqual([])
    expect(unstorableText(deep(33)).map(({ code }) => code)).toEqual(['TOO_DEEP'])
  })
})

describe("what a constraint's name says", () => {
  const unique = (table: string, constraint: string, detail?: string) =>
    constraintProblem({ code: '23505', table, constraint, detail })
  test.each([
    [unique('gl_account', 'gl_account_code_key'), 409, 'DUPLICATE_CODE'],
    [unique('gl_account', 'gl_account_code_key', 'Key (company_id, code)=(1, 1000) already exists.'), 409, 'DUPLICATE_CODE'], // prettier-ignore
    [unique('app_user', 'app_user_email_key', 'Key (lower(email))=(a@b.example) already exists.'), 409, 'DUPLICATE_EMAIL'], // prettier-ignore
    [unique('fiscal_year', 'fiscal_year_company_id_name_key'), 409, 'DUPLICATE_NAME'],
    [unique('tenant', 'tenant_tenant_code_key'), 409, 'DUPLICATE_TENANT_CODE'],
    [unique('thing', 'something_else'), 409, 'CONFLICT'],
    [constraintProblem({ code: '23503', constraint: 'a_fkey' }), 409, 'CONFLICT'],
    [constraintProblem({ code: '23514', constraint: 'journal_entry_period_open' }), 400, 'VALIDATION_ERROR'],
    [constraintProblem({ code: '23505', constraint: 'journal_entry_reverses_id_key' }), 409, 'ALREADY_REVERSED'], // prettier-ignore
  ])('%#', (problem, status, code) => {
    expect([problem?.status, problem?.code]).toEqual([status, code])
  })

  test('another check is nobody’s fault but ours', () => {
    expect(constraintProblem({ code: '23514', constraint: 'journal_entry_balanced' })).toBeUndefined()
  })
})
