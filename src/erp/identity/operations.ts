import { sql } from 'kysely'
import { foldedEmail } from '../../kernel/email.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { passwordMatches } from '../../http/password-hashes.ts'
import { callerOf, implement, type Route, type TenantContext, type TenantDoor } from '../../http/route.ts'
import { tenantSql, type TenantRead } from '../../tenancy/handles.ts'
import { emailSettingsRoutes } from './email/settings.ts'
import { testRoutes } from './email/test-send.ts'
import { COMPANY_IDS } from './company-access.ts'
import { login, logout, me, redeemSupportCode, refresh } from './contract.ts'
import { ownAccountRoutes } from './own-account.ts'
import { tellSessionEnd, type IdentityPorts } from './ports.ts'
import { apiKeyRoutes } from './api-keys/operations.ts'
import { identityProblems } from './problems.ts'
import { roleRoutes } from './roles/operations.ts'
import { settingsRoutes } from './single-sign-on/settings.ts'
import { signingInRoutes } from './single-sign-on/signing-in.ts'
import { noAccessToCompany } from './sessions.ts'
import { userRoutes } from './users/operations.ts'

export function identityRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(login, (door, { body }, context) => signIn(ports, door, body, context)),
    implement(refresh, (door, { body }, context) =>
      ports.sessions.goOn(door, body, context, (sessionId) =>
        tellSessionEnd(ports, context.tenant.tenantId, sessionId),
      ),
    ),
    implement(logout, async (door, _input, context) => {
      const { sessionId, support } = callerOf(context)
      if (support) {
        await ports.support.end(sessionId, 'the operator left', context)
        return {}
      }
      await door.write((tx) => ports.sessions.end(tx, sessionId, 'signed out'))
      await tellSessionEnd(ports, context.tenant.tenantId, sessionId)
      return {}
    }),
    implement(me, (tx, _input, context) => {
      const caller = callerOf(context)
      if (caller.support) return ports.sessions.supportData(tx, caller.sessionId, caller.permissions)
      const { id, sessionId, companyId } = caller
      return ports.sessions.userData(tx, id, sessionId, companyId)
    }),
    implement(redeemSupportCode, async (door, { body }, context) => {
      const redeemed = await ports.support.redeem(body.code, context)
      if (!redeemed) throw new Problem(problems.authenticationFailed, { message: 'This code is not valid here, or not any more' }) // prettier-ignore
      const { sessionId, permissions, ...session } = redeemed
      const user = await door.read((tx) => ports.sessions.supportData(tx, sessionId, permissions))
      return { ...session, user }
    }),
    ...ownAccountRoutes(ports),
    ...roleRoutes(ports),
    ...apiKeyRoutes(ports),
    ...settingsRoutes(ports),
    ...signingInRoutes(ports),
    ...userRoutes(ports),
    ...emailSettingsRoutes(ports),
    ...testRoutes(ports),
  ]
}

export interface Credentials {
  readonly email: string
  readonly password: string
  readonly totp?: string
  readonly companyId?: string | null
  readonly rememberMe?: boolean
}

/** Hashing takes a quarter of a second on purpose, and waits its turn; no connection is held meanwhile. */
export async function signIn(
  ports: IdentityPorts,
  door: TenantDoor,
  credentials: Credentials,
  context: TenantContext,
) {
  const user = await door.read((tx) => userByEmail(tx, credentials.email))
  const matches = await passwordMatches(credentials.password, user?.password_hash)
  if (!user || !matches || !user.is_active) throw new Problem(problems.authenticationFailed)
  // Said to who has the password alone; administrators keep it as the way back in.
  if (user.must_use_single_sign_on) throw new Problem(identityProblems.singleSignOnRequired)
  await ports.secondFactors.assertPassed(door, user.id, credentials.totp, context.now)
  return door.write(async (tx) => {
    const companyId = credentials.companyId ?? user.company_ids[0]
    if (companyId === undefined || !user.company_ids.includes(companyId)) {
      throw noAccessToCompany()
    }
    const isRemembered = credentials.rememberMe ?? false
    const passwordHash = user.password_hash
    return ports.sessions.begin(tx, { id: user.id, companyId, isRemembered, passwordHash }, context)
  })
}

interface UserRow {
  readonly id: string
  readonly password_hash: string | null
  readonly is_active: boolean
  readonly must_use_single_sign_on: boolean
  readonly company_ids: readonly string[]
}

function userByEmail(tx: TenantRead, email: string) {
  return tx.row(
    sql<UserRow>`SELECT u.id, u.password_hash, u.is_active AND r.is_active AS is_active,
      NOT r.permissions @> '{*}' AND EXISTS (
        SELECT FROM core.single_sign_on WHERE is_enabled AND is_required) AS must_use_single_sign_on,
        ${sql.raw(COMPANY_IDS)} AS company_ids
      FROM core.app_user u JOIN core.role r ON r.id = u.role_id
      WHERE lower(u.email) = ${foldedEmail(email)} AND u.deleted_at IS NULL`.compile(tenantSql),
  )
}
