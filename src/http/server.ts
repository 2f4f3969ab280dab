/**
 * The HTTP server: mounts every operation as a route, and does for all of them alike what no operation
 * should have to think of: request ids, validation, finding the tenant, authentication, permission, the
 * envelope, failures, logs and metrics.
 */
import { Readable } from 'node:stream'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { Type } from 'typebox'
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import type { Gate, TenantLocation } from '../tenancy/gate.ts'
import { newId } from '../tenancy/new-id.ts'
import { CommandRunner, type Command } from './commands.ts'
import type { Download, Operation } from './contract.ts'
import { etagOf } from './etag.ts'
import { idempotencyClaim } from './idempotency.ts'
import { answerFailure, failureSchema } from './failures.ts'
import type { Metrics } from './metrics.ts'
import { describe } from './openapi.ts'
import type { RateLimits } from './rate-limits.ts'
import type { Principal, Route } from './route.ts'
import { compileValidator, unstorableText } from './validation.ts'

/** A tenant as the front door sees it. */
export interface TenantEntry {
  readonly location: TenantLocation
  /** What keeps it out, if anything: suspended, still being made, or of an older schema. */
  readonly closedBecause: Problem | undefined
  /** Though closed, its administrator may sign in and take its data along. */
  readonly isOpenForExport?: boolean
  /** Of its plan; null: as many as it likes. */
  readonly requestsPerHour: number | null
}

/** What the HTTP server needs from those above it. */
export interface HttpPorts {
  readonly gate: Gate
  readonly metrics: Metrics
  readonly rateLimits: RateLimits
  findTenant(reference: { code: string | undefined; host: string }): Promise<TenantEntry | undefined>
  /** Whether a host is below the domain of the tenants' subdomains. */
  isTenantHost(host: string): boolean
  /** The tenant a token names, for requests that name none themselves. */
  tenantOfToken(token: string): Promise<TenantEntry | undefined>
  authenticateUser(token: string, tenant: TenantLocation): Promise<Principal>
  authenticateOperator(token: string): Promise<Principal>
  /** Names of what is not well; empty when ready. */
  notReady(): Promise<readonly string[]>
}

export interface HttpOptions {
  readonly corsOrigins: readonly string[]
  readonly isProduction: boolean
  readonly logLevel: string
  readonly version: string
  /** Proxies whose word about a caller's address is believed. */
  readonly trustedProxies: readonly string[]
}

export const BASE_PATHS = { tenant: '/api/v1', platform: '/api/v1/platform' } as const
const BODY_LIMIT_BYTES = 1_048_576
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/

export async function createHttpServer(
  routes: readonly Route[],
  ports: HttpPorts,
  options: HttpOptions,
): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 200 },
    trustProxy: [...options.trustedProxies],
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId()
    },
    logController: new LogController({ disableRequestLogging: true }),
    logger: {
      level: options.logLevel,
      redact: ['req.headers.authorization', 'req.headers.cookie', '*.password', '*.refreshToken'],
    },
  })
  app.setValidatorCompiler(compileValidator as never)
  app.setSchemaErrorFormatter((_errors, part) => new Error(part))
  await app.register(helmet, {
    contentSecurityPolicy: contentSecurityPolicy(options.isProduction),
    hsts: options.isProduction,
  })
  await app.register(cors, {
    origin: options.corsOrigins.length > 0 ? [...options.corsOrigins] : false,
    exposedHeaders: [
      'X-Request-ID',
      'ETag',
      'Retry-After',
      'X-RateLimit-Limit',
      'X-RateLimit-Remaining',
      'X-RateLimit-Reset',
      'X-RateLimit-Reset-After',
    ],
  })
  app.removeContentTypeParser('text/plain') // JSON alone; the token endpoints read forms beside it
  await app.register(swagger, describe(options.version))
  await app.register(swaggerUi, {
    routePrefix: '/api/v1/docs',
    staticCSP: true,
    uiConfig: { persistAuthorization: true },
  })

  addHooks(app, ports.metrics)
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply))
  app.setNotFoundHandler((request, reply) => answerFailure(new Problem(problems.notFound, { message: 'No such address' }), request, reply)) // prettier-ignore
  app.addSchema(failureSchema)
  const runner = new CommandRunner(ports.gate)
  for (const route of routes) mount(app, route, ports, runner)
  mountHealth(app, ports)
  app.get('/api/v1/openapi.json', { schema: { hide: true } }, () => app.swagger())
  return app
}

// ---- one operation -------------------------------------------------------------------------------------

function mount(app: FastifyInstance, route: Route, ports: HttpPorts, runner: CommandRunner): void {
  const { operation } = route
  if (!operation.permission) throw new Error(`${operation.name} declares no permission: it does not start`)
  const { method, path, audience, params, query, body, data, name, summary, tag } = operation
  const schema = {
    ...(params ? { params } : {}),
    ...(query ? { querystring: query } : {}),
    ...(body ? { body: operation.accepts ? upload(operation.accepts) : body } : {}),
    ...headersOf(operation),
    response: {
      '2xx': operation.isDownload ? file(data) : envelope(data),
      '4xx': { $ref: 'Failure#' },
      '5xx': { $ref: 'Failure#' },
    },
    operationId: name,
    summary,
    tags: [tag],
    'x-permission': operation.permission,
    ...(operation.isOpenToSelf ? { 'x-open-to-self': true } : {}),
    security:
      operation.permission === 'anonymous' ? [] : [{ [audience === 'tenant' ? 'tenant' : 'operator']: [] }],
  }
  const url = `${BASE_PATHS[audience]}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
  const handler = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    serve(route, ports, runner, request, reply)
  const bodyLimit = operation.bodyLimitBytes ?? BODY_LIMIT_BYTES
  // What may be left out whole is as good as empty.
  const nothing = body && Type.IsOptional(body) ? () => ({}) : () => undefined
  // Bodies are looked through before validation, so that text nobody can store never reaches a pattern.
  const preValidation = async (request: FastifyRequest): Promise<void> => {
    request.body ??= nothing()
    const wrong = unstorableText({ ...(request.query as object), ...(request.params as object) })
    if (typeof request.body === 'object' && !operation.accepts) wrong.push(...unstorableText(request.body))
    if (wrong.length > 0) throw validationProblem(wrong)
  }
  const add = (at: FastifyInstance): void => {
    at.route({ method, url, schema, handler, bodyLimit, preValidation })
    if (method === 'PUT') {
      at.route({ method: 'PATCH', url, schema: { ...schema, hide: true }, handler, bodyLimit, preValidation })
    }
  }
  if (operation.accepts) mountUpload(app, operation.accepts, add)
  else add(app)
}

/** A room of its own, in which these content types are read and JSON is not. */
function mountUpload(
  app: FastifyInstance,
  contentTypes: readonly string[],
  add: (at: FastifyInstance) => void,
): void {
  void app.register(async (room) => {
    room.removeAllContentTypeParsers()
    room.addContentTypeParser([...contentTypes], { parseAs: 'buffer' }, (request, content, done) => {
      const contentType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
      done(null, { content, contentType })
    })
    add(room)
  })
}

async function serve(
  route: Route,
  ports: HttpPorts,
  runner: CommandRunner,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { operation } = route
  const isAnonymous = operation.permission === 'anonymous' || bearerToken(request) === undefined
  if (isAnonymous) await ports.rateLimits.anonymous(reply, request.ip)
  const tenant = operation.audience === 'tenant' ? await findTenant(request, ports, operation) : undefined
  const principal =
    operation.permission === 'anonymous' ? undefined : await authenticate(request, reply, ports, tenant)
  if (principal) {
    request.userId = principal.id
    const limited = tenant && { id: tenant.location.tenantId, requestsPerHour: tenant.requestsPerHour }
    await ports.rateLimits.known(reply, operation, principal.id, limited)
    allow(operation, principal, request.params)
  }
  const input = { params: request.params ?? {}, query: request.query ?? {}, body: request.body }
  const scope = principal ? `${principal.kind}:${principal.id}:${principal.companyId ?? ''}` : 'anonymous'
  const key = request.headers['idempotency-key']
  const command: Command = {
    route,
    input,
    tenant: tenant?.location,
    claim: idempotencyClaim(operation, typeof key === 'string' ? key : undefined, scope, input),
    context: {
      actor: {
        kind: principal?.kind ?? 'system',
        id: principal?.id ?? null,
        requestId: request.id,
        address: request.ip,
      },
      principal,
      now: new Date(),
      userAgent: request.headers['user-agent']?.slice(0, 300) ?? null,
      ifMatch: request.headers['if-match'],
      newId,
      answer: {},
    },
  }
  const attempt = {
    scope: tenant?.location.tenantId ?? 'platform',
    account: accountOf(operation, request.body),
    address: request.ip,
  }
  const { status, data, message } = await ports.rateLimits.guarded(reply, operation, attempt, () =>
    runner.run(command),
  )
  if (operation.versioned) void reply.header('etag', etagOf(data as { updatedAt: string }))
  void reply.code(status)
  if (operation.isDownload) return sendFile(reply, data as Download)
  return message === undefined ? { success: true, data } : { success: true, data, message }
}

/** A stream that breaks off cuts the connection: the announced length tells the caller that it lacks something. */
function sendFile(reply: FastifyReply, download: Download): FastifyReply {
  return reply
    .type(download.contentType)
    .header('content-length', download.sizeBytes)
    .header('content-disposition', `attachment; filename="${download.fileName.replace(/[^\w.-]/g, '_')}"`)
    .header('cache-control', 'no-store')
    .send(Readable.from(download.stream))
}

async function findTenant(
  request: FastifyRequest,
  ports: HttpPorts,
  operation: Operation,
): Promise<TenantEntry> {
  const header = request.headers['x-tenant-id']
  const code = typeof header === 'string' && header !== '' ? header : undefined
  const found = await ports.findTenant({ code, host: request.hostname })
  const token = bearerToken(request)
  // The token speaks only where the request names no tenant at all, not even one that does not exist.
  const isNamed = code !== undefined || ports.isTenantHost(request.hostname)
  const entry = found ?? (!isNamed && token !== undefined ? await ports.tenantOfToken(token) : undefined)
  if (!entry) {
    const message = code === undefined ? 'No tenant is named: send X-Tenant-ID or use its subdomain' : 'There is no such tenant' // prettier-ignore
    throw new Problem(problems.notFound, { message })
  }
  request.tenantCode = entry.location.tenantCode
  if (entry.closedBecause && !(entry.isOpenForExport && operation.isOpenForExport)) throw entry.closedBecause
  return entry
}

async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  ports: HttpPorts,
  tenant: TenantEntry | undefined,
): Promise<Principal> {
  const token = bearerToken(request)
  if (token === undefined) throw new Problem(problems.authenticationRequired)
  try {
    return await (tenant ? ports.authenticateUser(token, tenant.location) : ports.authenticateOperator(token))
  } catch (error) {
    // A token that is none makes nobody known.
    if (error instanceof Problem && error.status === 401) await ports.rateLimits.anonymous(reply, request.ip)
    throw error
  }
}

/** Whose account a request that guards a password names. */
function accountOf({ rateLimit }: Operation, body: unknown): string {
  return rateLimit?.account === undefined ? '' : String((body as Record<string, unknown>)[rateLimit.account])
}

function allow(operation: Operation, principal: Principal, params: unknown): void {
  const { permission, isOpenToSelf, isForExpiredPasswords } = operation
  if (principal.mustChangePassword && !isForExpiredPasswords) throw new Problem(problems.passwordExpired)
  if (permission === 'signed-in' || principal.permissions.has(permission)) return
  if (isOpenToSelf && (params as { id?: string }).id?.toLowerCase() === principal.id) return
  throw new Problem(problems.permissionDenied, { details: { permission } })
}

function bearerToken(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization
  return header?.startsWith('Bearer ') ? header.slice(7) : undefined
}

/** What a request may say beside its body; described for callers, read in `serve`. */
function headersOf({ idempotent, versioned, method }: Operation): object {
  const properties = {
    ...(idempotent ? { 'Idempotency-Key': { type: 'string', maxLength: 200 } } : {}),
    ...(versioned && method === 'PUT' ? { 'If-Match': { type: 'string', maxLength: 200 } } : {}),
  }
  return Object.keys(properties).length === 0 ? {} : { headers: { type: 'object', properties } }
}

function envelope(data: object): object {
  return {
    type: 'object',
    properties: { success: { type: 'boolean' }, data, message: { type: 'string' } },
    required: ['success', 'data'],
  }
}

function file(data: object): object {
  return { content: { 'application/octet-stream': { schema: data } } }
}

/** Each content type with a schema that refuses nothing: what a file holds is the operation's to look at. */
function upload(contentTypes: readonly string[]): object {
  const anything = { description: 'The file itself' }
  return { content: Object.fromEntries(contentTypes.map((type) => [type, { schema: anything }])) }
}

// ---- for all requests ----------------------------------------------------------------------------------

declare module 'fastify' {
  interface FastifyRequest {
    tenantCode: string
    userId: string
  }
}

function addHooks(app: FastifyInstance, metrics: Metrics): void {
  app.decorateRequest('tenantCode', '')
  app.decorateRequest('userId', '')
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('x-api-version', 'v1')
  })
  app.addHook('onResponse', async (request, reply) => {
    const seconds = reply.elapsedTime / 1000
    metrics.observeRequest(request.method, request.routeOptions.url ?? 'none', reply.statusCode, seconds)
    request.log.info(
      {
        method: request.method,
        path: request.url.split('?')[0],
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime * 10) / 10,
        tenant: request.tenantCode || undefined,
        userId: request.userId || undefined,
      },
      'request',
    )
  })
}

function mountHealth(app: FastifyInstance, ports: HttpPorts): void {
  const hidden = { schema: { hide: true } }
  const live = async (): Promise<object> => ({ status: 'ok' })
  const ready = async (_request: FastifyRequest, reply: FastifyReply): Promise<object> => {
    const notReady = await ports.notReady()
    if (notReady.length > 0) void reply.code(503).header('retry-after', 1)
    return { status: notReady.length === 0 ? 'ok' : 'unavailable', notReady }
  }
  app.get('/health/live', hidden, live)
  app.get('/health/ready', hidden, ready)
  app.get('/health', hidden, ready)
  app.get('/metrics', hidden, async (_request, reply) => {
    void reply.type(ports.metrics.contentType)
    return ports.metrics.text()
  })
}

function contentSecurityPolicy(isProduction: boolean) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:', 'blob:'],
      fontSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      frameAncestors: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      ...(isProduction ? { upgradeInsecureRequests: [] } : {}),
    },
  }
}
