/** What the identity module needs from those above it. */
import { Problem, problems } from '../../kernel/problem.ts'
import type { Principal, RequestContext } from '../../http/route.ts'
import type { Outbox } from '../../mail/outbox.ts'
import type { TenantTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import type { UserSessions } from './sessions.ts'

export interface IdentityPorts {
  readonly sessions: UserSessions
  /** What roles can be given. */
  readonly declared: ReadonlySet<string>
  readonly secrets: Secrets
  /** Tells every process that a session (or, without an id, all of the tenant's) may have ended. */
  announceSessionEnd(tenantId: string, sessionId?: string): Promise<void>
  readonly mails: Outbox<TenantTx>
  /** Where a tenant signs in: `http://acme.localhost:3000` */
  addressOf(tenantId: string): Promise<string>
}

/**
 * A session (or, without an id, any of the tenant's) has ended, or its user may do other things than before. This
 * process knows before it answers; the others when they hear of it, some milliseconds later. Called after the
 * commit: whoever asks earlier is told the old.
 */
export async function tellSessionEnd(
  ports: IdentityPorts,
  tenantId: string,
  sessionId?: string,
): Promise<void> {
  if (sessionId === undefined) ports.sessions.forgetTenant(tenantId)
  else ports.sessions.forgetSession(tenantId, sessionId)
  await ports.announceSessionEnd(tenantId, sessionId)
}

export function callerOf({ principal }: RequestContext): Principal {
  if (!principal) throw new Problem(problems.authenticationRequired)
  return principal
}
