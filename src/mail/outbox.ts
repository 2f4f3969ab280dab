/**
 * Outboxes: a mail is a row written in the same transaction as the change that causes it, so that neither is
 * without the other. The relay (platform/mails/relay.ts) fetches it when that has committed.
 */
import { sql } from 'kysely'
import { firstIdAt } from '../kernel/ids.ts'
import { newId } from '../tenancy/new-id.ts'
import { platformSql, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import type { Secrets } from '../tenancy/secrets.ts'
import { mailAddress, type MailContent } from './message.ts'
import { render, type Language, type TemplateName, type TemplateValues } from './templates.ts'

export interface NewMail<Name extends TemplateName = TemplateName> {
  readonly template: Name
  readonly values: TemplateValues[Name]
  readonly language: Language
  /** The address alone: a name could hold what mail programs read as another address. */
  readonly to: string
  /** Not sent after this; for links that have then expired. */
  readonly expiresAt?: Date
  /** Through this user's own mail settings, where they have some. */
  readonly senderUserId?: string
}

export type OutboxTable = 'core.mail' | 'platform.mail'

export class Outbox<Tx extends TenantTx | PlatformTx> {
  readonly table: OutboxTable
  readonly #secrets: Secrets

  constructor(table: Tx extends TenantTx ? 'core.mail' : 'platform.mail', secrets: Secrets) {
    this.table = table
    this.#secrets = secrets
  }

  /** Sent soon after the transaction has committed, at least once; undone with it. Answers the mail's id. */
  async enqueue<Name extends TemplateName>(tx: Tx, mail: NewMail<Name>): Promise<string> {
    const id = newId()
    const content = render(mail.template, mail.language, mail.values)
    const values = {
      id,
      template: mail.template,
      language: mail.language,
      recipient: mailAddress(mail.to),
      subject: content.subject,
      sealed_content: this.seal(id, content),
      expires_at: mail.expiresAt?.toISOString() ?? null,
      ...(mail.senderUserId === undefined ? {} : { sender_user_id: mail.senderUserId }),
    }
    const columns = sql.join(Object.keys(values).map((column) => sql.ref(column)))
    const insert = sql`INSERT INTO ${sql.table(this.table)} (${columns}) VALUES (${sql.join(Object.values(values))})`
    await tx.run(insert.compile(platformSql)) // the builder only compiles: which one makes no difference
    tx.callForVisit()
    return id
  }

  /** Another round of attempts for a mail that was given up or kept; false: there is no such mail, or it cannot go any more. */
  async requeue(tx: Tx, id: string, state: 'dead' | 'kept', now: Date): Promise<boolean> {
    const requeued = await tx.run(
      sql`UPDATE ${sql.table(this.table)} SET state = 'queued', attempts = 0, next_attempt_at = now(),
          resent_at = ${now.toISOString()}, updated_at = now()
        WHERE id = ${id} AND state = ${state} AND sealed_content IS NOT NULL
          AND (expires_at IS NULL OR expires_at > now())`.compile(platformSql),
    )
    if (requeued === 1) tx.callForVisit()
    return requeued === 1
  }

  /** Deletes mails from before, so many at most; none that may still be sent. */
  purge(tx: Tx, before: Date, maximum: number): Promise<number> {
    const mail = sql.table(this.table)
    const old = sql`SELECT id FROM ${mail} WHERE id < ${firstIdAt(before)} AND state <> 'queued' ORDER BY id LIMIT ${maximum}`
    return tx.run(sql`DELETE FROM ${mail} WHERE id IN (${old})`.compile(platformSql))
  }

  seal(id: string, content: MailContent): string {
    return this.#secrets.seal(JSON.stringify(content), contextOf(id))
  }

  open(id: string, sealed: string): MailContent {
    return JSON.parse(this.#secrets.open(sealed, contextOf(id))) as MailContent
  }
}

function contextOf(id: string): string {
  return `mail/${id}`
}
