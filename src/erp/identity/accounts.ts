/** What is particular about the accounts of a tenant's users (see src/accounts/account.ts). */
import { userTables, type AccountPorts } from '../../accounts/account.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { languageOfCountry } from '../../mail/templates.ts'
import type { TenantTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { readHouse } from './house.ts'
import type { UserSessions } from './sessions.ts'

export function userAccounts(ports: {
  readonly secrets: Secrets
  readonly mails: Outbox<TenantTx>
  readonly sessions: UserSessions
  readonly addressOf: (tenantId: string) => Promise<string>
}): AccountPorts<TenantTx> {
  return {
    tables: userTables,
    secrets: ports.secrets,
    mails: ports.mails,
    setPasswordPage: async (tx) => `${await ports.addressOf(tx.tenantId)}/set-password`,
    language: async (tx) => languageOfCountry((await readHouse(tx, null)).country),
    issuer: (tx) => `Solution ERP ${tx.tenantCode}`,
    endSessions: (tx, userId, reason) => ports.sessions.endAllOf(tx, userId, reason),
    record: async () => {}, // triggers of these tables do
  }
}
