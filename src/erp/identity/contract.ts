/**
 * Glossary
 * - user: a person who works in one tenant, in some or all of its companies
 * - session: one sign-in on one device; holds the chain of refresh tokens
 */
import { Type } from 'typebox'
import {
  Email,
  Id,
  Nothing,
  nullable,
  operation,
  passwordResetLimit,
  signInLimit,
} from '../../http/contract.ts'

export const UserCompany = Type.Object({
  id: Id,
  code: Type.String(),
  name: Type.String(),
  baseCurrency: Type.String(),
  minorUnits: Type.Integer({ description: "Decimal places of the base currency's amounts" }),
})

export const SignedInUser = Type.Object({
  id: Id,
  fullName: Type.String(),
  email: Type.String(),
  roleId: Id,
  role: Type.String(),
  permissions: Type.Array(Type.String()),
  mustChangePassword: Type.Boolean({
    description: 'Nothing else is allowed before: POST /auth/change-password',
  }),
  companyId: Id,
  companies: Type.Array(UserCompany),
  tenantCode: Type.String(),
})

export const UserSession = Type.Object({
  token: Type.String(),
  refreshToken: Type.String(),
  expiresIn: Type.Integer({ description: 'Seconds until the access token expires' }),
  user: SignedInUser,
})

const NewPassword = Type.String({ minLength: 8, maxLength: 72 })

export const login = operation({
  name: 'login',
  isOpenForExport: true,
  method: 'POST',
  path: '/auth/login',
  summary: 'Sign in to a tenant',
  rateLimit: signInLimit,
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    {
      email: Email,
      password: Type.String({ minLength: 1, maxLength: 200 }),
      companyId: Type.Optional(nullable(Id)),
      rememberMe: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  data: UserSession,
})

export const refresh = operation({
  name: 'refresh',
  isOpenForExport: true,
  method: 'POST',
  path: '/auth/refresh',
  summary: 'Exchange a refresh token for a new pair; a token used twice ends its session',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object({ refreshToken: Type.String({ maxLength: 200 }) }, { additionalProperties: false }),
  data: UserSession,
})

export const logout = operation({
  name: 'logout',
  isOpenForExport: true,
  method: 'POST',
  path: '/auth/logout',
  summary: 'End this session',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'signed-in',
  isForExpiredPasswords: true,
  access: 'steps',
  data: Nothing,
})

export const me = operation({
  name: 'me',
  isOpenForExport: true,
  method: 'GET',
  path: '/auth/me',
  summary: 'Who is signed in, with permissions and companies',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'signed-in',
  isForExpiredPasswords: true,
  access: 'read',
  data: SignedInUser,
})

export const changePassword = operation({
  name: 'changePassword',
  method: 'POST',
  path: '/auth/change-password',
  summary: "Change one's own password; ends all sessions, this one too",
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'signed-in',
  isForExpiredPasswords: true,
  access: 'steps',
  body: Type.Object(
    { currentPassword: Type.String({ minLength: 1, maxLength: 200 }), newPassword: NewPassword },
    { additionalProperties: false },
  ),
  data: Nothing,
})

export const requestPasswordReset = operation({
  name: 'requestPasswordReset',
  method: 'POST',
  path: '/auth/reset-password-request',
  summary: 'Ask for a mail with a link, good once and for an hour; the answer is the same for any address',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object({ email: Email }, { additionalProperties: false }),
  rateLimit: passwordResetLimit,
  data: Nothing,
  message: 'If there is an account with this address, a mail is on its way to it',
})

export const resetPassword = operation({
  name: 'resetPassword',
  method: 'POST',
  path: '/auth/reset-password',
  summary: 'Set a password with the single-use token of a link; ends all sessions',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    { token: Type.String({ minLength: 20, maxLength: 200 }), password: NewPassword },
    { additionalProperties: false },
  ),
  data: Nothing,
})
