/** A value that a schema accepts, for tests that call every route: ids are the one given. */

interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minItems?: number
  readonly minProperties?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly format?: string
  readonly pattern?: string
}

/** Text for patterns whose words our contracts use; tried in order. */
const TEXTS = [
  '2026-01-31',
  '2026-01-31T10:00:00Z',
  'USD',
  'US',
  'sample-text-of-some-length',
  'Sample_text',
  'SAMPLE',
  'sample',
  '123',
] as const

/** Optional ids are filled in too, other optional fields only where `isFull`. */
export function sampleOf(schema: unknown, id: string, isFull = false): unknown {
  const { anyOf, const: constant, enum: values, type } = schema as Schema
  if (constant !== undefined) return constant
  if (values) return values[0]
  if (anyOf) return sampleOf(anyOf[0], id, isFull)
  switch (type) {
    case 'object':
      return sampleObject(schema as Schema, id, isFull)
    case 'array': {
      const { items, minItems } = schema as Schema
      return Array.from({ length: Math.max(1, minItems ?? 0) }, () => sampleOf(items, id, isFull))
    }
    case 'integer':
    case 'number':
      return Math.max(1, (schema as Schema).minimum ?? 1)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return sampleText(schema as Schema, id)
  }
}

function sampleObject(
  { properties = {}, required = [], minProperties }: Schema,
  id: string,
  isFull: boolean,
): object {
  const chosen = Object.entries(properties).filter(
    ([name, schema], index) =>
      isFull || required.includes(name) || namesAnId(schema) || index < (minProperties ?? 0),
  )
  const values = chosen.map(([name, schema]) => [name, sampleOf(schema, id, isFull)])
  return Object.fromEntries(values.map(([name, value]) => [name, name === 'toCurrency' ? 'EUR' : value]))
}

function namesAnId({ format, anyOf, type, items, properties }: Schema): boolean {
  if (format === 'uuid') return true
  if (type === 'array') return items !== undefined && namesAnId(items)
  if (type === 'object') return Object.values(properties ?? {}).some(namesAnId)
  return anyOf?.some(namesAnId) ?? false
}

function sampleText({ format, pattern, minLength = 0 }: Schema, id: string): string {
  if (format === 'uuid') return id
  if (format === 'date') return '2026-01-31'
  if (format === 'date-time') return '2099-01-31T00:00:00Z'
  if (format === 'email') return 'sample@users.example'
  const fits = (text: string): boolean =>
    text.length >= minLength && (pattern === undefined || new RegExp(pattern).test(text))
  const found = TEXTS.find(fits)
  if (found === undefined) throw new Error(`No sample fits ${String(pattern)}`)
  return found
}
