/**
 * Speaks with identity providers (OpenID Connect), by `openid-client`. Its word is checked as if it came over an
 * open line: signatures too, which the standard would let pass where TLS vouches for the sender.
 */
import * as openid from 'openid-client'
import { BoundedCache } from '../../../kernel/bounded-cache.ts'
import { Problem } from '../../../kernel/problem.ts'
import { OutsideFailure } from '../../../outside/addresses.ts'
import { refusedAddress, requestOutside, type OutsideRules } from '../../../outside/request.ts'
import { identityProblems } from '../problems.ts'

const PROVIDERS_REMEMBERED_MAXIMUM = 1_000
/** A provider that moves its endpoints is heard within this; its keys are looked for anew by the library. */
const PROVIDER_AGE_MS = 10 * 60_000
const FAILURE_AGE_MS = 3_000
const SCOPE = 'openid email profile'
const CAUSES_LOOKED_AT = 5
const DETAIL_LENGTH_MAXIMUM = 200

export interface Client {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string | null
}

export interface Checks {
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Who came, in the provider's words. */
export interface ClaimedPerson {
  readonly issuer: string
  readonly subject: string
  readonly email: string
  readonly isEmailVerified: boolean
  readonly name: string
}

export class IdentityProviders {
  readonly #rules: OutsideRules
  readonly #known = new BoundedCache<string, Promise<openid.Configuration>>(
    PROVIDERS_REMEMBERED_MAXIMUM,
    PROVIDER_AGE_MS,
  )

  constructor(rules: OutsideRules) {
    this.#rules = rules
  }

  /** Why an issuer's address will not do; undefined: it will. */
  refusedIssuer(issuer: string): string | undefined {
    if (!URL.canParse(issuer)) return 'The issuer is no address'
    const url = new URL(issuer)
    if (url.search !== '' || url.hash !== '') return 'An issuer has neither ? nor #'
    if (url.pathname.includes('/.well-known/')) return 'The issuer is the address without /.well-known/…'
    return refusedAddress(url, this.#rules)
  }

  /** Asked anew: what is remembered would say that yesterday's settings work. */
  async test(issuer: string): Promise<{ readonly authorizationEndpoint: string }> {
    return told(async () => {
      const configuration = await this.#discover({ issuer, clientId: 'test', clientSecret: null })
      return { authorizationEndpoint: configuration.serverMetadata().authorization_endpoint ?? '' }
    })
  }

  /** Where to send the browser. */
  async authorizationUrl(
    client: Client,
    { redirectUri, state, nonce, codeVerifier }: Checks,
  ): Promise<string> {
    return told(async () => {
      const configuration = await this.#configurationOf(client)
      const url = openid.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: SCOPE,
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      })
      // The browser is sent there: what is no web address must not be followed.
      const refusal = refusedAddress(url, this.#rules)
      if (refusal !== undefined) throw unexpected(refusal)
      return url.href
    })
  }

  /** Exchanges what the browser came back with; the library checks signature, issuer, audience, times and nonce. */
  async person(
    client: Client,
    returned: Readonly<Record<string, string>>,
    { redirectUri, state, nonce, codeVerifier }: Checks,
  ): Promise<ClaimedPerson> {
    return told(async () => {
      const configuration = await this.#configurationOf(client)
      const url = new URL(redirectUri)
      for (const [name, value] of Object.entries(returned)) url.searchParams.set(name, value)
      const tokens = await openid.authorizationCodeGrant(configuration, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (!claims) throw unexpected('it gave no ID token')
      const { email } = claims
      // Many providers tell names and addresses there alone.
      const asked =
        typeof email === 'string' || configuration.serverMetadata().userinfo_endpoint === undefined
          ? claims
          : await openid.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      return {
        issuer: configuration.serverMetadata().issuer,
        subject: claims.sub,
        email: typeof asked.email === 'string' ? asked.email.trim() : '',
        isEmailVerified: asked.email_verified === true,
        name: typeof asked.name === 'string' ? asked.name : '',
      }
    })
  }

  /** Asked for once by all who come at a time; one that failed is left alone for some seconds. */
  #configurationOf(client: Client): Promise<openid.Configuration> {
    const name = JSON.stringify([client.issuer, client.clientId, client.clientSecret])
    const known = this.#known.get(name)
    if (known) return known
    const found = this.#discover(client)
    this.#known.set(name, found)
    found.catch(() => setTimeout(() => this.#known.delete(name), FAILURE_AGE_MS).unref())
    return found
  }

  async #discover({ issuer, clientId, clientSecret }: Client): Promise<openid.Configuration> {
    const refusal = this.refusedIssuer(issuer)
    if (refusal !== undefined) throw new OutsideFailure(refusal)
    const url = new URL(issuer)
    const configuration = await openid.discovery(
      url,
      clientId,
      {},
      (server, ...rest) => authenticationOf(server, clientSecret)(server, ...rest),
      {
        timeout: Math.ceil(this.#rules.timeoutMs / 1000),
        [openid.customFetch]: (address, { method, headers, body }) =>
          requestOutside(address, { method, headers, body: textOf(body) }, this.#rules),
        execute: [
          openid.enableNonRepudiationChecks,
          ...(url.protocol === 'http:' ? [openid.allowInsecureRequests] : []),
        ],
      },
    )
    // The library knows providers whose documents speak of others; here each speaks of itself.
    const metadata = configuration.serverMetadata()
    if (new URL(metadata.issuer).href !== url.href) {
      throw unexpected(`its discovery document is of another issuer (${metadata.issuer})`)
    }
    if (metadata.authorization_endpoint === undefined || metadata.token_endpoint === undefined) {
      throw unexpected('its discovery document names no endpoints to sign in at')
    }
    return configuration
  }
}

/** As the provider takes it; HTTP Basic where it does not say (OpenID Connect Discovery 1.0, 3). */
function authenticationOf(server: openid.ServerMetadata, secret: string | null): openid.ClientAuth {
  if (secret === null) return openid.None()
  const { token_endpoint_auth_methods_supported: methods } = server
  const isByBasic = methods === undefined || methods.includes('client_secret_basic')
  return isByBasic ? openid.ClientSecretBasic(secret) : openid.ClientSecretPost(secret)
}

function textOf(body: unknown): string | undefined {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string' || body instanceof URLSearchParams) return String(body)
  throw new TypeError('Only forms are sent to identity providers')
}

// ---- what goes wrong -----------------------------------------------------------------------------------

async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw problemOf(error)
  }
}

/** The provider's words are quoted where they say more than ours; a person reads them, never a page. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  const outside = outsideFailureIn(error)
  if (outside) return away(outside.message)
  if (error instanceof openid.AuthorizationResponseError || error instanceof openid.ResponseBodyError) {
    const detail = cleaned([error.error, error.error_description].filter(Boolean).join(': '))
    return new Problem(identityProblems.singleSignOnRefused, {
      message: `The identity provider refused: ${detail}`,
    })
  }
  if (error instanceof openid.WWWAuthenticateChallengeError) {
    const message = 'The identity provider does not know us: the client id or the client secret is wrong'
    return new Problem(identityProblems.singleSignOnRefused, { message })
  }
  const { message, code, cause } = error as { message?: string; code?: string; cause?: unknown }
  if (cause instanceof Response && cause.status >= 500) return away(`it answered ${cause.status}`)
  return unexpected(cleaned(`${message ?? 'no reason'}${code === undefined ? '' : ` (${code})`}`))
}

function outsideFailureIn(error: unknown): OutsideFailure | undefined {
  let looked: unknown = error
  for (let depth = 0; depth < CAUSES_LOOKED_AT && looked instanceof Error; depth++) {
    if (looked instanceof OutsideFailure) return looked
    looked = looked.cause
  }
  return undefined
}

function away(detail: string): Problem {
  const message = `The identity provider cannot be asked at the moment: ${detail}`
  return new Problem(identityProblems.identityProviderAway, { message, retryAfterSeconds: 30 })
}

function unexpected(detail: string): Problem {
  return new Problem(identityProblems.singleSignOnRefused, {
    message: `The identity provider's answer will not do: ${detail}`,
  })
}

function cleaned(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, DETAIL_LENGTH_MAXIMUM)
}
