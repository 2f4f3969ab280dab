import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type Route } from '../../http/route.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { platformSql, type PlatformTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import { getMail, listMails, type Mail } from './contract.ts'

export interface MailPorts {
  readonly outbox: Outbox<PlatformTx>
  /** A mail may hold a link that is as good as a password: nobody reads it where it is really sent. */
  readonly showsContent: boolean
}

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

function mails() {
  return platformSql.selectFrom('platform.mail as m').leftJoin('platform.tenant as t', 't.id', 'm.tenant_id')
}

export function mailRoutes(ports: MailPorts): Route[] {
  return [
    implement(listMails, async (tx, { query }) => {
      const { page = 1, limit = 50, search, state, tenantId } = query
      let found = mails()
      if (state !== undefined) found = found.where('m.state', '=', state)
      if (tenantId !== undefined) found = found.where('m.tenant_id', '=', tenantId)
      if (search !== undefined && search !== '') {
        const pattern = likePattern(search)
        found = found.where((eb) =>
          eb.or([eb('m.recipient', 'ilike', pattern), eb('m.subject', 'ilike', pattern)]),
        )
      }
      const rows = await tx.rows(
        found
          .select([...columns])
          .orderBy('m.id', 'desc')
          .limit(limit)
          .offset((page - 1) * limit),
      )
      const counted = await tx.row(found.select((eb) => eb.fn.countAll<number>().as('total')))
      return { mails: rows.map(shown), pagination: paginationOf(Number(counted?.total ?? 0), page, limit) }
    }),
    implement(getMail, async (tx, { params }) => {
      const row = await tx.row(
        mails()
          .select([...columns, 'm.sealed_content'])
          .where('m.id', '=', params.id),
      )
      if (!row) throw new Problem(problems.notFound)
      const { sealed_content: sealed, ...mail } = row
      const isShown = ports.showsContent && sealed !== null
      const { html, text } = isShown ? ports.outbox.open(params.id, sealed) : { html: '', text: '' }
      return { ...shown(mail), content: isShown ? { html, text } : null }
    }),
  ]
}

function shown<Row extends { state: string; nextAttemptAt: string | null }>(
  row: Row,
): Row & Pick<Static<typeof Mail>, 'state' | 'nextAttemptAt'> {
  const state = row.state as Static<typeof Mail>['state']
  return { ...row, state, nextAttemptAt: state === 'queued' ? row.nextAttemptAt : null }
}
