/**
 * Fields that a caller has no business to set, in the body of every operation that takes one and at every depth
 * of it: each is refused by name, and nothing is changed.
 */
import { sql } from 'kysely'
import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operation, type Operation } from '../http/contract.ts'
import { implement } from '../http/route.ts'
import { BASE_PATHS } from '../http/server.ts'
import { tenantSql } from '../tenancy/handles.ts'
import { digestOf } from '../testing/digest.ts'
import { postEntry } from '../testing/books.ts'
import { rawRequest } from '../testing/process.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { sampleOf } from '../testing/samples.ts'
import { addUser } from '../testing/users.ts'
import { startWeakServer } from '../testing/weak-server.ts'
import type { Schema } from './generated-values.ts'

/** As they are called in answers, in the database, and where objects come from. */
const PRIVILEGED = [
  'id', 'tenantId', 'tenant_id', 'companyId', 'company_id', 'userId', 'ownerId', 'roleId', 'role_id', 'role', 'roles',
  'permissions', 'isAdmin', 'is_admin', 'isBuiltIn', 'is_built_in', 'isActive', 'is_active', 'status', 'state',
  'password', 'passwordHash', 'password_hash', 'previousPasswordHashes', 'mustChangePassword', 'allCompanies',
  'createdAt', 'created_at', 'updatedAt', 'updated_at', 'deletedAt', 'deleted_at', 'createdBy', 'version', 'number',
  'postedAt', 'lastLoginAt', 'sessionId', 'scopes', 'totpSecret', 'busyWith', 'databaseName', 'runtimeRole', 'total',
  'constructor', 'prototype',
] as const // prettier-ignore

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct({}, { onlyAsked: true })
  tenant = await product.createTenant()
  await postEntry(tenant.admin, '12.34')
})
afterAll(() => product.stop())

interface Attempt {
  readonly operation: Operation
  /** Where in the body: '' or `lines[0].`. */
  readonly at: string
  readonly names: readonly string[]
  readonly body: unknown
}

function attemptsOn(target: Operation, id: string): Attempt[] {
  const sample = sampleOf(target.body, id, true)
  return placesIn(target.body as Schema, sample).map(({ at, known, put }) => {
    const names = PRIVILEGED.filter((name) => !known.includes(name))
    const extra = Object.fromEntries(names.map((name) => [name, true]))
    return { operation: target, at, names, body: put(extra) }
  })
}

interface Place {
  readonly at: string
  readonly known: readonly string[]
  /** The whole body with these beside what is there. */
  readonly put: (extra: object) => unknown
}

/** Every object in the value whose fields its schema names. */
function placesIn(schema: Schema, value: unknown, at = ''): Place[] {
  if (Array.isArray(value)) {
    const [first] = value as unknown[]
    if (first === undefined) return []
    return placesIn(schema.items ?? {}, first, `${at.replace(/\.$/, '')}[0].`).map((place) => ({
      ...place,
      put: (extra) => [place.put(extra), ...value.slice(1)],
    }))
  }
  const chosen = schema.anyOf?.find(({ type }) => type === 'object') ?? schema
  if (typeof value !== 'object' || value === null || !chosen.properties) return []
  const own: Place = {
    at,
    known: Object.keys(chosen.properties),
    put: (extra) => ({ ...value, ...extra }),
  }
  const below = Object.entries(chosen.properties).flatMap(([name, inner]) =>
    placesIn(inner, (value as Record<string, unknown>)[name], `${at}${name}.`).map((place) => ({
      ...place,
      put: (extra: object) => ({ ...value, [name]: place.put(extra) }),
    })),
  )
  return [own, ...below]
}

/** What took in a field that it should not know, or did not say which ones it does not know. */
async function takenIn(url: string, targets: readonly Operation[], id: string): Promise<string[]> {
  const found: string[] = []
  for (const { operation: target, at, names, body } of targets.flatMap((one) => attemptsOn(one, id))) {
    const client = target.audience === 'tenant' ? tenant.admin : product.operator
    const path = `${BASE_PATHS[target.audience]}${target.path.replaceAll(/\{\w+\}/g, id)}`
    const headers = { authorization: `Bearer ${client.options.token ?? ''}`, 'x-tenant-id': tenant.code }
    const { status, text } = await rawRequest(url, target.method, path, headers, body)
    const details: unknown = (JSON.parse(text) as { error?: { details?: unknown } }).error?.details
    const refused = new Set(
      (Array.isArray(details) ? (details as { field: string; code: string }[]) : [])
        .filter(({ code }) => code === 'UNKNOWN_FIELD')
        .map(({ field }) => field),
    )
    const missing = names.filter((name) => !refused.has(`${at}${name}`))
    if (status !== 400 || missing.length > 0)
      found.push(`${target.name} ${at}: ${status} ${missing.join(', ')}`)
  }
  return found
}

test(
  'no operation takes in a field that it does not name, and nothing is changed',
  { timeout: 120_000 },
  async () => {
    const { id } = await addUser(product, tenant, 'Viewer') // who is there: what is taken in would be seen
    const targets = product.routes
      .map(({ operation }) => operation)
      .filter(({ body, accepts }) => body && !accepts)
    const places = targets
      .flatMap((target) => attemptsOn(target, id))
      .map(({ operation: { name }, at }) => `${name} ${at}`)
    expect(places).toContain('createJournalEntry lines[0].') // objects within objects are reached
    const before = await digestOf(product, tenant.id)
    expect(await takenIn(product.url, targets, id)).toEqual([])
    expect(await digestOf(product, tenant.id)).toBe(before)
  },
)

test('control: an operation that writes down whatever comes is found', async () => {
  const careless = operation({
    name: 'updateUserCarelessly',
    method: 'PUT',
    path: '/careless/{id}',
    summary: '',
    tag: '',
    audience: 'tenant',
    permission: 'anonymous',
    access: 'write',
    params: Type.Object({ id: Type.String() }),
    body: Type.Object({ phone: Type.Optional(Type.String()) }),
    data: Type.Object({}),
  })
  const route = implement(careless, async (tx, { params, body }) => {
    for (const name of Object.keys(body).filter((one) => ['all_companies', 'is_active'].includes(one)))
      await tx.run(sql`UPDATE core.app_user SET ${sql.ref(name)} = NOT ${sql.ref(name)} WHERE id = ${params.id}`.compile(tenantSql)) // prettier-ignore
    return {}
  })
  const weak = await startWeakServer(product, [route], {})
  const { id } = await addUser(product, tenant, 'Viewer')
  const before = await digestOf(product, tenant.id)
  try {
    expect(await takenIn(weak.url, [careless], id)).toEqual([
      expect.stringMatching(/^updateUserCarelessly : 200 .*is_active/),
    ])
    expect(await digestOf(product, tenant.id)).not.toBe(before)
  } finally {
    await weak.stop()
  }
})
