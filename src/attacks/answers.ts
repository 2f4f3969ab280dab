/** What must be true of every answer, whatever was asked. */
import { Ajv, type ValidateFunction } from 'ajv'
import type { Operation } from '../http/contract.ts'
import { failureSchema } from '../http/failures.ts'
import type { RawAnswer } from '../testing/process.ts'

/** Words that only PostgreSQL, Node or our own files say. */
const INTERNAL =
  /\bat (?:async )?[\w.<>]+ \((?:file|node|\/)|node_modules|node:internal|\.ts:\d|\/src\/|\bSELECT .+ FROM\b|\bINSERT INTO\b|\bUPDATE \w+\.\w+ SET\b|violates |syntax error at|invalid input syntax|out of range for type|duplicate key value|invalid byte sequence|permission denied for|canceling statement|relation "|column "|SQLSTATE|\bpg_\w+|ECONNREFUSED|ENOENT|TypeError|RangeError|ReferenceError|Cannot read propert|FST_ERR|is not a function/

const HEADERS: readonly (readonly [string, RegExp])[] = [
  ['x-request-id', /^[\x21-\x7e]{1,128}$/],
  ['x-api-version', /^v1$/],
  ['x-content-type-options', /^nosniff$/],
  ['x-frame-options', /^(?:SAMEORIGIN|DENY)$/],
  ['content-security-policy', /frame-ancestors 'none'/],
  ['referrer-policy', /^no-referrer$/],
]

const ajv = new Ajv({ strict: false, logger: false, allErrors: false })
const isFailure = ajv.compile(failureSchema)
/** RFC 6749, 5.1 and 5.2. */
const isToken = ajv.compile({
  type: 'object',
  properties: { access_token: { type: 'string' }, token_type: { const: 'Bearer' }, expires_in: { type: 'integer' }, refresh_token: { type: 'string' }, scope: { type: 'string' } }, // prettier-ignore
  required: ['access_token', 'token_type', 'expires_in'],
  additionalProperties: false,
})
const isTokenError = ajv.compile({
  type: 'object',
  properties: {
    error: { enum: ['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope'] }, // prettier-ignore
    error_description: { type: 'string', pattern: '^[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*$' },
  },
  required: ['error'],
  additionalProperties: false,
})
const validators = new Map<string, ValidateFunction>()

export function faultsOf(operation: Operation, answer: RawAnswer): string[] {
  const { status, text } = answer
  const faults = faultsOfAny(answer)
  if (operation.isDownload && status < 300) return faults
  const misfit = misfitOf(status < 300 ? validatorOf(operation) : isFailure, text)
  if (misfit !== undefined) faults.push(misfit)
  return [...faults, ...contentTypeFaults(answer)]
}

/** Of a token endpoint, which answers as RFC 6749 (5) wants; what is too much or too often, as everywhere. */
export function faultsOfToken(answer: RawAnswer): string[] {
  const { status, text } = answer
  const misfit = misfitOf(status < 300 ? isToken : [400, 401].includes(status) ? isTokenError : isFailure, text) // prettier-ignore
  return [...faultsOfAny(answer), ...(misfit === undefined ? [] : [misfit]), ...contentTypeFaults(answer)]
}

function contentTypeFaults({ headers }: RawAnswer): string[] {
  const contentType = String(headers['content-type'])
  return contentType.startsWith('application/json') ? [] : [`content type ${contentType}`]
}

function faultsOfAny({ status, headers, text }: RawAnswer): string[] {
  const faults: string[] = []
  if (status >= 500) faults.push(`answered ${status}`)
  for (const [name, form] of HEADERS)
    if (!form.test(String(headers[name] ?? ''))) faults.push(`header ${name}: ${String(headers[name])}`)
  if (status >= 300 && status < 400) faults.push(`answered ${status}`)
  const internal = status >= 400 ? INTERNAL.exec(withoutPath(text)) : null
  if (internal) faults.push(`says ${internal[0]}`)
  return faults
}

/** The path is what the caller wrote. */
function withoutPath(text: string): string {
  return text.replace(/"path":"(?:[^"\\]|\\.)*"/, '')
}

function misfitOf(validate: ValidateFunction, text: string): string | undefined {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return 'is no JSON'
  }
  if (validate(body)) return undefined
  const [error] = validate.errors ?? []
  return `does not fit its schema: ${error?.instancePath ?? ''} ${error?.message ?? ''}`
}

function validatorOf({ name, data }: Operation): ValidateFunction {
  const known = validators.get(name)
  if (known) return known
  const validate = ajv.compile({
    type: 'object',
    properties: { success: { const: true }, data, message: { type: 'string' } },
    required: ['success', 'data'],
    additionalProperties: false,
  })
  validators.set(name, validate)
  return validate
}
