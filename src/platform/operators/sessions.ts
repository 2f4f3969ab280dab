/** Operators: signing in, going on, ending; and the first operator of a new installation. */
import { randomBytes } from 'node:crypto'
import type { Static } from 'typebox'
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { hashPassword, passwordMatches } from '../../http/password-hashes.ts'
import {
  implement,
  type PlatformDoor,
  type Principal,
  type RequestContext,
  type Route,
} from '../../http/route.ts'
import { newRefreshToken, readRefreshToken, type Tokens } from '../../http/tokens.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import {
  operatorLogin,
  operatorLogout,
  operatorMe,
  operatorRefresh,
  type Operator,
  type OperatorSession,
} from './contract.ts'
import { operatorPermissions, type OperatorRole } from './permissions.ts'

const PRINCIPALS_MAXIMUM = 1_000
const PRINCIPAL_AGE_MS = 5_000

export interface OperatorSettings {
  readonly refreshTokenSeconds: number
  readonly sessionsPerUserMaximum: number
}

export class OperatorSessions {
  readonly #tokens: Tokens
  readonly #settings: OperatorSettings
  readonly #principals = new BoundedCache<string, Principal>(PRINCIPALS_MAXIMUM, PRINCIPAL_AGE_MS)

  constructor(tokens: Tokens, settings: OperatorSettings) {
    this.#tokens = tokens
    this.#settings = settings
  }

  async authenticate(gate: Gate, token: string, actor: Actor): Promise<Principal> {
    const { sessionId } = await this.#tokens.verify('operator', token)
    const known = this.#principals.get(sessionId)
    if (known) return known
    const row = await gate.readPlatform(actor, (tx) => liveSession(tx, sessionId))
    if (!row) throw new Problem(problems.tokenInvalid, { message: 'This session has ended' })
    const principal: Principal = {
      kind: 'operator',
      id: row.operator_id,
      sessionId,
      companyId: null,
      permissions: new Set(operatorPermissions[row.role as OperatorRole]),
    }
    this.#principals.set(sessionId, principal)
    return principal
  }

  forget(sessionId: string): void {
    this.#principals.delete(sessionId)
  }

  routes(announceSessionEnd: (sessionId: string) => Promise<void>): Route[] {
    return [
      implement(operatorLogin, (door, { body }, context) => this.signIn(door, body, context)),
      implement(operatorRefresh, async (door, { body }, context) => {
        const presented = readRefreshToken(body.refreshToken)
        if (!presented) throw new Problem(problems.tokenInvalid)
        const result = await door.write((tx) => this.#goOn(tx, presented, context))
        if (result === 'reused') {
          this.forget(presented.sessionId) // the other processes hear of it
          await announceSessionEnd(presented.sessionId)
        }
        if (typeof result === 'string') throw new Problem(problems.tokenInvalid)
        return result
      }),
      implement(operatorLogout, async (door, _input, { principal }) => {
        if (!principal) throw new Problem(problems.authenticationRequired)
        await door.write((tx) => endSession(tx, principal.sessionId, 'signed out'))
        this.forget(principal.sessionId)
        await announceSessionEnd(principal.sessionId)
        return {}
      }),
      implement(operatorMe, async (tx, _input, { principal }) => readOperator(tx, principal?.id ?? '')),
    ]
  }

  async signIn(
    door: PlatformDoor,
    { email, password }: { email: string; password: string },
    context: RequestContext,
  ): Promise<Static<typeof OperatorSession>> {
    const operator = await door.read((tx) => operatorByEmail(tx, email))
    const matches = await passwordMatches(password, operator?.password_hash)
    if (!operator || !matches || !operator.is_active) {
      await door.write((tx) =>
        recordEvent(tx, { action: 'sign-in refused', entity: 'operator', details: { email } }),
      )
      throw new Problem(problems.authenticationFailed)
    }
    return door.write(async (tx) => {
      const sessionId = context.newId()
      const refreshToken = newRefreshToken(sessionId)
      await tx.run(
        platformSql.insertInto('platform.operator_session').values({
          id: sessionId,
          operator_id: operator.id,
          refresh_hash: refreshToken.hash,
          expires_at: this.#expiry(context.now),
          address: context.actor.address,
          user_agent: context.userAgent,
        }),
      )
      await endOldest(tx, operator.id, this.#settings.sessionsPerUserMaximum)
      await tx.run(
        platformSql
          .updateTable('platform.operator')
          .set({ last_login_at: context.now.toISOString() })
          .where('id', '=', operator.id),
      )
      await recordEvent(tx, { action: 'sign-in', entity: 'operator', entityId: operator.id })
      return this.#answer(tx, operator.id, sessionId, refreshToken.token, context.now)
    })
  }

  async #goOn(
    tx: PlatformTx,
    presented: { sessionId: string; hash: Buffer },
    context: RequestContext,
  ): Promise<Static<typeof OperatorSession> | 'unknown' | 'reused'> {
    const session = await tx.row(
      platformSql
        .selectFrom('platform.operator_session as s')
        .innerJoin('platform.operator as o', 'o.id', 's.operator_id')
        .select(['s.operator_id', 's.refresh_hash'])
        .where('s.id', '=', presented.sessionId)
        .where('s.ended_at', 'is', null)
        .where('s.expires_at', '>', context.now.toISOString())
        .where('o.is_active', '=', true)
        .forUpdate('s'),
    )
    if (!session) return 'unknown'
    if (!session.refresh_hash.equals(presented.hash)) {
      await endSession(tx, presented.sessionId, 'refresh token used twice')
      return 'reused'
    }
    const refreshToken = newRefreshToken(presented.sessionId)
    await tx.run(
      platformSql
        .updateTable('platform.operator_session')
        .set({ refresh_hash: refreshToken.hash, expires_at: this.#expiry(context.now) })
        .where('id', '=', presented.sessionId),
    )
    return this.#answer(tx, session.operator_id, presented.sessionId, refreshToken.token, context.now)
  }

  #expiry(now: Date): string {
    return new Date(now.getTime() + this.#settings.refreshTokenSeconds * 1000).toISOString()
  }

  async #answer(
    tx: PlatformRead,
    operatorId: string,
    sessionId: string,
    refreshToken: string,
    now: Date,
  ): Promise<Static<typeof OperatorSession>> {
    const operator = await readOperator(tx, operatorId)
    const claims = {
      userId: operatorId,
      email: operator.email,
      roleId: operator.role,
      tenantId: '',
      companyId: '',
    }
    const token = await this.#tokens.sign('operator', { ...claims, sessionId }, now)
    return { token, refreshToken, expiresIn: this.#tokens.accessTokenSeconds, operator }
  }
}

/**
 * The first operator, an owner. Returns the password when one was made up, so that it can be shown this
 * once; undefined when there is an operator already or the password was given.
 */
export async function ensureFirstOperator(
  gate: Gate,
  actor: Actor,
  email: string,
  password: string | undefined,
): Promise<string | undefined> {
  const exists = await gate.readPlatform(actor, (tx) =>
    tx.row(platformSql.selectFrom('platform.operator').select('id').limit(1)),
  )
  if (exists) return undefined
  const chosen = password ?? randomBytes(12).toString('base64url')
  const passwordHash = await hashPassword(chosen)
  await gate.writePlatform(actor, async (tx) => {
    const values = { full_name: 'First operator', email, password_hash: passwordHash, role: 'owner' }
    await tx.run(
      platformSql
        .insertInto('platform.operator')
        .values(values)
        .onConflict((oc) => oc.doNothing()),
    )
    await recordEvent(tx, { action: 'create first operator', entity: 'operator', details: { email } })
  })
  return password === undefined ? chosen : undefined
}

function operatorByEmail(tx: PlatformRead, email: string) {
  return tx.row(
    platformSql
      .selectFrom('platform.operator')
      .select(['id', 'password_hash', 'is_active'])
      .where((eb) => eb(eb.fn('lower', ['email']), '=', email.toLowerCase())),
  )
}

function liveSession(tx: PlatformRead, sessionId: string) {
  return tx.row(
    platformSql
      .selectFrom('platform.operator_session as s')
      .innerJoin('platform.operator as o', 'o.id', 's.operator_id')
      .select(['s.operator_id', 'o.role'])
      .where('s.id', '=', sessionId)
      .where('s.ended_at', 'is', null)
      .where('s.expires_at', '>', new Date().toISOString())
      .where('o.is_active', '=', true),
  )
}

async function readOperator(tx: PlatformRead, id: string): Promise<Static<typeof Operator>> {
  const row = await tx.row(
    platformSql
      .selectFrom('platform.operator')
      .select(['id', 'full_name as fullName', 'email', 'role'])
      .where('id', '=', id),
  )
  if (!row) throw new Problem(problems.tokenInvalid)
  const role = row.role as OperatorRole
  return { ...row, role, permissions: [...operatorPermissions[role]] }
}

async function endSession(tx: PlatformTx, sessionId: string, reason: string): Promise<void> {
  await tx.run(
    platformSql
      .updateTable('platform.operator_session')
      .set({ ended_at: new Date().toISOString(), end_reason: reason })
      .where('id', '=', sessionId)
      .where('ended_at', 'is', null),
  )
}

async function endOldest(tx: PlatformTx, operatorId: string, sessionsMaximum: number): Promise<void> {
  const oldest = platformSql
    .selectFrom('platform.operator_session')
    .select('id')
    .where('operator_id', '=', operatorId)
    .where('ended_at', 'is', null)
    .orderBy('last_used_at', 'desc')
    .orderBy('id', 'desc')
    .offset(sessionsMaximum)
  await tx.run(
    platformSql
      .updateTable('platform.operator_session')
      .set({ ended_at: new Date().toISOString(), end_reason: 'too many sessions' })
      .where('id', 'in', oldest),
  )
}
