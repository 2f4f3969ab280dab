/** A user's own mail server. The password is encrypted at rest, and comes out of the database for sending alone. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { assertUnchanged } from '../../../http/etag.ts'
import type { InputOf } from '../../../http/contract.ts'
import { implement, type Route } from '../../../http/route.ts'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import { sanitisedOrNothing } from '../../../mail/signatures.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import type { Secrets } from '../../../tenancy/secrets.ts'
import type { IdentityPorts } from '../ports.ts'
import { deleteEmailSettings, getEmailSettings, updateEmailSettings, type EmailSettings } from './contract.ts'
import { assertOwnOrMayChange, readUser } from '../users/records.ts'

type Settings = Static<typeof EmailSettings>
type Given = InputOf<typeof updateEmailSettings>['body']

/** 587 is for STARTTLS, 465 for TLS from the first byte (RFC 8314), 25 for neither. */
const USUAL_PORTS = { tls: 587, ssl: 465, none: 25 } as const

export function emailSettingsRoutes({ secrets }: IdentityPorts): Route[] {
  return [
    implement(getEmailSettings, async (tx, { params }) => {
      await readUser(tx, params.id)
      const row = await readSettings(tx, params.id)
      if (!row) throw new Problem(problems.notFound, { message: 'This user has no mail server of their own' })
      return shown(row)
    }),
    implement(updateEmailSettings, async (tx, { params, body }, context) => {
      await assertOwnOrMayChange(tx, params.id, context)
      const before = await readSettings(tx, params.id)
      if (before) assertUnchanged(context.ifMatch, before)
      await save(tx, params.id, before, body, secrets)
      return shown(await readSettings(tx, params.id))
    }),
    implement(deleteEmailSettings, async (tx, { params }, context) => {
      await assertOwnOrMayChange(tx, params.id, context)
      const before = await readSettings(tx, params.id)
      if (before) assertUnchanged(context.ifMatch, before)
      await tx.run(tenantSql.deleteFrom('core.user_email_settings').where('user_id', '=', params.id))
      return {}
    }),
  ]
}

/** Bound to the user: a sealed password moved to another row does not open. */
export function smtpPasswordContext(userId: string): string {
  return `smtp-password/${userId}`
}

export interface SettingsRow extends Omit<Settings, 'hasPassword'> {
  readonly sealedPassword: string | null
}

export async function readSettings(tx: TenantRead, userId: string): Promise<SettingsRow | undefined> {
  const [row] = await tx.prepared(SETTINGS, [userId])
  return row
}

const SETTINGS = statement<SettingsRow>(
  'identity-email-settings',
  `SELECT host, port, username, sealed_password AS "sealedPassword", security,
     always_use_sender AS "alwaysUseSender", from_name AS "fromName", reply_to AS "replyTo",
     signature_html AS "signatureHtml", footer_html AS "footerHtml", created_at AS "createdAt",
     updated_at AS "updatedAt"
   FROM core.user_email_settings WHERE user_id = $1`,
)

function shown(row: SettingsRow | undefined): Settings {
  if (!row) throw new Problem(problems.notFound)
  const { sealedPassword, ...settings } = row
  return { ...settings, hasPassword: sealedPassword !== null }
}

async function save(
  tx: TenantTx,
  userId: string,
  before: SettingsRow | undefined,
  given: Given,
  secrets: Secrets,
): Promise<void> {
  const host = given.host ?? before?.host
  if (host === undefined) {
    throw validationProblem([{ field: 'host', code: 'REQUIRED', message: 'host is missing' }])
  }
  const { password, ...rest } = given
  // Another server is not told the password that was meant for this one.
  const isElsewhere = before !== undefined && host !== before.host && password === undefined
  if (isElsewhere && before.sealedPassword !== null) {
    const message = 'Another mail server needs the password again'
    throw validationProblem([{ field: 'password', code: 'REQUIRED', message }])
  }
  const security = given.security ?? before?.security ?? 'tls'
  const row = {
    username: null,
    alwaysUseSender: false,
    fromName: null,
    replyTo: null,
    signatureHtml: null,
    footerHtml: null,
    ...before,
    ...rest,
    port: given.port ?? before?.port ?? USUAL_PORTS[security],
  }
  const sealed = password === undefined ? (before?.sealedPassword ?? null)
    : password === null || password === '' ? null : secrets.seal(password, smtpPasswordContext(userId)) // prettier-ignore
  await tx.run(
    sql`INSERT INTO core.user_email_settings (user_id, host, port, username, sealed_password, security, always_use_sender,
        from_name, reply_to, signature_html, footer_html)
      VALUES (${userId}, ${host}, ${row.port}, ${row.username}, ${sealed}, ${security}, ${row.alwaysUseSender},
        ${row.fromName}, ${row.replyTo}, ${sanitisedOrNothing(row.signatureHtml)}, ${sanitisedOrNothing(row.footerHtml)})
      ON CONFLICT (user_id) DO UPDATE SET host = excluded.host, port = excluded.port, username = excluded.username,
        sealed_password = excluded.sealed_password, security = excluded.security,
        always_use_sender = excluded.always_use_sender, from_name = excluded.from_name,
        reply_to = excluded.reply_to, signature_html = excluded.signature_html,
        footer_html = excluded.footer_html`.compile(tenantSql),
  )
}
