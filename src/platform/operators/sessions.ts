/** Sessions of operators: signing in, going on, ending; and the first operator of a new installation. */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Static } from 'typebox'
import {
  operatorTables,
  restrictionColumns,
  restrictionOf,
  type RestrictionRow,
} from '../../accounts/account.ts'
import { secondFactorState, type SecondFactors } from '../../accounts/second-factors.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { hashPassword, passwordMatches } from '../../http/password-hashes.ts'
import type { PlatformDoor, Principal, RequestContext } from '../../http/route.ts'
import { Principals, Sessions, type OpenSession, type SessionSettings } from '../../http/sessions.ts'
import type { Tokens } from '../../http/tokens.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import type { Operator, OperatorSession } from './contract.ts'
import { operatorByEmail } from './records.ts'
import { operatorPermissions, type OperatorRole } from './rules/permissions.ts'

type OperatorAccount = Static<typeof Operator>

const PRINCIPALS_MAXIMUM = 1_000

export interface OperatorSessionSettings extends SessionSettings {
  readonly passwordAgeDaysMaximum: number
  readonly operatorsNeedSecondFactor: boolean
}

interface Credentials {
  readonly email: string
  readonly password: string
  readonly totp?: string
}

type OwnRow = RestrictionRow & {
  readonly id: string
  readonly full_name: string
  readonly email: string
  readonly role: OperatorRole
  readonly second_factor: OperatorAccount['secondFactor']
}

export class OperatorSessions {
  readonly #tokens: Tokens
  /** As they are kept. */
  readonly table: Sessions<PlatformTx>
  readonly #restriction: string
  readonly #isRequired: string
  readonly #principals = new Principals(PRINCIPALS_MAXIMUM)

  constructor(tokens: Tokens, settings: OperatorSessionSettings) {
    this.#tokens = tokens
    this.#isRequired = String(settings.operatorsNeedSecondFactor)
    this.#restriction = restrictionColumns(operatorTables, {
      owner: 'o',
      days: String(settings.passwordAgeDaysMaximum),
      isByPassword: 'true',
      isRequired: this.#isRequired,
    })
    this.table = new Sessions(
      {
        name: 'platform.operator_session',
        ownerColumn: 'operator_id',
        ownerTable: 'platform.operator',
        ownerMayGoOn: 'owner.is_active AND owner.deleted_at IS NULL',
      },
      settings,
    )
  }

  async authenticate(gate: Gate, token: string, actor: Actor): Promise<Principal> {
    const { sessionId } = await this.#tokens.verify(['operator'], token)
    return this.#principals.of(sessionId, async () => {
      const row = await gate.readPlatform(actor, (tx) => this.#live(tx, sessionId))
      return (
        row && {
          kind: 'operator',
          id: row.operator_id,
          sessionId,
          companyId: null,
          permissions: new Set(permissionsOf(row)),
          restriction: restrictionOf(row),
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

  goOn(
    door: PlatformDoor,
    refreshToken: string,
    context: RequestContext,
    tellEnd: (sessionId: string) => Promise<void>,
  ): Promise<Static<typeof OperatorSession>> {
    const answer = (tx: PlatformTx, session: OpenSession) => this.#answer(tx, session, context.now)
    return this.table.goOn(door, refreshToken, context, answer, tellEnd)
  }

  async signIn(
    door: PlatformDoor,
    { email, password, totp }: Credentials,
    secondFactors: SecondFactors<PlatformTx>,
    context: RequestContext,
  ): Promise<Static<typeof OperatorSession>> {
    const operator = await door.read((tx) => operatorByEmail(tx, email))
    const matches = await passwordMatches(password, operator?.password_hash)
    if (!operator || !matches || !operator.is_active) throw new Problem(problems.authenticationFailed)
    await secondFactors.assertPassed(door, operator.id, totp, context.now)
    return door.write(async (tx) => {
      // First, so that those who sign in at the same moment are counted one after the other; and only with what was
      // compared: half a minute may have passed, in which the password was changed and all sessions ended.
      const admitted = await tx.run(
        platformSql
          .updateTable('platform.operator')
          .set({ last_login_at: context.now.toISOString() })
          .where('id', '=', operator.id)
          .where('password_hash', '=', operator.password_hash)
          .where('is_active', '=', true)
          .where('deleted_at', 'is', null),
      )
      if (admitted !== 1) throw new Problem(problems.authenticationFailed)
      const session = await this.table.begin(tx, { id: operator.id, isRemembered: false }, context)
      return this.#answer(tx, session, context.now)
    })
  }

  async operatorData(tx: PlatformRead, id: string): Promise<OperatorAccount> {
    const row = await tx.row(
      sql<OwnRow>`SELECT o.id, o.full_name, o.email, o.role, ${sql.raw(this.#restriction)},
          ${sql.raw(secondFactorState(operatorTables, 'o', this.#isRequired))} AS second_factor
        FROM platform.operator o WHERE o.id = ${id}`.compile(platformSql),
    )
    if (!row) throw new Problem(problems.tokenInvalid)
    return {
      id: row.id,
      fullName: row.full_name,
      email: row.email,
      role: row.role,
      permissions: [...permissionsOf(row)],
      restriction: restrictionOf(row) ?? null,
      secondFactor: row.second_factor,
    }
  }

  #live(tx: PlatformRead, sessionId: string) {
    return tx.row(
      sql<RestrictionRow & { operator_id: string; role: OperatorRole }>`
        SELECT s.operator_id, o.role, ${sql.raw(this.#restriction)}
        FROM platform.operator_session s JOIN platform.operator o ON o.id = s.operator_id
        WHERE s.id = ${sessionId} AND s.ended_at IS NULL AND s.expires_at > now()
          AND o.is_active AND o.deleted_at IS NULL`.compile(platformSql),
    )
  }

  async #answer(
    tx: PlatformRead,
    { ownerId: operatorId, sessionId, refreshToken }: OpenSession,
    now: Date,
  ): Promise<Static<typeof OperatorSession>> {
    const operator = await this.operatorData(tx, operatorId)
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

/** A session that is confined may do nothing but be mended. */
function permissionsOf(row: RestrictionRow & { readonly role: OperatorRole }): readonly string[] {
  return restrictionOf(row) ? [] : operatorPermissions[row.role]
}
