/**
 * Signing in at the tenant's identity provider: there (start) and back (finish). Nothing is kept here that would let
 * anybody in: the browser holds a key, from which nonce and PKCE verifier are made; the database knows its hash.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { sql } from 'kysely'
import { implement, type Route, type TenantContext } from '../../../http/route.ts'
import { hashSecret } from '../../../http/tokens.ts'
import { foldedEmail } from '../../../kernel/email.ts'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { takeTurn } from '../administration.ts'
import { COMPANY_IDS } from '../company-access.ts'
import type { IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { insertUsers } from '../users/records.ts'
import { describeSingleSignOn, finishSingleSignOn, startSingleSignOn } from './contract.ts'
import type { Checks, ClaimedPerson, Client } from './provider.ts'
import { clientSecretContext, readSettings, redirectUrisOf, type SettingsRow } from './settings.ts'

const ATTEMPT_MINUTES = 10
/** Of one tenant; the oldest give way. */
const ATTEMPTS_MAXIMUM = 5_000
const PURGED_AT_ONCE = 200
const KEY_BYTES = 32
const NAME_LENGTH_MAXIMUM = 200
const EMAIL = /^[^\s@"(),:;<>[\\\]]+@[^\s@]+$/

export function signingInRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(describeSingleSignOn, async (tx) => {
      const settings = await readSettings(tx)
      const isEnabled = settings?.isEnabled ?? false
      const isRequired = isEnabled && (settings?.isRequired ?? false)
      return { isEnabled, isRequired, label: isEnabled ? (settings?.label ?? '') : '' }
    }),
    implement(startSingleSignOn, async (door, { body }, context) => {
      const settings = await door.read(readEnabled)
      const { redirectUri } = body
      if (!(await redirectUrisOf(ports, context.tenant.tenantId)).includes(redirectUri)) {
        const message = 'People are sent back to an address of ours alone'
        throw validationProblem([{ field: 'redirectUri', code: 'NOT_ALLOWED', message }])
      }
      const [browserKey, state] = [newKey(), newKey()]
      const checks = checksOf(browserKey, state, redirectUri)
      const client = clientOf(ports, settings)
      const authorizationUrl = await ports.identityProviders.authorizationUrl(client, checks)
      await door.write((tx) => keepAttempt(tx, settings.issuer, checks, browserKey, context.now))
      return { authorizationUrl, browserKey }
    }),
    implement(finishSingleSignOn, async (door, { body }, context) => {
      const { browserKey, state, code, iss, error, errorDescription } = body
      // Taken first, and for good: what fails from here on cannot be tried again.
      const attempt = await door.write((tx) => takeAttempt(tx, state, browserKey, context.now))
      const settings = await door.read(readEnabled)
      if (!attempt || attempt.issuer !== settings.issuer) throw new Problem(identityProblems.attemptIsVoid)
      const returned = {
        state,
        ...(code === undefined ? {} : { code }),
        ...(iss === undefined ? {} : { iss }),
        ...(error === undefined ? {} : { error }),
        ...(errorDescription === undefined ? {} : { error_description: errorDescription }),
      }
      const checks = checksOf(browserKey, state, attempt.redirectUri)
      const person = await ports.identityProviders.person(clientOf(ports, settings), returned, checks)
      assertWelcome(person, settings)
      return door.write((tx) => signIn(ports, tx, person, settings, context))
    }),
  ]
}

async function readEnabled(tx: TenantRead): Promise<SettingsRow> {
  const settings = await readSettings(tx)
  if (!settings?.isEnabled) throw new Problem(identityProblems.singleSignOnOff)
  return settings
}

function clientOf(
  { secrets }: IdentityPorts,
  { id, issuer, clientId, sealedClientSecret }: SettingsRow,
): Client {
  if (sealedClientSecret === null) return { issuer, clientId, clientSecret: null }
  try {
    return { issuer, clientId, clientSecret: secrets.open(sealedClientSecret, clientSecretContext(id)) }
  } catch {
    // Its key was lost (see the guide of operations).
    const message = 'The client secret of single sign-on must be entered again by an administrator'
    throw new Problem(identityProblems.singleSignOnRefused, { message })
  }
}

// ---- attempts ------------------------------------------------------------------------------------------

function newKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url')
}

/** Whoever reads the database, or the address the browser is sent to, cannot make these. */
function checksOf(browserKey: string, state: string, redirectUri: string): Checks {
  const made = (purpose: string): string =>
    createHash('sha256').update(`${purpose}/${browserKey}`).digest('base64url')
  return { redirectUri, state, nonce: made('nonce'), codeVerifier: made('code verifier') }
}

async function keepAttempt(
  tx: TenantTx,
  issuer: string,
  { state, redirectUri }: Checks,
  browserKey: string,
  now: Date,
): Promise<void> {
  await tx.run(
    sql`DELETE FROM core.single_sign_on_attempt WHERE id IN (
        SELECT id FROM core.single_sign_on_attempt WHERE expires_at < ${now.toISOString()} LIMIT ${PURGED_AT_ONCE})
      OR id IN (SELECT id FROM core.single_sign_on_attempt ORDER BY id DESC OFFSET ${ATTEMPTS_MAXIMUM - 1})`.compile(
      tenantSql,
    ),
  )
  const expiresAt = new Date(now.getTime() + ATTEMPT_MINUTES * 60_000).toISOString()
  await tx.run(
    tenantSql.insertInto('core.single_sign_on_attempt').values({
      state_hash: hashSecret(state),
      browser_hash: hashSecret(browserKey),
      issuer,
      redirect_uri: redirectUri,
      expires_at: expiresAt,
    }),
  )
}

/** What housekeeping finds of tenants where nobody begins any more. */
export function purgeAttempts(tx: TenantTx, before: Date, maximum: number): Promise<number> {
  return tx.run(
    sql`DELETE FROM core.single_sign_on_attempt WHERE id IN (SELECT id FROM core.single_sign_on_attempt
      WHERE expires_at < ${before.toISOString()} ORDER BY id LIMIT ${maximum})`.compile(tenantSql),
  )
}

/** Of another browser it is none, and over for that of its own too: somebody else has seen its state. */
async function takeAttempt(
  tx: TenantTx,
  state: string,
  browserKey: string,
  now: Date,
): Promise<{ readonly issuer: string; readonly redirectUri: string } | undefined> {
  const taken = await tx.row(
    sql<{ issuer: string; redirect_uri: string; browser_hash: Buffer; is_live: boolean }>`
      DELETE FROM core.single_sign_on_attempt WHERE state_hash = ${hashSecret(state)}
      RETURNING issuer, redirect_uri, browser_hash, expires_at > ${now.toISOString()} AS is_live`.compile(
      tenantSql,
    ),
  )
  const isOurs = taken?.is_live && timingSafeEqual(taken.browser_hash, hashSecret(browserKey))
  return taken && isOurs ? { issuer: taken.issuer, redirectUri: taken.redirect_uri } : undefined
}

// ---- who it is -----------------------------------------------------------------------------------------

function assertWelcome({ email, isEmailVerified }: ClaimedPerson, { allowedDomains }: SettingsRow): void {
  if (email.length > 254 || !EMAIL.test(email)) throw refused('it told no e-mail address')
  if (!isEmailVerified) throw refused('it has not verified the e-mail address')
  const domain = email.slice(email.lastIndexOf('@') + 1).toLowerCase()
  if (!allowedDomains.includes(domain)) throw refused(`addresses at ${domain} are not let in here`)
}

interface Candidate {
  readonly id: string
  readonly isActive: boolean
  readonly isDeleted: boolean
  /** Known to the provider by a subject, this one or another. */
  readonly isLinked: boolean
  readonly companyIds: readonly string[]
}

async function signIn(
  ports: IdentityPorts,
  tx: TenantTx,
  person: ClaimedPerson,
  settings: SettingsRow,
  context: TenantContext,
) {
  const user = await findOrMake(tx, person, settings, context)
  if (!user.isActive) throw refused('your account here is not active')
  const [companyId] = user.companyIds
  if (companyId === undefined) {
    throw new Problem(problems.permissionDenied, { message: 'You have no access to any company' })
  }
  return ports.sessions.begin(
    tx,
    { id: user.id, companyId, isRemembered: false, passwordHash: null },
    context,
  )
}

/** By the link of an earlier time; else by the verified address; else, where the tenant wants that, somebody new. */
async function findOrMake(
  tx: TenantTx,
  person: ClaimedPerson,
  settings: SettingsRow,
  context: TenantContext,
): Promise<Candidate> {
  const { issuer, subject, email } = person
  const readLinked = (): Promise<Candidate | undefined> =>
    candidate(
      tx,
      issuer,
      sql`u.id = (
        SELECT i.user_id FROM core.user_identity i WHERE i.issuer = ${issuer} AND i.subject = ${subject})`,
    )
  const atOnce = await readLinked()
  if (atOnce && !atOnce.isDeleted) return atOnce
  // From here on something is written: of two who come at the same moment one is first, and the other sees it.
  await takeTurn(tx)
  const linked = await readLinked()
  if (linked && !linked.isDeleted) return linked
  const known = await candidate(tx, issuer, sql`lower(u.email) = ${foldedEmail(email)}`)
  // Who was deleted does not come back by themselves.
  if (known?.isDeleted || (!known && linked)) throw refused('your account here was deleted')
  // An address is given to somebody else one day; who had it before keeps their account.
  if (known?.isLinked) throw refused('the account with this address belongs to another identity')
  if (known && !known.isActive) return known
  const userId = known?.id ?? (await makeUser(tx, person, settings, context))
  await tx.run(
    sql`INSERT INTO core.user_identity (user_id, issuer, subject) VALUES (${userId}, ${issuer}, ${subject})
      ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id`.compile(tenantSql),
  )
  const found = await candidate(tx, issuer, sql`u.id = ${userId}`)
  if (!found) throw new Error('A user who was just found must be there')
  return found
}

async function makeUser(
  tx: TenantTx,
  { email, name }: ClaimedPerson,
  { defaultRoleId, allCompanies, companyIds }: SettingsRow,
  context: TenantContext,
): Promise<string> {
  if (defaultRoleId === null) throw refused('there is no account with your address here')
  const role = await tx.row(
    sql<{ is_fit: boolean }>`SELECT is_active AND deleted_at IS NULL AND NOT permissions @> '{*}' AS is_fit
      FROM core.role WHERE id = ${defaultRoleId}`.compile(tenantSql),
  )
  if (!role?.is_fit) throw refused('the role for new users is not there any more')
  const id = context.newId()
  const fullName = name
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, NAME_LENGTH_MAXIMUM)
  const fallback = email.slice(0, email.lastIndexOf('@'))
  await insertUsers(tx, [
    {
      id,
      fullName: fullName === '' ? fallback : fullName,
      email,
      phone: null,
      roleId: defaultRoleId,
      isActive: true,
      joinDate: context.now.toISOString().slice(0, 10),
      metadata: {},
      passwordHash: null,
      allCompanies,
      companyIds,
    },
  ])
  return id
}

/** A living user before a deleted one. */
function candidate(
  tx: TenantRead,
  issuer: string,
  condition: ReturnType<typeof sql>,
): Promise<Candidate | undefined> {
  return tx.row(
    sql<Candidate>`SELECT u.id, u.is_active AND r.is_active AS "isActive", u.deleted_at IS NOT NULL AS "isDeleted",
        EXISTS (SELECT FROM core.user_identity i WHERE i.user_id = u.id AND i.issuer = ${issuer}) AS "isLinked",
        ${sql.raw(COMPANY_IDS)} AS "companyIds"
      FROM core.app_user u JOIN core.role r ON r.id = u.role_id
      WHERE ${condition} ORDER BY u.deleted_at IS NULL DESC, u.id LIMIT 1`.compile(tenantSql),
  )
}

function refused(detail: string): Problem {
  return new Problem(identityProblems.singleSignOnRefused, {
    message: `The identity provider knows you, but ${detail}`,
  })
}
