/**
 * Sessions, of users and of operators alike. A session holds the hash of its newest refresh token; an older
 * one coming back means that two parties hold the chain, and the session ends for both (RFC 9700, 4.14.2).
 *
 * Who the owner is and what they may do is the module's: it reads its principal and shapes its answer.
 */
import { sql } from 'kysely'
import { BoundedCache } from '../kernel/bounded-cache.ts'
import { firstIdAt } from '../kernel/ids.ts'
import { Problem, problems } from '../kernel/problem.ts'
import { platformSql, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import type { Principal, RequestContext } from './route.ts'
import { newRefreshToken, readRefreshToken } from './tokens.ts'

export interface SessionSettings {
  readonly refreshTokenSeconds: number
  readonly rememberedRefreshTokenSeconds: number
  readonly sessionsPerUserMaximum: number
}

/** Where one side keeps its sessions, and whose they are. */
export interface SessionTable {
  readonly name: 'core.session' | 'platform.operator_session'
  readonly ownerColumn: 'user_id' | 'operator_id'
  readonly ownerTable: 'core.app_user' | 'platform.operator'
  /** SQL over `owner`: who does not meet it does not go on. */
  readonly ownerMayGoOn: string
}

/** A session with the refresh token that is good for one going on. */
export interface OpenSession {
  readonly sessionId: string
  readonly ownerId: string
  readonly refreshToken: string
}

export interface SessionRow {
  readonly id: string
  readonly startedAt: string
  readonly lastUsedAt: string
  readonly expiresAt: string
  readonly isRemembered: boolean
  readonly isCurrent: boolean
  readonly address: string | null
  readonly userAgent: string | null
}

/** As many as the setting allows at most. */
const SESSIONS_SHOWN_MAXIMUM = 100

interface Door<Tx> {
  write<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}

export class Sessions<Tx extends TenantTx | PlatformTx> {
  readonly #table: SessionTable
  readonly #settings: SessionSettings

  constructor(table: SessionTable, settings: SessionSettings) {
    this.#table = table
    this.#settings = settings
  }

  /** `extra`: columns that only this side's table has. */
  async begin(
    tx: Tx,
    owner: { readonly id: string; readonly isRemembered: boolean },
    context: RequestContext,
    extra: Readonly<Record<string, string | boolean>> = {},
  ): Promise<OpenSession> {
    const sessionId = context.newId()
    const { token, hash } = newRefreshToken(sessionId)
    const values = {
      id: sessionId,
      [this.#table.ownerColumn]: owner.id,
      refresh_hash: hash,
      is_remembered: owner.isRemembered,
      expires_at: this.#expiry(owner.isRemembered, context.now),
      address: context.actor.address,
      user_agent: context.userAgent,
      ...extra,
    }
    const columns = sql.join(Object.keys(values).map((column) => sql.ref(column)))
    await this.#run(
      tx,
      sql`INSERT INTO ${this.#name} (${columns}) VALUES (${sql.join(Object.values(values))})`,
    )
    await this.#endOldest(tx, owner.id)
    return { sessionId, ownerId: owner.id, refreshToken: token }
  }

  /**
   * Goes on with the session of a refresh token: `answer` is called with the next one. A token that comes back
   * ends the session; that is committed, and told by `tellEnd`, before the caller is refused.
   */
  async goOn<Answer>(
    door: Door<Tx>,
    refreshToken: string,
    context: RequestContext,
    answer: (tx: Tx, session: OpenSession) => Promise<Answer>,
    tellEnd: (sessionId: string) => Promise<void>,
  ): Promise<Answer> {
    const presented = readRefreshToken(refreshToken)
    if (!presented) throw new Problem(problems.tokenInvalid)
    const result = await door.write(async (tx) => {
      const next = await this.#rotate(tx, presented, context.now)
      return typeof next === 'string' ? next : { answer: await answer(tx, next) }
    })
    if (typeof result === 'object') return result.answer
    if (result === 'reused') await tellEnd(presented.sessionId)
    throw new Problem(problems.tokenInvalid)
  }

  async end(tx: Tx, sessionId: string, reason: string): Promise<void> {
    await this.#endWhere(tx, sql`id = ${sessionId}`, reason)
  }

  async endAllOf(tx: Tx, ownerId: string, reason: string): Promise<void> {
    await this.#endWhere(tx, sql`${sql.ref(this.#table.ownerColumn)} = ${ownerId}`, reason)
  }

  /** The one named, if it is this owner's and lives; whether it did. */
  async endOneOf(tx: Tx, ownerId: string, sessionId: string, reason: string): Promise<boolean> {
    const isTheirs = sql`id = ${sessionId} AND ${sql.ref(this.#table.ownerColumn)} = ${ownerId}`
    return (await this.#endWhere(tx, isTheirs, reason)) === 1
  }

  async endOthersOf(tx: Tx, ownerId: string, keptSessionId: string, reason: string): Promise<void> {
    const others = sql`id <> ${keptSessionId} AND ${sql.ref(this.#table.ownerColumn)} = ${ownerId}`
    await this.#endWhere(tx, others, reason)
  }

  /** Where somebody is signed in, the one used last first. */
  list(tx: Pick<Tx, 'rows'>, ownerId: string, currentId: string): Promise<SessionRow[]> {
    return tx.rows(
      sql<SessionRow>`SELECT id, created_at AS "startedAt", last_used_at AS "lastUsedAt",
          expires_at AS "expiresAt", is_remembered AS "isRemembered", id = ${currentId} AS "isCurrent", address,
          user_agent AS "userAgent"
        FROM ${this.#name} WHERE ${sql.ref(this.#table.ownerColumn)} = ${ownerId} AND ended_at IS NULL
          AND expires_at > now() ORDER BY last_used_at DESC LIMIT ${SESSIONS_SHOWN_MAXIMUM}`.compile(
        platformSql,
      ),
    )
  }

  /** Forgets sessions that ended, or ran out, before that, so many at a time; how many there were. */
  purge(tx: Tx, before: Date, maximum: number): Promise<number> {
    const instant = before.toISOString()
    // A session that was over by then had begun by then: its id finds it.
    return this.#run(
      tx,
      sql`DELETE FROM ${this.#name} WHERE id IN (
        SELECT id FROM ${this.#name} WHERE id < ${firstIdAt(before)}
          AND (ended_at < ${instant} OR expires_at < ${instant}) ORDER BY id LIMIT ${maximum})`,
    )
  }

  async #rotate(
    tx: Tx,
    presented: { readonly sessionId: string; readonly hash: Buffer },
    now: Date,
  ): Promise<OpenSession | 'unknown' | 'reused'> {
    const { ownerColumn, ownerTable, ownerMayGoOn } = this.#table
    const found = sql<{ owner_id: string; refresh_hash: Buffer; is_remembered: boolean }>`
      SELECT owner.id AS owner_id, s.refresh_hash, s.is_remembered
      FROM ${this.#name} s JOIN ${sql.table(ownerTable)} owner ON owner.id = s.${sql.ref(ownerColumn)}
      WHERE s.id = ${presented.sessionId} AND s.ended_at IS NULL AND s.expires_at > ${now.toISOString()}
        AND ${sql.raw(ownerMayGoOn)}
      FOR UPDATE OF s`
    const session = await tx.row(found.compile(platformSql))
    if (!session) return 'unknown'
    if (!session.refresh_hash.equals(presented.hash)) {
      await this.end(tx, presented.sessionId, 'refresh token used twice')
      return 'reused'
    }
    const { token, hash } = newRefreshToken(presented.sessionId)
    await this.#run(
      tx,
      sql`UPDATE ${this.#name} SET refresh_hash = ${hash}, expires_at = ${this.#expiry(session.is_remembered, now)},
        last_used_at = ${now.toISOString()}, updated_at = now() WHERE id = ${presented.sessionId}`,
    )
    return { sessionId: presented.sessionId, ownerId: session.owner_id, refreshToken: token }
  }

  async #endOldest(tx: Tx, ownerId: string): Promise<void> {
    const oldest = sql`id IN (SELECT id FROM ${this.#name}
      WHERE ${sql.ref(this.#table.ownerColumn)} = ${ownerId} AND ended_at IS NULL
      ORDER BY last_used_at DESC, id DESC OFFSET ${this.#settings.sessionsPerUserMaximum})`
    await this.#endWhere(tx, oldest, 'too many sessions')
  }

  #endWhere(tx: Tx, condition: ReturnType<typeof sql>, reason: string): Promise<number> {
    return this.#run(
      tx,
      sql`UPDATE ${this.#name} SET ended_at = now(), end_reason = ${reason}, updated_at = now()
        WHERE ${condition} AND ended_at IS NULL`,
    )
  }

  #expiry(isRemembered: boolean, now: Date): string {
    const { refreshTokenSeconds, rememberedRefreshTokenSeconds } = this.#settings
    const seconds = isRemembered ? rememberedRefreshTokenSeconds : refreshTokenSeconds
    return new Date(now.getTime() + seconds * 1000).toISOString()
  }

  get #name() {
    return sql.table(this.#table.name)
  }

  /** The builder only compiles: which one it is makes no difference to SQL written out. */
  #run(tx: Tx, statement: ReturnType<typeof sql>): Promise<number> {
    return tx.run(statement.compile(platformSql))
  }
}

/** The wall behind the notice: an ended session is refused within this even if the notice was lost. */
const PRINCIPAL_AGE_MS = 5_000

/** Who is behind a live session or key, remembered by this process until it hears that it has ended. */
export class Principals<Known extends object = Principal> {
  readonly #known: BoundedCache<string, Known>
  #forgettings = 0

  constructor(maximum: number) {
    this.#known = new BoundedCache(maximum, PRINCIPAL_AGE_MS)
  }

  async of(key: string, read: () => Promise<Known | undefined>): Promise<Known> {
    const known = this.#known.get(key)
    if (known) return known
    const before = this.#forgettings
    const principal = await read()
    if (!principal) throw new Problem(problems.tokenInvalid, { message: 'This session has ended' })
    // What was read while something was forgotten may be what should have been forgotten.
    if (before === this.#forgettings) this.#known.set(key, principal)
    return principal
  }

  forget(key: string): void {
    this.#forgettings++
    this.#known.delete(key)
  }

  forgetWhere(matches: (key: string) => boolean): void {
    this.#forgettings++
    this.#known.deleteWhere(matches)
  }

  forgetAll(): void {
    this.forgetWhere(() => true)
  }
}
