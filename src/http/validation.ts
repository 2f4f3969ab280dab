/**
 * Validation by the contract's schemas. Every wrong field is named at once, by the path the caller wrote,
 * with a reason a person understands.
 */
import { Ajv, type ErrorObject } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'
import { isDate } from '../kernel/calendar.ts'
import { isUuid } from '../kernel/ids.ts'
import { validationProblem, type FieldProblem } from '../kernel/problem.ts'
import { atFirstUse } from './compiling.ts'

const FIELD_PROBLEMS_MAXIMUM = 200
const DEPTH_MAXIMUM = 32
const EMAIL =
  /^[^\s@"(),:;<>[\\\]]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$/

const INSTANT = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/

const formats = {
  uuid: isUuid,
  date: isDate,
  'date-time': (text: string): boolean =>
    isDate(INSTANT.exec(text)?.[1] ?? '') && !Number.isNaN(Date.parse(text)),
  email: (text: string): boolean => EMAIL.test(text),
}

const shared = { allErrors: true, useDefaults: true, strict: false, formats } as const
/** Bodies are JSON and keep their types; what comes in an address is text and is read as the schema says. */
const bodies = new Ajv({ ...shared, coerceTypes: false })
const addresses = new Ajv({ ...shared, coerceTypes: true })

export const compileValidator: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  atFirstUse(() => {
    const validate = (httpPart === 'body' ? bodies : addresses).compile(schema)
    return (data: unknown) => {
      if (validate(data)) return { value: data }
      return {
        error: Object.assign(new Error('invalid'), { fieldProblems: fieldProblems(validate.errors ?? []) }),
      }
    }
  })

export function fieldProblems(errors: readonly ErrorObject[]): FieldProblem[] {
  const alternatives = errors.filter((error) => error.keyword === 'anyOf')
  const inAlternative = (error: ErrorObject): boolean =>
    alternatives.some((parent) => error !== parent && error.schemaPath.startsWith(`${parent.schemaPath}/`))
  const seen = new Map<string, FieldProblem>()
  for (const error of errors) {
    if (inAlternative(error) && !isNullableBranch(error, alternatives)) continue
    const problem = fieldProblem(error)
    if (!seen.has(problem.field)) seen.set(problem.field, problem)
  }
  return [...seen.values()].slice(0, FIELD_PROBLEMS_MAXIMUM)
}

/** Of "a string of some form, or null", the string's reason is the one worth telling. */
function isNullableBranch(error: ErrorObject, alternatives: readonly ErrorObject[]): boolean {
  return error.keyword !== 'type' && error.keyword !== 'const' && alternatives.length > 0
}

function fieldProblem(error: ErrorObject): FieldProblem {
  const path = fieldPath(error.instancePath)
  const parameters = error.params as Record<string, unknown>
  const below = (name: unknown): string => (path === '' ? String(name) : `${path}.${String(name)}`)
  switch (error.keyword) {
    case 'required':
      return problem(below(parameters['missingProperty']), 'REQUIRED', 'is required')
    case 'additionalProperties':
      return problem(below(parameters['additionalProperty']), 'UNKNOWN_FIELD', 'is not known here')
    case 'enum':
      return problem(
        path,
        'NOT_ALLOWED',
        `must be one of ${(parameters['allowedValues'] as unknown[]).join(', ')}`,
      )
    case 'format':
      return problem(
        path,
        'FORMAT',
        FORMAT_REASONS[String(parameters['format'])] ?? `must be a valid ${String(parameters['format'])}`,
      )
    case 'anyOf':
      return problem(path, 'TYPE', 'is of the wrong type')
    case 'minItems':
      return problem(path, 'TOO_FEW', `needs at least ${String(parameters['limit'])}`)
    case 'maxItems':
      return problem(path, 'TOO_MANY', `takes at most ${String(parameters['limit'])}`)
    case 'minLength':
      return problem(
        path,
        'TOO_SHORT',
        parameters['limit'] === 1
          ? 'must not be empty'
          : `needs at least ${String(parameters['limit'])} characters`,
      )
    case 'maxLength':
      return problem(path, 'TOO_LONG', `takes at most ${String(parameters['limit'])} characters`)
    default:
      return problem(
        path,
        error.keyword.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
        error.message ?? 'is wrong',
      )
  }
}

const FORMAT_REASONS: Record<string, string> = {
  uuid: 'must be an id (UUID)',
  date: 'must be a date that exists, as YYYY-MM-DD',
  'date-time': 'must be an instant, as 2026-01-31T12:00:00Z',
  email: 'must be an e-mail address',
}

function problem(field: string, code: string, reason: string): FieldProblem {
  return { field, code, message: field === '' ? `The request ${reason}` : `${field} ${reason}` }
}

/** `/lines/0/debit` → `lines[0].debit` */
function fieldPath(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`),
      '',
    )
}

/**
 * Text that PostgreSQL cannot keep (NUL) or that is no Unicode (lone surrogates), anywhere in a value.
 * Also bounds the depth, so that nothing behind this needs to.
 */
export function unstorableText(value: unknown, path = '', depth = 0): FieldProblem[] {
  if (typeof value === 'string') {
    if (value.includes('\u0000')) return [problem(path, 'NUL_CHARACTER', 'must not contain NUL characters')]
    return value.isWellFormed() ? [] : [problem(path, 'NOT_UNICODE', 'must be well-formed Unicode text')]
  }
  if (typeof value !== 'object' || value === null) return []
  if (depth >= DEPTH_MAXIMUM)
    return [problem(path, 'TOO_DEEP', `is nested deeper than ${DEPTH_MAXIMUM} levels`)]
  const found: FieldProblem[] = []
  for (const [key, inner] of Object.entries(value)) {
    const innerPath = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    if (key.includes('\u0000') || !key.isWellFormed()) {
      found.push(problem(path, 'NUL_CHARACTER', 'has a field name that is no proper text'))
    }
    found.push(...unstorableText(inner, innerPath, depth + 1))
    if (found.length >= FIELD_PROBLEMS_MAXIMUM) break
  }
  return found
}

/** The same validation for a body that came another way than HTTP. */
export function bodyProblems(schema: object, body: unknown): FieldProblem[] {
  const validate = bodies.compile(schema)
  return validate(body) ? unstorableText(body) : fieldProblems(validate.errors ?? [])
}

/** A moment somebody typed into a query: a day begins it at midnight UTC. */
export function momentOf(field: string, text: string): Date {
  const date = new Date(text)
  if (date.getTime() >= 0 && date.getTime() < 2 ** 48) return date
  const message = `${field} is no moment such as 2026-01-31T08:00:00Z or 2026-01-31`
  throw validationProblem([{ field, code: 'INSTANT', message }])
}
