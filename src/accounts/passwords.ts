/** Passwords: changed by their owners, or set under a link. The secret is in the link alone; the database keeps its hash. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { isCommonPassword } from '../http/common-passwords.ts'
import { hashPassword, isOneOf, passwordMatches } from '../http/password-hashes.ts'
import { hashSecret } from '../http/tokens.ts'
import { foldedEmail } from '../kernel/email.ts'
import { firstIdAt } from '../kernel/ids.ts'
import { passwordProblems } from '../kernel/passwords.ts'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { platformSql, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import type { AccountDoor, AccountPorts, AccountRead } from './account.ts'

/** The one in use is among them. */
const REMEMBERED_PASSWORDS = 5
/**
 * Every request for a reset is answered after this time, so that writing a mail cannot be told from not writing
 * one. It is far beyond what the writing takes.
 */
const RESET_ANSWER_MS = 300
export const RESET_MINUTES = 60
const MINUTE_MS = 60_000
const LIVE_LINKS_MAXIMUM = 5

interface Owner {
  readonly id: string
  readonly fullName: string
  readonly email: string
  readonly passwordHash: string | null
  readonly previousHashes: readonly string[]
}

export class Passwords<Tx extends TenantTx | PlatformTx> {
  readonly #ports: AccountPorts<Tx>
  readonly #resetAnswerMs: number

  /** `resetAnswerMs`: otherwise than it is only where a test shows what it is for. */
  constructor(ports: AccountPorts<Tx>, resetAnswerMs = RESET_ANSWER_MS) {
    this.#ports = ports
    this.#resetAnswerMs = resetAnswerMs
  }

  async change(
    door: AccountDoor<Tx>,
    ownerId: string,
    { currentPassword, newPassword }: { readonly currentPassword: string; readonly newPassword: string },
  ): Promise<void> {
    const owner = await this.assertOwn(door, ownerId, currentPassword, 'currentPassword')
    const passwordHash = await acceptedHash(newPassword, owner, 'newPassword')
    await door.write((tx) => this.#keep(tx, owner, passwordHash))
  }

  /** The password of who is signed in, asked for again; `field`: where it was given. */
  async assertOwn(door: AccountDoor<Tx>, ownerId: string, password: string, field: string): Promise<Owner> {
    const owner = await door.read((tx) => this.#owner(tx, sql`owner.id = ${ownerId}`))
    if (!owner) throw new Problem(problems.tokenInvalid)
    if (await passwordMatches(password, owner.passwordHash)) return owner
    throw validationProblem([{ field, code: 'WRONG_PASSWORD', message: 'This is not your password' }])
  }

  /** Nobody gets a mail for whom enough links are on their way, nor anybody we do not know. */
  async requestReset(door: AccountDoor<Tx>, email: string, now: Date): Promise<void> {
    const answered = sleep(this.#resetAnswerMs)
    await door.write((tx) => this.mailResetLink(tx, email, now))
    await answered
  }

  /** Whether a mail is on its way. */
  async mailResetLink(tx: Tx, email: string, now: Date): Promise<boolean> {
    const { passwordLink, ownerColumn } = this.#ports.tables
    const owner = await this.#owner(
      tx,
      sql`lower(owner.email) = ${foldedEmail(email)} AND ${LIVE_LINKS_MAXIMUM} > (
        SELECT count(*) FROM ${sql.table(passwordLink)} t
        WHERE t.${sql.ref(ownerColumn)} = owner.id AND t.used_at IS NULL AND t.expires_at > now())`,
    )
    if (owner) await this.#mailResetLink(tx, owner, now)
    return owner !== undefined
  }

  /** Sets a password with what a link holds; the links of its owner are void, and the sessions have ended. */
  async reset(door: AccountDoor<Tx>, token: string, password: string): Promise<void> {
    const { passwordLink, ownerColumn } = this.#ports.tables
    const tokenHash = hashSecret(token)
    const owner = await door.read((tx) =>
      this.#owner(
        tx,
        sql`owner.id = (SELECT t.${sql.ref(ownerColumn)} FROM ${sql.table(passwordLink)} t
          WHERE t.token_hash = ${tokenHash} AND t.used_at IS NULL AND t.expires_at > now())`,
      ),
    )
    if (!owner) throw linkIsVoid()
    const passwordHash = await acceptedHash(password, owner, 'password')
    await door.write(async (tx) => {
      const used = await tx.run(
        sql`UPDATE ${sql.table(passwordLink)} SET used_at = now(), updated_at = now()
          WHERE token_hash = ${tokenHash} AND used_at IS NULL`.compile(platformSql),
      )
      if (used !== 1) throw linkIsVoid() // someone else was quicker with the same link
      await this.#keep(tx, owner, passwordHash)
    })
  }

  /** One for each owner, in their order. */
  async makeLinks(tx: Tx, ownerIds: readonly string[], expiresAt: Date): Promise<string[]> {
    const page = await this.#ports.setPasswordPage(tx)
    const { passwordLink, ownerColumn } = this.#ports.tables
    const tokens = ownerIds.map(() => randomBytes(32).toString('base64url'))
    await tx.run(
      sql`INSERT INTO ${sql.table(passwordLink)} (${sql.ref(ownerColumn)}, token_hash, expires_at)
        SELECT owner_id, token_hash, ${expiresAt.toISOString()} FROM unnest(${[...ownerIds]}::uuid[],
          ${tokens.map(hashSecret)}::bytea[]) AS link (owner_id, token_hash)`.compile(platformSql),
    )
    return tokens.map((token) => `${page}?token=${token}`)
  }

  async makeResetLink(tx: Tx, ownerId: string, now: Date): Promise<{ link: string; expiresAt: Date }> {
    const expiresAt = new Date(now.getTime() + RESET_MINUTES * MINUTE_MS)
    const [link = ''] = await this.makeLinks(tx, [ownerId], expiresAt)
    return { link, expiresAt }
  }

  async voidLinks(tx: Tx, ownerId: string): Promise<void> {
    const { passwordLink, ownerColumn } = this.#ports.tables
    await tx.run(
      sql`UPDATE ${sql.table(passwordLink)} SET used_at = now(), updated_at = now()
        WHERE ${sql.ref(ownerColumn)} = ${ownerId} AND used_at IS NULL`.compile(platformSql),
    )
  }

  /** Forgets links that ran out before that, so many at a time. */
  purgeLinks(tx: Tx, before: Date, maximum: number): Promise<number> {
    const link = sql.table(this.#ports.tables.passwordLink)
    return tx.run(
      sql`DELETE FROM ${link} WHERE id IN (SELECT id FROM ${link} WHERE id < ${firstIdAt(before)}
        AND expires_at < ${before.toISOString()} ORDER BY id LIMIT ${maximum})`.compile(platformSql),
    )
  }

  async #mailResetLink(tx: Tx, { id, fullName, email }: Owner, now: Date): Promise<void> {
    const { mails } = this.#ports
    const [{ link, expiresAt }, language] = [await this.makeResetLink(tx, id, now), await this.#ports.language(tx)] // prettier-ignore
    const values = { fullName, link, minutes: RESET_MINUTES }
    await mails.enqueue(tx, { template: 'reset-password', values, language, to: email, expiresAt })
  }

  async #keep(tx: Tx, owner: Owner, passwordHash: string): Promise<void> {
    const { tables, mails } = this.#ports
    const kept = await tx.run(
      sql`UPDATE ${sql.table(tables.owner)} SET password_hash = ${passwordHash}, password_changed_at = now(),
          must_change_password = false,
          previous_password_hashes = (array_remove(ARRAY[password_hash], NULL) || previous_password_hashes)[1:${sql.lit(REMEMBERED_PASSWORDS - 1)}]
        WHERE id = ${owner.id} AND password_hash IS NOT DISTINCT FROM ${owner.passwordHash}`.compile(
        platformSql,
      ),
    )
    // It was changed while this one was hashed: what was checked against is no longer so.
    if (kept !== 1) throw new Problem(problems.conflict, { message: 'The password has just been changed' })
    // Whoever guessed at codes with the password of before begins anew; so does its owner.
    await tx.run(
      sql`UPDATE ${sql.table(tables.secondFactor)} SET wrong_codes = 0, wrong_code_at = NULL
        WHERE ${sql.ref(tables.ownerColumn)} = ${owner.id} AND wrong_codes > 0`.compile(platformSql),
    )
    await this.voidLinks(tx, owner.id)
    await this.#ports.endSessions(tx, owner.id, 'password changed')
    await this.#ports.record(tx, owner.id, 'change password')
    // Whoever has never had one knows that they have just chosen it.
    if (owner.passwordHash === null) return
    const { fullName, email } = owner
    const language = await this.#ports.language(tx)
    await mails.enqueue(tx, { template: 'password-changed', values: { fullName }, language, to: email })
  }

  #owner(tx: AccountRead, condition: ReturnType<typeof sql>): Promise<Owner | undefined> {
    return tx.row(
      sql<Owner>`SELECT owner.id, owner.full_name AS "fullName", owner.email,
          owner.password_hash AS "passwordHash", owner.previous_password_hashes AS "previousHashes"
        FROM ${sql.table(this.#ports.tables.owner)} owner
        WHERE ${condition} AND owner.is_active AND owner.deleted_at IS NULL`.compile(platformSql),
    )
  }
}

/** Cheap rules first: what breaks one of them is not worth the seconds of comparing with earlier passwords. */
async function acceptedHash(password: string, owner: Owner, field: string): Promise<string> {
  const broken = passwordProblems(password, owner, isCommonPassword, field)
  if (broken.length > 0) throw validationProblem(broken)
  const remembered = [...(owner.passwordHash === null ? [] : [owner.passwordHash]), ...owner.previousHashes]
  if (await isOneOf(password, remembered.slice(0, REMEMBERED_PASSWORDS))) {
    const message = `The password is one of your last ${REMEMBERED_PASSWORDS}`
    throw validationProblem([{ field, code: 'PASSWORD_USED_BEFORE', message }])
  }
  return hashPassword(password)
}

function linkIsVoid(): Problem {
  const message = 'This link was used or has expired'
  return validationProblem([{ field: 'token', code: 'TOKEN_INVALID', message }])
}
