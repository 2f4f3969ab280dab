/** What the identity module needs from those above it. */
import type { Passwords } from '../../accounts/passwords.ts'
import type { SecondFactors } from '../../accounts/second-factors.ts'
import type { Outbox } from '../../mail/outbox.ts'
import type { Sender } from '../../mail/sender.ts'
import type { SendingRules } from '../../mail/transport.ts'
import type { TenantTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import type { IdentityProviders } from './single-sign-on/provider.ts'
import type { SupportPorts } from '../support/ports.ts'
import type { UserSessions } from './sessions.ts'

export interface IdentityPorts {
  readonly sessions: UserSessions
  /** What roles can be given. */
  readonly declared: ReadonlySet<string>
  readonly secrets: Secrets
  readonly passwords: Passwords<TenantTx>
  readonly secondFactors: SecondFactors<TenantTx>
  /** Tells every process that a session (or, without an id, all of the tenant's) may have ended. */
  announceSessionEnd(tenantId: string, sessionId?: string): Promise<void>
  readonly mails: Outbox<TenantTx>
  readonly identityProviders: IdentityProviders
  /** Every address of ours at which a tenant's users sign in, its own first. */
  addressesOf(tenantId: string): Promise<readonly string[]>
  readonly support: SupportPorts
  /** For what is sent while somebody waits: the test of a user's own mail server. */
  readonly sending: {
    readonly platformSender: Sender | undefined
    readonly rules: SendingRules
    /** Right-hand side of Message-IDs. */
    readonly domain: string
  }
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
