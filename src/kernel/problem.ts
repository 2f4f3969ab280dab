/**
 * An expected failure: something the caller did or met that we foresaw. Rules return field problems as
 * values; operations throw a Problem, which rolls the transaction back and becomes the HTTP answer.
 * Anything else that is thrown is a programmer's error and becomes SERVER_ERROR.
 */
export interface FieldProblem {
  /** Path of the wrong field as the caller wrote it, e.g. `lines[0].debit`; '' for the whole body. */
  readonly field: string
  readonly code: string
  readonly message: string
  /** Of a file that was sent, counted from 1. */
  readonly line?: number
}

export interface ProblemKind {
  readonly code: string
  readonly status: number
  readonly message: string
}

/** A module's table of failures: one place to read every code it can answer. */
export type ProblemTable = Readonly<Record<string, ProblemKind>>

export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly details: readonly FieldProblem[] | Readonly<Record<string, unknown>>
  /** Seconds after which trying again makes sense; sent as Retry-After. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    kind: ProblemKind,
    options: {
      message?: string
      details?: readonly FieldProblem[] | Readonly<Record<string, unknown>>
      retryAfterSeconds?: number
      cause?: unknown
    } = {},
  ) {
    super(options.message ?? kind.message, { cause: options.cause })
    this.name = 'Problem'
    this.code = kind.code
    this.status = kind.status
    this.details = options.details ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** The codes of SPEC 7 that belong to no module. */
export const problems = {
  validation: { code: 'VALIDATION_ERROR', status: 400, message: 'Some fields are wrong' },
  authenticationRequired: { code: 'AUTH_REQUIRED', status: 401, message: 'Sign in first' },
  authenticationFailed: { code: 'AUTH_FAILED', status: 401, message: 'E-mail or password is wrong' },
  totpRequired: {
    code: 'TOTP_REQUIRED',
    status: 401,
    message: 'A code of your authenticator app, or a recovery code, is needed too',
  },
  tokenExpired: { code: 'TOKEN_EXPIRED', status: 401, message: 'The session has expired' },
  tokenInvalid: { code: 'TOKEN_INVALID', status: 401, message: 'The token is not valid here' },
  companyAccessLost: {
    code: 'COMPANY_ACCESS_LOST',
    status: 401,
    message: 'You have no access to this company any more; a refresh that names another one goes on there',
  },
  permissionDenied: { code: 'PERMISSION_DENIED', status: 403, message: 'Your role does not allow this' },
  passwordExpired: {
    code: 'PASSWORD_EXPIRED',
    status: 403,
    message: 'Your password must be changed first: POST /auth/change-password',
  },
  secondFactorRequired: {
    code: 'SECOND_FACTOR_REQUIRED',
    status: 403,
    message: 'Two-step sign-in must be set up first: POST …/auth/second-factor/enrolment',
  },
  supportReadsOnly: {
    code: 'SUPPORT_READ_ONLY',
    status: 403,
    message: 'This support session may look, and change nothing',
  },
  tenantSuspended: { code: 'TENANT_SUSPENDED', status: 403, message: 'This account is suspended' },
  notFound: { code: 'NOT_FOUND', status: 404, message: 'There is no such thing here' },
  conflict: { code: 'CONFLICT', status: 409, message: 'This contradicts what is there' },
  inUse: { code: 'IN_USE', status: 409, message: 'Others refer to this, so it cannot be deleted' },
  lostUpdate: {
    code: 'PRECONDITION_FAILED',
    status: 412,
    message: 'Someone else has changed this since you read it',
  },
  noRequest: { code: 'BAD_REQUEST', status: 400, message: 'This is no HTTP request that can be read' },
  requestTooSlow: { code: 'REQUEST_TIMEOUT', status: 408, message: 'The request did not come in time' },
  headersTooLarge: {
    code: 'HEADERS_TOO_LARGE',
    status: 431,
    message: 'The address and the headers together are too large',
  },
  bodyTooLarge: { code: 'PAYLOAD_TOO_LARGE', status: 413, message: 'The body is too large' },
  contentType: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    status: 415,
    message: 'This content type is not taken here; most addresses take application/json',
  },
  idempotencyMismatch: {
    code: 'IDEMPOTENCY_KEY_REUSED',
    status: 422,
    message: 'This Idempotency-Key was used with another request',
  },
  overloaded: {
    code: 'UNAVAILABLE',
    status: 503,
    message: 'Too many are signing in at this moment; try again shortly',
  },
  rateLimitExceeded: {
    code: 'RATE_LIMIT_EXCEEDED',
    status: 429,
    message: 'Too many requests; try again when Retry-After has passed',
  },
  serverError: { code: 'SERVER_ERROR', status: 500, message: 'Something went wrong on our side' },
  unavailable: { code: 'UNAVAILABLE', status: 503, message: 'Not available right now; try again shortly' },
} as const satisfies ProblemTable

export function validationProblem(details: readonly FieldProblem[]): Problem {
  const [first] = details
  const message = details.length === 1 && first ? first.message : `${details.length} fields are wrong`
  return new Problem(problems.validation, { message, details })
}

export function duplicateProblem(field: string, value?: string): Problem {
  const code = `DUPLICATE_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
  const message = `This ${field}${value === undefined ? '' : ` (${value})`} is already taken`
  return new Problem({ code, status: 409, message }, { details: [{ field, code: 'DUPLICATE', message }] })
}
