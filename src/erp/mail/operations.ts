import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type Route } from '../../http/route.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import { listTenantMails, listUserMails, resendTenantMail, type TenantMail } from './contract.ts'
import { mailProblems } from './problems.ts'

type MailData = Static<typeof TenantMail>

const OF_ONE_USER_MAXIMUM = 100

export function tenantMailRoutes(outbox: Outbox<TenantTx>): Route[] {
  return [
    implement(listTenantMails, async (tx, { query }) => {
      const { page = 1, limit = 50, search, status } = query
      const conditions = [sql`true`]
      if (status !== undefined) conditions.push(sql`m.state = ${status}`)
      if (search) {
        const pattern = likePattern(search)
        conditions.push(sql`(m.recipient ILIKE ${pattern} OR m.subject ILIKE ${pattern})`)
      }
      const where = sql.join(conditions, sql` AND `)
      const [mails, counted] = await Promise.all([
        read(tx, where, limit, (page - 1) * limit),
        tx.row(
          sql<{ total: number }>`SELECT count(*) AS total FROM core.mail m WHERE ${where}`.compile(tenantSql),
        ),
      ])
      return { mails, pagination: paginationOf(counted?.total ?? 0, page, limit) }
    }),
    implement(resendTenantMail, async (tx, { params }, context) => {
      const isRequeued = await outbox.requeue(tx, params.id, 'dead', context.now)
      const [mail] = await read(tx, sql`m.id = ${params.id}`, 1)
      if (!mail) throw new Problem(problems.notFound, { message: 'There is no such mail' })
      if (!isRequeued) throw new Problem(mailProblems.notToBeResent)
      return mail
    }),
    implement(listUserMails, async (tx, { params, query }) => {
      const user = tenantSql.selectFrom('core.app_user').select('id').where('id', '=', params.id)
      if (!(await tx.row(user))) throw new Problem(problems.notFound, { message: 'There is no such user' })
      const state = query.status === undefined ? sql`true` : sql`m.state = ${query.status}`
      return { mails: await read(tx, sql`m.sender_user_id = ${params.id} AND ${state}`, OF_ONE_USER_MAXIMUM) }
    }),
  ]
}

function read(tx: TenantRead, where: RawBuilder<unknown>, limit: number, offset = 0): Promise<MailData[]> {
  return tx.rows(
    sql<MailData>`SELECT m.id, m.template, m.language, m.recipient, m.subject, m.state,
        m.sender_user_id AS "senderId", u.full_name AS sender, m.attempts,
        CASE WHEN m.state = 'queued' THEN m.next_attempt_at END AS "nextAttemptAt", m.sent_at AS "sentAt",
        m.last_error AS "lastError", m.state = 'dead' AND m.sealed_content IS NOT NULL
          AND (m.expires_at IS NULL OR m.expires_at > now()) AS "canBeResent", m.created_at AS "createdAt"
      FROM core.mail m LEFT JOIN core.app_user u ON u.id = m.sender_user_id
      WHERE ${where} ORDER BY m.id DESC LIMIT ${limit} OFFSET ${offset}`.compile(tenantSql),
  )
}
