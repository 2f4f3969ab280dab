/** Passwords: changed by their owners, or set under a link that was mailed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { isCommonPassword } from '../../http/common-passwords.ts'
import { hashPassword, isOneOf, passwordMatches } from '../../http/password-hashes.ts'
import { implement, type Route, type TenantContext } from '../../http/route.ts'
import { hashSecret } from '../../http/tokens.ts'
import { passwordProblems } from '../../kernel/passwords.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { statement, tenantSql, type TenantTx } from '../../tenancy/handles.ts'
import { changePassword, requestPasswordReset, resetPassword } from './contract.ts'
import { sendPasswordChanged, sendResetLink } from './password-links.ts'
import { callerOf, tellSessionEnd, type IdentityPorts } from './ports.ts'

/** The one in use is among them. */
const REMEMBERED_PASSWORDS = 5
/**
 * Every request for a reset is answered after this time, so that writing a mail cannot be told from not writing
 * one. It is far beyond what the writing takes.
 */
const RESET_ANSWER_MS = 300
const LIVE_LINKS_MAXIMUM = 5

export function passwordRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(changePassword, async (door, { body }, context) => {
      const { id } = callerOf(context)
      const user = await door.read(async (tx) => (await tx.prepared(USER_BY_ID, [id]))[0])
      if (!user) throw new Problem(problems.tokenInvalid)
      if (!(await passwordMatches(body.currentPassword, user.passwordHash))) {
        const message = 'This is not your password'
        throw validationProblem([{ field: 'currentPassword', code: 'WRONG_PASSWORD', message }])
      }
      const passwordHash = await acceptedHash(body.newPassword, user, 'newPassword')
      await door.write((tx) => keep(ports, tx, user, passwordHash))
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(requestPasswordReset, async (door, { body }, context) => {
      const answered = sleep(RESET_ANSWER_MS)
      await door.write((tx) => mailLink(ports, tx, body.email, context))
      await answered
      return {}
    }),
    implement(resetPassword, async (door, { body }, context) => {
      const tokenHash = hashSecret(body.token)
      const user = await door.read(async (tx) => (await tx.prepared(USER_BY_LINK, [tokenHash]))[0])
      if (!user) throw linkIsVoid()
      const passwordHash = await acceptedHash(body.password, user, 'password')
      await door.write(async (tx) => {
        const used = await tx.run(
          sql`UPDATE core.password_token SET used_at = now(), updated_at = now()
            WHERE token_hash = ${tokenHash} AND used_at IS NULL`.compile(tenantSql),
        )
        if (used !== 1) throw linkIsVoid() // someone else was quicker with the same link
        await keep(ports, tx, user, passwordHash)
      })
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
  ]
}

interface Owner {
  readonly id: string
  readonly fullName: string
  readonly email: string
  readonly passwordHash: string | null
  readonly previousHashes: readonly string[]
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

async function keep(ports: IdentityPorts, tx: TenantTx, owner: Owner, passwordHash: string): Promise<void> {
  const kept = await tx.run(
    sql`UPDATE core.app_user SET password_hash = ${passwordHash}, password_changed_at = now(),
        must_change_password = false,
        previous_password_hashes = (array_remove(ARRAY[password_hash], NULL) || previous_password_hashes)[1:${sql.lit(REMEMBERED_PASSWORDS - 1)}]
      WHERE id = ${owner.id} AND password_hash IS NOT DISTINCT FROM ${owner.passwordHash}`.compile(tenantSql),
  )
  // It was changed while this one was hashed: what was checked against is no longer so.
  if (kept !== 1) throw new Problem(problems.conflict, { message: 'The password has just been changed' })
  await tx.run(
    sql`UPDATE core.password_token SET used_at = now(), updated_at = now()
      WHERE user_id = ${owner.id} AND used_at IS NULL`.compile(tenantSql),
  )
  await ports.sessions.endAllOf(tx, owner.id, 'password changed')
  // Whoever has never had one knows that they have just chosen it.
  if (owner.passwordHash !== null) await sendPasswordChanged(ports, tx, owner)
}

async function mailLink(
  ports: IdentityPorts,
  tx: TenantTx,
  email: string,
  context: TenantContext,
): Promise<void> {
  const [user] = await tx.prepared(USER_BY_EMAIL, [email, LIVE_LINKS_MAXIMUM])
  if (user) await sendResetLink(ports, tx, user, context.now)
}

function linkIsVoid(): Problem {
  const message = 'This link was used or has expired'
  return validationProblem([{ field: 'token', code: 'TOKEN_INVALID', message }])
}

const OWNER = `u.id, u.full_name AS "fullName", u.email, u.password_hash AS "passwordHash",
  u.previous_password_hashes AS "previousHashes"`
const IS_ALIVE = 'u.is_active AND u.deleted_at IS NULL'

const USER_BY_ID = statement<Owner>(
  'password-user-by-id',
  `SELECT ${OWNER} FROM core.app_user u WHERE u.id = $1 AND ${IS_ALIVE}`,
)

const USER_BY_LINK = statement<Owner>(
  'password-user-by-link',
  `SELECT ${OWNER} FROM core.password_token t JOIN core.app_user u ON u.id = t.user_id
   WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.expires_at > now() AND ${IS_ALIVE}`,
)

/** Nobody, too, for whom enough links are on their way. */
const USER_BY_EMAIL = statement<Owner>(
  'password-user-by-email',
  `SELECT ${OWNER} FROM core.app_user u WHERE lower(u.email) = lower($1) AND ${IS_ALIVE} AND $2 > (
     SELECT count(*) FROM core.password_token t
     WHERE t.user_id = u.id AND t.used_at IS NULL AND t.expires_at > now())`,
)
