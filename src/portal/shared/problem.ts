export interface FieldProblem {
  field: string
  code: string
  message: string
}

/** What the API answered when it refused, or that it could not be reached (status 0). */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly fields: readonly FieldProblem[]
  readonly requestId: string | null

  constructor(
    status: number,
    code: string,
    message: string,
    fields: readonly FieldProblem[],
    requestId: string | null,
  ) {
    super(message)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.fields = fields
    this.requestId = requestId
  }
}

export const UNREACHABLE = 'UNREACHABLE'
/** No failure: it was kept, and another operator decides. */
export const WAITS = 'WAITS_FOR_APPROVAL'

export function problemOf(thrown: unknown): ApiProblem {
  if (thrown instanceof ApiProblem) return thrown
  return new ApiProblem(0, 'UNKNOWN', thrown instanceof Error ? thrown.message : String(thrown), [], null)
}

/** No answer at all: no connection, or the server is down. */
export function unreachable(thrown: unknown): ApiProblem {
  return new ApiProblem(0, UNREACHABLE, String(thrown), [], null)
}

export function problemFromAnswer(response: Response, body: unknown): ApiProblem {
  const error = errorPart(body)
  const requestId = error?.requestId ?? response.headers.get('x-request-id')
  return new ApiProblem(
    response.status,
    error?.code ?? `HTTP_${response.status}`,
    error?.message ?? response.statusText,
    fieldProblems(error?.details),
    requestId,
  )
}

function errorPart(body: unknown) {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null
  return body.error as { code?: string; message?: string; requestId?: string; details?: unknown }
}

function fieldProblems(details: unknown): FieldProblem[] {
  if (!Array.isArray(details)) return []
  return details.filter((detail): detail is FieldProblem => typeof detail?.field === 'string')
}

/** `lines[0].debit` → ['lines', 0, 'debit'], as antd's forms name their fields. */
export function fieldPath(field: string): (string | number)[] {
  return field
    .split(/[.[\]]+/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}
