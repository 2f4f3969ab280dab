import { stored, type Stored } from './stored.ts'
import type { Operator, Restriction, User } from './model.ts'

export interface Session<Person> {
  token: string
  refreshToken: string
  person: Person
}

export interface SessionState<Person> {
  session: Session<Person> | null
  /** Company account last signed in to; kept after sign-out so that it need not be typed again. */
  tenantCode: string | null
}

/** Operators and tenants' users sign in separately, and a browser may hold one session of each. */
export const operatorSession = sessionStore<Operator>('solution-erp.operator')
export const erpSession = sessionStore<User>('solution-erp.erp')

export function signedIn<Person>(
  store: Stored<SessionState<Person>>,
  session: Session<Person>,
  tenantCode: string | null = null,
): void {
  store.set({ session, tenantCode })
}

export function signedOut<Person>(store: Stored<SessionState<Person>>): void {
  store.set({ ...store.get(), session: null })
}

export function restricted<Person extends { restriction: Restriction | null }>(
  store: Stored<SessionState<Person>>,
  restriction: Restriction,
): void {
  const { session, tenantCode } = store.get()
  if (session) store.set({ session: { ...session, person: { ...session.person, restriction } }, tenantCode })
}

/** On a tenant's own address (acme.localhost, acme.example.com) the server knows the tenant by the host. */
export function isOnTenantAddress(hostname: string = window.location.hostname): boolean {
  const baseDomain =
    document.querySelector<HTMLMetaElement>('meta[name="base-domain"]')?.content || 'localhost'
  return hostname.endsWith(`.${baseDomain}`)
}

function sessionStore<Person>(key: string): Stored<SessionState<Person>> {
  const nobody: SessionState<Person> = { session: null, tenantCode: null }
  return stored(key, nobody, (value) => typeof value === 'object' && value !== null && 'session' in value)
}
