/** The product's API, for what a browser test takes for granted. */
import type { Product } from './product.ts'

export const ADMIN_PASSWORD = 'Harvest-Moon-47!'

interface Asked {
  token?: string
  /** Of a tenant's API; without it the platform's is asked. */
  tenantCode?: string
  method?: string
  body?: object
}

/** The data of a success; anything else fails the test with the whole answer. */
export async function call<Data>(
  { url }: Product,
  path: string,
  { token, tenantCode, body, method = body ? 'POST' : 'GET' }: Asked,
): Promise<Data> {
  const response = await fetch(`${url}/api/v1${tenantCode === undefined ? '/platform' : ''}${path}`, {
    method,
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(tenantCode === undefined ? {} : { 'x-tenant-id': tenantCode }),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const answer = (await response.json()) as { data: Data }
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
  return answer.data
}

export async function operatorToken(product: Product): Promise<string> {
  const { operatorEmail: email, operatorPassword: password } = product
  return (await call<{ token: string }>(product, '/auth/login', { body: { email, password } })).token
}

/** `DELTA`: Delta Trading at delta.localhost, whose administrator is amal@delta.example. */
export async function createTenant(product: Product, code: string, overrides: object = {}): Promise<void> {
  const token = await operatorToken(product)
  const body = {
    tenantCode: code,
    companyName: `${code[0]}${code.slice(1).toLowerCase()} Trading`,
    subdomain: code.toLowerCase(),
    planCode: 'professional',
    country: 'US',
    currency: 'USD',
    chartTemplate: 'generic',
    adminName: 'Amal Hassan',
    adminEmail: `amal@${code.toLowerCase()}.example`,
    adminPassword: ADMIN_PASSWORD,
    ...overrides,
  }
  await call(product, '/tenants', { token, body })
}

/** The token of the link in the newest mail to somebody, as an operator reads it where nothing is sent. */
export async function mailedToken(product: Product, token: string, recipient: string): Promise<string> {
  const { mails } = await call<{ mails: { id: string; recipient: string }[] }>(product, '/mails', { token })
  const mail = mails.find((one) => one.recipient === recipient)
  const { content } = await call<{ content: { text: string } }>(product, `/mails/${mail?.id}`, { token })
  return /set-password\?token=([\w-]+)/.exec(content.text)?.[1] ?? ''
}
