/**
 * Glossary
 * - single sign-on: users of a tenant sign in at their own identity provider (OpenID Connect), not with a password
 * - issuer: the identity provider, by the address under which its discovery document lies
 * - attempt: somebody on their way there and back; good once, for ten minutes, in the browser that began it
 */
import { Type } from 'typebox'
import { Id, Instant, Nothing, nullable, operation, perMinute } from '../../../http/contract.ts'
import { UserSession } from '../contract.ts'

/** The page of the portal to which the identity provider sends people back. */
export const RETURN_PATH = '/sign-in/return'

export const SingleSignOn = Type.Object({
  label: Type.String({ description: 'On the button: Sign in with …' }),
  issuer: Type.String(),
  clientId: Type.String(),
  hasClientSecret: Type.Boolean(),
  allowedDomains: Type.Array(Type.String()),
  defaultRoleId: nullable(Id),
  allCompanies: Type.Boolean(),
  companyIds: Type.Array(Id),
  isEnabled: Type.Boolean(),
  isRequired: Type.Boolean(),
  redirectUris: Type.Array(Type.String(), { description: 'To be registered at the identity provider' }),
  createdAt: Instant,
  updatedAt: Instant,
})

const Issuer = Type.String({ minLength: 8, maxLength: 500 })

const base = { tag: 'Single sign-on', audience: 'tenant' } as const
/** Whoever says who people are can be any of them: these are administrators' own. */
const byAdministrators = { ...base, permission: 'single-sign-on:edit', isForIntegrations: false } as const

export const getSingleSignOn = operation({
  ...base,
  name: 'getSingleSignOn',
  method: 'GET',
  path: '/single-sign-on',
  summary: 'The identity provider of this tenant; its client secret is never told',
  permission: 'single-sign-on:view',
  access: 'steps',
  data: SingleSignOn,
  versioned: true,
})

export const updateSingleSignOn = operation({
  ...byAdministrators,
  name: 'updateSingleSignOn',
  method: 'PUT',
  path: '/single-sign-on',
  summary: 'Set it up, or change the fields that are given; for administrators of all companies',
  access: 'steps',
  body: Type.Object(
    {
      label: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
      issuer: Type.Optional(Issuer),
      clientId: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
      clientSecret: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
      allowedDomains: Type.Optional(
        Type.Array(Type.String({ minLength: 3, maxLength: 253 }), {
          minItems: 1,
          maxItems: 50,
          description: 'Who comes must have an address in one of these',
        }),
      ),
      defaultRoleId: Type.Optional(
        Type.Union([Id, Type.Null()], {
          description: 'Of who has no account here and is given one; null: nobody is',
        }),
      ),
      allCompanies: Type.Optional(Type.Boolean()),
      companyIds: Type.Optional(Type.Array(Id, { maxItems: 200 })),
      isEnabled: Type.Optional(Type.Boolean()),
      isRequired: Type.Optional(
        Type.Boolean({ description: 'Passwords are refused then, but those of administrators' }),
      ),
    },
    { additionalProperties: false, minProperties: 1 },
  ),
  data: SingleSignOn,
  versioned: true,
})

export const deleteSingleSignOn = operation({
  ...byAdministrators,
  name: 'deleteSingleSignOn',
  method: 'DELETE',
  path: '/single-sign-on',
  summary: 'Forget it, and whom it meant by which subject; passwords are good again',
  access: 'write',
  data: Nothing,
  isConditional: true,
})

export const testSingleSignOn = operation({
  ...byAdministrators,
  name: 'testSingleSignOn',
  method: 'POST',
  path: '/single-sign-on/test',
  summary: 'Ask an identity provider for its discovery document, before it is relied on',
  access: 'steps',
  rateLimit: perMinute(10),
  body: Type.Object({ issuer: Issuer }, { additionalProperties: false }),
  data: Type.Object({
    isWorking: Type.Boolean(),
    message: Type.String(),
    authorizationEndpoint: nullable(Type.String()),
  }),
})

export const describeSingleSignOn = operation({
  ...base,
  name: 'describeSingleSignOn',
  method: 'GET',
  path: '/auth/single-sign-on',
  summary: 'What a sign-in page needs to know',
  permission: 'anonymous',
  access: 'read',
  data: Type.Object({ isEnabled: Type.Boolean(), isRequired: Type.Boolean(), label: Type.String() }),
})

export const startSingleSignOn = operation({
  ...base,
  name: 'startSingleSignOn',
  method: 'POST',
  path: '/auth/single-sign-on/start',
  summary:
    'Begin to sign in at the identity provider: where to send the browser, and a key it keeps meanwhile',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    {
      redirectUri: Type.String({
        maxLength: 500,
        description: `${RETURN_PATH} of this tenant's or the product's own address`,
      }),
    },
    { additionalProperties: false },
  ),
  data: Type.Object({
    authorizationUrl: Type.String(),
    browserKey: Type.String({ description: 'Kept by this browser; without it the way back ends nowhere' }),
  }),
})

const Parameter = Type.String({ maxLength: 4_000 })

export const finishSingleSignOn = operation({
  ...base,
  name: 'finishSingleSignOn',
  method: 'POST',
  path: '/auth/single-sign-on/finish',
  summary: 'Sign in with what the identity provider sent the browser back with; once, within ten minutes',
  permission: 'anonymous',
  access: 'steps',
  body: Type.Object(
    {
      browserKey: Type.String({ maxLength: 100 }),
      state: Type.String({ maxLength: 200 }),
      code: Type.Optional(Parameter),
      iss: Type.Optional(Parameter),
      error: Type.Optional(Parameter),
      errorDescription: Type.Optional(Parameter),
    },
    { additionalProperties: false },
  ),
  data: UserSession,
})

export const singleSignOnOperations = [
  getSingleSignOn,
  updateSingleSignOn,
  deleteSingleSignOn,
  testSingleSignOn,
] as const
