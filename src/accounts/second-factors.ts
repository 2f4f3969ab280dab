/**
 * Two-step sign-in: an authenticator app's codes (TOTP, RFC 6238), and recovery codes for who has lost it. Each
 * is good once, also when two ask at the same moment: using one is a change that only the first can make.
 *
 * Six digits can be guessed by who knows the password and has days. So wrong ones in a row are counted, for ever
 * (RFC 4226, 7.3): after ten the owner is told, and one code an hour is looked at. Recovery codes are not guessed.
 */
import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { sql } from 'kysely'
import { hashSecret } from '../http/tokens.ts'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { platformSql, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import type { AccountDoor, AccountPorts, AccountRead, AccountTables } from './account.ts'
import { RECOVERY_CODES } from './contract.ts'
import type { Passwords } from './passwords.ts'
import { accountProblems } from './problems.ts'

/** As long as what HMAC-SHA-1 gives (RFC 4226, 4). */
const SECRET_BYTES = 20
const RECOVERY_CODE_BYTES = 10
const PERIOD_SECONDS = 30
/** Steps before and after the present one: clocks differ, and typing takes time. */
const WINDOW = 1
export const WRONG_CODES_MAXIMUM = 10
export const SLOWED_MS = 3_600_000

export type SecondFactorChange = 'on' | 'off' | 'codes' | 'reset'

interface Factor {
  readonly sealed_secret: string
  readonly is_on: boolean
  /** Since the last right one. */
  readonly wrong_codes: number
  readonly wrong_code_at: Date | string | null
}

interface Person {
  readonly id: string
  readonly fullName: string
  readonly email: string
}

export class SecondFactors<Tx extends TenantTx | PlatformTx> {
  readonly #ports: AccountPorts<Tx>

  constructor(ports: AccountPorts<Tx>) {
    this.#ports = ports
  }

  /**
   * At sign-in, when the password was right: whoever has a second factor must have given it. Before the transaction
   * that begins the session, since a wrong code is counted although nobody is let in.
   */
  async assertPassed(
    door: AccountDoor<Tx>,
    ownerId: string,
    code: string | undefined,
    now: Date,
  ): Promise<void> {
    const factor = await door.read((tx) => this.#read(tx, ownerId))
    if (!factor?.is_on) return
    if (code === undefined) throw new Problem(problems.totpRequired)
    const outcome = await door.write((tx) => this.#use(tx, ownerId, code, now))
    if (outcome === 'wrong') throw new Problem(problems.authenticationFailed)
  }

  /** Anew as often as one likes, as long as it was not confirmed. */
  async begin(tx: Tx, ownerId: string): Promise<{ secret: string; uri: string }> {
    const { secrets, issuer } = this.#ports
    const { email } = await this.#owner(tx, ownerId)
    const secret = new Secret({ buffer: new Uint8Array(randomBytes(SECRET_BYTES)).buffer })
    const sealed = secrets.seal(secret.base32, contextOf(ownerId))
    const begun = await tx.run(
      sql`INSERT INTO ${this.#table} AS f (${this.#ownerColumn}, sealed_secret) VALUES (${ownerId}, ${sealed})
        ON CONFLICT (${this.#ownerColumn}) DO UPDATE SET sealed_secret = excluded.sealed_secret
        WHERE f.confirmed_at IS NULL`.compile(platformSql),
    )
    if (begun !== 1) throw new Problem(accountProblems.secondFactorOn)
    const totp = new TOTP({ issuer: issuer(tx), label: email, secret })
    return { secret: secret.base32, uri: totp.toString() }
  }

  /** Answers the recovery codes, which nobody sees again. */
  async confirm(tx: Tx, ownerId: string, code: string, now: Date): Promise<string[]> {
    const factor = await this.#read(tx, ownerId)
    if (!factor) throw new Problem(accountProblems.secondFactorOff)
    if (factor.is_on) throw new Problem(accountProblems.secondFactorOn)
    const step = this.#stepOf(ownerId, factor, code, now)
    if (step === undefined) throw wrongCode()
    const codes = newRecoveryCodes()
    const confirmed = await tx.run(
      sql`UPDATE ${this.#table} SET confirmed_at = ${now.toISOString()}, last_used_step = ${step},
          recovery_hashes = ${codes.map(hashOfRecoveryCode)}::bytea[]
        WHERE ${this.#ownerColumn} = ${ownerId} AND confirmed_at IS NULL
          AND sealed_secret = ${factor.sealed_secret}`.compile(platformSql),
    )
    if (confirmed !== 1) throw wrongCode() // begun anew meanwhile: it was the code of another secret
    await this.#changed(tx, ownerId, 'on')
    return codes
  }

  async renewCodes(door: AccountDoor<Tx>, ownerId: string, code: string, now: Date): Promise<string[]> {
    const codes = newRecoveryCodes()
    await this.#withCode(door, ownerId, code, now, async (tx) => {
      await tx.run(
        sql`UPDATE ${this.#table} SET recovery_hashes = ${codes.map(hashOfRecoveryCode)}::bytea[]
          WHERE ${this.#ownerColumn} = ${ownerId}`.compile(platformSql),
      )
      await this.#changed(tx, ownerId, 'codes')
    })
    return codes
  }

  /** By its owner. Hashing takes its time: no connection is held meanwhile. */
  async remove(
    door: AccountDoor<Tx>,
    passwords: Passwords<Tx>,
    ownerId: string,
    given: { readonly password: string; readonly code: string },
    now: Date,
  ): Promise<void> {
    await passwords.assertOwn(door, ownerId, given.password, 'password')
    await this.#withCode(door, ownerId, given.code, now, async (tx) => {
      await this.#delete(tx, ownerId)
      await this.#changed(tx, ownerId, 'off')
    })
  }

  /** By somebody else, for who has lost app and recovery codes: whoever is signed in is signed out. */
  async reset(tx: Tx, ownerId: string): Promise<void> {
    if ((await this.#delete(tx, ownerId)) === 0) throw new Problem(accountProblems.secondFactorOff)
    await this.#ports.endSessions(tx, ownerId, 'second factor reset')
    await this.#changed(tx, ownerId, 'reset')
  }

  /** What is done with a good code is done in the transaction that spends it; a wrong one is counted all the same. */
  async #withCode(
    door: AccountDoor<Tx>,
    ownerId: string,
    code: string,
    now: Date,
    work: (tx: Tx) => Promise<void>,
  ): Promise<void> {
    const outcome = await door.write(async (tx) => {
      const used = await this.#use(tx, ownerId, code, now)
      if (used === 'good') await work(tx)
      return used
    })
    if (outcome === 'off') throw new Problem(accountProblems.secondFactorOff)
    if (outcome === 'wrong') throw wrongCode()
  }

  /** Whether it was a good one; it is none any more. Of one owner one after the other, so that each is counted. */
  async #use(tx: Tx, ownerId: string, code: string, now: Date): Promise<'good' | 'wrong' | 'off'> {
    const factor = await this.#read(tx, ownerId, sql`FOR UPDATE`)
    if (!factor?.is_on) return 'off'
    const isMine = sql`${this.#ownerColumn} = ${ownerId}`
    if (!isOfApp(code)) {
      const hash = hashOfRecoveryCode(code)
      const used = await tx.run(
        sql`UPDATE ${this.#table} SET recovery_hashes = array_remove(recovery_hashes, ${hash}::bytea)
          WHERE ${isMine} AND ${hash}::bytea = ANY (recovery_hashes)`.compile(platformSql),
      )
      return used === 1 ? 'good' : 'wrong'
    }
    if (isSlowed(factor, now)) return 'wrong'
    const step = this.#stepOf(ownerId, factor, code, now)
    if (step === undefined) {
      await this.#countWrong(tx, ownerId, factor, now)
      return 'wrong'
    }
    const used = await tx.run(
      sql`UPDATE ${this.#table} SET last_used_step = ${step}, wrong_codes = 0, wrong_code_at = NULL
        WHERE ${isMine} AND last_used_step < ${step}`.compile(platformSql),
    )
    return used === 1 ? 'good' : 'wrong'
  }

  async #countWrong(tx: Tx, ownerId: string, { wrong_codes: before }: Factor, now: Date): Promise<void> {
    await tx.run(
      sql`UPDATE ${this.#table} SET wrong_codes = ${before + 1}, wrong_code_at = ${now.toISOString()}
        WHERE ${this.#ownerColumn} = ${ownerId}`.compile(platformSql),
    )
    if (before + 1 !== WRONG_CODES_MAXIMUM) return
    const { mails } = this.#ports
    const { fullName, email } = await this.#owner(tx, ownerId)
    await this.#ports.record(tx, ownerId, 'second factor: guessed at')
    const language = await this.#ports.language(tx)
    await mails.enqueue(tx, { template: 'codes-guessed', values: { fullName }, language, to: email })
  }

  /** The time step whose code it is; compared in a time that tells nothing (otpauth). */
  #stepOf(ownerId: string, { sealed_secret: sealed }: Factor, code: string, now: Date): number | undefined {
    if (!isOfApp(code)) return undefined
    const secret = Secret.fromBase32(this.#ports.secrets.open(sealed, contextOf(ownerId)))
    const timestamp = now.getTime()
    const delta = TOTP.validate({ token: digitsOf(code), secret, timestamp, window: WINDOW })
    return delta === null ? undefined : Math.floor(timestamp / 1000 / PERIOD_SECONDS) + delta
  }

  #read(tx: AccountRead, ownerId: string, lock = sql``): Promise<Factor | undefined> {
    return tx.row(
      sql<Factor>`SELECT sealed_secret, confirmed_at IS NOT NULL AS is_on, wrong_codes, wrong_code_at
        FROM ${this.#table} WHERE ${this.#ownerColumn} = ${ownerId} ${lock}`.compile(platformSql),
    )
  }

  #delete(tx: Tx, ownerId: string): Promise<number> {
    return tx.run(
      sql`DELETE FROM ${this.#table} WHERE ${this.#ownerColumn} = ${ownerId}`.compile(platformSql),
    )
  }

  /** Whoever turns it on or off by an open session that is not theirs is seen by its owner. */
  async #changed(tx: Tx, ownerId: string, change: SecondFactorChange): Promise<void> {
    const { mails } = this.#ports
    const { fullName, email } = await this.#owner(tx, ownerId)
    await this.#ports.record(tx, ownerId, `second factor: ${change}`)
    const language = await this.#ports.language(tx)
    await mails.enqueue(tx, { template: 'second-factor', values: { fullName, change }, language, to: email })
  }

  async #owner(tx: Tx, ownerId: string): Promise<Person> {
    const owner = await tx.row(
      sql<Person>`SELECT id, full_name AS "fullName", email FROM ${sql.table(this.#ports.tables.owner)}
        WHERE id = ${ownerId}`.compile(platformSql),
    )
    if (!owner) throw new Problem(problems.tokenInvalid)
    return owner
  }

  get #table() {
    return sql.table(this.#ports.tables.secondFactor)
  }

  get #ownerColumn() {
    return sql.ref(this.#ports.tables.ownerColumn)
  }
}

/** SQL of what `me` tells (see accountState); `owner`: the alias of its row. */
export function secondFactorState(
  { secondFactor, ownerColumn }: AccountTables,
  owner: string,
  isRequired: string,
): string {
  return `(SELECT json_build_object('isOn', count(*) > 0, 'isRequired', ${isRequired},
      'recoveryCodesLeft', coalesce(max(cardinality(f.recovery_hashes)), 0))
    FROM ${secondFactor} f WHERE f.${ownerColumn} = ${owner}.id AND f.confirmed_at IS NOT NULL)`
}

/** Bound to its owner: a sealed secret moved to another row does not open. */
function contextOf(ownerId: string): string {
  return `second-factor/${ownerId}`
}

function isSlowed({ wrong_codes: count, wrong_code_at: at }: Factor, now: Date): boolean {
  return count >= WRONG_CODES_MAXIMUM && at !== null && now.getTime() - new Date(at).getTime() < SLOWED_MS
}

function wrongCode(): Problem {
  const message = 'This code is wrong, was used already, or has run out'
  return validationProblem([{ field: 'code', code: 'WRONG_CODE', message }])
}

/** Apps show a code as 123 456. */
function digitsOf(code: string): string {
  return code.replaceAll(/\s/g, '')
}

function isOfApp(code: string): boolean {
  return /^\d{6}$/.test(digitsOf(code))
}

/** `abcd-efgh-ijkl-mnop`: 80 bits, so that a plain hash keeps them. */
function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => {
    const { base32 } = new Secret({ buffer: new Uint8Array(randomBytes(RECOVERY_CODE_BYTES)).buffer })
    return base32.toLowerCase().replaceAll(/(.{4})(?=.)/g, '$1-')
  })
}

function hashOfRecoveryCode(code: string): Buffer {
  return hashSecret(code.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
}
