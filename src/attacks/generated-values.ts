/**
 * Values from a JSON schema, for attacks (fast-check): some that it allows, some that are just beyond it, and
 * some that nobody should send. What is generated depends on the seed alone.
 */
import fc, { type Arbitrary } from 'fast-check'

export interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly format?: string
  readonly pattern?: string
}

/** Text that stands in JSON as it is: numbers that no program can hold. */
export class RawJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Values that the product has shown, by the name of their field: what is generated then meets real rows. */
export class Known {
  readonly #values = new Map<string, string[]>()
  readonly #forbidden: ReadonlySet<string>

  /** `forbidden`: what an attack on its own things has no business to name. */
  constructor(forbidden: readonly string[] = []) {
    this.#forbidden = new Set(forbidden)
  }

  /** Every text in an answer; the newest push the oldest out. */
  learn(value: unknown, name = ''): void {
    if (typeof value === 'string') {
      if (value === '' || value.length > KNOWN_LENGTH_MAXIMUM || this.#forbidden.has(value)) return
      const values = this.#values.get(kindOf(name)) ?? []
      if (!values.includes(value)) values.push(value)
      if (values.length > KNOWN_MAXIMUM) values.shift()
      this.#values.set(kindOf(name), values)
    } else if (Array.isArray(value)) {
      for (const item of value.slice(0, KNOWN_MAXIMUM)) this.learn(item, name)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) this.learn(inner, key)
    }
  }

  /** `number`: chooses among them. */
  value(name: string, number: number): string | undefined {
    const values = this.#values.get(kindOf(name)) ?? []
    return values[number % Math.max(1, values.length)]
  }
}

const KNOWN_MAXIMUM = 40
const KNOWN_LENGTH_MAXIMUM = 200

/** `id`, `accountId` and `moveId` are ids; `accountCode` is a code. */
function kindOf(name: string): string {
  return /(?:^id|Id)$/.test(name) ? 'id' : /(?:^code|Code)$/.test(name) ? 'code' : name
}

// ---- what is allowed -----------------------------------------------------------------------------------

export function allowed(schema: Schema, known: Known, name = ''): Arbitrary<unknown> {
  const { anyOf, const: constant, enum: values, type } = schema
  if (constant !== undefined) return fc.constant(constant)
  if (values) return fc.constantFrom(...values)
  if (anyOf) return fc.oneof(...anyOf.map((one) => allowed(one, known, name)))
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => allowed({ ...schema, type: one as string }, known, name))) // prettier-ignore
  switch (type) {
    case 'object':
      return allowedObject(schema, known)
    case 'array': {
      const { minItems = 0, maxItems = 5, items = {} } = schema
      const maxLength = Math.max(minItems, Math.min(maxItems, 5))
      return fc.array(allowed(items, known, name), { minLength: minItems, maxLength })
    }
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 })
    case 'number':
      return fc.oneof(fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true }), fc.integer({ min: Math.ceil(schema.minimum ?? 0), max: Math.floor(schema.maximum ?? 1_000) })) // prettier-ignore
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return allowedText(schema, known, name)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function allowedObject(schema: Schema, known: Known): Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties } = schema
  const members = Object.entries(properties).map(([key, inner]) => [key, allowed(inner, known, key)] as const)
  const record = fc.record(Object.fromEntries(members), { requiredKeys: [...required] })
  if (members.length > 0 || typeof additionalProperties !== 'object') return record
  return fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), allowed(additionalProperties, known))
}

/** Allowed, and yet what a database, a pattern or a page may stumble over. */
const ODD_TEXTS = [
  "'",
  '"',
  '\\',
  '%',
  '_%_',
  "x' OR '1'='1",
  '1;--',
  '$1',
  ':name',
  '{{7*7}}',
  '<b onload=x>',
  '\u202Egnp',
  'e\u0301',
  '\uFFFF',
  '\u{1F600}\u200D\u{1F9E8}',
  'İıſß',
  '\t\r\n',
  '   ',
  '../../x',
  '=1+1',
  'NaN',
  'Infinity',
  '-0',
  '1e5',
  '1e400',
  '0x10',
  '٣',
  '1,5',
  '9'.repeat(40),
  `0.${'0'.repeat(37)}1`,
  'true',
  'null',
  '[]',
  '{}',
] as const
const DATES = ['1900-01-01', '2999-12-31', '2026-02-28', '2024-02-29', '2026-03-15'] as const

function allowedText(schema: Schema, known: Known, name: string): Arbitrary<unknown> {
  const { format, pattern, minLength = 0, maxLength = 60 } = schema
  const shown = (fallback: Arbitrary<unknown>): Arbitrary<unknown> =>
    fc.tuple(fc.nat(), fc.nat(9), fallback).map(([number, dice, other]) => {
      const value = dice < 6 ? known.value(name, number) : undefined
      return value === undefined || value.length > (schema.maxLength ?? Infinity) ? other : value
    })
  if (format === 'uuid') return shown(fc.uuid())
  if (format === 'date') {
    const days = fc.date({ min: new Date('1900-01-01'), max: new Date('2999-12-31'), noInvalidDate: true })
    return fc.oneof(fc.constantFrom(...DATES), days.map((date) => date.toISOString().slice(0, 10))) // prettier-ignore
  }
  if (format === 'email') return shown(fc.stringMatching(/^[a-z0-9.'+-]{1,20}@[a-z0-9]{1,10}\.example$/))
  const longest = Math.min(maxLength, 300)
  const fits = (text: string): boolean => text.length >= minLength && text.length <= maxLength
  if (pattern !== undefined) {
    const expression = new RegExp(pattern)
    const drawn = fc.stringMatching(expression, { size: 'small' })
    return shown(drawn.map((text) => (fits(text) ? text : text.padEnd(minLength, 'A').slice(0, maxLength))))
  }
  const odd = ODD_TEXTS.filter(fits)
  const any = fc.string({ minLength, maxLength: longest, unit: 'grapheme' })
  return shown(odd.length === 0 ? any : fc.oneof(any, fc.constantFrom(...odd)))
}

// ---- what is not ---------------------------------------------------------------------------------------

export function nested(levels: number, open = '[', close = ']'): RawJson {
  return new RawJson(open.repeat(levels) + (open === '[' ? '' : '1') + close.repeat(levels))
}

const HOSTILE: readonly unknown[] = [
  'a\u0000b',
  '\u0000',
  '\ud800',
  'x\udfff',
  new RawJson('1e400'),
  new RawJson('-1e400'),
  new RawJson(`1${'0'.repeat(400)}`),
  new RawJson('9007199254740993'),
  new RawJson('1e-400'),
  new RawJson('-0'),
  new RawJson('"\\ud800\\u0041"'),
  new RawJson('{"__proto__":{"isAdmin":true}}'),
  new RawJson('{"constructor":{"prototype":{"isAdmin":true}}}'),
  new RawJson('{"a":1,"a":2}'),
  nested(31),
  nested(200),
  nested(20_000),
  nested(5_000, '{"a":', '}'),
  Number.MAX_SAFE_INTEGER,
  -1,
  2_147_483_648,
  1.5,
  null,
  true,
  [],
  {},
  [[]],
  { length: 10 },
  { toString: 'x', valueOf: 'y' },
  '',
  'x'.repeat(70_000),
  '\u202E'.repeat(300),
  Array.from({ length: 10_000 }, (_, index) => index),
  Array.from({ length: 3_000 }, () => ({})),
  '0000-00-00',
  '2026-02-30',
  '1899-12-31',
  '9999-12-31',
  '+275760-09-13',
  '2026-01-01T00:00:00Z',
  '00000000-0000-0000-0000-000000000000',
  '{0197f0c2-7b1e-7000-8000-000000000000}',
  '0197F0C2-7B1E-7000-8000-00000000000G',
  'a@b',
  'a@b.example\r\nBcc: c@d.example',
]

const hostile: Arbitrary<unknown> = fc.constantFrom(...HOSTILE)

/** Just beyond what the schema allows, where it says how far that is. */
function beyond({ maxLength, minLength, maximum, minimum, maxItems }: Schema): readonly unknown[] {
  return [
    ...(maxLength === undefined ? [] : ['x'.repeat(maxLength), 'x'.repeat(maxLength + 1), 'é'.repeat(maxLength)]), // prettier-ignore
    ...(minLength === undefined ? [] : ['x'.repeat(Math.max(0, minLength - 1))]),
    ...(maximum === undefined ? [] : [maximum, maximum + 1]),
    ...(minimum === undefined ? [] : [minimum, minimum - 1]),
    ...(maxItems === undefined ? [] : [Array.from({ length: maxItems + 1 }, () => ({}))]),
  ]
}

const EXTRA_NAMES = ['id', 'tenantId', '__proto__', 'constructor', 'toString', 'a\u0000', '', '$where', 'x'.repeat(2_000)] // prettier-ignore

/** An allowed value with one thing wrong somewhere in it; or nothing like it at all. */
export function wrong(schema: Schema, known: Known): Arbitrary<unknown> {
  const steps = fc.array(fc.nat(), { minLength: 8, maxLength: 8 })
  const spoilt = fc
    .tuple(allowed(schema, known), steps, hostile, fc.constantFrom(...EXTRA_NAMES))
    .map(([value, numbers, poison, extra]) => spoil(schema, value, numbers, poison, extra))
  return fc.oneof({ weight: 8, arbitrary: spoilt }, { weight: 1, arbitrary: hostile })
}

/** Walks down into the value by the given numbers, and puts the poison where they end. */
function spoil(
  schema: Schema,
  value: unknown,
  [step = 0, ...steps]: readonly number[],
  poison: unknown,
  extra: string,
): unknown {
  if (Array.isArray(value) && value.length > 0 && step % 4 > 0) {
    const index = step % value.length
    return value.map((item, at) => (at === index ? spoil(schema.items ?? {}, item, steps, poison, extra) : item)) // prettier-ignore
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && schema.properties) {
    const names = Object.keys(schema.properties)
    if (step % 7 === 0 || names.length === 0) return withMember(value, extra, poison)
    const name = names[step % names.length] ?? ''
    const inner = schema.properties[name] ?? {}
    if (step % 7 === 1) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
    return withMember(value, name, spoil(inner, (value as Record<string, unknown>)[name], steps, poison, extra)) // prettier-ignore
  }
  const edges = beyond(schema)
  return edges.length > 0 && step % 2 === 0 ? edges[step % edges.length] : poison
}

/** `__proto__` too becomes a member like any other, as JSON.parse makes it. */
function withMember(value: object, name: string, inner: unknown): object {
  const changed = { ...value }
  Object.defineProperty(changed, name, { value: inner, enumerable: true, configurable: true, writable: true })
  return changed
}

/** JSON with what JSON.stringify would not write. */
export function jsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${jsonText(inner)}`).join(',')}}`
}
