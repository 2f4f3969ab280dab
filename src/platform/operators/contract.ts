/**
 * Glossary
 * - operator: a person who sells and runs the product; signs in to the operator portal, never to a tenant
 * - invitation: a mail with a link, good once, under which a new operator sets a password
 */
import { Type, type Static } from 'typebox'
import { accountOperations, accountState, credentials } from '../../accounts/contract.ts'
import {
  Email,
  Id,
  IdParams,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
  perMinute,
  restrictions,
  signInLimit,
} from '../../http/contract.ts'
import { decidingRoles, operatorRoles } from './rules/permissions.ts'

export const Operator = Type.Object({
  id: Id,
  fullName: Type.String(),
  email: Type.String(),
  role: oneOf(operatorRoles),
  permissions: Type.Array(Type.String()),
  ...accountState,
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
  body: Type.Object(credentials, { additionalProperties: false }),
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
  isOpenDuring: restrictions,
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
  isOpenDuring: restrictions,
  access: 'read',
  data: Operator,
})

export const {
  changePassword: operatorChangePassword,
  requestPasswordReset: operatorRequestPasswordReset,
  resetPassword: operatorResetPassword,
  listSessions: operatorListSessions,
  endOtherSessions: operatorEndOtherSessions,
  endSession: operatorEndSession,
  beginSecondFactor: operatorBeginSecondFactor,
  confirmSecondFactor: operatorConfirmSecondFactor,
  renewRecoveryCodes: operatorRenewRecoveryCodes,
  removeSecondFactor: operatorRemoveSecondFactor,
} = accountOperations('platform', 'Operators', 'operator')

// ---- operators as people -------------------------------------------------------------------------------

export const operatorStatuses = ['active', 'inactive'] as const

export const OperatorPerson = Type.Object({
  id: Id,
  fullName: Type.String(),
  email: Type.String(),
  role: oneOf(operatorRoles),
  status: oneOf(operatorStatuses),
  isInvited: Type.Boolean({ description: 'Has not set a password yet' }),
  hasSecondFactor: Type.Boolean({ description: 'Signs in with two steps' }),
  lastLoginAt: nullable(Instant),
  createdAt: Instant,
  updatedAt: Instant,
  deletedAt: nullable(Instant),
})

export type OperatorData = Static<typeof OperatorPerson>

/** One line: it stands in the headers of mails. */
const FullName = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\x00-\\x1f\\x7f]*$' })

const base = { tag: 'Operators', audience: 'platform' } as const

export const listOperators = operation({
  ...base,
  name: 'listOperators',
  method: 'GET',
  path: '/operators',
  summary: 'Operators: list with search (name, e-mail), filters, sort and paging',
  permission: 'operators:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(
        oneOf(['fullName', 'email', 'role', 'status', 'lastLoginAt', 'createdAt', 'updatedAt']),
      ),
      role: Type.Optional(oneOf(operatorRoles)),
      status: Type.Optional(oneOf(operatorStatuses)),
      includeDeleted: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  data: pageOf('operators', OperatorPerson),
})

export const getOperator = operation({
  ...base,
  name: 'getOperator',
  method: 'GET',
  path: '/operators/{id}',
  summary: 'One operator',
  permission: 'operators:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  data: OperatorPerson,
  versioned: true,
})

export const createOperator = operation({
  ...base,
  name: 'createOperator',
  needsApproval: { role: decidingRoles },
  method: 'POST',
  path: '/operators',
  summary: 'Create an operator, who is invited by mail',
  permission: 'operators:manage',
  access: 'write',
  status: 201,
  idempotent: true,
  body: Type.Object(
    { fullName: FullName, email: Email, role: oneOf(operatorRoles) },
    { additionalProperties: false },
  ),
  rateLimit: perMinute(10),
  data: OperatorPerson,
  versioned: true,
})

export const updateOperator = operation({
  ...base,
  name: 'updateOperator',
  // Not `inactive`, nor deleting: who must be shut out is shut out at once, and nobody becomes an approver by it.
  needsApproval: { email: true, role: true, status: ['active'] },
  method: 'PUT',
  path: '/operators/{id}',
  summary: 'Change the fields that are given; what the operator may do changes at once',
  permission: 'operators:manage',
  access: 'steps',
  params: IdParams,
  body: Type.Object(
    {
      fullName: Type.Optional(FullName),
      email: Type.Optional(Email),
      role: Type.Optional(oneOf(operatorRoles)),
      status: Type.Optional(oneOf(operatorStatuses)),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: OperatorPerson,
  versioned: true,
})

export const deleteOperator = operation({
  ...base,
  name: 'deleteOperator',
  method: 'DELETE',
  path: '/operators/{id}',
  summary:
    'Delete an operator: signed out at once, the e-mail address is free again, what they did stays theirs',
  permission: 'operators:manage',
  access: 'steps',
  params: IdParams,
  data: Nothing,
  isConditional: true,
})

export const inviteOperator = operation({
  ...base,
  name: 'inviteOperator',
  needsApproval: true,
  method: 'POST',
  path: '/operators/{id}/invitation',
  summary: 'Send the invitation again, to an operator who has not set a password yet; earlier links are void',
  permission: 'operators:manage',
  access: 'write',
  params: IdParams,
  rateLimit: perMinute(10),
  data: OperatorPerson,
})

export const resetOperatorSecondFactor = operation({
  ...base,
  name: 'resetOperatorSecondFactor',
  needsApproval: true,
  method: 'DELETE',
  path: '/operators/{id}/second-factor',
  summary:
    'Turn two-step sign-in off for an operator who has lost app and recovery codes: signed out, told by mail',
  permission: 'operators:manage',
  access: 'steps',
  params: IdParams,
  rateLimit: perMinute(5),
  data: Nothing,
})
