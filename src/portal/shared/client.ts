/**
 * The only door to the server. Two clients of the same typed API: one carries the operator's token, the
 * other a tenant user's token and company account.
 */
import createClient from 'openapi-fetch'
import type { ApiPaths, Restriction } from './model.ts'
import { ApiProblem, problemFromAnswer, problemOf, unreachable, WAITS } from './problem.ts'
import {
  erpSession,
  isOnTenantAddress,
  operatorSession,
  restricted,
  signedIn,
  signedOut,
  type Session,
} from './session.ts'

const baseUrl = '/api/v1'
const anonymousApi = createClient<ApiPaths>({ baseUrl, fetch: reach })

interface Tokens {
  token: string
  refreshToken: string
}

/** Of a tenant's user in one company; null: of an operator. */
interface KeptTokens extends Tokens {
  companyId: string | null
}

/** What differs between the two sides. */
interface Realm {
  name: string
  tokens(): KeptTokens | null
  latestTokens(): KeptTokens | null
  keepTokens(tokens: Tokens): void
  forget(): void
  /** What the session may do has changed: it is confined until that is mended. */
  restrict(restriction: Restriction): void
  headers(): Record<string, string>
  refresh(refreshToken: string): Promise<Tokens>
}

const operatorRealm: Realm = {
  name: 'operator',
  tokens: () => kept(operatorSession.get().session, () => null),
  latestTokens: () => kept(operatorSession.reread().session, () => null),
  keepTokens: ({ token, refreshToken }) => {
    const state = operatorSession.get()
    if (state.session) operatorSession.set({ ...state, session: { ...state.session, token, refreshToken } })
  },
  forget: () => signedOut(operatorSession),
  restrict: (restriction) => restricted(operatorSession, restriction),
  headers: () => ({}),
  refresh: (refreshToken) => read(anonymousApi.POST('/platform/auth/refresh', { body: { refreshToken } })),
}

const erpRealm: Realm = {
  name: 'erp',
  tokens: () => kept(erpSession.get().session, ({ companyId }) => companyId),
  latestTokens: () => kept(erpSession.reread().session, ({ companyId }) => companyId),
  keepTokens: ({ token, refreshToken }) => {
    const state = erpSession.get()
    if (state.session) erpSession.set({ ...state, session: { ...state.session, token, refreshToken } })
  },
  forget: () => signedOut(erpSession),
  restrict: (restriction) => restricted(erpSession, restriction),
  headers: () => tenantHeader(erpSession.get().tenantCode),
  refresh: (refreshToken) =>
    read(
      anonymousApi.POST('/auth/refresh', {
        body: { refreshToken },
        headers: tenantHeader(erpSession.get().tenantCode),
      }),
    ),
}

function kept<Person>(
  session: Session<Person> | null,
  companyOf: (person: Person) => string | null,
): KeptTokens | null {
  return session && { ...session, companyId: companyOf(session.person) }
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

/** The answer to what was not done, but waits for a second operator. */
interface Held {
  approval: { expiresAt: string }
}
type Done<Body extends { data: unknown }> = Exclude<Body['data'], Held>

/** The `data` of a successful answer; a failure, or that it has to wait, is thrown as an ApiProblem. */
export async function read<Body extends { data: unknown }>(call: Promise<Answer<Body>>): Promise<Done<Body>> {
  const { data } = await readVersioned(call)
  return data
}

/** As `read`, with the ETag to send back as If-Match. */
export async function readVersioned<Body extends { data: unknown }>(
  call: Promise<Answer<Body>>,
): Promise<{ data: Done<Body>; version: string | null }> {
  const { data, error, response } = await call
  if (data === undefined) throw problemFromAnswer(response, error)
  if (isHeld(data.data)) throw new ApiProblem(202, WAITS, 'This waits for a second operator', [], null)
  return { data: data.data as Done<Body>, version: response.headers.get('etag') }
}

function isHeld(data: unknown): data is Held {
  return typeof data === 'object' && data !== null && 'approval' in data
}

const restrictionsByCode: Readonly<Record<string, Restriction>> = {
  PASSWORD_EXPIRED: 'password-expired',
  SECOND_FACTOR_REQUIRED: 'second-factor-missing',
}

function fetchAs(realm: Realm): (request: Request) => Promise<Response> {
  return async (request) => {
    const tokens = realm.tokens()
    // A body can be sent once, so the copy for a second try is taken before the first.
    const secondTry = request.clone()
    const response = await reach(authorised(realm, request, tokens?.token))
    if (response.status === 403 && tokens) {
      const restriction = restrictionsByCode[await problemCode(response)]
      if (restriction) realm.restrict(restriction)
    }
    if (response.status !== 401 || !tokens) return response
    const code = await problemCode(response)
    if (code === 'COMPANY_ACCESS_LOST') {
      await leaveCompany(tokens)
      return response
    }
    if (code !== 'TOKEN_EXPIRED') {
      if (realm.tokens()?.token === tokens.token) realm.forget()
      return response
    }
    const token = await renewedToken(realm, tokens)
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
 * tabs, and whoever waited looks first whether another has renewed meanwhile. What was meant for one company is
 * not sent again to another.
 */
function renewedToken(realm: Realm, stale: KeptTokens): Promise<string | null> {
  return alone(renewalOf(realm), async () => {
    const tokens = realm.latestTokens()
    if (!tokens || tokens.companyId !== stale.companyId) return null
    if (tokens.token !== stale.token) return tokens.token
    try {
      const renewed = await realm.refresh(tokens.refreshToken)
      realm.keepTokens(renewed)
      return renewed.token
    } catch (thrown) {
      forgetIfRefused(realm, thrown)
      return null
    }
  })
}

/** Only a refusal ends the session; an outage does not. */
function forgetIfRefused(realm: Realm, thrown: unknown): void {
  const { status } = problemOf(thrown)
  if (status === 401 || status === 403) realm.forget()
}

/** Goes on in another company, in every tab. */
export function changeCompany(companyId: string): Promise<void> {
  return alone(renewalOf(erpRealm), async () => {
    const tokens = erpRealm.latestTokens()
    if (tokens) await goOnIn(companyId, tokens.refreshToken)
  })
}

/** Who has lost the company of these tokens goes on in the first other one that still lets them in. */
function leaveCompany(lost: KeptTokens): Promise<void> {
  return alone(renewalOf(erpRealm), async () => {
    const tokens = erpRealm.latestTokens()
    if (!tokens || tokens.companyId !== lost.companyId) return
    const companies = erpSession.get().session?.person.companies ?? []
    for (const { id } of companies) {
      if (id === lost.companyId) continue
      try {
        return await goOnIn(id, tokens.refreshToken)
      } catch (thrown) {
        if (problemOf(thrown).status !== 403) return forgetIfRefused(erpRealm, thrown)
      }
    }
    erpRealm.forget()
  })
}

async function goOnIn(companyId: string, refreshToken: string): Promise<void> {
  const headers = erpRealm.headers()
  const body = { refreshToken, companyId }
  const { user: person, ...tokens } = await read(anonymousApi.POST('/auth/refresh', { body, headers }))
  signedIn(erpSession, { ...tokens, person }, person.tenantCode)
}

function renewalOf({ name }: Realm): string {
  return `solution-erp.${name}.renew`
}

let lastAlone: Promise<unknown> = Promise.resolve()

async function alone<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  // Locks exist only on https and localhost; elsewhere at least this tab takes turns.
  if ('locks' in navigator) return await navigator.locks.request(name, work)
  const turn = lastAlone.then(work, work)
  lastAlone = turn.catch(() => undefined)
  return turn
}
