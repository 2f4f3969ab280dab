/** Sessions of a tenant's users: who they are, in which company, and what they may do there. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { minorUnits } from '../../kernel/currency.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { restrictionColumns, restrictionOf, userTables, type RestrictionRow } from '../../accounts/account.ts'
import { secondFactorState } from '../../accounts/second-factors.ts'
import { Principals, Sessions, type OpenSession, type SessionSettings } from '../../http/sessions.ts'
import type { TokenClaims, Tokens } from '../../http/tokens.ts'
import { isApiKey } from '../../http/api-keys.ts'
import type { Principal, TenantContext, TenantDoor } from '../../http/route.ts'
import type { Caller } from '../../http/admission.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { statement, tenantSql, type Actor, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import { ApiKeys } from './api-keys/authentication.ts'
import { COMPANY_IDS, MAY_ENTER } from './company-access.ts'
import type { SignedInUser, UserSession } from './contract.ts'
import { currentSupport, supportCaller, type CurrentSupport } from '../support/sessions.ts'
import { expandPermissions } from './rules/permission-patterns.ts'

type UserData = Static<typeof SignedInUser>

const PRINCIPALS_MAXIMUM = 20_000

export interface UserSessionSettings extends SessionSettings {
  readonly passwordAgeDaysMaximum: number
}

/** Where somebody wants to come in. */
interface Entrance {
  readonly gate: Gate
  readonly tenant: TenantLocation
  readonly caller: Caller
  readonly actor: Actor
  /** Whoever has come as support is known above the ERP. */
  readonly bySupport: (sessionId: string, tenant: TenantLocation) => Promise<Principal>
}

/** Who is signed in, wherever they may work. */
type LiveUser = Omit<Principal, 'companyId'> & { readonly companyIds: ReadonlySet<string> }

export class UserSessions {
  readonly #tokens: Tokens
  readonly #declared: ReadonlySet<string>
  /** As they are kept. */
  readonly table: Sessions<TenantTx>
  readonly #users = new Principals<LiveUser>(PRINCIPALS_MAXIMUM)
  readonly #passwordAgeDaysMaximum: number
  readonly apiKeys: ApiKeys

  constructor(tokens: Tokens, settings: UserSessionSettings, declaredPermissions: ReadonlySet<string>) {
    this.#tokens = tokens
    this.#passwordAgeDaysMaximum = settings.passwordAgeDaysMaximum
    this.#declared = declaredPermissions
    this.apiKeys = new ApiKeys(declaredPermissions)
    this.table = new Sessions(
      {
        name: 'core.session',
        ownerColumn: 'user_id',
        ownerTable: 'core.app_user',
        ownerMayGoOn: 'owner.is_active AND owner.deleted_at IS NULL',
      },
      settings,
    )
  }

  /** The bearer of a valid token of this tenant whose session has not ended, of an API key, or of support. */
  async authenticate(
    token: string,
    { gate, tenant, caller, actor, bySupport }: Entrance,
  ): Promise<Principal> {
    if (isApiKey(token)) return this.apiKeys.authenticate(gate, token, tenant, caller, actor)
    const claims = await this.#tokens.verify(['tenant', 'integration', 'support'], token)
    const { tenantId, sessionId } = claims
    if (tenantId !== tenant.tenantId) {
      throw new Problem(problems.tokenInvalid, { message: 'This token belongs to another tenant' })
    }
    if (claims.aud === 'support') return bySupport(sessionId, tenant)
    if (claims.aud === 'integration') {
      return this.apiKeys.authenticateToken(gate, claims, tenant, caller, actor)
    }
    const { companyIds, ...user } = await this.#users.of(`${tenantId}/${sessionId}`, async () => {
      const [row] = await gate.readTenant(tenant, null, actor, (tx) =>
        tx.prepared(LIVE_SESSION, [sessionId, this.#passwordAgeDaysMaximum]),
      )
      return (
        row && {
          kind: 'user' as const,
          id: row.user_id,
          sessionId,
          companyIds: new Set(row.company_ids),
          permissions: this.#permissionsOf(row),
          restriction: restrictionOf(row),
        }
      )
    })
    // The token says which, so that what was begun in one company ends there, whatever the session goes on with.
    if (!companyIds.has(claims.companyId)) {
      throw new Problem(problems.companyAccessLost)
    }
    return { ...user, companyId: claims.companyId }
  }

  /** Of a session or an API key. */
  forgetSession(tenantId: string, sessionId: string): void {
    this.apiKeys.forget(tenantId, sessionId)
    this.#users.forget(`${tenantId}/${sessionId}`)
  }

  forgetTenant(tenantId: string): void {
    this.apiKeys.forgetTenant(tenantId)
    this.#users.forgetWhere((key) => key.startsWith(`${tenantId}/`))
  }

  forgetAll(): void {
    this.apiKeys.forgetAll()
    this.#users.forgetAll()
  }

  // ---- beginning, going on, ending ---------------------------------------------------------------------

  /**
   * Since the user was read, a password may have waited half a minute for its turn to be compared. So what locks the
   * row asks again: whoever changes the password, deactivates or deletes comes before, and is seen here, or comes
   * after, and ends this session too.
   */
  async begin(
    tx: TenantTx,
    user: {
      readonly id: string
      readonly companyId: string
      readonly isRemembered: boolean
      /** The one that was compared with; null: who came by single sign-on. */
      readonly passwordHash: string | null
    },
    context: TenantContext,
  ): Promise<Static<typeof UserSession>> {
    const { passwordHash } = user
    const isStillThis = passwordHash === null ? sql`true` : sql`password_hash = ${passwordHash}`
    const noted = await tx.run(
      sql`UPDATE core.app_user SET last_login_at = now()
        WHERE id = ${user.id} AND is_active AND deleted_at IS NULL AND ${isStillThis}`.compile(tenantSql),
    )
    if (noted !== 1) throw new Problem(problems.authenticationFailed)
    const extra = { company_id: user.companyId, is_single_sign_on: passwordHash === null }
    const session = await this.table.begin(tx, user, context, extra)
    return this.#answer(tx, session, context.now)
  }

  /**
   * In another company if one is named, and only then: a program that lost its company must not post into the books
   * of the next one. Refused for it, the refresh token is as good as before. `tell`: that the session has ended, or is
   * to be read again, because its user may have been let into that company just now.
   */
  async goOn(
    door: TenantDoor,
    { refreshToken, companyId }: { readonly refreshToken: string; readonly companyId?: string | null },
    context: TenantContext,
    tell: (sessionId: string) => Promise<void>,
  ): Promise<Static<typeof UserSession>> {
    const answer = async (tx: TenantTx, open: OpenSession) => {
      if (companyId) await changeCompany(tx, open, companyId)
      return { sessionId: open.sessionId, session: await this.#answer(tx, open, context.now) }
    }
    const { sessionId, session } = await this.table.goOn(door, refreshToken, context, answer, tell)
    if (companyId) await tell(sessionId)
    return session
  }

  /** A token that an API key was exchanged for. */
  signForIntegration(claims: TokenClaims, now: Date, seconds: number): Promise<string> {
    return this.#tokens.sign('integration', claims, now, seconds)
  }

  end(tx: TenantTx, sessionId: string, reason: string): Promise<void> {
    return this.table.end(tx, sessionId, reason)
  }

  endAllOf(tx: TenantTx, userId: string, reason: string): Promise<void> {
    return this.table.endAllOf(tx, userId, reason)
  }

  async #answer(
    tx: TenantRead,
    { ownerId: userId, sessionId, refreshToken }: OpenSession,
    now: Date,
  ): Promise<Static<typeof UserSession>> {
    const user = await this.userData(tx, userId, sessionId)
    const token = await this.#tokens.sign(
      'tenant',
      {
        userId,
        email: user.email,
        roleId: user.roleId ?? '',
        tenantId: tx.tenantId,
        companyId: user.companyId,
        sessionId,
      },
      now,
    )
    return { token, refreshToken, expiresIn: this.#tokens.accessTokenSeconds, user }
  }

  #permissionsOf(row: RestrictionRow & { readonly permissions: string[] }): ReadonlySet<string> {
    return expandPermissions(restrictionOf(row) ? [] : row.permissions, this.#declared)
  }

  /** In the company of the session where none is named. */
  async userData(
    tx: TenantRead,
    userId: string,
    sessionId: string,
    companyId?: string | null,
  ): Promise<UserData> {
    const [row] = await tx.prepared(SIGNED_IN_USER, [userId, sessionId, this.#passwordAgeDaysMaximum])
    if (!row) throw new Problem(problems.tokenInvalid)
    return {
      id: row.id,
      fullName: row.full_name,
      email: row.email,
      roleId: row.role_id,
      role: row.role,
      permissions: [...this.#permissionsOf(row)].toSorted(),
      restriction: restrictionOf(row) ?? null,
      secondFactor: row.second_factor,
      companyId: companyId ?? row.company_id,
      companies: row.companies.map(withMinorUnits),
      tenantCode: tx.tenantCode,
      support: await this.#supportFor(tx, row.permissions),
    }
  }

  /** Whoever may send support away is told that it is there. */
  async #supportFor(tx: TenantRead, permissions: readonly string[]): Promise<UserData['support']> {
    if (!expandPermissions(permissions, this.#declared).has('support-access:view')) return null
    const current = await currentSupport(tx)
    return current ? shownSupport(current, false) : null
  }

  /** An operator, told who they are here like a user. */
  async supportData(tx: TenantRead, sessionId: string, permissions: ReadonlySet<string>): Promise<UserData> {
    const caller = await supportCaller(tx, sessionId)
    if (!caller) throw new Problem(problems.tokenInvalid)
    return {
      id: caller.operatorId,
      fullName: caller.operatorName,
      email: caller.operatorEmail,
      roleId: null,
      role: 'Support',
      permissions: [...permissions].toSorted(),
      restriction: null,
      secondFactor: { isOn: false, isRequired: false, recoveryCodesLeft: 0 },
      companyId: caller.companyId,
      companies: caller.companies.map(withMinorUnits),
      tenantCode: tx.tenantCode,
      support: shownSupport(caller, true),
    }
  }
}

export function noAccessToCompany(): Problem {
  return new Problem(problems.permissionDenied, { message: 'You have no access to this company' })
}

async function changeCompany(
  tx: TenantTx,
  { sessionId, ownerId }: OpenSession,
  companyId: string,
): Promise<void> {
  const changed = await tx.run(
    sql`UPDATE core.session SET company_id = ${companyId}, updated_at = now()
      WHERE id = ${sessionId} AND EXISTS (SELECT FROM core.app_user u JOIN core.company c ON ${sql.raw(MAY_ENTER)}
        WHERE u.id = ${ownerId} AND c.id = ${companyId})`.compile(tenantSql),
  )
  if (changed !== 1) throw noAccessToCompany()
}

function shownSupport(
  { sessionId, operatorName, reason, access, endsAt }: CurrentSupport,
  isCaller: boolean,
): UserData['support'] {
  return { sessionId, operatorName, reason, access, endsAt, isCaller }
}

function withMinorUnits<Company extends { readonly baseCurrency: string }>(company: Company) {
  return { ...company, minorUnits: minorUnits(company.baseCurrency) }
}

/**
 * Of the days in the parameter given. Who came by single sign-on is the identity provider's to confine: it has no
 * password of ours, and asks for its own second factor.
 */
const restriction = (days: string): string =>
  restrictionColumns(userTables, {
    owner: 'u',
    days: `${days}::int`,
    isByPassword: 'NOT s.is_single_sign_on',
    isRequired: 'r.requires_second_factor AND NOT s.is_single_sign_on',
  })

const LIVE_SESSION = statement<
  RestrictionRow & { user_id: string; company_ids: string[]; permissions: string[] }
>(
  'live-session',
  `SELECT s.user_id, r.permissions, ${COMPANY_IDS} AS company_ids, ${restriction('$2')}
   FROM core.session s
   JOIN core.app_user u ON u.id = s.user_id AND u.is_active AND u.deleted_at IS NULL
   JOIN core.role r ON r.id = u.role_id AND r.is_active
   WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > now()`,
)

const SIGNED_IN_USER = statement<
  RestrictionRow & {
    id: string
    full_name: string
    email: string
    role_id: string
    role: string
    permissions: string[]
    company_id: string
    second_factor: UserData['secondFactor']
    companies: { id: string; code: string; name: string; baseCurrency: string }[]
  }
>(
  'signed-in-user',
  `SELECT u.id, u.full_name, u.email, u.role_id, r.name AS role, r.permissions, s.company_id,
     ${restriction('$3')},
     ${secondFactorState(userTables, 'u', 'r.requires_second_factor')} AS second_factor,
     coalesce((SELECT json_agg(json_build_object('id', c.id, 'code', c.code, 'name', c.name,
         'baseCurrency', c.base_currency) ORDER BY c.code)
       FROM core.company c WHERE ${MAY_ENTER}), '[]') AS companies
   FROM core.app_user u
   JOIN core.role r ON r.id = u.role_id
   JOIN core.session s ON s.id = $2 AND s.user_id = u.id
   WHERE u.id = $1`,
)
