/** What whoever is signed in does with their own account: the same on both sides, at their own addresses. */
import { erpApi, operatorApi, read } from '../client.ts'
import type { AccountSession, Operator, User } from '../model.ts'
import { erpSession, operatorSession, type SessionState } from '../session.ts'
import type { Stored } from '../stored.ts'

type Person = Pick<User & Operator, 'fullName' | 'email' | 'restriction' | 'secondFactor'>

export interface AccountSide {
  readonly name: 'erp' | 'operator'
  me(): Promise<Person>
  changePassword(body: { currentPassword: string; newPassword: string }): Promise<unknown>
  listSessions(): Promise<AccountSession[]>
  endOtherSessions(): Promise<unknown>
  endSession(id: string): Promise<unknown>
  beginSecondFactor(): Promise<{ secret: string; uri: string }>
  confirmSecondFactor(code: string): Promise<string[]>
  renewRecoveryCodes(code: string): Promise<string[]>
  removeSecondFactor(body: { password: string; code: string }): Promise<unknown>
  /** This browser forgets the session. */
  forget(): void
}

export const erpAccount: AccountSide = {
  name: 'erp',
  me: async () => keepPerson(erpSession, await read(erpApi.GET('/auth/me'))),
  changePassword: (body) => read(erpApi.POST('/auth/change-password', { body })),
  listSessions: async () => (await read(erpApi.GET('/auth/sessions'))).sessions,
  endOtherSessions: () => read(erpApi.DELETE('/auth/sessions')),
  endSession: (id) => read(erpApi.DELETE('/auth/sessions/{id}', { params: { path: { id } } })),
  beginSecondFactor: () => read(erpApi.POST('/auth/second-factor/enrolment')),
  confirmSecondFactor: async (code) =>
    (await read(erpApi.POST('/auth/second-factor', { body: { code } }))).recoveryCodes,
  renewRecoveryCodes: async (code) =>
    (await read(erpApi.POST('/auth/second-factor/recovery-codes', { body: { code } }))).recoveryCodes,
  removeSecondFactor: (body) => read(erpApi.POST('/auth/second-factor/removal', { body })),
  forget: () => forget(erpSession),
}

export const operatorAccount: AccountSide = {
  name: 'operator',
  me: async () => keepPerson(operatorSession, await read(operatorApi.GET('/platform/auth/me'))),
  changePassword: (body) => read(operatorApi.POST('/platform/auth/change-password', { body })),
  listSessions: async () => (await read(operatorApi.GET('/platform/auth/sessions'))).sessions,
  endOtherSessions: () => read(operatorApi.DELETE('/platform/auth/sessions')),
  endSession: (id) => read(operatorApi.DELETE('/platform/auth/sessions/{id}', { params: { path: { id } } })),
  beginSecondFactor: () => read(operatorApi.POST('/platform/auth/second-factor/enrolment')),
  confirmSecondFactor: async (code) =>
    (await read(operatorApi.POST('/platform/auth/second-factor', { body: { code } }))).recoveryCodes,
  renewRecoveryCodes: async (code) =>
    (await read(operatorApi.POST('/platform/auth/second-factor/recovery-codes', { body: { code } })))
      .recoveryCodes,
  removeSecondFactor: (body) => read(operatorApi.POST('/platform/auth/second-factor/removal', { body })),
  forget: () => forget(operatorSession),
}

/** What the session may do is told with the person: what is shown follows. */
function keepPerson<Kept>(store: Stored<SessionState<Kept>>, person: Kept): Kept {
  const state = store.get()
  if (state.session) store.set({ ...state, session: { ...state.session, person } })
  return person
}

function forget<Kept>(store: Stored<SessionState<Kept>>): void {
  store.set({ ...store.get(), session: null })
}
