/** An HTTP client typed by the contracts: what a test sends and gets is checked like the server itself. */
import type { DataOf, InputOf, Operation } from '../http/contract.ts'
import { BASE_PATHS } from '../http/server.ts'

export interface Failure {
  readonly code: string
  readonly message: string
  readonly details: readonly { field: string; code: string; message: string }[]
  readonly requestId: string
  readonly path: string
}

export class Answer<Data> {
  readonly status: number
  readonly headers: Headers
  readonly body: { success: boolean; data?: Data; error?: Failure }

  constructor(status: number, headers: Headers, body: { success: boolean; data?: Data; error?: Failure }) {
    this.status = status
    this.headers = headers
    this.body = body
  }

  /** The data of a success; anything else fails the test with the whole answer. */
  ok(): Data {
    if (this.status < 300 && this.body.success) return this.body.data as Data
    throw new Error(`Expected success, got ${this.status}: ${JSON.stringify(this.body)}`)
  }

  get error(): Failure {
    if (this.body.error) return this.body.error
    throw new Error(`Expected a failure, got ${this.status}: ${JSON.stringify(this.body).slice(0, 500)}`)
  }

  /** `field code` of every detail, sorted: what was refused and why. */
  get refusals(): string[] {
    return this.error.details.map(({ field, code }) => `${field} ${code}`).toSorted()
  }
}

interface ClientOptions {
  readonly token?: string
  readonly tenant?: string
  readonly headers?: Readonly<Record<string, string>>
}

const TIMEOUT_MS = 60_000

export class Client {
  readonly url: string
  readonly options: ClientOptions

  constructor(url: string, options: ClientOptions = {}) {
    this.url = url
    this.options = options
  }

  with(options: ClientOptions): Client {
    return new Client(this.url, { ...this.options, ...options })
  }

  /** The same caller at another process. */
  at(url: string): Client {
    return new Client(url, this.options)
  }

  call<O extends Operation>(
    operation: O,
    input: Partial<InputOf<O>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<DataOf<O>>> {
    const { params, query, body } = input as Partial<InputOf<Operation>>
    const filled = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(String((params as Record<string, unknown> | undefined)?.[name] ?? '')),
    )
    const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined)
    const search = new URLSearchParams(
      given.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString()
    const path = `${BASE_PATHS[operation.audience]}${filled}${search === '' ? '' : `?${search}`}`
    return this.send(operation.method, path, body, headers)
  }

  /** Anything at all, for what the types would not allow. */
  async send<Data>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<Data>> {
    const { token, tenant } = this.options
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(tenant === undefined ? {} : { 'x-tenant-id': tenant }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.options.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return new Answer(response.status, response.headers, JSON.parse(text === '' ? '{}' : text))
  }
}
