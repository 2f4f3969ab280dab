/**
 * Sessions of a tenant's users. A session holds the hash of its newest refresh token; an older one coming
 * back means that two parties hold the chain, and the session ends for both (RFC 9700, 4.14.2).
 */
import { sql } from 'kysely'
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import { minorUnits } from '../../kernel/currency.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { newRefreshToken, type Tokens } from '../../http/tokens.ts'
import type { Principal, RequestContext } from '../../http/route.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { statement, tenantSql, type Actor, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import type { SignedInUser, UserSession } from './contract.ts'
import { expandPermissions } from './permissions.ts'
import type { Static } from 'typebox'

export interface SessionSettings {
  readonly refreshTokenSeconds: number
  readonly rememberedRefreshTokenSeconds: number
  readonly sessionsPerUserMaximum: number
}

type UserData = Static<typeof SignedInUser>

const PRINCIPALS_MAXIMUM = 20_000
/** The wall behind the notice: a revoked session is refused within this even if the notice was lost. */
const PRINCIPAL_AGE_MS = 5_000

export class UserSessions {
  readonly #tokens: Tokens
  readonly #settings: SessionSettings
  readonly #declared: ReadonlySet<string>
  readonly #principals = new BoundedCache<string, Principal>(PRINCIPALS_MAXIMUM, PRINCIPAL_AGE_MS)

  constructor(tokens: Tokens, settings: SessionSettings, declaredPermissions: ReadonlySet<string>) {
    this.#tokens = tokens
    this.#settings = settings
    this.#declared = declaredPermissions
  }

  /** The bearer of a valid token of this tenant whose session has not ended. */
  async authenticate(gate: Gate, token: string, tenant: TenantLocation, actor: Actor): Promise<Principal> {
    const claims = await this.#tokens.verify('tenant', token)
    if (claims.tenantId !== tenant.tenantId) {
      throw new Problem(problems.tokenInvalid, { message: 'This token belongs to another tenant' })
    }
    const key = `${tenant.tenantId}/${claims.sessionId}`
    const known = this.#principals.get(key)
    if (known) return known
    const [row] = await gate.readTenant(tenant, null, actor, (tx) =>
      tx.prepared(LIVE_SESSION, [claims.sessionId]),
    )
    if (!row) throw new Problem(problems.tokenInvalid, { message: 'This session has ended' })
    const principal: Principal = {
      kind: 'user',
      id: row.user_id,
      sessionId: claims.sessionId,
      companyId: row.company_id,
      permissions: expandPermissions(row.permissions, this.#declared),
    }
    this.#principals.set(key, principal)
    return principal
  }

  forgetSession(tenantId: string, sessionId: string): void {
    this.#principals.delete(`${tenantId}/${sessionId}`)
  }

  forgetTenant(tenantId: string): void {
    this.#principals.deleteWhere((key) => key.startsWith(`${tenantId}/`))
  }

  // ---- beginning, going on, ending ---------------------------------------------------------------------

  async begin(
    tx: TenantTx,
    user: { id: string },
    companyId: string,
    isRemembered: boolean,
    context: RequestContext,
  ): Promise<Static<typeof UserSession>> {
    const sessionId = context.newId()
    const refreshToken = newRefreshToken(sessionId)
    const lifeSeconds = this.#lifeSeconds(isRemembered)
    await tx.run(
      sql`
      INSERT INTO core.session (id, user_id, company_id, refresh_hash, is_remembered, expires_at, address, user_agent)
      VALUES (${sessionId}, ${user.id}, ${companyId}, ${refreshToken.hash}, ${isRemembered},
        ${after(context.now, lifeSeconds)}, ${context.actor.address}, ${context.userAgent})`.compile(
        tenantSql,
      ),
    )
    await this.#endOldest(tx, user.id)
    return this.#answer(tx, user.id, sessionId, refreshToken.token, context.now)
  }

  async goOn(
    tx: TenantTx,
    sessionId: string,
    refreshHash: Buffer,
    context: RequestContext,
  ): Promise<Static<typeof UserSession> | 'unknown' | 'reused'> {
    const session = await tx.row(
      tenantSql
        .selectFrom('core.session as s')
        .innerJoin('core.app_user as u', 'u.id', 's.user_id')
        .select(['s.id', 's.user_id', 's.refresh_hash', 's.is_remembered'])
        .where('s.id', '=', sessionId)
        .where('s.ended_at', 'is', null)
        .where('s.expires_at', '>', context.now.toISOString())
        .where('u.is_active', '=', true)
        .where('u.deleted_at', 'is', null)
        .forUpdate('s'),
    )
    if (!session) return 'unknown'
    if (!session.refresh_hash.equals(refreshHash)) {
      await this.end(tx, sessionId, 'refresh token used twice')
      return 'reused'
    }
    const refreshToken = newRefreshToken(sessionId)
    const expiresAt = after(context.now, this.#lifeSeconds(session.is_remembered))
    await tx.run(
      tenantSql
        .updateTable('core.session')
        .set({
          refresh_hash: refreshToken.hash,
          expires_at: expiresAt,
          last_used_at: context.now.toISOString(),
        })
        .where('id', '=', sessionId),
    )
    return this.#answer(tx, session.user_id, sessionId, refreshToken.token, context.now)
  }

  async end(tx: TenantTx, sessionId: string, reason: string): Promise<void> {
    await tx.run(
      sql`UPDATE core.session SET ended_at = now(), end_reason = ${reason}, updated_at = now()
      WHERE id = ${sessionId} AND ended_at IS NULL`.compile(tenantSql),
    )
  }

  async endAllOf(tx: TenantTx, userId: string, reason: string): Promise<void> {
    await tx.run(
      sql`UPDATE core.session SET ended_at = now(), end_reason = ${reason}, updated_at = now()
      WHERE user_id = ${userId} AND ended_at IS NULL`.compile(tenantSql),
    )
  }

  async #endOldest(tx: TenantTx, userId: string): Promise<void> {
    await tx.run(
      sql`UPDATE core.session SET ended_at = now(), end_reason = 'too many sessions', updated_at = now()
      WHERE id IN (SELECT id FROM core.session WHERE user_id = ${userId} AND ended_at IS NULL
        ORDER BY last_used_at DESC, id DESC OFFSET ${this.#settings.sessionsPerUserMaximum})`.compile(
        tenantSql,
      ),
    )
  }

  #lifeSeconds(isRemembered: boolean): number {
    return isRemembered ? this.#settings.rememberedRefreshTokenSeconds : this.#settings.refreshTokenSeconds
  }

  async #answer(
    tx: TenantRead,
    userId: string,
    sessionId: string,
    refreshToken: string,
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
    const [row] = await tx.prepared(SIGNED_IN_USER, [userId, sessionId])
    if (!row) throw new Problem(problems.tokenInvalid)
    return {
      id: row.id,
      fullName: row.full_name,
      email: row.email,
      roleId: row.role_id,
      role: row.role,
      permissions: [...expandPermissions(row.permissions, this.#declared)].toSorted(),
      companyId: row.company_id,
      companies: row.companies.map((company) => ({
        ...company,
        minorUnits: minorUnits(company.baseCurrency),
      })),
      tenantCode: tx.tenantCode,
    }
  }
}

function after(now: Date, seconds: number): string {
  return new Date(now.getTime() + seconds * 1000).toISOString()
}

const LIVE_SESSION = statement<{ user_id: string; company_id: string; permissions: string[] }>(
  'live-session',
  `SELECT s.user_id, s.company_id, r.permissions
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
  companies: { id: string; code: string; name: string; baseCurrency: string }[]
}>(
  'signed-in-user',
  `SELECT u.id, u.full_name, u.email, u.role_id, r.name AS role, r.permissions, s.company_id,
     coalesce((SELECT json_agg(json_build_object('id', c.id, 'code', c.code, 'name', c.name,
         'baseCurrency', c.base_currency) ORDER BY c.code)
       FROM core.company c WHERE c.is_active AND c.deleted_at IS NULL AND (u.all_companies OR EXISTS (
         SELECT FROM core.user_company m WHERE m.user_id = u.id AND m.company_id = c.id))), '[]') AS companies
   FROM core.app_user u
   JOIN core.role r ON r.id = u.role_id
   JOIN core.session s ON s.id = $2 AND s.user_id = u.id
   WHERE u.id = $1`,
)
