/** Operators: signing in, going on, ending; and the first operator of a new installation. */
import { randomBytes } from 'node:crypto'
import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { hashPassword, passwordMatches } from '../../http/password-hashes.ts'
import {
  implement,
  type PlatformDoor,
  type Principal,
  type RequestContext,
  type Route,
} from '../../http/route.ts'
import { Principals, Sessions, type OpenSession, type SessionSettings } from '../../http/sessions.ts'
import type { Tokens } from '../../http/tokens.ts'
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

export class OperatorSessions {
  readonly #tokens: Tokens
  readonly #sessions: Sessions<PlatformTx>
  readonly #principals = new Principals(PRINCIPALS_MAXIMUM)

  constructor(tokens: Tokens, settings: SessionSettings) {
    this.#tokens = tokens
    this.#sessions = new Sessions(
      {
        name: 'platform.operator_session',
        ownerColumn: 'operator_id',
        ownerTable: 'platform.operator',
        ownerMayGoOn: 'owner.is_active',
      },
      settings,
    )
  }

  async authenticate(gate: Gate, token: string, actor: Actor): Promise<Principal> {
    const { sessionId } = await this.#tokens.verify('operator', token)
    return this.#principals.of(sessionId, async () => {
      const row = await gate.readPlatform(actor, (tx) => liveSession(tx, sessionId))
      return (
        row && {
          kind: 'operator',
          id: row.operator_id,
          sessionId,
          companyId: null,
          permissions: new Set(operatorPermissions[row.role as OperatorRole]),
          mustChangePassword: false,
        }
      )
    })
  }

  forget(sessionId: string): void {
    this.#principals.forget(sessionId)
  }

  forgetAll(): void {
    this.#principals.forgetAll()
  }

  purge(tx: PlatformTx, before: Date, maximum: number): Promise<number> {
    return this.#sessions.purge(tx, before, maximum)
  }

  routes(announceSessionEnd: (sessionId: string) => Promise<void>): Route[] {
    /** This process knows before it answers; the others when they hear of it. */
    const tellEnd = (sessionId: string): Promise<void> => {
      this.forget(sessionId)
      return announceSessionEnd(sessionId)
    }
    return [
      implement(operatorLogin, (door, { body }, context) => this.signIn(door, body, context)),
      implement(operatorRefresh, (door, { body }, context) =>
        this.#sessions.goOn(
          door,
          body.refreshToken,
          context,
          (tx, session) => this.#answer(tx, session, context.now),
          tellEnd,
        ),
      ),
      implement(operatorLogout, async (door, _input, { principal }) => {
        if (!principal) throw new Problem(problems.authenticationRequired)
        await door.write((tx) => this.#sessions.end(tx, principal.sessionId, 'signed out'))
        await tellEnd(principal.sessionId)
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
      const session = await this.#sessions.begin(tx, { id: operator.id, isRemembered: false }, context)
      await tx.run(
        platformSql
          .updateTable('platform.operator')
          .set({ last_login_at: context.now.toISOString() })
          .where('id', '=', operator.id),
      )
      await recordEvent(tx, { action: 'sign-in', entity: 'operator', entityId: operator.id })
      return this.#answer(tx, session, context.now)
    })
  }

  async #answer(
    tx: PlatformRead,
    { ownerId: operatorId, sessionId, refreshToken }: OpenSession,
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
