/** Who a mail comes from and through which server: the platform, or a user. */
import type { MailContent } from './message.ts'
import { send, type Envelope, type SendingRules, type SmtpServer } from './transport.ts'

export interface Sender {
  readonly server: SmtpServer
  readonly from: Envelope['from']
  readonly replyTo?: string
  /** See Envelope. */
  readonly account?: string
  /** What this sender adds to each mail, e.g. a signature. */
  readonly dress?: (content: MailContent) => MailContent
}

export interface Addressed {
  readonly messageId: string
  readonly to: string
  readonly content: MailContent
}

/** Resolves when the sender's server has taken the mail; throws MailRefused. */
export function sendAs(sender: Sender, mail: Addressed, rules: SendingRules): Promise<void> {
  const { server, from, replyTo, account, dress } = sender
  const envelope: Envelope = {
    messageId: mail.messageId,
    from,
    to: mail.to,
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(account === undefined ? {} : { account }),
  }
  return send(server, envelope, dress ? dress(mail.content) : mail.content, rules)
}
