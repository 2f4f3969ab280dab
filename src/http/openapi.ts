/** What the OpenAPI document says: of each operation by its contract, titles, and how to sign in from the docs page. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { isForIntegrations } from './admission.ts'
import { Held } from './approvals/contract.ts'
import type { Operation } from './contract.ts'
import type { Route } from './route.ts'

const SIGN_IN = 'User name: the e-mail address; on an address without a subdomain, `<tenant code>/<e-mail>`.'

const CLIENT =
  "Programs: client_id is an API key's id, likewise with `<tenant code>/` before it; client_secret is the key itself."
const OPERATOR = '/api/v1/platform/auth/token'

export function describe(version: string, scopes: readonly string[]): FastifyDynamicSwaggerOptions {
  const tokenUrl = '/api/v1/auth/token'
  return {
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`),
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Solution ERP',
        version,
        description:
          'Success: `{success: true, data}`. Failure: `{success: false, error: {code, message, details, ' +
          'timestamp, requestId, path}}`. Amounts are exact decimals as text; dates `YYYY-MM-DD`; instants ISO ' +
          '8601 in UTC. A tenant is named by its subdomain, by `X-Tenant-ID`, or by the token alone.',
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          tenant: {
            type: 'oauth2',
            description: `Sign in to a tenant. ${SIGN_IN} ${CLIENT}`,
            flows: {
              password: { tokenUrl, refreshUrl: tokenUrl, scopes: {} },
              clientCredentials: { tokenUrl, scopes: Object.fromEntries(scopes.map((one) => [one, one])) },
            },
          },
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'erp_…',
            description:
              'An API key of a tenant, which X-Tenant-ID or the subdomain names. One that works in several ' +
              'companies says in which: X-Company-ID.',
          },
          operator: {
            type: 'oauth2',
            description: 'Sign in as an operator with e-mail and password.',
            flows: { password: { tokenUrl: OPERATOR, refreshUrl: OPERATOR, scopes: {} } },
          },
        },
      },
    },
  }
}

/** What validates a request of this operation, and describes it. */
export function schemaOf(operation: Operation) {
  const { params, query, body, data, name, summary, tag } = operation
  return {
    ...(params ? { params } : {}),
    ...(query ? { querystring: query } : {}),
    ...(body ? { body: operation.accepts ? upload(operation.accepts) : body } : {}),
    ...headersOf(operation),
    response: {
      '2xx': operation.isDownload ? file(data) : envelope(data),
      ...held(operation),
      '4xx': { $ref: 'Failure#' },
      '5xx': { $ref: 'Failure#' },
    },
    operationId: name,
    summary,
    tags: [tag],
    'x-permission': operation.permission,
    ...(operation.isOpenToSelf ? { 'x-open-to-self': true } : {}),
    security: securityOf(operation),
  }
}

function securityOf(operation: Operation): Record<string, string[]>[] {
  const { audience, permission } = operation
  if (permission === 'anonymous') return []
  if (audience === 'platform') return [{ operator: [] }]
  const scopes = permission.includes(':') ? [permission] : []
  return [{ tenant: scopes }, ...(isForIntegrations(operation) ? [{ apiKey: [] }] : [])]
}

/** What a request may say beside its body; described for callers, read in `serve`. */
function headersOf({ idempotent, versioned, isConditional, method }: Operation): object {
  const properties = {
    ...(idempotent ? { 'Idempotency-Key': { type: 'string', maxLength: 200 } } : {}),
    ...((versioned && method === 'PUT') || isConditional
      ? { 'If-Match': { type: 'string', maxLength: 200 } }
      : {}),
  }
  return Object.keys(properties).length === 0 ? {} : { headers: { type: 'object', properties } }
}

/** What tokens of integrations may be narrowed to. */
export function scopesOf(routes: readonly Route[]): string[] {
  const asked = routes.map(({ operation }) => operation).filter(isForIntegrations)
  return [...new Set(asked.map(({ permission }) => permission).filter((one) => one.includes(':')))].toSorted()
}

function envelope(data: object): object {
  return {
    type: 'object',
    properties: { success: { type: 'boolean' }, data, message: { type: 'string' } },
    required: ['success', 'data'],
  }
}

/** What may have to wait answers 202 in any case then, with the request that is kept. */
function held({ needsApproval, status, data }: Operation): object {
  if (!needsApproval) return {}
  return { 202: status === 202 ? { anyOf: [envelope(Held), envelope(data)] } : envelope(Held) }
}

function file(data: object): object {
  return { content: { 'application/octet-stream': { schema: data } } }
}

/** Each content type with a schema that refuses nothing: what a file holds is the operation's to look at. */
function upload(contentTypes: readonly string[]): object {
  const anything = { description: 'The file itself' }
  return { content: Object.fromEntries(contentTypes.map((type) => [type, { schema: anything }])) }
}
