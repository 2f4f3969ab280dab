import { sql } from 'kysely'
import { passwordProblems } from '../../kernel/passwords.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { hashPassword, passwordMatches } from '../../http/password-hashes.ts'
import { implement, type Route, type TenantContext, type TenantDoor } from '../../http/route.ts'
import { hashSecret } from '../../http/tokens.ts'
import type { Outbox } from '../../mail/outbox.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import { login, logout, me, refresh, resetPassword } from './contract.ts'
import type { UserSessions } from './sessions.ts'

export interface IdentityPorts {
  readonly sessions: UserSessions
  readonly mails: Outbox<TenantTx>
  /** Tells every process that a session (or, without an id, all of the tenant's) may have ended. */
  announceSessionEnd(tenantId: string, sessionId?: string): Promise<void>
}

export function identityRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(login, (door, { body }, context) => signIn(ports, door, body, context)),
    implement(refresh, (door, { body }, context) =>
      ports.sessions.goOn(door, body.refreshToken, context, (sessionId) =>
        tellSessionEnd(ports, context.tenant.tenantId, sessionId),
      ),
    ),
    implement(logout, async (door, _input, { principal, tenant }) => {
      if (!principal) throw new Problem(problems.authenticationRequired)
      await door.write((tx) => ports.sessions.end(tx, principal.sessionId, 'signed out'))
      await tellSessionEnd(ports, tenant.tenantId, principal.sessionId)
      return {}
    }),
    implement(me, (tx, _input, { principal }) => {
      if (!principal) throw new Problem(problems.authenticationRequired)
      return ports.sessions.userData(tx, principal.id, principal.sessionId)
    }),
    implement(resetPassword, (door, { body }, context) => setPassword(ports, door, body, context)),
  ]
}

/** This process knows before it answers; the others when they hear of it, some milliseconds later. */
async function tellSessionEnd(ports: IdentityPorts, tenantId: string, sessionId?: string): Promise<void> {
  if (sessionId === undefined) ports.sessions.forgetTenant(tenantId)
  else ports.sessions.forgetSession(tenantId, sessionId)
  await ports.announceSessionEnd(tenantId, sessionId)
}

export interface Credentials {
  readonly email: string
  readonly password: string
  readonly companyId?: string | null
  readonly rememberMe?: boolean
}

/** Hashing takes a quarter of a second on purpose; no connection is held meanwhile. */
export async function signIn(
  ports: IdentityPorts,
  door: TenantDoor,
  credentials: Credentials,
  context: TenantContext,
) {
  const user = await door.read((tx) => userByEmail(tx, credentials.email))
  const matches = await passwordMatches(credentials.password, user?.password_hash)
  if (!user || !matches || !user.is_active) throw new Problem(problems.authenticationFailed)
  const companyId = credentials.companyId ?? user.company_ids[0]
  if (companyId === undefined || !user.company_ids.includes(companyId)) {
    throw new Problem(problems.permissionDenied, { message: 'You have no access to this company' })
  }
  return door.write(async (tx) => {
    await tx.run(sql`UPDATE core.app_user SET last_login_at = now() WHERE id = ${user.id}`.compile(tenantSql))
    const isRemembered = credentials.rememberMe ?? false
    return ports.sessions.begin(tx, { id: user.id, companyId, isRemembered }, context)
  })
}

async function setPassword(
  ports: IdentityPorts,
  door: TenantDoor,
  body: { token: string; password: string },
  context: TenantContext,
): Promise<Record<string, never>> {
  const tokenHash = hashSecret(body.token)
  const invalid = (): Problem =>
    validationProblem([
      { field: 'token', code: 'TOKEN_INVALID', message: 'This link was used or has expired' },
    ])
  const user = await door.read((tx) =>
    tx.row(
      tenantSql
        .selectFrom('core.password_token as t')
        .innerJoin('core.app_user as u', 'u.id', 't.user_id')
        .select(['u.id', 'u.full_name as fullName', 'u.email'])
        .where('t.token_hash', '=', tokenHash)
        .where('t.used_at', 'is', null)
        .where('t.expires_at', '>', context.now.toISOString())
        .where('u.is_active', '=', true),
    ),
  )
  if (!user) throw invalid()
  const broken = passwordProblems(body.password, user)
  if (broken.length > 0) throw validationProblem(broken)
  const passwordHash = await hashPassword(body.password)
  await door.write(async (tx) => {
    const used = await tx.run(
      sql`UPDATE core.password_token SET used_at = now(), updated_at = now()
      WHERE token_hash = ${tokenHash} AND used_at IS NULL`.compile(tenantSql),
    )
    if (used !== 1) throw invalid() // someone else was quicker with the same link
    await tx.run(
      sql`UPDATE core.app_user SET password_hash = ${passwordHash}, password_changed_at = now()
      WHERE id = ${user.id}`.compile(tenantSql),
    )
    await ports.sessions.endAllOf(tx, user.id, 'password changed')
  })
  await tellSessionEnd(ports, context.tenant.tenantId)
  return {}
}

function userByEmail(tx: TenantRead, email: string) {
  return tx.row(
    sql<{ id: string; password_hash: string | null; is_active: boolean; company_ids: string[] }>`
      SELECT u.id, u.password_hash, u.is_active AND r.is_active AS is_active, ARRAY(
        SELECT c.id FROM core.company c WHERE c.is_active AND c.deleted_at IS NULL AND (u.all_companies OR EXISTS (
          SELECT FROM core.user_company m WHERE m.user_id = u.id AND m.company_id = c.id)) ORDER BY c.code) AS company_ids
      FROM core.app_user u JOIN core.role r ON r.id = u.role_id
      WHERE lower(u.email) = lower(${email}) AND u.deleted_at IS NULL`.compile(tenantSql),
  )
}
