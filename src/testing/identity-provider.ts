/**
 * Identity providers for tests: a real one (oidc-provider), whose pages are walked as a browser would, and one that
 * lies, for what a real one never does.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, SignJWT } from 'jose'
import Provider from 'oidc-provider'

export interface Account {
  readonly email?: string
  readonly email_verified?: boolean
  readonly name?: string
}

const STEPS_MAXIMUM = 12

/** A real provider with one client; accounts by the name that is typed at its sign-in page. */
export class IdentityProvider {
  readonly clientId = 'solution-erp'
  readonly clientSecret: string
  readonly accounts = new Map<string, Account>()
  issuer = ''
  readonly #redirectUris: readonly string[]
  #server: Server | undefined

  constructor(
    redirectUris: readonly string[],
    clientSecret = 'a client secret of the identity provider, with signs: %+/?',
  ) {
    this.#redirectUris = redirectUris
    this.clientSecret = clientSecret
  }

  async start(): Promise<void> {
    let handle = (_request: IncomingMessage, response: ServerResponse): unknown => response.end()
    const { server, url } = await listening((request, response) => void handle(request, response))
    this.#server = server
    this.issuer = url
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const provider = new Provider(url, {
      clients: [
        {
          client_id: this.clientId,
          client_secret: this.clientSecret,
          redirect_uris: [...this.#redirectUris],
        },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: 'one' }] as never },
      cookies: { keys: ['a key for cookies of tests'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      findAccount: (_context, accountId) => ({
        accountId,
        claims: async () => ({ sub: accountId, ...this.accounts.get(accountId) }),
      }),
    })
    handle = provider.callback()
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined))
  }

  /** What a person does there: signs in and agrees; back comes where the browser was sent at the end. */
  async walk(authorizationUrl: string, account: string, refuses = false): Promise<URL> {
    const cookies = new Map<string, string>()
    let next: { url: string; form?: URLSearchParams } = { url: authorizationUrl }
    for (let step = 0; step < STEPS_MAXIMUM; step++) {
      if (this.#redirectUris.some((uri) => next.url.startsWith(`${uri}?`))) return new URL(next.url)
      const answer = await fetch(next.url, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(next.form ? { method: 'POST', body: next.form } : {}),
      })
      for (const cookie of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = cookie.split(';')[0]!.split(/=(.*)/s)
        cookies.set(name, value)
      }
      const page = await answer.text()
      const location = answer.headers.get('location')
      if (location !== null) next = { url: new URL(location, next.url).href }
      else if (refuses) next = { url: `${next.url}/abort` }
      else next = { url: next.url, form: formOf(page, account, next.url) }
    }
    throw new Error(`The identity provider leads nowhere: ${next.url}`)
  }
}

function formOf(page: string, account: string, url: string): URLSearchParams {
  const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
  if (prompt === undefined)
    throw new Error(`No page of the identity provider at ${url}: ${page.slice(0, 500)}`)
  return new URLSearchParams(prompt === 'login' ? { prompt, login: account, password: 'any' } : { prompt })
}

type Claims = Record<string, unknown>

/** A provider that answers what a test wants it to. */
export class LyingIdentityProvider {
  readonly clientId = 'solution-erp'
  issuer = ''
  /** The document it tells of itself; changed by tests. */
  metadata: Record<string, unknown> = {}
  /** What the token endpoint gives; by default a token as it should be. */
  token: (claims: Claims) => Promise<string> = (claims) => this.signed(claims)
  status = 200
  hangs = false
  #claims: Claims = {}
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #others = generateKeyPairSync('rsa', { modulusLength: 2048 })
  #server: Server | undefined

  async start(): Promise<void> {
    const { server, url } = await listening((request, response) => void this.#answer(request, response))
    this.#server = server
    this.issuer = url
    this.metadata = this.honestMetadata()
  }

  honestMetadata(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/auth`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }
  }

  /** What a token of this person would say; the nonce is the one the browser was sent with. */
  about(authorizationUrl: string, person: Claims): void {
    const seconds = Math.floor(Date.now() / 1000)
    const nonce = new URL(authorizationUrl).searchParams.get('nonce')
    this.#claims = {
      iss: this.issuer,
      aud: this.clientId,
      iat: seconds,
      exp: seconds + 300,
      nonce,
      ...person,
    }
  }

  signed(claims: Claims, byAnother = false): Promise<string> {
    const { privateKey } = byAnother ? this.#others : this.#keys
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(privateKey)
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume()
    if (this.hangs) return
    const path = request.url ?? ''
    const body = path.startsWith('/.well-known/') ? this.metadata : path === '/jwks' ? await this.#jwks() : path === '/token'
      ? { access_token: 'any', token_type: 'Bearer', id_token: await this.token(this.#claims) } : {} // prettier-ignore
    response.writeHead(path === '/token' ? this.status : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

  async #jwks(): Promise<object> {
    return { keys: [{ ...(await exportJWK(this.#keys.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] }
  }
}

async function listening(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; url: string }> {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
