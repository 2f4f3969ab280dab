/**
 * Glossary
 * - API key: what a program signs in with; may do what its scopes say, in its companies, until it is revoked
 * - scope: a permission or a pattern of permissions, as roles have them
 * - rotation: a new secret for the same key; the one before it works on for a while, so that nothing stands still
 */
import { Type } from 'typebox'
import {
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
} from '../../../http/contract.ts'

export const SCOPES_MAXIMUM = 500
export const ADDRESSES_MAXIMUM = 20
export const COMPANIES_MAXIMUM = 200
export const OVERLAP_HOURS_DEFAULT = 24
export const OVERLAP_HOURS_MAXIMUM = 7 * 24

export const ApiKey = Type.Object({
  id: Id,
  name: Type.String(),
  prefix: Type.String({ description: 'How the key begins: enough to know it again, not to use it' }),
  scopes: Type.Array(Type.String()),
  allCompanies: Type.Boolean(),
  companyIds: Type.Array(Id),
  allowedAddresses: Type.Array(Type.String(), { description: 'Empty: from everywhere' }),
  status: oneOf(['active', 'expired', 'revoked']),
  expiresAt: nullable(Instant),
  revokedAt: nullable(Instant),
  previousSecretEndsAt: nullable(
    Type.String({ description: 'Until then the secret before the last rotation works too' }),
  ),
  lastUsedAt: nullable(Type.String({ description: 'To the minute' })),
  lastUsedAddress: nullable(Type.String()),
  createdById: nullable(Id),
  createdByName: nullable(Type.String()),
  createdAt: Instant,
  updatedAt: Instant,
})

export const ApiKeyWithSecret = Type.Object({
  apiKey: ApiKey,
  secret: Type.String({ description: 'The whole key, `erp_…`: shown this once, kept as a hash' }),
})

/** What an API key is told about itself. */
export const OwnApiKey = Type.Object({
  id: Id,
  name: Type.String(),
  permissions: Type.Array(Type.String()),
  companyId: nullable(Id),
  expiresAt: nullable(Instant),
  tenantCode: Type.String(),
})

const Name = Type.String({ minLength: 1, maxLength: 100 })
const AllowedAddresses = Type.Array(Type.String({ minLength: 2, maxLength: 50 }), {
  maxItems: ADDRESSES_MAXIMUM,
  description: 'Addresses or networks (192.0.2.0/24) the key may be used from; empty: everywhere',
})

const base = { tag: 'API keys', audience: 'tenant' } as const
/** Who holds a key could otherwise leave another one behind that outlives it. */
const byPeople = { ...base, isForIntegrations: false, rateLimit: perMinute(20) } as const

export const listApiKeys = operation({
  ...base,
  name: 'listApiKeys',
  method: 'GET',
  path: '/api-keys',
  summary: 'API keys: list with search, status, sort and paging',
  permission: 'api-keys:view',
  access: 'read',
  query: Type.Object(
    {
      ...pageQuery,
      sort: Type.Optional(oneOf(['name', 'createdAt', 'lastUsedAt', 'expiresAt'])),
      status: Type.Optional(oneOf(['active', 'expired', 'revoked'])),
    },
    { additionalProperties: false },
  ),
  data: pageOf('apiKeys', ApiKey),
})

export const getApiKey = operation({
  ...base,
  name: 'getApiKey',
  method: 'GET',
  path: '/api-keys/{id}',
  summary: 'One API key',
  permission: 'api-keys:view',
  access: 'read',
  params: IdParams,
  data: ApiKey,
  versioned: true,
})

export const createApiKey = operation({
  ...byPeople,
  name: 'createApiKey',
  method: 'POST',
  path: '/api-keys',
  summary: 'Make an API key; nobody gives it more than they hold, and its secret is shown this once',
  permission: 'api-keys:add',
  access: 'write',
  status: 201,
  body: Type.Object(
    {
      name: Name,
      scopes: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
        minItems: 1,
        maxItems: SCOPES_MAXIMUM,
      }),
      allCompanies: Type.Optional(Type.Boolean()),
      companyIds: Type.Optional(
        Type.Array(Id, {
          maxItems: COMPANIES_MAXIMUM,
          description: 'Without these and without allCompanies: the company worked in',
        }),
      ),
      expiresAt: Type.Optional(nullable(Type.String({ format: 'date-time', maxLength: 40 }))),
      allowedAddresses: Type.Optional(AllowedAddresses),
    },
    { additionalProperties: false },
  ),
  data: ApiKeyWithSecret,
})

export const updateApiKey = operation({
  ...byPeople,
  name: 'updateApiKey',
  method: 'PUT',
  path: '/api-keys/{id}',
  summary: 'Change its name or the addresses it may be used from; other scopes need another key',
  permission: 'api-keys:edit',
  access: 'steps',
  params: IdParams,
  body: Type.Object(
    { name: Type.Optional(Name), allowedAddresses: Type.Optional(AllowedAddresses) },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: ApiKey,
  versioned: true,
})

export const rotateApiKey = operation({
  ...byPeople,
  name: 'rotateApiKey',
  method: 'POST',
  path: '/api-keys/{id}/rotation',
  summary: 'Give the key a new secret, shown this once; the one before it works on for the overlap',
  permission: 'api-keys:edit',
  access: 'steps',
  status: 201,
  params: IdParams,
  body: Type.Optional(
    Type.Object(
      {
        overlapHours: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: OVERLAP_HOURS_MAXIMUM,
            default: OVERLAP_HOURS_DEFAULT,
            description: '0: the secret before it ends at once, as do the tokens it was exchanged for',
          }),
        ),
      },
      { additionalProperties: false },
    ),
  ),
  data: ApiKeyWithSecret,
  isConditional: true,
})

export const revokeApiKey = operation({
  ...base,
  name: 'revokeApiKey',
  method: 'DELETE',
  path: '/api-keys/{id}',
  summary: 'Revoke it, at once and for good; it stays in the list',
  permission: 'api-keys:delete',
  access: 'steps',
  params: IdParams,
  data: Nothing,
  isConditional: true,
})

export const getOwnApiKey = operation({
  name: 'getOwnApiKey',
  method: 'GET',
  path: '/auth/api-key',
  summary: 'What the API key that asks is and may do',
  tag: 'Sign-in',
  audience: 'tenant',
  permission: 'signed-in',
  isForIntegrations: true,
  access: 'read',
  data: OwnApiKey,
})

export const apiKeyOperations = [
  listApiKeys,
  getApiKey,
  createApiKey,
  updateApiKey,
  rotateApiKey,
  revokeApiKey,
] as const
