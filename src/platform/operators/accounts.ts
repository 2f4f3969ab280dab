/** What is particular about the accounts of operators (see src/accounts/account.ts), and what their routes need. */
import { operatorTables, type AccountPorts } from '../../accounts/account.ts'
import type { Passwords } from '../../accounts/passwords.ts'
import type { SecondFactors } from '../../accounts/second-factors.ts'
import type { Outbox } from '../../mail/outbox.ts'
import type { PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { recordEvent } from '../audit.ts'
import type { OperatorSessions } from './sessions.ts'

export interface OperatorPorts {
  readonly sessions: OperatorSessions
  readonly passwords: Passwords<PlatformTx>
  readonly secondFactors: SecondFactors<PlatformTx>
  readonly mails: Outbox<PlatformTx>
  /** Tells every process that a session (or, without an id, any operator's) may have ended. */
  announceSessionEnd(sessionId?: string): Promise<void>
}

export function operatorAccounts(ports: {
  readonly secrets: Secrets
  readonly mails: Outbox<PlatformTx>
  readonly sessions: OperatorSessions
  /** `http://localhost:3000` */
  readonly address: () => string
}): AccountPorts<PlatformTx> {
  return {
    tables: operatorTables,
    secrets: ports.secrets,
    mails: ports.mails,
    setPasswordPage: async () => `${ports.address()}/operator/set-password`,
    language: async () => 'en', // that of the operator portal until somebody chooses another
    issuer: () => 'Solution ERP operators',
    endSessions: (tx, operatorId, reason) => ports.sessions.table.endAllOf(tx, operatorId, reason),
    record: (tx, operatorId, action) => recordEvent(tx, { action, entity: 'operator', entityId: operatorId }),
  }
}

/** This process knows before it answers; the others when they hear of it. Called after the commit. */
export async function tellOperatorSessionEnd(ports: OperatorPorts, sessionId?: string): Promise<void> {
  if (sessionId === undefined) ports.sessions.forgetAll()
  else ports.sessions.forget(sessionId)
  await ports.announceSessionEnd(sessionId)
}
