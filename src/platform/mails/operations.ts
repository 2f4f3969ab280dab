import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { pageOfRows } from '../../http/pages.ts'
import { implement, type PlatformDoor, type RequestContext, type Route } from '../../http/route.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { platformSql, type Actor, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import { recordEvent } from '../audit.ts'
import { getMail, listMails, resendMail, type Mail } from './contract.ts'
import { mailProblems } from './problems.ts'

export interface MailPorts {
  readonly outbox: Outbox<PlatformTx>
  /**
   * A mail may hold a link that is as good as a password: nobody reads it where it is really sent, nor one to another
   * operator where two must agree.
   */
  showsContent(mail: Pick<MailData, 'tenantId'>): boolean
  /** What was given up lies in the tenant's own outbox; false: it is not there, or good for nothing any more. */
  resendOfTenant(tenantId: string, mailId: string, actor: Actor): Promise<boolean>
}

type MailData = Static<typeof Mail>

const columns = [
  'm.id',
  'm.tenant_id as tenantId',
  't.tenant_code as tenantCode',
  'm.template',
  'm.language',
  'm.recipient',
  'm.subject',
  'm.state',
  'm.attempts',
  'm.next_attempt_at as nextAttemptAt',
  'm.sent_at as sentAt',
  'm.last_error as lastError',
  'm.created_at as createdAt',
] as const

/** Whether a tenant's mail that was given up can go is known by the tenant's outbox alone. */
const isResendable = sql<boolean>`m.state IN ('dead', 'kept') AND (m.expires_at IS NULL OR m.expires_at > now())
  AND (m.sealed_content IS NOT NULL OR (m.state = 'dead' AND m.tenant_id IS NOT NULL))`

function mails() {
  return platformSql.selectFrom('platform.mail as m').leftJoin('platform.tenant as t', 't.id', 'm.tenant_id')
}

export function mailRoutes(ports: MailPorts): Route[] {
  return [
    implement(listMails, async (tx, { query }) => {
      const { search, status, tenantId } = query
      let filtered = mails()
      if (status !== undefined) filtered = filtered.where('m.state', '=', status)
      if (tenantId !== undefined) filtered = filtered.where('m.tenant_id', '=', tenantId)
      if (search !== undefined && search !== '') {
        const pattern = likePattern(search)
        filtered = filtered.where((eb) =>
          eb.or([eb('m.recipient', 'ilike', pattern), eb('m.subject', 'ilike', pattern)]),
        )
      }
      const found = filtered.select([...columns, isResendable.as('canBeResent')]).orderBy('m.id', 'desc')
      const { rows, pagination } = await pageOfRows(tx, found, query)
      return { mails: rows.map(shown), pagination }
    }),
    implement(getMail, async (tx, { params }) => {
      const { sealed, ...mail } = await read(tx, params.id)
      const isShown = sealed !== null && ports.showsContent(mail)
      const { html, text } = isShown ? ports.outbox.open(params.id, sealed) : { html: '', text: '' }
      return { ...mail, content: isShown ? { html, text } : null }
    }),
    implement(resendMail, (door, { params }, context) => resend(ports, door, params.id, context)),
  ]
}

async function resend(
  ports: MailPorts,
  door: PlatformDoor,
  id: string,
  { actor, now }: RequestContext,
): Promise<MailData> {
  const { tenantId, state, sealed } = await door.read((tx) => read(tx, id))
  const isOfTenant = tenantId !== null && state === 'dead' && sealed === null
  if (isOfTenant && !(await ports.resendOfTenant(tenantId, id, actor)))
    throw new Problem(mailProblems.notToBeResent)
  return door.write(async (tx) => {
    // The copy stays as it is until the relay tells it what became of the mail this time.
    if (!isOfTenant && state !== 'dead' && state !== 'kept') throw new Problem(mailProblems.notToBeResent)
    if (!isOfTenant && !(await ports.outbox.requeue(tx, id, state, now)))
      throw new Problem(mailProblems.notToBeResent)
    const details = tenantId === null ? {} : { tenantId }
    await recordEvent(tx, { action: 'resend', entity: 'mail', entityId: id, ...details })
    const { sealed: _, ...mail } = await read(tx, id)
    return mail
  })
}

async function read(tx: PlatformRead, id: string): Promise<MailData & { sealed: string | null }> {
  const row = await tx.row(
    mails()
      .select([...columns, isResendable.as('canBeResent'), 'm.sealed_content as sealed'])
      .where('m.id', '=', id),
  )
  if (!row) throw new Problem(problems.notFound)
  return shown(row)
}

function shown<Row extends { state: string; nextAttemptAt: string | null }>(
  row: Row,
): Row & Pick<Static<typeof Mail>, 'state' | 'nextAttemptAt'> {
  const state = row.state as Static<typeof Mail>['state']
  return { ...row, state, nextAttemptAt: state === 'queued' ? row.nextAttemptAt : null }
}
