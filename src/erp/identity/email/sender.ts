/**
 * Whose name and address a user's mails carry, and through which server they go (docs/adr/0029). In `From`
 * stands the user's own address, or the platform's: never a third one, whatever is in the settings.
 */
import { mailAddress } from '../../../mail/message.ts'
import type { Sender } from '../../../mail/sender.ts'
import { signed } from '../../../mail/signatures.ts'
import { MailRefused } from '../../../mail/transport.ts'
import { statement, type TenantRead } from '../../../tenancy/handles.ts'
import type { Secrets } from '../../../tenancy/secrets.ts'
import { readSettings, smtpPasswordContext, type SettingsRow } from './settings.ts'

export interface SenderPorts {
  readonly secrets: Secrets
  /** undefined: the platform has no server. */
  readonly platformSender: Sender | undefined
}

interface Author {
  readonly fullName: string
  readonly email: string
}

/** How mails of this user are sent; undefined: as the platform's, e.g. since they work here no more. */
export async function senderOf(
  { secrets, platformSender }: SenderPorts,
  tx: TenantRead,
  userId: string,
): Promise<Sender | undefined> {
  const [[author], settings] = await Promise.all([tx.prepared(AUTHOR, [userId]), readSettings(tx, userId)])
  if (!author) return undefined
  if (settings) return ownSender(author, settings, openPassword(secrets, userId, settings))
  if (!platformSender) return undefined
  const { name, address } = platformSender.from
  return {
    ...platformSender,
    from: { name: name === '' ? author.fullName : `${author.fullName} (${name})`, address },
    replyTo: author.email,
  }
}

const AUTHOR = statement<Author>(
  'identity-mail-author',
  `SELECT full_name AS "fullName", email FROM core.app_user
   WHERE id = $1 AND is_active AND deleted_at IS NULL`,
)

export function ownSender(author: Author, settings: SettingsRow, password: string | null): Sender {
  const { host, port, security, username } = settings
  const account = password === null || settings.alwaysUseSender ? undefined : otherAddress(username, author)
  return {
    server: { host, port, security, user: username, password, isTrusted: false },
    from: { name: settings.fromName ?? author.fullName, address: author.email },
    replyTo: settings.replyTo ?? author.email,
    ...(account === undefined ? {} : { account }),
    dress: (content) => signed(content, settings),
  }
}

/** The account that signs in at the server, where it is an address and not the user's own. */
function otherAddress(username: string | null, { email }: Author): string | undefined {
  if (username === null || username.toLowerCase() === email.toLowerCase()) return undefined
  try {
    return mailAddress(username)
  } catch {
    return undefined
  }
}

export function openPassword(
  secrets: Secrets,
  userId: string,
  { sealedPassword }: SettingsRow,
): string | null {
  if (sealedPassword === null) return null
  try {
    return secrets.open(sealedPassword, smtpPasswordContext(userId))
  } catch (error) {
    const message = 'The password of your mail server can no longer be read: enter it again'
    throw new MailRefused(message, { kind: 'sign-in', isFinal: true, cause: error })
  }
}
