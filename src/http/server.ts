/**
 * The HTTP server: mounts every operation as a route, and does for all of them alike what no operation
 * should have to think of: request ids, validation, finding the tenant, authentication, permission, the
 * envelope, failures, logs and metrics.
 */
import { Readable } from 'node:stream'
import cors, { type FastifyCorsOptions } from '@fastify/cors'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { Type } from 'typebox'
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import type { Refusal } from '../audit/refusals.ts'
import type { Gate } from '../tenancy/gate.ts'
import { newId } from '../tenancy/new-id.ts'
import { CommandRunner, type Approvals, type Command } from './commands.ts'
import { PATH_PART_LENGTH_MAXIMUM, routable } from './addresses.ts'
import { admit, allow, assertStillKnown, countStranger, type AdmissionPorts } from './admission.ts'
import { buildSerializer } from './compiling.ts'
import type { Download } from './contract.ts'
import { etagOf } from './etag.ts'
import { idempotencyClaim } from './idempotency.ts'
import { answerFailure, answerNoRequest, failureSchema } from './failures.ts'
import type { Metrics } from './metrics.ts'
import { describe, schemaOf, scopesOf } from './openapi.ts'
import { accountOf, isAuditedRefusal, refusalOf, userAgentOf } from './refused.ts'
import type { Route } from './route.ts'
import { compileValidator, unstorableText } from './validation.ts'

/** What the HTTP server needs from those above it. */
export interface HttpPorts extends AdmissionPorts {
  readonly gate: Gate
  readonly metrics: Metrics
  /** Requests that were refused, for the audit log. */
  noteRefusal(refusal: Refusal): void
  /** undefined: nothing waits for a second operator. */
  readonly approvals?: Approvals | undefined
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
/** Who dribbles headers holds a connection no longer than this. */
const HEADERS_TIMEOUT_MS = 20_000
const CONNECTIONS_CHECKED_EVERY_MS = 5_000
const DOCS_PATH = '/api/v1/docs'
/** How long a browser remembers what an origin may do. */
const PREFLIGHT_SECONDS = 600
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/

export async function createHttpServer(
  routes: readonly Route[],
  ports: HttpPorts,
  options: HttpOptions,
): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: 60_000,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: CONNECTIONS_CHECKED_EVERY_MS },
    clientErrorHandler: (error, socket) => answerNoRequest(app.log, error, socket),
    routerOptions: { maxParamLength: PATH_PART_LENGTH_MAXIMUM },
    rewriteUrl: ({ url = '' }) => routable(url),
    trustProxy: [...options.trustedProxies],
    genReqId: (request) => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId()
    },
    schemaController: { compilersFactory: { buildSerializer } },
    logController: new LogController({ disableRequestLogging: true }),
    logger: {
      level: options.logLevel,
      redact: ['req.headers.authorization', 'req.headers.cookie', '*.password', '*.refreshToken'],
    },
  })
  app.setValidatorCompiler(compileValidator as never)
  app.setSchemaErrorFormatter((_errors, part) => new Error(part))
  // Before everything else: rooms that are there already would go on answering failures in their own way.
  app.setErrorHandler((error, request, reply) => {
    const answered = answerFailure(error, request, reply)
    if (isAuditedRefusal(reply.statusCode)) ports.noteRefusal(refusalOf(error, request, reply.statusCode))
    return answered
  })
  app.setNotFoundHandler(async (request, reply) => {
    await countStranger(request, reply, ports)
    throw new Problem(problems.notFound, { message: 'No such address' })
  })
  addHooks(app, ports.metrics)
  await app.register(helmet, {
    contentSecurityPolicy: contentSecurityPolicy(options.isProduction),
    hsts: options.isProduction,
  })
  await app.register(cors, crossOrigin(options.corsOrigins))
  // Behind the questions of browsers, which carry no token: who is signed in is not to be taken for a stranger by them.
  app.addHook('onRequest', (request, reply) => admit(request, reply, ports))
  app.removeContentTypeParser('text/plain') // JSON alone; the token endpoints read forms beside it
  await app.register(swagger, describe(options.version, scopesOf(routes)))
  await mountDescription(app)
  app.addSchema(failureSchema)
  const runner = new CommandRunner(ports.gate, ports.approvals)
  for (const route of routes) mount(app, route, ports, runner)
  mountHealth(app, ports)
  return app
}

// ---- one operation -------------------------------------------------------------------------------------

function mount(app: FastifyInstance, route: Route, ports: HttpPorts, runner: CommandRunner): void {
  const { operation } = route
  if (!operation.permission) throw new Error(`${operation.name} declares no permission: it does not start`)
  const { method, path, audience, body } = operation
  const schema = schemaOf(operation)
  const url = `${BASE_PATHS[audience]}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
  const handler = (request: FastifyRequest, reply: FastifyReply): Promise<unknown> =>
    serve(route, ports, runner, request, reply)
  const config = { operation }
  const bodyLimit = operation.bodyLimitBytes ?? BODY_LIMIT_BYTES
  // What may be left out whole is as good as empty; a file that was not sent is an empty one.
  const nothing = (): unknown =>
    operation.accepts ? { content: Buffer.alloc(0), contentType: '' } : body && Type.IsOptional(body) ? {} : undefined // prettier-ignore
  // Bodies are looked through before validation, so that text nobody can store never reaches a pattern.
  const preValidation = async (request: FastifyRequest): Promise<void> => {
    request.body ??= nothing()
    const wrong = unstorableText({ ...(request.query as object), ...(request.params as object) })
    if (typeof request.body === 'object' && !operation.accepts) wrong.push(...unstorableText(request.body))
    if (wrong.length > 0) throw validationProblem(wrong)
  }
  const add = (at: FastifyInstance): void => {
    at.route({ method, url, schema, handler, bodyLimit, preValidation, config })
    if (method === 'PUT') {
      at.route({
        method: 'PATCH',
        url,
        schema: { ...schema, hide: true },
        handler,
        bodyLimit,
        preValidation,
        config,
      })
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
  await assertStillKnown(request, reply, operation, ports)
  const { tenant, principal } = request
  if (principal) {
    allow(operation, principal, request.params)
    await principal.support?.witness(operation.name)
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
        userAgent: userAgentOf(request),
        ...(principal?.scopes ? { scopes: principal.scopes } : {}),
      },
      principal,
      now: new Date(),
      userAgent: userAgentOf(request),
      ifMatch: request.headers['if-match'],
      newId,
      answer: {},
    },
  }
  const attempt = {
    scope: tenant?.location.tenantId ?? 'platform',
    account: operation.rateLimit?.ofCaller ? (principal?.id ?? '') : accountOf(operation, request.body),
    address: request.ip,
  }
  const { status, data, message } = await ports.rateLimits.guarded(reply, operation, attempt, () =>
    runner.run(command),
  )
  const isHeld = operation.needsApproval && status === 202 && 'approval' in (data as object)
  if (operation.versioned && !isHeld) void reply.header('etag', etagOf(data as { updatedAt: string | null }))
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

// ---- for all requests ----------------------------------------------------------------------------------

function addHooks(app: FastifyInstance, metrics: Metrics): void {
  app.decorateRequest('tenantCode', '')
  app.decorateRequest('tenant', undefined)
  app.decorateRequest('operation', undefined)
  app.decorateRequest('principal', undefined)
  app.decorateRequest('isCounted', false)
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('x-api-version', 'v1')
  })
  app.addHook('onResponse', async (request, reply) => {
    const seconds = reply.elapsedTime / 1000
    metrics.observeRequest(request.method, request.routeOptions.url ?? 'none', reply.statusCode, seconds)
    request.log.info(
      {
        method: request.method,
        path: request.originalUrl.split('?')[0],
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime * 10) / 10,
        tenant: request.tenantCode || undefined,
        userId: request.principal?.id,
      },
      'request',
    )
  })
}

/** A megabyte that is the same for all: written as text once. Of the page's own addresses for it, too. */
async function mountDescription(app: FastifyInstance): Promise<void> {
  let text: string | undefined
  const send = (reply: FastifyReply): FastifyReply =>
    reply.type('application/json; charset=utf-8').send((text ??= JSON.stringify(app.swagger())))
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith(`${DOCS_PATH}/static/`)) route.config = { ...route.config, isUncounted: true }
  })
  await app.register(swaggerUi, {
    routePrefix: DOCS_PATH,
    staticCSP: true,
    transformStaticCSP: (policy) => policy.replace("frame-ancestors 'self'", "frame-ancestors 'none'"),
    uiConfig: { persistAuthorization: true },
    uiHooks: {
      onRequest: async (request, reply) => {
        if (request.routeOptions.url === `${DOCS_PATH}/json`) return send(reply)
      },
    },
  })
  app.get('/api/v1/openapi.json', { schema: { hide: true } }, (_request, reply) => send(reply))
}

/** The methods that contracts and their aliases have; a foreign origin is told nothing at all. */
function crossOrigin(origins: readonly string[]): FastifyCorsOptions {
  const allowed = new Set<string | undefined>(origins)
  return {
    origin: allowed.has('*')
      ? '*'
      : (origin, answer) => answer(null, allowed.has(origin) && origin !== undefined ? origin : false),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    maxAge: PREFLIGHT_SECONDS,
    exposedHeaders: [
      'Content-Disposition',
      'ETag',
      'Retry-After',
      'X-API-Version',
      'X-RateLimit-Limit',
      'X-RateLimit-Remaining',
      'X-RateLimit-Reset',
      'X-RateLimit-Reset-After',
      'X-Request-ID',
    ],
  }
}

function mountHealth(app: FastifyInstance, ports: HttpPorts): void {
  const hidden = { schema: { hide: true }, config: { isUncounted: true } }
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
