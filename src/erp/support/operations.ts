/** The tenant's side of support access: what it consents to, who is there, and sending them away. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { InputOf } from '../../http/contract.ts'
import { assertUnchanged } from '../../http/etag.ts'
import { implement, type Route, type TenantContext } from '../../http/route.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import { endSupportVisit, getSupportAccess, updateSupportAccess, type SupportAccess } from './contract.ts'
import type { SupportPorts } from './ports.ts'
import { dismissSupport, listSupportVisits, readConsent } from './sessions.ts'

const CONSENT_DAYS_MAXIMUM = 30
const DAY_MS = 86_400_000
const SENT_AWAY = 'ended by the tenant'
const REFUSED = 'the tenant does not let support in any more'

export function supportAccessRoutes(ports: SupportPorts): Route[] {
  return [
    implement(getSupportAccess, (tx, _input, { now }) => present(tx, now)),
    implement(updateSupportAccess, async (door, { body }, context) => {
      const ended = await door.write((tx) => consent(tx, body, context))
      await ports.tellConsent()
      for (const sessionId of ended) await ports.end(sessionId, REFUSED, context)
      return door.read((tx) => present(tx, context.now))
    }),
    implement(endSupportVisit, async (door, { params }, context: TenantContext) => {
      await door.write(async (tx) => {
        const live = await tx.row(
          sql`SELECT id FROM core.support_session WHERE id = ${params.id} AND ended_at IS NULL
            AND expires_at > now()`.compile(tenantSql),
        )
        if (!live) throw new Problem(problems.notFound, { message: 'There is no such support session' })
        await dismissSupport(tx, params.id, SENT_AWAY)
      })
      await ports.end(params.id, SENT_AWAY, context)
      return {}
    }),
  ]
}

/** The sessions that end with it: whoever may not be here is not. */
async function consent(
  tx: TenantTx,
  given: InputOf<typeof updateSupportAccess>['body'],
  { now, ifMatch }: TenantContext,
): Promise<string[]> {
  // One after the other, the first ones too, when there is no row yet to be held.
  await tx.rows(sql`SELECT pg_advisory_xact_lock(hashtextextended('support access', 0))`.compile(tenantSql))
  const before = await readConsent(tx)
  assertUnchanged(ifMatch, before)
  const { allowsSupport, writeUntil } = { ...before, ...given }
  const until = writeUntil === null ? null : new Date(writeUntil)
  if (given.writeUntil && until) checkUntil(until, now)
  await tx.run(
    sql`INSERT INTO core.support_access (allows_support, write_until)
      VALUES (${allowsSupport}, ${until?.toISOString() ?? null})
      ON CONFLICT (is_only) DO UPDATE SET allows_support = excluded.allows_support,
        write_until = excluded.write_until`.compile(tenantSql),
  )
  if (allowsSupport) return []
  const running = await tx.rows(
    sql<{ id: string }>`SELECT id FROM core.support_session WHERE ended_at IS NULL
      AND expires_at > now()`.compile(tenantSql),
  )
  for (const { id } of running) await dismissSupport(tx, id, REFUSED)
  return running.map(({ id }) => id)
}

function checkUntil(until: Date, now: Date): void {
  const refuse = (code: string, message: string): never => {
    throw validationProblem([{ field: 'writeUntil', code, message: `writeUntil ${message}` }])
  }
  if (Number.isNaN(until.getTime())) refuse('FORMAT', 'must be an instant that exists')
  if (until <= now) refuse('IN_THE_PAST', 'must be in the future')
  if (until.getTime() > now.getTime() + CONSENT_DAYS_MAXIMUM * DAY_MS) {
    refuse('TOO_FAR_AHEAD', `must be at most ${CONSENT_DAYS_MAXIMUM} days ahead`)
  }
}

async function present(tx: TenantRead, now: Date): Promise<Static<typeof SupportAccess>> {
  const [given, sessions] = await Promise.all([readConsent(tx), listSupportVisits(tx)])
  const isOpen = given.writeUntil !== null && new Date(given.writeUntil) > now
  return { ...given, mayChangeNow: given.allowsSupport && isOpen, sessions }
}
