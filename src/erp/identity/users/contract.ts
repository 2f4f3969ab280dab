/**
 * Glossary
 * - user: a person who works in one tenant, in some or all of its companies
 * - invitation: a mail with a link, good once, under which a new user sets a password
 * - activity: what a user did and what was done to them, sign-ins among it
 */
import { Type, type Static } from 'typebox'
import { NewPassword } from '../../../accounts/contract.ts'
import {
  auditNext,
  DateText,
  Email,
  File,
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
  UploadBody,
} from '../../../http/contract.ts'
import { actorKinds } from '../../../kernel/actors.ts'

export const userStatuses = ['active', 'inactive'] as const
export const COMPANIES_MAXIMUM = 1_000
export const PHOTO_TYPES = ['image/png', 'image/jpeg', 'image/webp'] as const
export const PHOTO_BYTES_MAXIMUM = 524_288
export const INVITED_AT_ONCE_MAXIMUM = 500

const Metadata = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  description: 'Whatever the tenant wants to keep with the user; at most 8 KiB of JSON',
})

export const User = Type.Object({
  id: Id,
  fullName: Type.String(),
  email: Type.String(),
  phone: nullable(Type.String()),
  photo: nullable(
    Type.String({ description: 'Where it is fetched from; another address once it has changed' }),
  ),
  roleId: Id,
  role: Type.String({ description: "The role's name" }),
  status: oneOf(userStatuses),
  joinDate: nullable(DateText),
  lastLoginAt: nullable(Instant),
  allCompanies: Type.Boolean({ description: 'Works in every company, also in those to come' }),
  companyIds: Type.Array(Id, { description: 'The companies worked in, unless it is all' }),
  metadata: Metadata,
  isInvited: Type.Boolean({ description: 'Has not set a password yet' }),
  hasSecondFactor: Type.Boolean({ description: 'Signs in with two steps' }),
  createdAt: Instant,
  updatedAt: Instant,
  deletedAt: nullable(Instant),
})

export type UserData = Static<typeof User>

/** One line: it stands in the headers of mails. */
const FullName = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\x00-\\x1f\\x7f]*$' })
const Phone = nullable(
  Type.String({ pattern: '^[+0-9() ./-]{3,40}$', description: 'Digits, spaces and + ( ) . / -' }),
)

/** What of a user may be left out. */
const optional = {
  phone: Type.Optional(Phone),
  status: Type.Optional(oneOf(userStatuses)),
  joinDate: Type.Optional(nullable(DateText)),
  allCompanies: Type.Optional(Type.Boolean()),
  companyIds: Type.Optional(Type.Array(Id, { maxItems: COMPANIES_MAXIMUM })),
  metadata: Type.Optional(Metadata),
}

const base = { tag: 'Users', audience: 'tenant' } as const

export const listUsers = operation({
  ...base,
  name: 'listUsers',
  method: 'GET',
  path: '/users',
  summary: 'Users: list with search (name, e-mail, phone), filters, sort and paging',
  permission: 'users:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(
        oneOf(['fullName', 'email', 'role', 'status', 'joinDate', 'lastLoginAt', 'createdAt', 'updatedAt']),
      ),
      status: Type.Optional(oneOf(userStatuses)),
      roleId: Type.Optional(Id),
      includeDeleted: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  rateLimit: perMinute(100),
  data: pageOf('users', User),
})

export const getUser = operation({
  ...base,
  name: 'getUser',
  method: 'GET',
  path: '/users/{id}',
  summary: 'One user',
  permission: 'users:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  data: User,
  versioned: true,
})

export const createUser = operation({
  ...base,
  name: 'createUser',
  method: 'POST',
  path: '/users',
  summary: 'Create a user, who is invited by mail; or with a password instead, which is good for one sign-in',
  permission: 'users:add',
  access: 'steps',
  status: 201,
  body: Type.Object(
    {
      fullName: FullName,
      email: Email,
      roleId: Id,
      password: Type.Optional(NewPassword),
      ...optional,
    },
    { additionalProperties: false },
  ),
  rateLimit: perMinute(10),
  data: User,
  versioned: true,
})

export const updateUser = operation({
  ...base,
  name: 'updateUser',
  method: 'PUT',
  path: '/users/{id}',
  summary: 'Change the fields that are given; what the user may do changes at once',
  permission: 'users:edit',
  access: 'steps',
  params: IdParams,
  body: Type.Object(
    {
      fullName: Type.Optional(FullName),
      email: Type.Optional(Email),
      roleId: Type.Optional(Id),
      ...optional,
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  rateLimit: perMinute(20),
  data: User,
  versioned: true,
})

export const deleteUser = operation({
  ...base,
  name: 'deleteUser',
  method: 'DELETE',
  path: '/users/{id}',
  summary: 'Delete a user: signed out at once, the e-mail address is free again, what they did stays theirs',
  permission: 'users:delete',
  access: 'steps',
  params: IdParams,
  rateLimit: perMinute(5),
  data: Nothing,
  isConditional: true,
})

export const resetUserSecondFactor = operation({
  ...base,
  name: 'resetUserSecondFactor',
  method: 'DELETE',
  path: '/users/{id}/second-factor',
  summary:
    'Turn two-step sign-in off for a user who has lost app and recovery codes: signed out, told by mail',
  permission: 'users:edit',
  access: 'steps',
  params: IdParams,
  rateLimit: perMinute(5),
  data: Nothing,
})

export const restoreUser = operation({
  ...base,
  name: 'restoreUser',
  method: 'POST',
  path: '/users/{id}/restoration',
  summary:
    'Bring a deleted user back, inactive; photo and e-mail settings stay gone. With another role where `roleId` names one, which it must where the former role is deleted',
  permission: 'users:delete',
  access: 'write',
  params: IdParams,
  body: Type.Optional(Type.Object({ roleId: Type.Optional(Id) }, { additionalProperties: false })),
  rateLimit: perMinute(5),
  data: User,
})

export const sendPasswordReset = operation({
  ...base,
  name: 'sendPasswordReset',
  method: 'POST',
  path: '/users/{id}/password-reset',
  summary: 'Mail the user a link under which they set a new password; the present one stays good meanwhile',
  permission: 'users:edit',
  access: 'write',
  params: IdParams,
  rateLimit: perMinute(5),
  data: Nothing,
})

// ---- invitations ---------------------------------------------------------------------------------------

export const inviteUser = operation({
  ...base,
  name: 'inviteUser',
  method: 'POST',
  path: '/users/{id}/invitation',
  summary: 'Send the invitation again, to a user who has not set a password yet; earlier links are void',
  permission: 'users:add',
  access: 'write',
  params: IdParams,
  rateLimit: perMinute(10),
  data: User,
})

export const inviteUsers = operation({
  ...base,
  name: 'inviteUsers',
  method: 'POST',
  path: '/users/invitations',
  summary:
    'Create and invite users from a CSV file: fullName, email, role; phone, joinDate, companies (codes with ; between, or *). All or nothing: every bad row is told with line, field and reason',
  permission: 'users:add',
  access: 'write',
  status: 201,
  accepts: ['text/csv'],
  bodyLimitBytes: 1_048_576,
  body: UploadBody,
  rateLimit: perMinute(10),
  data: Type.Object({ users: Type.Array(User), count: Type.Integer() }),
})

// ---- photo ---------------------------------------------------------------------------------------------

export const getUserPhoto = operation({
  ...base,
  name: 'getUserPhoto',
  method: 'GET',
  path: '/users/{id}/photo',
  summary: "The user's photo, with its own content type",
  permission: 'users:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  isDownload: true,
  data: File,
})

export const setUserPhoto = operation({
  ...base,
  name: 'setUserPhoto',
  method: 'PUT',
  path: '/users/{id}/photo',
  summary: 'Set the photo: PNG, JPEG or WebP, told by its content, at most 512 KiB',
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'write',
  params: IdParams,
  accepts: PHOTO_TYPES,
  bodyLimitBytes: PHOTO_BYTES_MAXIMUM,
  body: UploadBody,
  data: User,
})

export const deleteUserPhoto = operation({
  ...base,
  name: 'deleteUserPhoto',
  method: 'DELETE',
  path: '/users/{id}/photo',
  summary: 'Take the photo away',
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'write',
  params: IdParams,
  data: User,
})

// ---- activity and sessions -----------------------------------------------------------------------------

export const UserEvent = Type.Object({
  id: Id,
  at: Instant,
  action: Type.String({
    description: 'sign-in, or what the audit trail calls it: insert, update, delete, post …',
  }),
  entity: nullable(Type.String()),
  entityId: nullable(Id),
  fields: Type.Array(Type.String(), { description: 'What was changed' }),
  actorId: nullable(Id),
  actorKind: oneOf(actorKinds),
  actorName: nullable(Type.String()),
  address: nullable(Type.String()),
  userAgent: nullable(Type.String()),
  endedAt: nullable(Instant),
  endReason: nullable(Type.String()),
})

export const listUserActivity = operation({
  ...base,
  name: 'listUserActivity',
  method: 'GET',
  path: '/users/{id}/activity',
  summary: 'Sign-ins, and changes by and of the user, the newest first',
  permission: 'users:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  query: Type.Object(
    {
      limit: pageQuery.limit,
      after: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the page before' })),
    },
    { additionalProperties: false },
  ),
  data: Type.Object({ activity: Type.Array(UserEvent), next: auditNext }),
})

export const SessionData = Type.Object({
  id: Id,
  startedAt: Instant,
  lastUsedAt: Instant,
  expiresAt: Instant,
  companyId: Id,
  isRemembered: Type.Boolean(),
  isCurrent: Type.Boolean({ description: 'The one that asks' }),
  address: nullable(Type.String()),
  userAgent: nullable(Type.String()),
})

export const listUserSessions = operation({
  ...base,
  name: 'listUserSessions',
  method: 'GET',
  path: '/users/{id}/sessions',
  summary: 'Where the user is signed in',
  permission: 'users:view',
  isOpenToSelf: true,
  access: 'read',
  params: IdParams,
  data: Type.Object({ sessions: Type.Array(SessionData) }),
})

export const endUserSessions = operation({
  ...base,
  name: 'endUserSessions',
  method: 'DELETE',
  path: '/users/{id}/sessions',
  summary: 'Sign the user out everywhere, at once',
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'steps',
  params: IdParams,
  data: Nothing,
})

export const endUserSession = operation({
  ...base,
  name: 'endUserSession',
  method: 'DELETE',
  path: '/users/{id}/sessions/{sessionId}',
  summary: 'End one session, at once',
  permission: 'users:edit',
  isOpenToSelf: true,
  access: 'steps',
  params: Type.Object({ id: Id, sessionId: Id }),
  data: Nothing,
})

export const userOperations = [
  listUsers,
  getUser,
  createUser,
  updateUser,
  deleteUser,
  resetUserSecondFactor,
  restoreUser,
  sendPasswordReset,
  inviteUser,
  inviteUsers,
  getUserPhoto,
  setUserPhoto,
  deleteUserPhoto,
  listUserActivity,
  listUserSessions,
  endUserSessions,
  endUserSession,
]
