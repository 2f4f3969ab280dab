/** Archiving, coming back from the archive, and deleting, through HTTP. */
import { verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sql } from 'kysely'
import { trialBalance } from '../../erp/reports/contract.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { postEntry, SALES } from '../../testing/books.ts'
import { eventually } from '../../testing/process.ts'
import { signIn, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { getOperation } from '../operations/contract.ts'
import { createRestore } from '../restores/contract.ts'
import { SIDE_PREFIX, sideName } from '../restores/side.ts'
import { getTenant } from '../tenants/contract.ts'
import { archiveTenant, deleteTenant, listCertificates } from './contract.ts'

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct({ archiveRetentionDays: 1 })
  tenant = await product.createTenant()
  await postEntry(tenant.admin, '42.00')
})
afterAll(() => product.stop())

async function ended(operationId: string, status = 'done'): Promise<void> {
  const operation = await eventually(async () => {
    const found = (await product.operator.call(getOperation, { params: { id: operationId } })).ok()
    expect(found.status).toMatch(/done|failed/)
    return found
  })
  expect(operation).toMatchObject({ status })
}

async function databases(): Promise<string[]> {
  const name = tenant.code.toLowerCase()
  return (await product.server.databaseNames('erp_')).filter((found) => found.includes(name))
}

async function statusOf(id: string): Promise<string> {
  return (await product.operator.call(getTenant, { params: { id } })).ok().status
}

/** As if so many days had gone by since the tenant came into its state. */
async function daysAgo(id: string, days: number): Promise<void> {
  await product.gate.writePlatform(
    SYSTEM,
    (tx) =>
    tx.run(sql`UPDATE platform.tenant SET status_changed_at = now() - make_interval(days => ${days}) WHERE id = ${id}`.compile(platformSql)), // prettier-ignore
  )
}

describe('archive', () => {
  test('the wrong code archives nothing', async () => {
    const answer = await product.operator.call(archiveTenant, {
      params: { id: tenant.id },
      body: { confirm: 'OTHER' },
    })
    expect([answer.status, ...answer.refusals]).toEqual([400, 'confirm NOT_CONFIRMED'])
    expect(await statusOf(tenant.id)).toBe('active')
    expect((await tenant.admin.call(trialBalance)).status).toBe(200)
  })

  test('the database and its role go when the backup was proven; a signed certificate says so', async () => {
    const role = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(platformSql.selectFrom('platform.tenant').select('runtime_role').where('id', '=', tenant.id)),
    )
    expect(await databases()).toHaveLength(1)
    const body = { confirm: tenant.code, reason: 'the contract ended' }
    const begun = (await product.operator.call(archiveTenant, { params: { id: tenant.id }, body })).ok()
    await ended(begun.operationId)
    expect(await statusOf(tenant.id)).toBe('archived')
    expect(await databases()).toEqual([])
    const left = await product.server.withAdmin((client) =>
      client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role?.runtime_role]),
    )
    expect(left.rowCount).toBe(0)
    expect((await tenant.admin.call(trialBalance)).status).toBe(403)

    const { certificates } = (
      await product.operator.call(listCertificates, { params: { id: tenant.id } })
    ).ok()
    const [certificate] = certificates
    expect(certificate).toMatchObject({ kind: 'archive', isGenuine: true })
    expect(JSON.parse(certificate?.document ?? '')).toMatchObject({
      tenant: { code: tenant.code },
      reason: 'the contract ended',
      by: { kind: 'operator' },
      proof: { findings: [], companies: 1 },
    })
    // Anybody can: nothing of ours is needed.
    const { document, publicKey, signature } = certificate!
    expect(verify(null, Buffer.from(document), publicKey, Buffer.from(signature, 'base64url'))).toBe(true)
  })

  test('an archived tenant comes back from its archive, with a database and role of its own', async () => {
    const row = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        platformSql.selectFrom('platform.tenant').select('archive_backup_id').where('id', '=', tenant.id),
      ),
    )
    const restore = (
      await product.operator.call(createRestore, {
        params: { id: tenant.id },
        body: { backupId: row?.archive_backup_id ?? '', mode: 'swap' },
      })
    ).ok()
    await ended(restore.operationId)
    expect(await statusOf(tenant.id)).toBe('active')
    expect(await databases()).toHaveLength(1)
    const email = `ann@${tenant.code.toLowerCase().replaceAll('_', '-')}.example`
    const { client } = await signIn(product.anonymous.with({ tenant: tenant.code }), email)
    const { rows } = (await client.call(trialBalance)).ok()
    expect(rows.find(({ accountCode }) => accountCode === SALES)?.credit).toBe('42.00')
    // Other products keep side databases of theirs on the same server.
    const restores = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(platformSql.selectFrom('platform.restore').select('id').where('tenant_id', '=', tenant.id)),
    )
    const sides = restores.map(({ id }) => sideName(id))
    expect(sides).toContain(sideName(restore.id))
    expect((await product.server.databaseNames(SIDE_PREFIX)).filter((name) => sides.includes(name))).toEqual(
      [],
    )
  })
})

describe('delete', () => {
  test('only an archived tenant, only when its retention is over, only with its code', async () => {
    const params = { id: tenant.id }
    const body = { confirm: tenant.code }
    expect((await product.operator.call(deleteTenant, { params, body })).error.code).toBe('WRONG_STATE')
    const archived = (await product.operator.call(archiveTenant, { params, body })).ok()
    await ended(archived.operationId)
    expect((await product.operator.call(deleteTenant, { params, body })).error.code).toBe(
      'RETENTION_NOT_OVER',
    )
    await daysAgo(tenant.id, 2)
    const wrong = await product.operator.call(deleteTenant, {
      params,
      body: { confirm: tenant.code.toLowerCase() },
    })
    expect(wrong.refusals).toEqual(['confirm NOT_CONFIRMED'])
    const begun = (await product.operator.call(deleteTenant, { params, body })).ok()
    await ended(begun.operationId)
    const { status, adminEmail, companyName } = (await product.operator.call(getTenant, { params })).ok()
    expect({ status, adminEmail, companyName }).toEqual({
      status: 'deleted',
      adminEmail: 'deleted',
      companyName: 'deleted',
    })
    const { certificates } = (await product.operator.call(listCertificates, { params })).ok()
    expect(certificates.map(({ kind, isGenuine }) => ({ kind, isGenuine }))).toEqual([
      { kind: 'archive', isGenuine: true },
      { kind: 'archive', isGenuine: true },
      { kind: 'deletion', isGenuine: true },
    ])
  })
})

describe('trials', () => {
  test('one that was suspended long ago is archived; others are not', async () => {
    const [old, young, paying] = [
      await product.createTenant({ planCode: 'trial' }),
      await product.createTenant({ planCode: 'trial' }),
      await product.createTenant({ planCode: 'starter' }),
    ]
    for (const { id } of [old, young, paying]) {
      const answer = await product.operator.send('POST', `/api/v1/platform/tenants/${id}/suspend`, {
        reason: 'not paid',
      })
      expect(answer.status).toBe(200)
    }
    for (const { id } of [old, paying]) await daysAgo(id, product.configuration.trialArchiveAfterDays + 1)
    await product.recovery.lookAfter()
    await eventually(async () => expect(await statusOf(old.id)).toBe('archived'))
    expect([await statusOf(young.id), await statusOf(paying.id)]).toEqual(['suspended', 'suspended'])
  })
})
