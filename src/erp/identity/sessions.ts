/** Sessions of a tenant's users: who they are, in which company, and what they may do there. */
import type { Static } from 'typebox'
import { sql } from 'kysely'
import { minorUnits } from '../../kernel/currency.ts'
import { firstIdAt } from '../../kernel/ids.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { Principals, Sessions, type OpenSession, type SessionSettings } from '../../http/sessions.ts'
import type { Tokens } from '../../http/tokens.ts'
import type { Principal, TenantContext, TenantDoor } from '../../http/route.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { statement, tenantSql, type Actor, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import type { SignedInUser, UserSession } from './contract.ts'
import { expandPermissions } from './rules/permission-patterns.ts'

type UserData = Static<typeof SignedInUser>

const PRINCIPALS_MAXIMUM = 20_000

export interface UserSessionSettings extends SessionSettings {
  readonly passwordAgeDaysMaximum: number
}

export class UserSessions {
  readonly #tokens: Tokens
  readonly #declared: ReadonlySet<string>
  readonly #sessions: Sessions<TenantTx>
  readonly #principals = new Principals(PRINCIPALS_MAXIMUM)
  readonly #passwordAgeDaysMaximum: number

  constructor(tokens: Tokens, settings: UserSessionSettings, declaredPermissions: ReadonlySet<string>) {
    this.#tokens = tokens
    this.#passwordAgeDaysMaximum = settings.passwordAgeDaysMaximum
    this.#declared = declaredPermissions
    this.#sessions = new Sessions(
      {
        name: 'core.session',
        ownerColumn: 'user_id',
        ownerTable: 'core.app_user',
        ownerMayGoOn: 'owner.is_active AND owner.deleted_at IS NULL',
      },
      settings,
    )
  }

  /** The bearer of a valid token of this tenant whose session has not ended. */
  async authenticate(gate: Gate, token: string, tenant: TenantLocation, actor: Actor): Promise<Principal> {
    const { tenantId, sessionId } = await this.#tokens.verify('tenant', token)
    if (tenantId !== tenant.tenantId) {
      throw new Problem(problems.tokenInvalid, { message: 'This token belongs to another tenant' })
    }
    return this.#principals.of(`${tenantId}/${sessionId}`, async () => {
      const [row] = await gate.readTenant(tenant, null, actor, (tx) =>
        tx.prepared(LIVE_SESSION, [sessionId, this.#passwordAgeDaysMaximum]),
      )
      return (
        row && {
          kind: 'user',
          id: row.user_id,
          sessionId,
          companyId: row.company_id,
          permissions: expandPermissions(row.must_change_password ? [] : row.permissions, this.#declared),
          mustChangePassword: row.must_change_password,
        }
      )
    })
  }

  forgetSession(tenantId: string, sessionId: string): void {
    this.#principals.forget(`${tenantId}/${sessionId}`)
  }

  forgetTenant(tenantId: string): void {
    this.#principals.forgetWhere((key) => key.startsWith(`${tenantId}/`))
  }

  forgetAll(): void {
    this.#principals.forgetAll()
  }

  // ---- beginning, going on, ending ---------------------------------------------------------------------

  async begin(
    tx: TenantTx,
    user: { readonly id: string; readonly companyId: string; readonly isRemembered: boolean },
    context: TenantContext,
  ): Promise<Static<typeof UserSession>> {
    const session = await this.#sessions.begin(tx, user, context, { company_id: user.companyId })
    return this.#answer(tx, session, context.now)
  }

  goOn(
    door: TenantDoor,
    refreshToken: string,
    context: TenantContext,
    tellEnd: (sessionId: string) => Promise<void>,
  ): Promise<Static<typeof UserSession>> {
    const answer = (tx: TenantTx, session: OpenSession) => this.#answer(tx, session, context.now)
    return this.#sessions.goOn(door, refreshToken, context, answer, tellEnd)
  }

  end(tx: TenantTx, sessionId: string, reason: string): Promise<void> {
    return this.#sessions.end(tx, sessionId, reason)
  }

  endAllOf(tx: TenantTx, userId: string, reason: string): Promise<void> {
    return this.#sessions.endAllOf(tx, userId, reason)
  }

  /** Sessions that are over and links that are spent. */
  async purge(tx: TenantTx, before: Date, maximum: number): Promise<number> {
    const sessions = await this.#sessions.purge(tx, before, maximum)
    const links = sql`DELETE FROM core.password_token WHERE id IN (
      SELECT id FROM core.password_token WHERE id < ${firstIdAt(before)}
        AND expires_at < ${before.toISOString()} ORDER BY id LIMIT ${maximum})`
    return sessions + (await tx.run(links.compile(tenantSql)))
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
        roleId: user.roleId,
        tenantId: tx.tenantId,
        companyId: user.companyId,
        sessionId,
      },
      now,
    )
    return { token, refreshToken, expiresIn: this.#tokens.accessTokenSeconds, user }
  }

  async userData(tx: TenantRead, userId: string, sessionId: string): Promise<UserData> {
    const [row] = await tx.prepared(SIGNED_IN_USER, [userId, sessionId, this.#passwordAgeDaysMaximum])
    if (!row) throw new Problem(problems.tokenInvalid)
    return {
      id: row.id,
      fullName: row.full_name,
      email: row.email,
      roleId: row.role_id,
      role: row.role,
      permissions: [
        ...expandPermissions(row.must_change_password ? [] : row.permissions, this.#declared),
      ].toSorted(),
      mustChangePassword: row.must_change_password,
      companyId: row.company_id,
      companies: row.companies.map((company) => ({
        ...company,
        minorUnits: minorUnits(company.baseCurrency),
      })),
      tenantCode: tx.tenantCode,
    }
  }
}

/** Of the days in the parameter given; 0: never. */
const mustChangePassword = (days: string): string => `(u.must_change_password
  OR (${days}::int > 0 AND u.password_changed_at < now() - make_interval(days => ${days}::int))) AS must_change_password`

const LIVE_SESSION = statement<{
  user_id: string
  company_id: string
  permissions: string[]
  must_change_password: boolean
}>(
  'live-session',
  `SELECT s.user_id, s.company_id, r.permissions, ${mustChangePassword('$2')}
   FROM core.session s
   JOIN core.app_user u ON u.id = s.user_id AND u.is_active AND u.deleted_at IS NULL
   JOIN core.role r ON r.id = u.role_id AND r.is_active
   JOIN core.company c ON c.id = s.company_id AND c.is_active AND c.deleted_at IS NULL
   WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > now()
     AND (u.all_companies OR EXISTS (
       SELECT FROM core.user_company m WHERE m.user_id = u.id AND m.company_id = s.company_id))`,
)

const SIGNED_IN_USER = statement<{
  id: string
  full_name: string
  email: string
  role_id: string
  role: string
  permissions: string[]
  company_id: string
  must_change_password: boolean
  companies: { id: string; code: string; name: string; baseCurrency: string }[]
}>(
  'signed-in-user',
  `SELECT u.id, u.full_name, u.email, u.role_id, r.name AS role, r.permissions, s.company_id,
     ${mustChangePassword('$3')},
     coalesce((SELECT json_agg(json_build_object('id', c.id, 'code', c.code, 'name', c.name,
         'baseCurrency', c.base_currency) ORDER BY c.code)
       FROM core.company c WHERE c.is_active AND c.deleted_at IS NULL AND (u.all_companies OR EXISTS (
         SELECT FROM core.user_company m WHERE m.user_id = u.id AND m.company_id = c.id))), '[]') AS companies
   FROM core.app_user u
   JOIN core.role r ON r.id = u.role_id
   JOIN core.session s ON s.id = $2 AND s.user_id = u.id
   WHERE u.id = $1`,
)
