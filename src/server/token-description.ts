/** How the OpenAPI document describes the token endpoints, which answer as RFC 6749 wants and not in our envelope. */
import { Type } from 'typebox'
import { oneOf } from '../http/contract.ts'

const TokenAnswer = Type.Object({
  access_token: Type.String(),
  token_type: oneOf(['Bearer']),
  expires_in: Type.Integer({ description: 'Seconds' }),
  refresh_token: Type.Optional(Type.String({ description: 'Not of programs: they ask again' })),
  scope: Type.Optional(Type.String({ description: 'Of programs: what the token may do' })),
})

const TokenRefusal = Type.Object(
  {
    error: oneOf([
      'invalid_request',
      'invalid_client',
      'invalid_grant',
      'invalid_scope',
      'unsupported_grant_type',
    ]),
    error_description: Type.String(),
  },
  { description: 'RFC 6749, 5.2' },
)

const text = (description: string) => Type.Optional(Type.String({ description }))

const signIn = {
  username: text('Of `password`: the e-mail address; a tenant’s code and `/` may stand before it'),
  password: text('Of `password`'),
  totp: text('Of `password`: a code of the second factor, where the user has one'),
  refresh_token: text('Of `refresh_token`; a tenant’s code and `/` may stand before it'),
}

const client = {
  client_id: text("Of `client_credentials`: an API key's id, unless HTTP Basic says it"),
  client_secret: text('Of `client_credentials`: the key itself, unless HTTP Basic says it'),
  scope: text('Of `client_credentials`: permissions to narrow the token to, with spaces between'),
}

const answers = {
  200: TokenAnswer,
  400: TokenRefusal,
  401: { ...TokenRefusal, description: 'The client is not known (invalid_client)' },
  '4xx': { $ref: 'Failure#' },
  '5xx': { $ref: 'Failure#' },
}

const shared = {
  consumes: ['application/x-www-form-urlencoded'],
  'x-permission': 'anonymous',
  security: [],
  response: answers,
}

export const tenantTokenSchema = {
  ...shared,
  operationId: 'token',
  summary: 'OAuth 2.0: tokens for a password, a refresh token, or the credentials of an API key',
  tags: ['Sign-in'],
  body: Type.Object({
    grant_type: oneOf(['password', 'refresh_token', 'client_credentials']),
    ...signIn,
    ...client,
  }),
}

export const operatorTokenSchema = {
  ...shared,
  operationId: 'operatorToken',
  summary: 'OAuth 2.0: tokens of an operator, for a password or a refresh token',
  tags: ['Operators'],
  body: Type.Object({ grant_type: oneOf(['password', 'refresh_token']), ...signIn }),
}
