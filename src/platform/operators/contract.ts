/**
 * Glossary
 * - operator: a person who sells and runs the product; signs in to the operator portal, never to a tenant
 */
import { Type } from 'typebox'
import { Email, Id, Nothing, oneOf, operation, signInLimit } from '../../http/contract.ts'

export const operatorRoles = ['owner', 'billing', 'support', 'read-only'] as const

export const Operator = Type.Object({
  id: Id,
  fullName: Type.String(),
  email: Type.String(),
  role: oneOf(operatorRoles),
  permissions: Type.Array(Type.String()),
})

export const OperatorSession = Type.Object({
  token: Type.String(),
  refreshToken: Type.String(),
  expiresIn: Type.Integer({ description: 'Seconds until the access token expires' }),
  operator: Operator,
})

export const operatorLogin = operation({
  name: 'operatorLogin',
  method: 'POST',
  path: '/auth/login',
  summary: 'Sign in as an operator',
  rateLimit: signInLimit,
  tag: 'Operators',
  audience: 'platform',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    { email: Email, password: Type.String({ minLength: 1, maxLength: 200 }) },
    { additionalProperties: false },
  ),
  data: OperatorSession,
})

export const operatorRefresh = operation({
  name: 'operatorRefresh',
  method: 'POST',
  path: '/auth/refresh',
  summary: 'Exchange a refresh token for a new pair; a token used twice ends its session',
  tag: 'Operators',
  audience: 'platform',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object({ refreshToken: Type.String({ maxLength: 200 }) }, { additionalProperties: false }),
  data: OperatorSession,
})

export const operatorLogout = operation({
  name: 'operatorLogout',
  method: 'POST',
  path: '/auth/logout',
  summary: 'End this session',
  tag: 'Operators',
  audience: 'platform',
  permission: 'signed-in',
  access: 'steps',
  data: Nothing,
})

export const operatorMe = operation({
  name: 'operatorMe',
  method: 'GET',
  path: '/auth/me',
  summary: 'Who is signed in',
  tag: 'Operators',
  audience: 'platform',
  permission: 'signed-in',
  access: 'read',
  data: Operator,
})
