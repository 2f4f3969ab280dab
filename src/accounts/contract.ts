/**
 * What both sides offer to whoever has an account, under the same addresses below their own base path.
 *
 * Glossary
 * - second factor: an authenticator app that knows a secret and tells a six-digit code for each half minute
 *   (TOTP, RFC 6238)
 * - enrolment: the secret is given first, and in force when a code made of it has come back
 * - recovery code: good once in place of a code, for who has lost the app
 */
import { Type } from 'typebox'
import {
  Email,
  Id,
  IdParams,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  passwordResetLimit,
  reproofLimit,
  restrictions,
  type Audience,
} from '../http/contract.ts'

export const RECOVERY_CODES = 10

/** How long it is, and what must be in it, is for `passwordProblems` to say: every rule that is broken, at once. */
export const NewPassword = Type.String({
  minLength: 1,
  maxLength: 200,
  description:
    'At least 8 characters and at most 72 bytes; an upper-case and a lower-case letter, a digit, another character; without the name or the e-mail address; none that many people use',
})
const KnownPassword = Type.String({ minLength: 1, maxLength: 200 })
export const Code = Type.String({
  minLength: 6,
  maxLength: 40,
  description: 'Six digits of the authenticator app, or a recovery code',
})

/** What `POST /auth/login` takes on both sides. */
export const credentials = { email: Email, password: KnownPassword, totp: Type.Optional(Code) }

export const accountState = {
  restriction: nullable(
    oneOf(
      restrictions,
      'What must be mended before anything else is allowed: POST /auth/change-password, POST /auth/second-factor/enrolment',
    ),
  ),
  secondFactor: Type.Object({
    isOn: Type.Boolean(),
    isRequired: Type.Boolean(),
    recoveryCodesLeft: Type.Integer(),
  }),
}

export const AccountSession = Type.Object({
  id: Id,
  startedAt: Instant,
  lastUsedAt: Instant,
  expiresAt: Instant,
  isRemembered: Type.Boolean(),
  isCurrent: Type.Boolean({ description: 'The one that asks' }),
  address: nullable(Type.String()),
  userAgent: nullable(Type.String()),
})

const RecoveryCodes = Type.Object({
  recoveryCodes: Type.Array(Type.String(), { description: 'Shown this once; each is good once' }),
})

/** `prefix` keeps the names of the two sides apart. */
export function accountOperations<const Side extends Audience>(
  audience: Side,
  tag: string,
  prefix: '' | 'operator',
) {
  const named = (name: string): string =>
    prefix === '' ? name : `${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`
  const base = { audience, tag, isOpenForExport: true } as const
  const signedIn = { ...base, permission: 'signed-in', access: 'steps' } as const
  const anonymous = { audience, tag, permission: 'anonymous', access: 'steps' } as const
  const enrolling = { ...signedIn, isOpenDuring: ['second-factor-missing'] } as const
  return {
    changePassword: operation({
      ...signedIn,
      name: named('changePassword'),
      method: 'POST',
      path: '/auth/change-password',
      summary: "Change one's own password; ends all sessions, this one too",
      isOpenDuring: ['password-expired'],
      rateLimit: reproofLimit,
      body: Type.Object(
        { currentPassword: KnownPassword, newPassword: NewPassword },
        { additionalProperties: false },
      ),
      data: Nothing,
    }),
    requestPasswordReset: operation({
      ...anonymous,
      name: named('requestPasswordReset'),
      method: 'POST',
      path: '/auth/reset-password-request',
      summary:
        'Ask for a mail with a link, good once and for an hour; the answer is the same for any address',
      body: Type.Object({ email: Email }, { additionalProperties: false }),
      rateLimit: passwordResetLimit,
      data: Nothing,
      message: 'If there is an account with this address, a mail is on its way to it',
    }),
    resetPassword: operation({
      ...anonymous,
      name: named('resetPassword'),
      method: 'POST',
      path: '/auth/reset-password',
      summary: 'Set a password with the single-use token of a link; ends all sessions',
      body: Type.Object(
        { token: Type.String({ minLength: 20, maxLength: 200 }), password: NewPassword },
        { additionalProperties: false },
      ),
      data: Nothing,
    }),
    listSessions: operation({
      ...signedIn,
      name: named('listSessions'),
      access: 'read',
      method: 'GET',
      path: '/auth/sessions',
      summary: 'Where one is signed in',
      data: Type.Object({ sessions: Type.Array(AccountSession) }),
    }),
    endOtherSessions: operation({
      ...signedIn,
      name: named('endOtherSessions'),
      method: 'DELETE',
      path: '/auth/sessions',
      summary: "End all of one's sessions but this one, at once",
      data: Nothing,
    }),
    endSession: operation({
      ...signedIn,
      name: named('endSession'),
      method: 'DELETE',
      path: '/auth/sessions/{id}',
      summary: "End one of one's sessions, at once",
      params: IdParams,
      data: Nothing,
    }),
    beginSecondFactor: operation({
      ...enrolling,
      name: named('beginSecondFactor'),
      method: 'POST',
      path: '/auth/second-factor/enrolment',
      summary: 'Begin to set up two-step sign-in: a secret for an authenticator app, not in force yet',
      status: 201,
      data: Type.Object({
        secret: Type.String({ description: 'Base32, to be typed in' }),
        uri: Type.String({ description: 'The same as otpauth://, to be shown as a QR code' }),
      }),
    }),
    confirmSecondFactor: operation({
      ...enrolling,
      name: named('confirmSecondFactor'),
      method: 'POST',
      path: '/auth/second-factor',
      summary: 'Put two-step sign-in in force, by a code of the app; answers the recovery codes',
      status: 201,
      rateLimit: reproofLimit,
      body: Type.Object({ code: Code }, { additionalProperties: false }),
      data: RecoveryCodes,
    }),
    renewRecoveryCodes: operation({
      ...signedIn,
      name: named('renewRecoveryCodes'),
      method: 'POST',
      path: '/auth/second-factor/recovery-codes',
      summary: 'Make new recovery codes; the earlier ones are void',
      status: 201,
      rateLimit: reproofLimit,
      body: Type.Object({ code: Code }, { additionalProperties: false }),
      data: RecoveryCodes,
    }),
    removeSecondFactor: operation({
      ...signedIn,
      name: named('removeSecondFactor'),
      method: 'POST',
      path: '/auth/second-factor/removal',
      summary: 'Turn two-step sign-in off, by password and code',
      rateLimit: reproofLimit,
      body: Type.Object({ password: KnownPassword, code: Code }, { additionalProperties: false }),
      data: Nothing,
    }),
  }
}
