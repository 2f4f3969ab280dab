/**
 * Every failure becomes one envelope, here and only here. What we foresaw is a Problem; what we did not is
 * logged whole and answered without a word of what happened inside.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem, problems, validationProblem, type FieldProblem } from '../kernel/problem.ts'
import { constraintProblem } from './constraints.ts'

export function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error)
  // A Problem without a cause was foreseen, also a 503: no stack is needed to understand it.
  const isForeseen = error instanceof Problem && error.cause === undefined
  if (problem.status >= 500 && !isForeseen) request.log.error({ err: error }, 'failed')
  else request.log.info({ code: problem.code, status: problem.status }, 'refused')
  if (problem.retryAfterSeconds !== undefined) void reply.header('retry-after', problem.retryAfterSeconds)
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer')
  return reply
    .code(problem.status)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify as (payload: unknown) => string)
    .send({
      success: false,
      error: {
        code: problem.code,
        message: problem.message,
        details: problem.details,
        timestamp: new Date().toISOString(),
        requestId: request.id,
        path: request.url.split('?')[0],
      },
    })
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
