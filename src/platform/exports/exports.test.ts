/** Exports through HTTP: made, told, downloaded, and nobody else's. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from 'kysely'
import { trialBalance } from '../../erp/reports/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { postEntry } from '../../testing/books.ts'
import { eventually } from '../../testing/process.ts'
import { signIn, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { addUser } from '../../testing/users.ts'
import { unzip } from '../../testing/zip.ts'
import {
  createOwnExport,
  createTenantExport,
  getOwnExport,
  listOwnExports,
  listTenantExports,
} from './contract.ts'

const CANARY = 'Canary-export-4711'
let product: TestProduct
let tenant: TestTenant
let other: TestTenant
let exportId: string

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant({ companyName: CANARY })
  other = await product.createTenant()
  await postEntry(tenant.admin, '12.34', { description: CANARY })
})
afterAll(() => product.stop())

async function fileOf(
  client: { options: { token?: string; tenant?: string } },
  path: string,
): Promise<Response> {
  const { token = '', tenant: code } = client.options
  return fetch(`${product.url}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(code === undefined ? {} : { 'x-tenant-id': code }) },
  })
}

test('the administrator asks, waits, and downloads the file that was announced', async () => {
  const begun = await tenant.admin.call(createOwnExport)
  expect(begun.status).toBe(202)
  exportId = begun.ok().id
  const done = await eventually(async () => {
    const found = (await tenant.admin.call(getOwnExport, { params: { id: exportId } })).ok()
    expect(found.state).toBe('done')
    return found
  })
  const response = await fileOf(tenant.admin, `/api/v1/tenant/exports/${exportId}/file`)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/zip')
  expect(response.headers.get('content-disposition')).toContain('attachment')
  const bytes = Buffer.from(await response.arrayBuffer())
  expect(bytes.length).toBe(done.sizeBytes)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(done.checksum)
  const files = await unzip(bytes)
  expect(files.get('csv/finance.journal_entry.csv')?.toString()).toContain(CANARY)
  const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? '') as { tenantCode: string }
  expect(manifest.tenantCode).toBe(tenant.code)
})

test('of one that ends while another is asked for, a new one takes the place', async () => {
  const own = await product.createTenant()
  const first = await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.row(
      sql<{ id: string }>`INSERT INTO platform.tenant_export (tenant_id, state, requested_by_kind)
        VALUES (${own.id}, 'running', 'system') RETURNING id`.compile(platformSql),
    ),
  )
  const end = () =>
    product.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        sql`UPDATE platform.tenant_export SET state = 'failed', error = 'test', finished_at = now()
          WHERE id = ${first?.id} AND state = 'running'`.compile(platformSql),
      ),
    )
  const ended: number[] = []
  const second = await product.gate.writePlatform(SYSTEM, (tx) => {
    const meanwhile = new Proxy(tx, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name, target)
        if (typeof found !== 'function') return found
        return async (...given: unknown[]) => {
          const answer: unknown = await found.apply(target, given)
          // Control: it was still running at the first look.
          if (ended.length === 0) ended.push(await end())
          return answer
        }
      },
    })
    return product.recovery.exports.exporting.request(meanwhile, own.id)
  })
  expect(ended).toEqual([1])
  expect(second).not.toBe(first?.id)
  await product.recovery.exports.exporting.start(second)
  await eventually(async () => {
    const { exports } = (await own.admin.call(listOwnExports, { query: {} })).ok()
    expect(exports.map(({ state }) => state).toSorted()).toEqual(['done', 'failed'])
  })
})

test('where it lies it cannot be read', () => {
  const folder = product.configuration.dataDirectory
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes(exportId),
  )
  expect(names).toHaveLength(1)
  const bytes = readFileSync(join(folder, names[0] ?? ''))
  expect([bytes.includes(CANARY), bytes.includes('finance.journal_entry')]).toEqual([false, false])
})

test('two that ask at once are given one export', async () => {
  const answers = await Promise.all(
    [1, 2, 3].map(() => product.operator.call(createTenantExport, { params: { id: tenant.id } })),
  )
  expect(new Set(answers.map((answer) => answer.ok().id)).size).toBe(1)
  const { exports } = (await product.operator.call(listTenantExports, { params: { id: tenant.id } })).ok()
  expect(exports).toHaveLength(2)
})

test("another tenant, another role and a stranger get nothing; the operator's download is written down", async () => {
  const path = `/api/v1/tenant/exports/${exportId}/file`
  expect((await fileOf(other.admin, path)).status).toBe(404)
  expect((await other.admin.call(listOwnExports)).ok().exports).toEqual([])
  const viewer = await addUser(product, tenant, 'Viewer')
  expect((await fileOf(viewer.client, path)).status).toBe(403)
  expect((await viewer.client.call(createOwnExport)).status).toBe(403)
  expect((await fileOf(product.anonymous.with({ tenant: tenant.code }), path)).status).toBe(401)
  // Control: the operator may, and it is in the audit log.
  const asOperator = await fileOf(
    product.operator,
    `/api/v1/platform/tenants/${tenant.id}/exports/${exportId}/file`,
  )
  expect(asOperator.status).toBe(200)
  await asOperator.arrayBuffer()
  const noted = await product.gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(
      sql<{ kind: string }>`SELECT actor_kind AS kind FROM platform.audit_event
      WHERE action = 'download export' AND tenant_id = ${tenant.id} ORDER BY id`.compile(platformSql),
    ),
  )
  expect(noted.map(({ kind }) => kind)).toEqual(['user', 'operator'])
})

test('a damaged file is not given out', async () => {
  const folder = product.configuration.dataDirectory
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const file = join(folder, names.find((name) => name.includes(exportId)) ?? '')
  const bytes = readFileSync(file)
  bytes[bytes.length - 40]! ^= 1
  writeFileSync(file, bytes)
  const outcome = fileOf(tenant.admin, `/api/v1/tenant/exports/${exportId}/file`).then(async (response) => {
    await response.arrayBuffer()
    return response.status
  })
  // Cut off in the middle, or refused when the damage is found before the first byte has left.
  expect(await outcome.catch(() => 'cut off')).toBeOneOf([500, 'cut off'])
})

test('who is suspended for not paying may sign in and take everything along, and do nothing else', async () => {
  const suspend = (id: string, cause: string) =>
    product.operator.send('POST', `/api/v1/platform/tenants/${id}/suspend`, { reason: 'not paid', cause })
  expect((await suspend(other.id, 'payment')).status).toBe(200)
  const email = `ann@${other.code.toLowerCase().replaceAll('_', '-')}.example`
  const { client } = await signIn(product.anonymous.with({ tenant: other.code }), email)
  const begun = (await client.call(createOwnExport)).ok()
  await eventually(async () => {
    expect((await client.call(getOwnExport, { params: { id: begun.id } })).ok().state).toBe('done')
  })
  expect((await fileOf(client, `/api/v1/tenant/exports/${begun.id}/file`)).status).toBe(200)
  expect((await client.call(trialBalance)).error.code).toBe('TENANT_SUSPENDED')
  // Control: suspended for something else, not even that.
  const third = await product.createTenant()
  expect((await suspend(third.id, 'other')).status).toBe(200)
  expect((await third.admin.call(createOwnExport)).error.code).toBe('TENANT_SUSPENDED')
})

test('when its days are over the file is gone', async () => {
  await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.run(
      sql`UPDATE platform.tenant_export SET expires_at = now() - interval '1 day' WHERE id = ${exportId}`.compile(
        platformSql,
      ),
    ),
  )
  await product.recovery.lookAfter()
  expect((await tenant.admin.call(getOwnExport, { params: { id: exportId } })).ok().state).toBe('expired')
  expect((await fileOf(tenant.admin, `/api/v1/tenant/exports/${exportId}/file`)).status).toBe(409)
  const left = readdirSync(product.configuration.dataDirectory, { recursive: true, encoding: 'utf8' })
  expect(left.filter((name) => name.includes(exportId))).toEqual([])
})
