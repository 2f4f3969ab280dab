/**
 * Glossary
 * - user: a person who works in one tenant, in some or all of its companies
 * - session: one sign-in on one device; holds the chain of refresh tokens
 */
import { Type } from 'typebox'
import { accountOperations, accountState, credentials } from '../../accounts/contract.ts'
import {
  Id,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  restrictions,
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
  roleId: nullable(Type.String({ description: 'null: an operator, who is here as support' })),
  role: Type.String(),
  permissions: Type.Array(Type.String()),
  ...accountState,
  companyId: Id,
  companies: Type.Array(UserCompany),
  tenantCode: Type.String(),
  support: nullable(
    Type.Object(
      {
        sessionId: Id,
        operatorName: Type.String(),
        reason: Type.String(),
        access: oneOf(['read', 'write']),
        endsAt: Instant,
        isCaller: Type.Boolean({ description: 'Who asks is that operator' }),
      },
      { description: "The operator's support in this account now: told to itself and to who may end it" },
    ),
  ),
})

export const UserSession = Type.Object({
  token: Type.String(),
  refreshToken: Type.String(),
  expiresIn: Type.Integer({ description: 'Seconds until the access token expires' }),
  user: SignedInUser,
})

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
      ...credentials,
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
  body: Type.Object(
    {
      refreshToken: Type.String({ maxLength: 200 }),
      companyId: Type.Optional(
        nullable(Type.String({ format: 'uuid', description: 'Goes on in this company from now on' })),
      ),
    },
    { additionalProperties: false },
  ),
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
  isOpenDuring: restrictions,
  isOpenToSupport: true,
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
  isOpenDuring: restrictions,
  isOpenToSupport: true,
  access: 'read',
  data: SignedInUser,
})

export const redeemSupportCode = operation({
  name: 'redeemSupportCode',
  method: 'POST',
  path: '/auth/support-session',
  summary: 'Exchange the single-use code of a support session, good for a minute, for its token',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    { code: Type.String({ minLength: 20, maxLength: 200 }) },
    { additionalProperties: false },
  ),
  data: Type.Object({
    token: Type.String(),
    expiresIn: Type.Integer({ description: 'Seconds until the session ends' }),
    user: SignedInUser,
  }),
})

export const {
  changePassword,
  requestPasswordReset,
  resetPassword,
  listSessions,
  endOtherSessions,
  endSession,
  beginSecondFactor,
  confirmSecondFactor,
  renewRecoveryCodes,
  removeSecondFactor,
} = accountOperations('tenant', 'Sign-in', '')
