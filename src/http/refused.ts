/** What the audit log is told of a request that was refused: who, from where, what and why, never what it carried. */
import type { FastifyRequest } from 'fastify'
import { Problem } from '../kernel/problem.ts'
import type { Refusal } from '../audit/refusals.ts'
import type { Operation } from './contract.ts'

export function isAuditedRefusal(status: number): boolean {
  return status === 401 || status === 403 || status === 429
}

export function refusalOf(
  error: unknown,
  request: FastifyRequest,
  status: number,
  account: string | null = accountNamed(request),
): Refusal {
  const { operation, tenant, principal } = request
  const isOfTenant = operation === undefined || operation.audience === 'tenant'
  return {
    // One that is closed may have no database to write into.
    tenant: isOfTenant && tenant && !tenant.closedBecause ? tenant.location : undefined,
    tenantId: tenant?.location.tenantId,
    actorKind: principal?.kind ?? 'system',
    actorId: principal?.id ?? null,
    requestId: request.id,
    address: request.ip,
    userAgent: userAgentOf(request),
    operation: operation?.name ?? request.routeOptions.url ?? 'none',
    code: error instanceof Problem ? error.code : 'REFUSED',
    status,
    account,
  }
}

function accountNamed({ operation, body }: FastifyRequest): string | null {
  return operation?.rateLimit?.account === undefined ? null : accountOf(operation, body)
}

export function userAgentOf(request: FastifyRequest): string | null {
  return request.headers['user-agent']?.slice(0, 300) ?? null
}

/** Whose account a request that guards a password names. */
export function accountOf({ rateLimit }: Operation, body: unknown): string {
  return rateLimit?.account === undefined ? '' : String((body as Record<string, unknown>)[rateLimit.account])
}
