/** Updates and deletions of what somebody else has changed meanwhile (SPEC 7). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deleteEmailSettings, getEmailSettings, updateEmailSettings } from '../erp/identity/email/contract.ts'
import { createRole, deleteRole, getRole } from '../erp/identity/roles/contract.ts'
import { deleteUser, getUser } from '../erp/identity/users/contract.ts'
import { getSupportAccess, updateSupportAccess } from '../erp/support/contract.ts'
import { openApiDocument } from '../server/openapi.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'

const STALE = { 'if-match': '"2000-01-01T00:00:00.000000Z"' }

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

const versionOf = ({ headers }: { headers: Headers }) => ({ 'if-match': headers.get('etag') ?? '' })

test('of two who change what support may do, the second is told of the first; also where nobody had before', async () => {
  const { admin } = tenant
  const atFirst = versionOf(await admin.call(getSupportAccess))
  expect(atFirst['if-match']).not.toBe('')
  const changed = await admin.call(updateSupportAccess, { body: { allowsSupport: false } }, atFirst)
  expect([changed.status, versionOf(changed)]).not.toEqual([200, atFirst])
  expect(versionOf(await admin.call(getSupportAccess))).toEqual(versionOf(changed))
  const late = await admin.call(updateSupportAccess, { body: { allowsSupport: true } }, atFirst)
  expect([late.status, late.error.code]).toEqual([412, 'PRECONDITION_FAILED'])
  expect((await admin.call(getSupportAccess)).ok().allowsSupport).toBe(false)
  // Controls: the newest version, and none.
  ;(await admin.call(updateSupportAccess, { body: { allowsSupport: true } }, versionOf(changed))).ok()
  ;(await admin.call(updateSupportAccess, { body: { allowsSupport: true } })).ok()
})

test('of several who are the first to say what support may do, at one instant, one is heard', async () => {
  const { admin } = await product.createTenant()
  const atFirst = versionOf(await admin.call(getSupportAccess))
  const body = { allowsSupport: false }
  const ask = () => admin.call(getSupportAccess)
  const say = () => admin.call(updateSupportAccess, { body }, atFirst)
  await Promise.all(Array.from({ length: 8 }, ask)) // each has a connection now, and none waits for one
  const statuses = (await Promise.all(Array.from({ length: 8 }, say))).map(({ status }) => status)
  expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 7 }, () => 412)])
})

test("somebody's mail server goes only as it was read", async () => {
  const { id, client } = await addUser(product, tenant, 'Viewer')
  const params = { id }
  const version = versionOf(await client.call(updateEmailSettings, { params, body: { host: 'mail.example.com' } })) // prettier-ignore
  expect((await client.call(deleteEmailSettings, { params }, STALE)).error.code).toBe('PRECONDITION_FAILED')
  expect((await client.call(getEmailSettings, { params })).status).toBe(200)
  ;(await client.call(deleteEmailSettings, { params }, version)).ok()
  expect((await client.call(getEmailSettings, { params })).status).toBe(404)
})

test('roles and users likewise', async () => {
  const body = { name: 'Short-lived', permissions: ['users:view'] }
  const role = { id: (await tenant.admin.call(createRole, { body: body as never })).ok().id }
  expect((await tenant.admin.call(deleteRole, { params: role }, STALE)).status).toBe(412)
  ;(await tenant.admin.call(deleteRole, { params: role }, versionOf(await tenant.admin.call(getRole, { params: role })))).ok() // prettier-ignore
  const user = { id: (await addUser(product, tenant, 'Viewer')).id }
  expect((await tenant.admin.call(deleteUser, { params: user }, STALE)).status).toBe(412)
  ;(await tenant.admin.call(deleteUser, { params: user }, versionOf(await tenant.admin.call(getUser, { params: user })))).ok() // prettier-ignore
})

test('the description says where it is heard', async () => {
  type Described = { parameters?: { name: string; in: string }[] }
  const { paths } = (await openApiDocument('')) as { paths: Record<string, Record<string, Described>> }
  const heard = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { parameters = [] }]) => parameters.some(({ name }) => name === 'If-Match'))
      .map(([method]) => `${method} ${path.slice('/api/v1'.length)}`),
  )
  expect(heard).toEqual(
    expect.arrayContaining([
      'put /support-access',
      'put /users/{id}/email-settings',
      'delete /users/{id}/email-settings',
      'delete /users/{id}',
      'delete /roles/{id}',
      'delete /api-keys/{id}',
      'delete /single-sign-on',
      'delete /masters/units-of-measure/{id}',
      'delete /finance/journal-entries/{id}',
      'post /finance/journal-entries/{id}/post',
      'delete /platform/operators/{id}',
    ]),
  )
  expect(heard).not.toContain('put /users/{id}/photo') // a whole file takes the place of another: see ADR 0020
})
