/**
 * OAuth 2.0 token endpoints (RFC 6749): password (4.3), so that the API docs page can sign in and try, refresh
 * (6), and for tenants client credentials (4.4): an API key exchanged for a token of short life. Form-encoded, with
 * the answers of that standard instead of our envelope.
 */
import formBody from '@fastify/formbody'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { newId } from '../tenancy/new-id.ts'
import { isUuid } from '../kernel/ids.ts'
import { Problem, problems } from '../kernel/problem.ts'
import { login, refresh } from '../erp/identity/contract.ts'
import { signIn } from '../erp/identity/operations.ts'
import { tellSessionEnd, type IdentityPorts } from '../erp/identity/ports.ts'
import type { Operation } from '../http/contract.ts'
import { refusalOf, userAgentOf } from '../http/refused.ts'
import type { PlatformDoor, RequestContext, TenantContext, TenantDoor } from '../http/route.ts'
import type { TenantEntry } from '../http/admission.ts'
import type { HttpPorts } from '../http/server.ts'
import { operatorLogin, operatorRefresh } from '../platform/operators/contract.ts'
import { tellOperatorSessionEnd, type OperatorPorts } from '../platform/operators/accounts.ts'
import type { Gate } from '../tenancy/gate.ts'
import { beyond } from '../erp/identity/rules/permission-patterns.ts'
import { operatorTokenSchema, tenantTokenSchema } from './token-description.ts'

const FORM_LIMIT_BYTES = 16_384
const VALUE_LENGTH_MAXIMUM = 4_000

/**
 * A key's secret cannot be guessed; what is limited is asking. Not by account: whoever knows a key's id, which is no
 * secret, must not be able to keep the program it belongs to out.
 */
const clientCredentials: Operation = {
  ...login,
  name: 'clientCredentials',
  rateLimit: {
    maximum: 20,
    windowSeconds: 900,
    account: 'client_id',
    perAccount: 1_000_000,
    perAddress: 100,
    counts: 'failures',
  },
}

interface TokenPorts {
  readonly gate: Gate
  readonly ports: HttpPorts
  readonly identity: IdentityPorts
  readonly operators: OperatorPorts
  readonly clientTokenSeconds: number
}

export async function mountTokenEndpoints(server: FastifyInstance, ports: TokenPorts): Promise<void> {
  await server.register(async (app) => {
    app.removeAllContentTypeParsers() // a form and nothing else (3.2)
    await app.register(formBody, { bodyLimit: FORM_LIMIT_BYTES })
    mount(app, ports)
  })
}

function mount(app: FastifyInstance, all: TokenPorts): void {
  // What a form lacks is said in that standard's words, below.
  const validatorCompiler = () => () => true
  const ofTenant = { schema: tenantTokenSchema, validatorCompiler }
  const ofOperator = { schema: operatorTokenSchema, validatorCompiler }
  app.post('/api/v1/auth/token', ofTenant, (request, reply) =>
    answer(request, reply, all.ports, {
      password: (form, context) => byPassword(all, request, reply, form, context),
      refresh_token: (form, context) => byRefreshToken(all, request, form, context),
      client_credentials: (form, context) => byClientCredentials(all, request, reply, form, context),
    }),
  )
  app.post('/api/v1/platform/auth/token', ofOperator, (request, reply) =>
    answer(request, reply, all.ports, {
      password: async (form, context) => {
        request.operation = operatorLogin
        const { sessions, secondFactors } = all.operators
        const credentials = {
          email: needed(form, 'username'),
          password: needed(form, 'password'),
          ...secondFactorOf(form),
        }
        const attempt = { scope: 'platform', account: credentials.email, address: request.ip }
        const session = await all.ports.rateLimits.guarded(reply, operatorLogin, attempt, () =>
          sessions.signIn(platformDoor(all, context), credentials, secondFactors, context),
        )
        return answerOf(session)
      },
      refresh_token: async (form, context) => {
        const token = needed(form, 'refresh_token')
        request.operation = operatorRefresh
        const { sessions } = all.operators
        const tellEnd = (sessionId: string): Promise<void> => tellOperatorSessionEnd(all.operators, sessionId)
        return answerOf(await sessions.goOn(platformDoor(all, context), token, context, tellEnd))
      },
    }),
  )
}

// ---- grants of a tenant --------------------------------------------------------------------------------

async function byPassword(
  all: TokenPorts,
  request: FastifyRequest,
  reply: FastifyReply,
  form: Form,
  context: RequestContext,
): Promise<TokenAnswer> {
  const [tenantCode, email] = split(needed(form, 'username'))
  const password = needed(form, 'password')
  const { location } = await tenantOf(all.ports, request, tenantCode, login)
  const inTenant: TenantContext = { ...context, tenant: location }
  const attempt = { scope: location.tenantId, account: email, address: request.ip }
  const session = await all.ports.rateLimits.guarded(reply, login, attempt, () =>
    signIn(all.identity, tenantDoor(all, inTenant), { email, password, ...secondFactorOf(form) }, inTenant),
  )
  return answerOf(session)
}

async function byRefreshToken(
  all: TokenPorts,
  request: FastifyRequest,
  form: Form,
  context: RequestContext,
): Promise<TokenAnswer> {
  // As with a user name, the tenant's code may stand before it where no subdomain or header names it.
  const [tenantCode, token] = split(needed(form, 'refresh_token'))
  const { location } = await tenantOf(all.ports, request, tenantCode, refresh)
  const inTenant: TenantContext = { ...context, tenant: location }
  const presented = { refreshToken: token }
  const session = await all.identity.sessions.goOn(
    tenantDoor(all, inTenant),
    presented,
    inTenant,
    (sessionId) => tellSessionEnd(all.identity, location.tenantId, sessionId),
  )
  return answerOf(session)
}

async function byClientCredentials(
  all: TokenPorts,
  request: FastifyRequest,
  reply: FastifyReply,
  form: Form,
  context: RequestContext,
): Promise<TokenAnswer> {
  const { id: clientId, secret } = clientOf(request, form)
  const [tenantCode, id] = split(clientId)
  const { location } = await tenantOf(all.ports, request, tenantCode, clientCredentials)
  const attempt = { scope: location.tenantId, account: id, address: request.ip }
  const caller = { address: request.ip, companyId: undefined }
  const { sessions } = all.identity
  const key = await all.ports.rateLimits
    .guarded(reply, clientCredentials, attempt, async () => {
      if (!isUuid(id)) throw new Problem(problems.tokenInvalid)
      return sessions.apiKeys.prove(all.gate, { id, key: secret }, location, caller, context.actor)
    })
    .catch((error: unknown) => {
      if (error instanceof Problem && (error.status === 401 || error.status === 403))
        throw new Refusal('invalid_client', error.message)
      throw error
    })
  const asked = [...new Set((form['scope'] ?? '').split(' ').filter((scope) => scope !== ''))]
  const excess = beyond(key.scopes, asked)
  if (excess.length > 0) throw new Refusal('invalid_scope', `Beyond this client: ${excess.join(' ')}`)
  const leftSeconds = Math.max(1, Math.floor((key.expiresAtMs - context.now.getTime()) / 1000))
  const expiresIn = Math.min(all.clientTokenSeconds, leftSeconds)
  const scope = (asked.length > 0 ? asked : key.scopes).join(' ')
  const claims = {
    userId: key.id,
    email: '',
    roleId: '',
    tenantId: location.tenantId,
    companyId: '',
    sessionId: key.id,
    secretNumber: key.secretNumber,
    // A key of many scopes would make a token too long for a header; without them it has all of its key's.
    ...(asked.length > 0 ? { scope } : {}),
  }
  const token = await sessions.signForIntegration(claims, context.now, expiresIn)
  return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope }
}

/** By HTTP Basic, whose parts are form-encoded (RFC 6749, 2.3.1), or in the form; not in both. */
function clientOf(request: FastifyRequest, form: Form): { readonly id: string; readonly secret: string } {
  const { authorization } = request.headers
  const [id, secret] = [form['client_id'], form['client_secret']]
  if (authorization === undefined) {
    if (id === undefined || secret === undefined) throw new Refusal('invalid_client', 'Who is asking?')
    return { id, secret }
  }
  if (secret !== undefined) throw new Refusal('invalid_request', 'The client signs in twice')
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? []
  const [, basicId, basicSecret] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8')) ?? []
  if (basicId === undefined || basicSecret === undefined) {
    throw new Refusal('invalid_client', 'The client signs in by HTTP Basic or in the form')
  }
  const client = { id: decoded(basicId), secret: decoded(basicSecret) }
  if (id !== undefined && id !== client.id) throw new Refusal('invalid_request', 'Two clients are named')
  if (`${client.id}${client.secret}`.includes('\0'))
    throw new Refusal('invalid_client', 'There is no such client')
  return client
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch {
    throw new Refusal('invalid_client', 'The client is not written as it should be')
  }
}

async function tenantOf(
  ports: HttpPorts,
  request: FastifyRequest,
  tenantCode: string | undefined,
  operation: Operation,
): Promise<TenantEntry> {
  const header = request.headers['x-tenant-id']
  const code = tenantCode ?? (typeof header === 'string' && header !== '' ? header : undefined)
  const tenant = await ports.findTenant({ code, host: request.hostname })
  request.operation = operation
  if (!tenant) {
    const code = operation === clientCredentials ? 'invalid_client' : 'invalid_grant'
    throw new Refusal(code, 'There is no such tenant')
  }
  request.tenant = tenant
  if (tenant.closedBecause) throw tenant.closedBecause
  return tenant
}

function tenantDoor({ gate }: TokenPorts, { tenant, actor }: TenantContext): TenantDoor {
  return {
    read: (work) => gate.readTenant(tenant, null, actor, work),
    write: (work) => gate.writeTenant(tenant, null, actor, work),
  }
}

function platformDoor({ gate }: TokenPorts, { actor }: RequestContext): PlatformDoor {
  return {
    read: (work) => gate.readPlatform(actor, work),
    write: (work) => gate.writePlatform(actor, work),
  }
}

/** `acme/ann@example.com` → the tenant's code and the address */
function split(name: string): [string | undefined, string] {
  const slash = name.indexOf('/')
  return slash < 0 ? [undefined, name] : [name.slice(0, slash), name.slice(slash + 1)]
}

// ---- the standard's questions and answers --------------------------------------------------------------

type ErrorCode =
  'invalid_request' | 'invalid_client' | 'invalid_grant' | 'invalid_scope' | 'unsupported_grant_type'

/** An error of RFC 6749, 5.2. */
class Refusal extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

type Form = Readonly<Record<string, string | undefined>>
type Grant = (form: Form, context: RequestContext) => Promise<TokenAnswer>

interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly refresh_token?: string
  readonly scope?: string
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { noteRefusal }: HttpPorts,
  grants: Readonly<Record<string, Grant>>,
): Promise<unknown> {
  void reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
  try {
    const form = formOf(request.body)
    const type = needed(form, 'grant_type')
    const grant = Object.hasOwn(grants, type) ? grants[type] : undefined
    if (!grant) {
      throw new Refusal('unsupported_grant_type', `One of ${Object.keys(grants).join(', ')}`)
    }
    return await grant(form, contextOf(request))
  } catch (error) {
    const { code, message } = standardRefusalOf(error)
    // Answered as that standard wants; what it is remains a refusal.
    if (code === 'invalid_client' || code === 'invalid_grant')
      noteRefusal(refusalOf(error, request, 401, accountNamed(request.body)))
    if (code === 'invalid_client') {
      void reply.code(401).header('www-authenticate', 'Basic realm="solution-erp", charset="UTF-8"')
    } else void reply.code(400)
    return await reply.send({ error: code, error_description: asciiOf(message) })
  }
}

/** What is overloaded, or asked too often, says so in our own words: it is no word of the standard's. */
function standardRefusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof Problem) || error.status >= 500 || error.status === 429) throw error
  return new Refusal('invalid_grant', error.message)
}

/** Every value once (3.2), and storable. */
function formOf(body: unknown): Form {
  const entries = Object.entries((body ?? {}) as Record<string, unknown>)
  for (const [name, value] of entries) {
    const isFine = typeof value === 'string' && value.length <= VALUE_LENGTH_MAXIMUM && !value.includes('\0')
    if (!isFine) throw new Refusal('invalid_request', `${name} is given twice, or is no text`)
  }
  // An empty value is as good as none (3.2).
  return Object.fromEntries(entries.filter(([, value]) => value !== '')) as Form
}

function needed(form: Form, name: string): string {
  const value = form[name]
  if (value === undefined) throw new Refusal('invalid_request', `${name} is missing`)
  return value
}

/** A code of the user's second factor, as in POST /auth/login. */
function secondFactorOf({ totp }: Form): { readonly totp?: string } {
  return totp === undefined ? {} : { totp }
}

/** Whose sign-in was refused: an address, or a client's id. */
function accountNamed(body: unknown): string | null {
  const { username, client_id: clientId } = (body ?? {}) as Record<string, unknown>
  const named = typeof username === 'string' ? username : clientId
  return typeof named === 'string' ? named.slice(0, 300) : null
}

function answerOf(session: { token: string; refreshToken: string; expiresIn: number }): TokenAnswer {
  const { token, refreshToken, expiresIn } = session
  return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, refresh_token: refreshToken }
}

/** The standard allows these characters alone (5.2). */
function asciiOf(message: string): string {
  return message.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 300)
}

function contextOf(request: FastifyRequest): RequestContext {
  return {
    actor: {
      kind: 'system',
      id: null,
      requestId: request.id,
      address: request.ip,
      userAgent: userAgentOf(request),
    },
    principal: undefined,
    now: new Date(),
    userAgent: userAgentOf(request),
    ifMatch: undefined,
    newId,
    answer: {},
  }
}
