/** Links under which a password is set. The secret is in the mail alone; the database keeps its hash. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { TenantContext } from '../../http/route.ts'
import { hashSecret } from '../../http/tokens.ts'
import { languageOfCountry } from '../../mail/templates.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import type { IdentityPorts } from './ports.ts'

/** As for the first administrator: over a weekend. */
const INVITATION_HOURS = 72
const RESET_MINUTES = 60
const MINUTE_MS = 60_000

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
  const expiresAt = new Date(context.now.getTime() + INVITATION_HOURS * 60 * MINUTE_MS)
  const [links, house] = await Promise.all([
    makeLinks(ports, tx, recipients, expiresAt),
    readHouse(tx, context.principal?.id ?? null),
  ])
  await Promise.all(
    recipients.map(({ fullName, email }, index) =>
      ports.mails.enqueue(tx, {
        template: 'invitation',
        values: { ...house, fullName, link: links[index] ?? '', hours: INVITATION_HOURS },
        language: languageOfCountry(house.country),
        to: email,
        expiresAt,
      }),
    ),
  )
}

export async function sendResetLink(
  ports: IdentityPorts,
  tx: TenantTx,
  { id, fullName, email }: Recipient,
  now: Date,
): Promise<void> {
  const expiresAt = new Date(now.getTime() + RESET_MINUTES * MINUTE_MS)
  const [[link = ''], { country }] = await Promise.all([
    makeLinks(ports, tx, [{ id, fullName, email }], expiresAt),
    readHouse(tx, null),
  ])
  await ports.mails.enqueue(tx, {
    template: 'reset-password',
    values: { fullName, link, minutes: RESET_MINUTES },
    language: languageOfCountry(country),
    to: email,
    expiresAt,
  })
}

export async function sendPasswordChanged(
  ports: IdentityPorts,
  tx: TenantTx,
  { fullName, email }: Recipient,
): Promise<void> {
  const { country } = await readHouse(tx, null)
  const language = languageOfCountry(country)
  await ports.mails.enqueue(tx, { template: 'password-changed', values: { fullName }, language, to: email })
}

async function makeLinks(
  ports: IdentityPorts,
  tx: TenantTx,
  recipients: readonly Recipient[],
  expiresAt: Date,
): Promise<string[]> {
  const address = await ports.addressOf(tx.tenantId)
  const tokens = recipients.map(() => randomBytes(32).toString('base64url'))
  await tx.run(
    sql`INSERT INTO core.password_token (user_id, token_hash, expires_at)
      SELECT user_id, token_hash, ${expiresAt.toISOString()} FROM unnest(${recipients.map(({ id }) => id)}::uuid[],
        ${tokens.map(hashSecret)}::bytea[]) AS link (user_id, token_hash)`.compile(tenantSql),
  )
  return tokens.map((token) => `${address}/set-password?token=${token}`)
}

interface House {
  readonly companyName: string
  readonly country: string
  readonly inviterName: string
}

/** Who writes, and in the name of which company: the one worked in, or else the first. */
async function readHouse(tx: TenantRead, inviterId: string | null): Promise<House> {
  const [house] = await tx.prepared(HOUSE, [tx.companyId, inviterId])
  return { companyName: tx.tenantCode, country: '', inviterName: '', ...house }
}

const HOUSE = statement<House>(
  'identity-house',
  `SELECT name AS "companyName", country,
     coalesce((SELECT full_name FROM core.app_user WHERE id = $2), '') AS "inviterName"
   FROM core.company WHERE deleted_at IS NULL ORDER BY id = $1 DESC NULLS LAST, created_at, id LIMIT 1`,
)
