/**
 * The relay carries mails from the outboxes to the mail server: at least once, each under one Message-ID for
 * all attempts, with growing pauses and an end. A mail is claimed by putting its next attempt off, so that
 * two processes do not send it at once and one that dies leaves it to the next.
 */
import { sql } from 'kysely'
import type { MailContent } from '../../mail/message.ts'
import { sendAs, type Sender } from '../../mail/sender.ts'
import { MailRefused, type SendingRules } from '../../mail/transport.ts'
import type { Outbox, OutboxTable } from '../../mail/outbox.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx, type TenantTx } from '../../tenancy/handles.ts'
import type { Visitor } from '../tenants/visits.ts'

export interface MailSettings {
  /** undefined: nothing is sent. */
  readonly platform: Sender | undefined
  /** Without a server of the platform: mails are kept and can be read by operators. Never in production. */
  readonly keepsUnsent: boolean
  /** Right-hand side of Message-IDs. */
  readonly domain: string
  readonly rules: SendingRules
  readonly attemptsMaximum: number
  readonly firstPauseMs: number
}

interface RelayPorts {
  readonly gate: Gate
  readonly settings: MailSettings
  readonly outboxes: { readonly tenant: Outbox<TenantTx>; readonly platform: Outbox<PlatformTx> }
  /** How a user's mails are sent; undefined: as the platform's. */
  readonly senderOf: (tenant: TenantLocation, userId: string) => Promise<Sender | undefined>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

interface Row {
  readonly id: string
  readonly template: string
  readonly language: string
  readonly recipient: string
  readonly subject: string
  readonly sealed_content: string | null
  readonly sender_user_id?: string | null
  readonly resent_at: string | null
  readonly attempts: number
  readonly is_expired: boolean
}

type Outcome =
  | { readonly state: 'sent' | 'kept' }
  /** `reason` is for whoever sends, `detail` for operators. */
  | { readonly state: 'dead'; readonly reason: string; readonly detail: string; readonly isVoid: boolean }
  | {
      readonly state: 'queued'
      readonly reason: string
      readonly detail: string
      readonly nextAttemptAt: Date
    }

interface Place {
  readonly table: OutboxTable
  readonly tenant: TenantLocation | undefined
  readonly open: (id: string, sealed: string) => MailContent
  read<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}
type Tx = Pick<PlatformTx, 'rows' | 'row' | 'run'>

export const FIRST_PAUSE_MS = 30_000
export const ATTEMPTS_MAXIMUM = 12
const PAUSE_MAXIMUM_MS = 6 * 3_600_000
const LEASE_MS = 120_000
const AT_ONCE = 5
const LOOK_AT_PLATFORM_EVERY_MS = 5_000
const ACTOR: Actor = { kind: 'system', id: null, requestId: 'mail-relay', address: null }

export class MailRelay implements Visitor {
  readonly name = 'mail'
  readonly #ports: RelayPorts
  #timer: NodeJS.Timeout | undefined
  #carrying: Promise<unknown> | undefined
  #isWantedAgain = false
  #isStopped = false

  constructor(ports: RelayPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#timer = setInterval(() => this.carryPlatform(), LOOK_AT_PLATFORM_EVERY_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#carrying
  }

  /** The platform's own mails: looked for in one database, by time and when one has just been committed. */
  carryPlatform(): void {
    this.#isWantedAgain = true
    this.#carrying ??= this.#carryWanted().finally(() => (this.#carrying = undefined))
  }

  visit(tenant: TenantLocation): Promise<Date | undefined> {
    const { gate, outboxes } = this.#ports
    return this.#carry({
      table: outboxes.tenant.table,
      tenant,
      open: (id, sealed) => outboxes.tenant.open(id, sealed),
      read: (work) => gate.readTenant(tenant, null, ACTOR, (tx) => work(tx as unknown as Tx)),
      write: (work) => gate.writeTenant(tenant, null, ACTOR, work),
    })
  }

  async #carryWanted(): Promise<void> {
    const { gate, outboxes, log } = this.#ports
    while (this.#isWantedAgain && !this.#isStopped) {
      this.#isWantedAgain = false
      await this.#carry({
        table: outboxes.platform.table,
        tenant: undefined,
        open: (id, sealed) => outboxes.platform.open(id, sealed),
        read: (work) => gate.readPlatform(ACTOR, (tx) => work(tx as unknown as Tx)),
        write: (work) => gate.writePlatform(ACTOR, work),
      }).catch((error: unknown) => log('warn', `Sending the platform's mails failed: ${String(error)}`))
    }
  }

  /** Until nothing is due; answers when the next is. A look alone writes nothing, so that quiet stays quiet. */
  async #carry(place: Place): Promise<Date | undefined> {
    for (;;) {
      const next = await place.read((tx) => nextDue(tx, place.table))
      if (!next || next.getTime() > Date.now() || this.#isStopped) return next
      if (place.tenant && (await this.#isNeutralised(place.tenant))) return this.#discard(place)
      const claimed = await place.write((tx) => claim(tx, place.table))
      await Promise.all(claimed.map((row) => this.#deliver(place, row)))
    }
  }

  async #deliver(place: Place, row: Row): Promise<void> {
    const outcome = await this.#outcome(place, row)
    if (outcome.state === 'dead') {
      this.#ports.log('warn', `Mail ${row.id} (${row.template}) could not be sent: ${outcome.detail}`)
    }
    // What was sent again may have a copy that says that it could not be.
    const isSeen =
      outcome.state === 'kept' ||
      outcome.state === 'dead' ||
      (outcome.state === 'sent' && row.resent_at !== null)
    if (place.tenant && isSeen) await this.#showOperators(place.tenant, row, outcome)
    await place.write((tx) => settle(tx, place, row, outcome))
  }

  async #outcome(place: Place, row: Row): Promise<Outcome> {
    const { settings } = this.#ports
    if (row.sealed_content === null) return voidMail('Its content is gone')
    if (row.is_expired) return voidMail('What it says had expired before it could be sent')
    try {
      const personal = await this.#personalSender(place, row)
      const sender = personal ?? settings.platform
      if (!sender && settings.keepsUnsent) return { state: 'kept' }
      if (!sender) throw new MailRefused('There is no mail server', { detail: 'SMTP_URL is not set' })
      const content = place.open(row.id, row.sealed_content)
      const mail = { messageId: `<${row.id}@${settings.domain}>`, to: row.recipient, content }
      await sendAs(sender, mail, settings.rules)
      return { state: 'sent' }
    } catch (error) {
      const refused = error instanceof MailRefused ? error : new MailRefused('The message could not be sent', { detail: String(error) }) // prettier-ignore
      const { message: reason, detail } = refused
      if (refused.isFinal || row.attempts >= settings.attemptsMaximum)
        return { state: 'dead', reason, detail, isVoid: false }
      const pauseMs = Math.min(settings.firstPauseMs * 4 ** (row.attempts - 1), PAUSE_MAXIMUM_MS)
      return { state: 'queued', reason, detail, nextAttemptAt: new Date(Date.now() + pauseMs) }
    }
  }

  async #personalSender({ tenant }: Place, { sender_user_id: userId }: Row): Promise<Sender | undefined> {
    if (!tenant || userId === null || userId === undefined) return undefined
    return this.#ports.senderOf(tenant, userId)
  }

  /** A copy of a tenant, made to try things out, writes to nobody. */
  async #isNeutralised({ tenantId }: TenantLocation): Promise<boolean> {
    const row = await this.#ports.gate.readPlatform(ACTOR, (tx) =>
      tx.row(
        sql<{ is_neutralised: boolean }>`
          SELECT coalesce((to_jsonb(t) ->> 'is_neutralised')::boolean, false) AS is_neutralised
          FROM platform.tenant t WHERE id = ${tenantId}`.compile(platformSql),
      ),
    )
    return row?.is_neutralised ?? true
  }

  async #discard(place: Place): Promise<undefined> {
    await place.write((tx) =>
      tx.run(
        sql`UPDATE ${sql.table(place.table)} SET state = 'dead', sealed_content = NULL, updated_at = now(),
          last_error = 'This account is a copy: it sends nothing' WHERE state = 'queued'`.compile(
          platformSql,
        ),
      ),
    )
  }

  async #showOperators(tenant: TenantLocation, row: Row, outcome: Outcome): Promise<void> {
    const { gate, outboxes } = this.#ports
    const content = outcome.state === 'kept' ? row.sealed_content : null
    await gate.writePlatform(ACTOR, (tx) =>
      tx.run(
        sql`INSERT INTO ${sql.table(outboxes.platform.table)} (id, tenant_id, template, language, recipient,
            subject, sealed_content, state, attempts, last_error)
          SELECT ${row.id}, id, ${row.template}, ${row.language}, ${row.recipient}, ${row.subject}, ${content},
            ${outcome.state}, ${row.attempts}, ${'detail' in outcome ? outcome.detail : null}
          FROM platform.tenant WHERE id = ${tenant.tenantId} ON CONFLICT (id) DO UPDATE SET
            state = excluded.state, attempts = excluded.attempts, last_error = excluded.last_error,
            sealed_content = coalesce(excluded.sealed_content, mail.sealed_content),
            sent_at = CASE WHEN excluded.state = 'sent' THEN now() END, updated_at = now()`.compile(
          platformSql,
        ),
      ),
    )
  }
}

async function nextDue(tx: Tx, table: OutboxTable): Promise<Date | undefined> {
  const row = await tx.row(
    sql<{ next: string | null }>`SELECT min(next_attempt_at) AS next FROM ${sql.table(table)}
      WHERE state = 'queued'`.compile(platformSql),
  )
  return row?.next ? new Date(row.next) : undefined
}

/** No attempt could help any more. */
function voidMail(reason: string): Outcome {
  return { state: 'dead', reason, detail: reason, isVoid: true }
}

/** Counted before it is sent: an attempt that kills the process is one too. */
function claim(tx: Tx, table: OutboxTable): Promise<Row[]> {
  const mail = sql.table(table)
  return tx.rows(
    sql<Row>`UPDATE ${mail} SET attempts = attempts + 1, updated_at = now(),
        next_attempt_at = clock_timestamp() + ${LEASE_MS} * interval '1 millisecond'
      WHERE id IN (SELECT id FROM ${mail} WHERE state = 'queued' AND next_attempt_at <= clock_timestamp()
        ORDER BY next_attempt_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED)
      RETURNING *, coalesce(expires_at < now(), false) AS is_expired`.compile(platformSql),
  )
}

async function settle(tx: Tx, { table, tenant }: Place, row: Row, outcome: Outcome): Promise<void> {
  const mail = sql.table(table)
  const reason = 'reason' in outcome ? (tenant ? outcome.reason : outcome.detail) : null
  const nextAttemptAt = outcome.state === 'queued' ? outcome.nextAttemptAt.toISOString() : null
  // A link that was delivered is nobody's business any more. What was kept stays where it is read; what was given
  // up may be sent again by hand, as long as it is good for anything.
  const keepsContent =
    outcome.state === 'queued' ||
    (outcome.state === 'kept' && tenant === undefined) ||
    (outcome.state === 'dead' && !outcome.isVoid)
  await tx.run(
    sql`UPDATE ${mail} SET state = ${outcome.state}, last_error = ${reason}, updated_at = now(),
        sent_at = CASE WHEN ${outcome.state === 'sent'} THEN now() END,
        next_attempt_at = coalesce(${nextAttemptAt}::timestamptz, next_attempt_at),
        sealed_content = CASE WHEN ${keepsContent} THEN sealed_content END
      WHERE id = ${row.id} AND state = 'queued'`.compile(platformSql),
  )
}
