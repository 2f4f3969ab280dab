import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { passwordMatches } from '../../http/password-hashes.ts'
import { implement, type Route, type TenantContext, type TenantDoor } from '../../http/route.ts'
import { tenantSql, type TenantRead } from '../../tenancy/handles.ts'
import { login, logout, me, refresh } from './contract.ts'
import { passwordRoutes } from './passwords.ts'
import { callerOf, tellSessionEnd, type IdentityPorts } from './ports.ts'
import { roleRoutes } from './roles/operations.ts'
import { userRoutes } from './users/operations.ts'

export function identityRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(login, (door, { body }, context) => signIn(ports, door, body, context)),
    implement(refresh, (door, { body }, context) =>
      ports.sessions.goOn(door, body.refreshToken, context, (sessionId) =>
        tellSessionEnd(ports, context.tenant.tenantId, sessionId),
      ),
    ),
    implement(logout, async (door, _input, context) => {
      const { sessionId } = callerOf(context)
      await door.write((tx) => ports.sessions.end(tx, sessionId, 'signed out'))
      await tellSessionEnd(ports, context.tenant.tenantId, sessionId)
      return {}
    }),
    implement(me, (tx, _input, context) => {
      const { id, sessionId } = callerOf(context)
      return ports.sessions.userData(tx, id, sessionId)
    }),
    ...passwordRoutes(ports),
    ...roleRoutes(ports),
    ...userRoutes(ports),
  ]
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
