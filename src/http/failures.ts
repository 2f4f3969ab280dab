/**
 * Every failure becomes one envelope, here and only here. What we foresaw is a Problem; what we did not is
 * logged whole and answered without a word of what happened inside.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import {
  Problem,
  problems,
  validationProblem,
  type FieldProblem,
  type ProblemKind,
} from '../kernel/problem.ts'
import { newId } from '../tenancy/new-id.ts'
import { constraintProblem } from './constraints.ts'

export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error)
  // A Problem without a cause was foreseen, also a 503: no stack is needed to understand it.
  const isForeseen = error instanceof Problem && error.cause === undefined
  if (problem.status >= 500 && !isForeseen) request.log.error({ err: error }, 'failed')
  else request.log.info({ ...refusalOf(problem), ...callerOf(request) }, 'refused')
  if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', problem.retryAfterSeconds)
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer')
  return reply
    .code(problem.status)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify as (payload: unknown) => string)
    .send(envelopeOf(problem, request.id, request.originalUrl.split('?')[0] ?? ''))
}

function envelopeOf({ code, message, details }: Problem, requestId: string, path: string): object {
  const timestamp = new Date().toISOString()
  return { success: false, error: { code, message, details, timestamp, requestId, path } }
}

function refusalOf({ code, status }: Problem): object {
  return { code, status }
}

/** Who was refused: whoever looks for somebody who tries doors finds all of their tries. */
function callerOf({ ip, tenantCode, principal }: FastifyRequest): object {
  return { address: ip, tenant: tenantCode || undefined, userId: principal?.id }
}

/** Nothing that a browser would show, run or remember; as helmet says for answers that come through the server. */
const PLAIN_HEADERS = [
  'connection: close',
  'content-type: application/json; charset=utf-8',
  "content-security-policy: default-src 'none'; frame-ancestors 'none'",
  'referrer-policy: no-referrer',
  'x-api-version: v1',
  'x-content-type-options: nosniff',
  'x-frame-options: SAMEORIGIN',
]

/** What never became a request: no HTTP, headers beyond the limit, or bytes that come too slowly. */
export function answerNoRequest(
  log: FastifyBaseLogger,
  error: Error & { readonly code?: string },
  socket: Socket,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const problem = new Problem(NO_REQUEST[error.code ?? ''] ?? problems.noRequest)
  log.info({ ...refusalOf(problem), address: socket.remoteAddress }, 'refused')
  const requestId = newId()
  const body = JSON.stringify(envelopeOf(problem, requestId, ''))
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    ...PLAIN_HEADERS,
    `x-request-id: ${requestId}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroy(error)
}

const NO_REQUEST: Readonly<Record<string, ProblemKind>> = {
  HPE_HEADER_OVERFLOW: problems.headersTooLarge,
  ERR_HTTP_REQUEST_TIMEOUT: problems.requestTooSlow,
}

/** The failure envelope, as the OpenAPI document shows it. */
export const failureSchema = {
  $id: 'Failure',
  type: 'object',
  required: ['success', 'error'],
  properties: {
    success: { type: 'boolean', const: false },
    error: {
      type: 'object',
      required: ['code', 'message', 'details', 'timestamp', 'requestId', 'path'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        details: {
          description: 'Of VALIDATION_ERROR: an array of {field, code, message}, one for each wrong field',
          anyOf: [
            { type: 'array', items: { type: 'object', additionalProperties: true } },
            { type: 'object', additionalProperties: true },
          ],
        },
        timestamp: { type: 'string' },
        requestId: { type: 'string' },
        path: { type: 'string' },
      },
    },
  },
} as const

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { fieldProblems, code, statusCode, constraint } = error as {
    fieldProblems?: FieldProblem[]
    code?: string
    statusCode?: number
    constraint?: string
  }
  if (fieldProblems) return validationProblem(fieldProblems)
  if (constraint !== undefined) return constraintProblem(error) ?? new Problem(problems.serverError)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem(problems.bodyTooLarge)
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem(problems.contentType)
  if (code?.startsWith('FST_ERR_CTP') || error instanceof SyntaxError) return unreadable()
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new Problem({ ...problems.validation, status: statusCode })
  }
  return new Problem(problems.serverError)
}

function unreadable(): Problem {
  return validationProblem([{ field: '', code: 'JSON', message: 'The body is no readable JSON' }])
}
