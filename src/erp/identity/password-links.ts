/** Invitations: mails with a link under which a new user sets a password. */
import type { TenantContext } from '../../http/route.ts'
import { languageOfCountry } from '../../mail/templates.ts'
import type { TenantTx } from '../../tenancy/handles.ts'
import { readHouse } from './house.ts'
import type { IdentityPorts } from './ports.ts'

/** As for the first administrator: over a weekend. */
const INVITATION_HOURS = 72
const HOUR_MS = 3_600_000

export interface Recipient {
  readonly id: string
  readonly fullName: string
  readonly email: string
}

export async function sendInvitations(
  ports: IdentityPorts,
  tx: TenantTx,
  recipients: readonly Recipient[],
  context: TenantContext,
): Promise<void> {
  const expiresAt = new Date(context.now.getTime() + INVITATION_HOURS * HOUR_MS)
  const { principal } = context
  const [links, house] = await Promise.all([
    ports.passwords.makeLinks(
      tx,
      recipients.map(({ id }) => id),
      expiresAt,
    ),
    readHouse(tx, principal?.id ?? null),
  ])
  await Promise.all(
    recipients.map(({ fullName, email }, index) =>
      ports.mails.enqueue(tx, {
        template: 'invitation',
        values: { ...house, fullName, link: links[index] ?? '', hours: INVITATION_HOURS },
        language: languageOfCountry(house.country),
        to: email,
        expiresAt,
        // From whoever invites; an API key has no address.
        ...(principal?.kind === 'user' ? { senderUserId: principal.id } : {}),
      }),
    ),
  )
}
