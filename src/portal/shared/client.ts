/**
 * The only door to the server. Two clients of the same typed API: one carries the operator's token, the
 * other a tenant user's token and company account.
 */
import createClient from 'openapi-fetch'
import type { ApiPaths } from './model.ts'
import { problemFromAnswer, unreachable } from './problem.ts'
import { erpSession, isOnTenantAddress, operatorSession, signedOut } from './session.ts'

const baseUrl = '/api/v1'
const anonymousApi = createClient<ApiPaths>({ baseUrl, fetch: reach })

interface Tokens {
  token: string
  refreshToken: string
}

/** What differs between the two sides. */
interface Realm {
  name: string
  tokens(): Tokens | null
  latestTokens(): Tokens | null
  keepTokens(tokens: Tokens): void
  forget(): void
  headers(): Record<string, string>
  refresh(refreshToken: string): Promise<Tokens>
}

const operatorRealm: Realm = {
  name: 'operator',
  tokens: () => operatorSession.get().session,
  latestTokens: () => operatorSession.reread().session,
  keepTokens: ({ token, refreshToken }) => {
    const state = operatorSession.get()
    if (state.session) operatorSession.set({ ...state, session: { ...state.session, token, refreshToken } })
  },
  forget: () => signedOut(operatorSession),
  headers: () => ({}),
  refresh: (refreshToken) => read(anonymousApi.POST('/platform/auth/refresh', { body: { refreshToken } })),
}

const erpRealm: Realm = {
  name: 'erp',
  tokens: () => erpSession.get().session,
  latestTokens: () => erpSession.reread().session,
  keepTokens: ({ token, refreshToken }) => {
    const state = erpSession.get()
    if (state.session) erpSession.set({ ...state, session: { ...state.session, token, refreshToken } })
  },
  forget: () => signedOut(erpSession),
  headers: () => tenantHeader(erpSession.get().tenantCode),
  refresh: (refreshToken) =>
    read(
      anonymousApi.POST('/auth/refresh', {
        body: { refreshToken },
        headers: tenantHeader(erpSession.get().tenantCode),
      }),
    ),
}

export const operatorApi = createClient<ApiPaths>({ baseUrl, fetch: fetchAs(operatorRealm) })
export const erpApi = createClient<ApiPaths>({ baseUrl, fetch: fetchAs(erpRealm) })

/** For calls made before anyone is signed in. */
export { anonymousApi }

export function tenantHeader(tenantCode: string | null): Record<string, string> {
  return tenantCode && !isOnTenantAddress() ? { 'X-Tenant-ID': tenantCode } : {}
}

/** Saves only over the version that was read: someone else's newer one answers 412. */
export function ifMatch(version: string | null): Record<string, string> {
  return version ? { 'If-Match': version } : {}
}

interface Answer<Body> {
  data?: Body
  error?: unknown
  response: Response
}

/** The `data` of a successful answer; a failure is thrown as an ApiProblem. */
export async function read<Data>(call: Promise<Answer<{ data: Data }>>): Promise<Data> {
  const { data } = await readVersioned(call)
  return data
}

/** As `read`, with the ETag to send back as If-Match. */
export async function readVersioned<Data>(
  call: Promise<Answer<{ data: Data }>>,
): Promise<{ data: Data; version: string | null }> {
  const { data, error, response } = await call
  if (data === undefined) throw problemFromAnswer(response, error)
  return { data: data.data, version: response.headers.get('etag') }
}

function fetchAs(realm: Realm): (request: Request) => Promise<Response> {
  return async (request) => {
    const tokens = realm.tokens()
    // A body can be sent once, so the copy for a second try is taken before the first.
    const secondTry = request.clone()
    const response = await reach(authorised(realm, request, tokens?.token))
    if (response.status !== 401 || !tokens) return response
    if ((await problemCode(response)) !== 'TOKEN_EXPIRED') {
      if (realm.tokens()?.token === tokens.token) realm.forget()
      return response
    }
    const token = await renewedToken(realm, tokens.token)
    return token === null ? response : reach(authorised(realm, secondTry, token))
  }
}

/** fetch throws only when there is no answer; what it throws says nothing to a reader. */
async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (thrown) {
    throw unreachable(thrown)
  }
}

function authorised(realm: Realm, request: Request, token: string | undefined): Request {
  for (const [name, value] of Object.entries(realm.headers())) request.headers.set(name, value)
  if (token) request.headers.set('Authorization', `Bearer ${token}`)
  return request
}

async function problemCode(response: Response): Promise<string> {
  try {
    return problemFromAnswer(response, await response.clone().json()).code
  } catch {
    return ''
  }
}

/**
 * A refresh token works once, and using it twice ends the whole family. So one renewal at a time, over all
 * tabs, and whoever waited looks first whether another has renewed meanwhile.
 */
function renewedToken(realm: Realm, staleToken: string): Promise<string | null> {
  return alone(`solution-erp.${realm.name}.renew`, async () => {
    const tokens = realm.latestTokens()
    if (!tokens || tokens.token !== staleToken) return tokens?.token ?? null
    try {
      const renewed = await realm.refresh(tokens.refreshToken)
      realm.keepTokens(renewed)
      return renewed.token
    } catch (thrown) {
      // Only a refusal ends the session; an outage does not.
      const status = thrown instanceof Error && 'status' in thrown ? thrown.status : 0
      if (status === 401 || status === 403) realm.forget()
      return null
    }
  })
}

let lastAlone: Promise<unknown> = Promise.resolve()

async function alone<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  // Locks exist only on https and localhost; elsewhere at least this tab takes turns.
  if ('locks' in navigator) return await navigator.locks.request(name, work)
  const turn = lastAlone.then(work, work)
  lastAlone = turn.catch(() => undefined)
  return turn
}
