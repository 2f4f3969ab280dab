/**
 * Glossary
 * - role: what its holders may do: permissions as patterns, and the largest discount they may grant
 * - permission: `<module>:<ability>`, declared by an operation's contract
 * - pattern: `*`, `*:<ability>`, `<module>:*` or a permission
 */
import { Type } from 'typebox'
import {
  Amount,
  AmountInput,
  Id,
  IdParams,
  Instant,
  Nothing,
  nullable,
  oneOf,
  operation,
  pageOf,
  pageQuery,
} from '../../../http/contract.ts'

const PERMISSIONS_MAXIMUM = 500

const Limit = nullable(Amount)
const LimitInput = Type.Union([AmountInput, Type.Null()], {
  description: 'The largest a holder may grant; 0: none, null: without a limit',
})

export const Role = Type.Object({
  id: Id,
  name: Type.String(),
  description: nullable(Type.String()),
  permissions: Type.Array(Type.String()),
  discountPercentMaximum: Limit,
  discountAmountMaximum: Limit,
  requiresSecondFactor: Type.Boolean({ description: 'Its holders sign in with two steps' }),
  isBuiltIn: Type.Boolean(),
  isActive: Type.Boolean(),
  userCount: Type.Integer({ description: 'Users who hold it' }),
  createdAt: Instant,
  updatedAt: Instant,
  deletedAt: nullable(Instant),
})

const fields = {
  description: nullable(Type.String({ maxLength: 1_000 })),
  permissions: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: PERMISSIONS_MAXIMUM }),
  discountPercentMaximum: LimitInput,
  discountAmountMaximum: LimitInput,
  requiresSecondFactor: Type.Boolean(),
  isActive: Type.Boolean(),
}
const Name = Type.String({ minLength: 1, maxLength: 100 })

const base = { tag: 'Roles', audience: 'tenant' } as const

export const listRoles = operation({
  ...base,
  name: 'listRoles',
  method: 'GET',
  path: '/roles',
  summary: 'Roles: list with search, filters, sort and paging',
  permission: 'roles:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(oneOf(['name', 'createdAt', 'updatedAt'])),
      status: Type.Optional(oneOf(['active', 'inactive'])),
      includeDeleted: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
  data: pageOf('roles', Role),
})

export const listPermissions = operation({
  ...base,
  name: 'listPermissions',
  method: 'GET',
  path: '/roles/permissions',
  summary: 'The permission matrix: every module with the abilities its operations declare',
  permission: 'roles:view',
  access: 'read',
  data: Type.Object({
    modules: Type.Array(
      Type.Object({
        module: Type.String(),
        abilities: Type.Array(
          Type.Object({
            ability: Type.String(),
            permission: Type.String(),
            isExtra: Type.Boolean({ description: 'Other than view, add, edit and delete' }),
          }),
        ),
      }),
    ),
  }),
})

export const getRole = operation({
  ...base,
  name: 'getRole',
  method: 'GET',
  path: '/roles/{id}',
  summary: 'One role',
  permission: 'roles:view',
  access: 'read',
  params: IdParams,
  data: Role,
  versioned: true,
})

export const createRole = operation({
  ...base,
  name: 'createRole',
  method: 'POST',
  path: '/roles',
  summary: 'Create a role; nobody grants more than they hold',
  permission: 'roles:add',
  access: 'write',
  status: 201,
  idempotent: true,
  body: Type.Object(
    {
      name: Name,
      permissions: fields.permissions,
      description: Type.Optional(fields.description),
      discountPercentMaximum: Type.Optional(fields.discountPercentMaximum),
      discountAmountMaximum: Type.Optional(fields.discountAmountMaximum),
      requiresSecondFactor: Type.Optional(fields.requiresSecondFactor),
      isActive: Type.Optional(fields.isActive),
    },
    { additionalProperties: false },
  ),
  data: Role,
  versioned: true,
})

export const updateRole = operation({
  ...base,
  name: 'updateRole',
  method: 'PUT',
  path: '/roles/{id}',
  summary: 'Change the fields that are given; its holders may do so, or no longer, at once',
  permission: 'roles:edit',
  access: 'steps',
  params: IdParams,
  body: Type.Object(
    {
      name: Type.Optional(Name),
      permissions: Type.Optional(fields.permissions),
      description: Type.Optional(fields.description),
      discountPercentMaximum: Type.Optional(fields.discountPercentMaximum),
      discountAmountMaximum: Type.Optional(fields.discountAmountMaximum),
      requiresSecondFactor: Type.Optional(fields.requiresSecondFactor),
      isActive: Type.Optional(fields.isActive),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: Role,
  versioned: true,
})

export const deleteRole = operation({
  ...base,
  name: 'deleteRole',
  method: 'DELETE',
  path: '/roles/{id}',
  summary: 'Delete a role; refused while users hold it, and for built-in ones',
  permission: 'roles:delete',
  access: 'write',
  params: IdParams,
  data: Nothing,
  isConditional: true,
})

export const roleOperations = [listRoles, listPermissions, getRole, createRole, updateRole, deleteRole]
