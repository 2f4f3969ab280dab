/**
 * Who asks, and whether they may: found out before a body is read, so that nobody makes us read a megabyte or look
 * something up without being counted. Every request is counted once: as somebody's whose token is good, or as nobody's.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem, problems, type ProblemKind } from '../kernel/problem.ts'
import type { TenantLocation } from '../tenancy/gate.ts'
import type { Operation, Restriction } from './contract.ts'
import type { RateLimits } from './rate-limits.ts'
import type { Principal, SupportPass } from './route.ts'

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

/** What a request says about where it comes from and goes to, beside its token. */
export interface Caller {
  readonly address: string
  /** X-Company-ID: heard from API keys; a session has its company. */
  readonly companyId: string | undefined
}

/** What finding out who asks needs from those above. */
export interface AdmissionPorts {
  readonly rateLimits: RateLimits
  findTenant(reference: { code: string | undefined; host: string }): Promise<TenantEntry | undefined>
  /** Whether a host is below the domain of the tenants' subdomains. */
  isTenantHost(host: string): boolean
  /** The tenant a token names, for requests that name none themselves. */
  tenantOfToken(token: string): Promise<TenantEntry | undefined>
  authenticateUser(token: string, tenant: TenantLocation, caller: Caller): Promise<Principal>
  authenticateOperator(token: string): Promise<Principal>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route carries out. */
    readonly operation?: Operation
    /** Nobody is asked to slow down here: what watches over us, and what a page is made of. */
    readonly isUncounted?: boolean
  }
  interface FastifyRequest {
    tenantCode: string
    tenant: TenantEntry | undefined
    operation: Operation | undefined
    principal: Principal | undefined
    isCounted: boolean
  }
}

/** As long as principals and tenants may be remembered: who takes longer to send a body is asked again. */
const KNOWN_FOR_MS = 5_000

/** Of any request, before its body is read. */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  ports: AdmissionPorts,
): Promise<void> {
  const { operation, isUncounted } = request.routeOptions.config
  if (isUncounted) return
  request.operation = operation
  const isStranger = !operation || operation.permission === 'anonymous' || bearerToken(request) === undefined
  if (isStranger) await countStranger(request, reply, ports)
  if (!operation) return
  try {
    await identify(request, operation, ports)
  } catch (error) {
    // A token that is none makes nobody known, nor does one for a tenant that is not there. What is our fault is not theirs.
    if (error instanceof Problem && error.status < 500) await countStranger(request, reply, ports)
    throw error
  }
  const { principal, tenant } = request
  if (!principal) return
  request.isCounted = true
  const limited = tenant && { id: tenant.location.tenantId, requestsPerHour: tenant.requestsPerHour }
  await ports.rateLimits.known(reply, operation, principal.id, limited)
}

/** Once a request, however often it comes to that. */
export async function countStranger(
  request: FastifyRequest,
  reply: FastifyReply,
  { rateLimits }: Pick<AdmissionPorts, 'rateLimits'>,
): Promise<void> {
  if (request.isCounted) return
  request.isCounted = true
  await rateLimits.anonymous(reply, request.ip)
}

/** Whoever sends their body slowly may have lost their rights meanwhile, and the tenant its place. */
export async function assertStillKnown(
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
  ports: AdmissionPorts,
): Promise<void> {
  if (reply.elapsedTime > KNOWN_FOR_MS) await identify(request, operation, ports)
}

async function identify(request: FastifyRequest, operation: Operation, ports: AdmissionPorts): Promise<void> {
  const tenant = operation.audience === 'tenant' ? await findTenant(request, ports, operation) : undefined
  if (operation.permission === 'anonymous') return
  request.principal = await authenticate(request, ports, tenant)
}

async function findTenant(
  request: FastifyRequest,
  ports: AdmissionPorts,
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
  request.tenant = entry
  if (entry.closedBecause && !(entry.isOpenForExport && operation.isOpenForExport)) throw entry.closedBecause
  return entry
}

async function authenticate(
  request: FastifyRequest,
  ports: AdmissionPorts,
  tenant: TenantEntry | undefined,
): Promise<Principal> {
  const token = bearerToken(request)
  if (token === undefined) throw new Problem(problems.authenticationRequired)
  if (!tenant) return ports.authenticateOperator(token)
  const { 'x-company-id': companyId } = request.headers
  const caller = { address: request.ip, companyId: typeof companyId === 'string' ? companyId : undefined }
  return ports.authenticateUser(token, tenant.location, caller)
}

const RESTRICTED: Readonly<Record<Restriction, ProblemKind>> = {
  'password-expired': problems.passwordExpired,
  'second-factor-missing': problems.secondFactorRequired,
}

export function allow(operation: Operation, principal: Principal, params: unknown): void {
  const { permission, isOpenToSelf, isOpenDuring } = operation
  const { restriction } = principal
  const isIntegration = principal.kind === 'integration'
  if (isIntegration && !isForIntegrations(operation)) {
    throw new Problem(problems.permissionDenied, {
      message: 'This is for people who sign in, not for API keys',
    })
  }
  if (restriction && !isOpenDuring?.includes(restriction)) throw new Problem(RESTRICTED[restriction])
  if (principal.support) return allowSupport(operation, principal, principal.support)
  if (permission === 'signed-in' || principal.permissions.has(permission)) return
  if (isOpenToSelf && !isIntegration && (params as { id?: string }).id?.toLowerCase() === principal.id) return
  throw new Problem(problems.permissionDenied, { details: { permission } })
}

/** What is open to whoever is signed in, or to whom it is about, is a user's own affair: support is no user. */
function allowSupport(operation: Operation, { permissions }: Principal, pass: SupportPass): void {
  const { permission, access, isOpenToSupport } = operation
  if (isOpenToSupport) return
  if (!permissions.has(permission)) throw new Problem(problems.permissionDenied, { details: { permission } })
  if (access !== 'read' && !pass.mayChange) throw new Problem(problems.supportReadsOnly)
}

export function isForIntegrations({ audience, permission, isForIntegrations: isSaid }: Operation): boolean {
  return audience === 'tenant' && (isSaid ?? permission.includes(':'))
}

function bearerToken(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization
  return header?.startsWith('Bearer ') ? header.slice(7) : undefined
}
