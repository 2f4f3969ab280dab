/**
 * Access tokens (JWT, RFC 7519) and refresh tokens. Only the configured algorithm is accepted, and an
 * operator's token is of no use at a tenant's door nor the other way round (`aud`).
 */
import { createHash, randomBytes } from 'node:crypto'
import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import { BoundedCache } from '../kernel/bounded-cache.ts'
import { isUuid } from '../kernel/ids.ts'
import { Problem, problems } from '../kernel/problem.ts'

/** `support`: an operator's, in a tenant for a while. */
export type TokenAudience = 'tenant' | 'operator' | 'integration' | 'support'

export interface TokenClaims {
  readonly userId: string
  readonly email: string
  readonly roleId: string
  readonly tenantId: string
  readonly companyId: string
  readonly sessionId: string
  /** Of an integration alone: what the token may be used for, and which of its key's secrets it came from. */
  readonly scope?: string
  readonly secretNumber?: number
}

export interface VerifiedClaims extends TokenClaims {
  readonly aud: TokenAudience
}

export interface TokenOptions {
  /** The first one signs; what any of them signed is good until it expires. */
  readonly keys: () => readonly Uint8Array[]
  readonly algorithm: string
  readonly accessTokenSeconds: number
}

const ISSUER = 'solution-erp'
const VERIFIED_TOKENS_MAXIMUM = 20_000
const UUID_LENGTH = 36

export class Tokens {
  readonly accessTokenSeconds: number
  readonly #options: TokenOptions
  /** Verifying a signature again and again for one token is most of what authentication would cost. */
  readonly #verified = new BoundedCache<string, { claims: VerifiedClaims; expiresAtMs: number }>(
    VERIFIED_TOKENS_MAXIMUM,
  )

  constructor(options: TokenOptions) {
    this.#options = options
    this.accessTokenSeconds = options.accessTokenSeconds
  }

  sign(
    audience: TokenAudience,
    claims: TokenClaims,
    now: Date,
    seconds = this.#options.accessTokenSeconds,
  ): Promise<string> {
    const issuedAt = Math.floor(now.getTime() / 1000)
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: this.#options.algorithm, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(claims.userId)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + seconds)
      .sign(this.#options.keys()[0] as Uint8Array)
  }

  async verify(audiences: readonly TokenAudience[], token: string): Promise<VerifiedClaims> {
    const known = this.#verified.get(token)
    if (known && audiences.includes(known.claims.aud) && known.expiresAtMs > Date.now()) return known.claims
    try {
      const payload = await this.#payload(audiences, token)
      const claims = payload as unknown as VerifiedClaims
      // A list of audiences is none of ours: a token is good at one door.
      if (!audiences.includes(claims.aud)) throw new Problem(problems.tokenInvalid)
      this.#verified.set(token, { claims, expiresAtMs: (payload.exp ?? 0) * 1000 })
      return claims
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new Problem(problems.tokenExpired)
      throw new Problem(problems.tokenInvalid)
    }
  }

  async #payload(audiences: readonly TokenAudience[], token: string): Promise<JWTPayload> {
    const keys = this.#options.keys()
    for (const [index, key] of keys.entries()) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [this.#options.algorithm],
          issuer: ISSUER,
          audience: [...audiences],
          requiredClaims: ['exp', 'sub', 'sessionId'],
        })
        return payload
      } catch (error) {
        const isLast = index === keys.length - 1
        if (isLast || !(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    }
    throw new Error('There is no key to verify tokens with')
  }
}

/** `<session id>.<secret>`: the session is found by its id, the secret is kept as a hash. */
export function newRefreshToken(sessionId: string): { token: string; hash: Buffer } {
  const secret = randomBytes(32).toString('base64url')
  return { token: `${sessionId}.${secret}`, hash: hashSecret(secret) }
}

export function readRefreshToken(token: string): { sessionId: string; hash: Buffer } | undefined {
  const sessionId = token.slice(0, UUID_LENGTH)
  const secret = token.slice(UUID_LENGTH + 1)
  if (!isUuid(sessionId) || token[UUID_LENGTH] !== '.' || secret === '') return undefined
  return { sessionId, hash: hashSecret(secret) }
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
