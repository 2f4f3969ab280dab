/** What the OpenAPI document says beside the operations: titles, and how to sign in from the docs page. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'

const SIGN_IN = 'User name: the e-mail address; on an address without a subdomain, `<tenant code>/<e-mail>`.'

export function describe(version: string): FastifyDynamicSwaggerOptions {
  return {
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`),
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Solution ERP',
        version,
        description:
          'Success: `{success: true, data}`. Failure: `{success: false, error: {code, message, details, ' +
          'timestamp, requestId, path}}`. Amounts are exact decimals as text; dates `YYYY-MM-DD`; instants ISO ' +
          '8601 in UTC. A tenant is named by its subdomain, by `X-Tenant-ID`, or by the token alone.',
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          tenant: {
            type: 'oauth2',
            description: `Sign in to a tenant. ${SIGN_IN}`,
            flows: { password: { tokenUrl: '/api/v1/auth/token', scopes: {} } },
          },
          operator: {
            type: 'oauth2',
            description: 'Sign in as an operator with e-mail and password.',
            flows: { password: { tokenUrl: '/api/v1/platform/auth/token', scopes: {} } },
          },
        },
      },
    },
  }
}
