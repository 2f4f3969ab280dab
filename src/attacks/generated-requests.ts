/** Requests to an operation, generated from its schemas: path, query, headers and body. */
import fc, { type Arbitrary } from 'fast-check'
import type { Operation } from '../http/contract.ts'
import { BASE_PATHS } from '../http/server.ts'
import { bodyProblems } from '../http/validation.ts'
import { allowed, jsonText, wrong, type Known, type Schema } from './generated-values.ts'

export interface GeneratedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** Whether nothing but the operation itself can refuse it. */
  readonly isAllowed: boolean
}

export function requestsTo(operation: Operation, known: Known): Arbitrary<GeneratedRequest> {
  const { method, path, audience } = operation
  const parts = fc.record({
    wrongPart: fc.oneof(
      { weight: 7, arbitrary: fc.constant('none' as const) },
      { weight: 9, arbitrary: fc.constantFrom(...(operation.body ? ['body' as const] : []), 'query' as const) }, // prettier-ignore
      { weight: 2, arbitrary: fc.constantFrom(...(operation.params ? ['params' as const] : []), 'headers' as const) }, // prettier-ignore
    ),
    params: allowed((operation.params ?? EMPTY) as Schema, known),
    wrongParam: fc.constantFrom(...PATH_PARTS),
    query: allowed((operation.query ?? EMPTY) as Schema, known),
    wrongQuery: wrongQuery(Object.keys(operation.query?.properties ?? {})),
    headers: oddHeaders,
    body: bodyOf(operation, known),
    wrongBody: wrongBodyOf(operation, known),
  })
  return parts.map((part) => {
    const { wrongPart } = part
    const values = part.params as Record<string, unknown>
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      wrongPart === 'params' ? part.wrongParam : encodeURIComponent(String(values[name])),
    )
    const query = wrongPart === 'query' ? part.wrongQuery : queryText(part.query as object)
    const body = wrongPart === 'body' ? part.wrongBody : part.body
    return {
      method,
      path: `${BASE_PATHS[audience]}${filled}${query === '' ? '' : `?${query}`}`,
      headers: { ...contentType(operation, body), ...(wrongPart === 'headers' ? part.headers : {}) },
      body,
      isAllowed: wrongPart === 'none' || (wrongPart !== 'params' && isAllowedBody(operation, body)),
    }
  })
}

/** To a token endpoint (RFC 6749): forms, whole and broken. */
export function formsTo(path: string, known: Known): Arbitrary<GeneratedRequest> {
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...FORM_VALUES) },
    { weight: 1, arbitrary: fc.nat(1_000).map((number) => encodeURIComponent(known.value('id', number) ?? 'x')) }, // prettier-ignore
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }).map((text) => encodeURIComponent(text.toWellFormed())) }, // prettier-ignore
  )
  const grant = fc.constantFrom('password', 'refresh_token', 'client_credentials', ...FORM_VALUES)
  const pair = fc.tuple(fc.constantFrom(...FORM_NAMES), value)
  const authorization = fc.constantFrom('', 'Basic', 'Basic =', 'Basic YTpi', 'Basic OjpiOg==', `Basic ${'YTpi'.repeat(500)}`, 'Bearer x') // prettier-ignore
  return fc
    .record({
      grant: fc.option(grant, { freq: 10, nil: undefined }),
      pairs: fc.array(pair, { maxLength: 5 }),
      isJson: fc.nat(30).map((dice) => dice === 0),
      authorization: fc.option(authorization, { freq: 3, nil: undefined }),
    })
    .map(({ grant: type, pairs, isJson, authorization: basic }) => ({
      method: 'POST',
      path,
      headers: {
        'content-type': isJson ? 'application/json' : 'application/x-www-form-urlencoded',
        ...(basic === undefined ? {} : { authorization: basic }),
      },
      body: [...(type === undefined ? [] : [['grant_type', type]]), ...pairs].map((one) => one.join('=')).join('&'), // prettier-ignore
      // Only a whole form of that kind costs a hash.
      isAllowed: type === 'password' && ['username', 'password'].every((name) => pairs.some(([one]) => one === name)), // prettier-ignore
    }))
}

const FORM_NAMES = ['username', 'username', 'password', 'password', 'refresh_token', 'refresh_token', 'client_id', 'client_id', 'client_secret', 'client_secret', 'scope', 'totp', 'grant_type', '__proto__', 'constructor', 'a[b]', '%00', ''] // prettier-ignore
const FORM_VALUES = ['', 'x', 'a/b', '/', '%00', '%', '%ff', '%ed%a0%80', '+', '%27%20OR%201=1--', '%2e%2e%2f', '1e400', 'constructor', 'toString', 'x'.repeat(4_001), 'x'.repeat(20_000), '%F0%9F%98%80', '%e2%80%ae'] // prettier-ignore

const EMPTY = { type: 'object', properties: {} }

function contentType({ accepts }: Operation, body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-type': accepts?.[0] ?? 'application/json' }
}

function bodyOf({ body, accepts }: Operation, known: Known): Arbitrary<string | undefined> {
  if (!body) return fc.constant(undefined)
  return accepts ? fileText : allowed(body as Schema, known).map(jsonText)
}

function wrongBodyOf({ body, accepts }: Operation, known: Known): Arbitrary<string | undefined> {
  if (!body) return fc.constant(undefined)
  if (accepts) return fc.option(fileText, { freq: 20, nil: undefined })
  const unreadable = fc.constantFrom('', '{', '[1,', '"', 'nul', '{"a":1}}', '\ufeff{}', '{"a":\u0000}', 'x'.repeat(900_000)) // prettier-ignore
  return fc.oneof(
    { weight: 12, arbitrary: wrong(body as Schema, known).map(jsonText) },
    { weight: 1, arbitrary: unreadable },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )
}

function isAllowedBody({ body, accepts }: Operation, text: string | undefined): boolean {
  if (!body || accepts) return true
  try {
    return bodyProblems(body, JSON.parse(text ?? '')).length === 0
  } catch {
    return false
  }
}

/** Of an upload, whatever kind it says it takes. */
const fileText: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    '\u0000',
    'fullName,email,role\n"A","a@b.example","Viewer"\n',
    'fullName,email,role\n"A\u0000","a@b.example","Viewer"\n',
    'fullName,email,role\n"=cmd","a@b.example\r\n","Viewer"',
    `fullName,email,role${',x'.repeat(50_000)}\n`,
    `fullName,email,role\n${'a,b,c\n'.repeat(5_000)}`,
    `fullName,email,role\n"${'"'.repeat(30_001)}`,
    '\u0089PNG\r\n\u001a\n',
    `\u00ff\u00d8\u00ff${'\u0000'.repeat(1_000)}`,
    'RIFF\u0000\u0000\u0000\u0000WEBP',
    '<svg onload="x()"/>',
    'x'.repeat(60_000),
  ),
  fc.string({ unit: 'binary', maxLength: 400 }),
)

const PATH_PARTS = [
  '%00',
  '%ed%a0%80',
  '%ff',
  '%',
  '%2e%2e%2fetc%2fpasswd',
  '..%5c..',
  'null',
  'undefined',
  '0',
  '-1',
  '1e400',
  "'",
  '%27%20OR%20%271%27%3D%271',
  '0197f0c2-7b1e-7000-8000-000000000000%00',
  '0197f0c2-7b1e-7000-8000-000000000000%20',
  '0197F0C2-7B1E-7000-8000-000000000000',
  '%7B0197f0c2-7b1e-7000-8000-000000000000%7D',
  '%0d%0aX-Injected:%20yes',
  'a'.repeat(150),
  'a'.repeat(3_000),
  '__proto__',
  'constructor',
  '*',
  '{id}',
] as const

const QUERY_VALUES = [
  '',
  '0',
  '-1',
  '1e400',
  '99999999999999999999',
  '1.5',
  'true',
  'NaN',
  '%00',
  '%ed%a0%80',
  '%',
  '%ff',
  "'",
  '%27%3B--',
  '%25',
  '_%5C',
  '2026-02-30',
  '1900-01-01',
  '2999-12-31',
  '9999-12-31',
  '-2026-01-01',
  'id;DROP',
  'created_at',
  '__proto__',
  'constructor',
  '..%2f',
  'x'.repeat(201),
  'x'.repeat(6_000),
  '%F0%9F%98%80',
] as const

function wrongQuery(names: readonly string[]): Arbitrary<string> {
  const strange = ['unknown', '__proto__', 'constructor', 'a[b]', 'a[]', '%00', '', 'sort', 'page', 'limit']
  const pair = fc.tuple(fc.constantFrom(...names, ...names, ...strange), fc.constantFrom(...QUERY_VALUES))
  return fc
    .tuple(fc.array(pair, { minLength: 1, maxLength: 3 }), fc.nat(9))
    .map(([pairs, dice]) => (dice === 0 ? [...pairs, ...pairs] : pairs).map((one) => one.join('=')).join('&'))
}

function queryText(query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value).toWellFormed()])).toString() // prettier-ignore
}

/** Node's client lets nothing through that would end a header: that is for http-limits.test.ts. */
const HEADER_VALUES = ['', ' ', '*', '""', '"x"', 'W/"x"', '\u00ff\u00fe', "'", '0', '-1', 'x'.repeat(300), 'x'.repeat(7_000), '{}', ';', '\t'] // prettier-ignore
const HEADER_NAMES = [
  'idempotency-key',
  'if-match',
  'if-none-match',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-http-method-override',
  'x-original-url',
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'cookie',
  'origin',
  'range',
  'referer',
  'user-agent',
  'x-company-id',
] as const
const oddHeaders: Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...HEADER_NAMES), fc.constantFrom(...HEADER_VALUES), { minKeys: 1, maxKeys: 4 }) }, // prettier-ignore
  {
    weight: 2,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { authorization: '' },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${'x'.repeat(5_000)}` },
      { authorization: 'Bearer a.b.c' },
      { authorization: 'Basic YTpi' },
      { 'x-tenant-id': '' },
      { 'x-tenant-id': "'" },
      { 'x-tenant-id': 'x'.repeat(4_000) },
      { 'x-tenant-id': '\u00ff' },
      { host: 'evil.example' },
      { host: '..localhost' },
    ),
  },
)
