/**
 * OAuth 2.0 token endpoints (RFC 6749, 4.3), password grant only for now, so that the API docs page can
 * sign in and try. Form-encoded, with the answers of that standard instead of our envelope.
 */
import formBody from '@fastify/formbody'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { newId } from '../tenancy/new-id.ts'
import { Problem } from '../kernel/problem.ts'
import { login } from '../erp/identity/contract.ts'
import { signIn } from '../erp/identity/operations.ts'
import type { IdentityPorts } from '../erp/identity/ports.ts'
import type { RequestContext } from '../http/route.ts'
import type { HttpPorts } from '../http/server.ts'
import { operatorLogin } from '../platform/operators/contract.ts'
import type { OperatorSessions } from '../platform/operators/sessions.ts'
import type { Gate } from '../tenancy/gate.ts'

const FORM_LIMIT_BYTES = 16_384

interface TokenPorts {
  readonly gate: Gate
  readonly ports: HttpPorts
  readonly identity: IdentityPorts
  readonly operators: OperatorSessions
}

interface PasswordGrant {
  readonly grant_type?: string
  readonly username?: string
  readonly password?: string
}

export async function mountTokenEndpoints(server: FastifyInstance, ports: TokenPorts): Promise<void> {
  await server.register(async (app) => {
    await app.register(formBody, { bodyLimit: FORM_LIMIT_BYTES })
    mount(app, ports)
  })
}

function mount(app: FastifyInstance, { gate, ports, identity, operators }: TokenPorts): void {
  const schema = { hide: true }
  app.post('/api/v1/auth/token', { schema }, (request, reply) =>
    answer(request, reply, ports, async ({ username, password }, context) => {
      const [tenantCode, email] = split(username)
      const header = request.headers['x-tenant-id']
      const code = tenantCode ?? (typeof header === 'string' ? header : undefined)
      const tenant = await ports.findTenant({ code, host: request.hostname })
      if (!tenant) return undefined
      if (tenant.closedBecause) throw tenant.closedBecause
      const { location } = tenant
      const door = {
        read: (work: never) => gate.readTenant(location, null, context.actor, work),
        write: (work: never) => gate.writeTenant(location, null, context.actor, work),
      }
      const attempt = { scope: location.tenantId, account: email, address: request.ip }
      return ports.rateLimits.guarded(reply, login, attempt, () =>
        signIn(identity, door as never, { email, password }, { ...context, tenant: location }),
      )
    }),
  )
  app.post('/api/v1/platform/auth/token', { schema }, (request, reply) =>
    answer(request, reply, ports, ({ username, password }, context) => {
      const door = {
        read: (work: never) => gate.readPlatform(context.actor, work),
        write: (work: never) => gate.writePlatform(context.actor, work),
      }
      const attempt = { scope: 'platform', account: username, address: request.ip }
      return ports.rateLimits.guarded(reply, operatorLogin, attempt, () =>
        operators.signIn(door as never, { email: username, password }, context),
      )
    }),
  )
}

type Session = { token: string; refreshToken: string; expiresIn: number }

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { rateLimits }: HttpPorts,
  begin: (
    credentials: { username: string; password: string },
    context: RequestContext,
  ) => Promise<Session | undefined>,
): Promise<unknown> {
  void reply.header('cache-control', 'no-store')
  await rateLimits.anonymous(reply, request.ip)
  const { grant_type: grantType, username, password } = (request.body ?? {}) as PasswordGrant
  if (grantType !== 'password') return reply.code(400).send({ error: 'unsupported_grant_type' })
  if (
    typeof username !== 'string' ||
    typeof password !== 'string' ||
    `${username}${password}`.includes('\0')
  ) {
    return reply.code(400).send({ error: 'invalid_request' })
  }
  try {
    const session = await begin({ username, password }, contextOf(request))
    if (!session) return await reply.code(400).send({ error: 'invalid_grant' })
    const { token, refreshToken, expiresIn } = session
    return { access_token: token, token_type: 'Bearer', expires_in: expiresIn, refresh_token: refreshToken }
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500 || error.status === 429) throw error
    return reply.code(400).send({ error: 'invalid_grant', error_description: error.message })
  }
}

function contextOf(request: FastifyRequest): RequestContext {
  return {
    actor: { kind: 'system', id: null, requestId: request.id, address: request.ip },
    principal: undefined,
    now: new Date(),
    userAgent: request.headers['user-agent']?.slice(0, 300) ?? null,
    ifMatch: undefined,
    newId,
    answer: {},
  }
}

/** `acme/ann@example.com` → the tenant's code and the address */
function split(username: string): [string | undefined, string] {
  const slash = username.indexOf('/')
  return slash < 0 ? [undefined, username] : [username.slice(0, slash), username.slice(slash + 1)]
}
