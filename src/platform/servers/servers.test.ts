/** Several database servers: two real ones at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { me } from '../../erp/identity/contract.ts'
import { addressOf, DatabaseServer } from '../../tenancy/databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../tenancy/embedded.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { newId } from '../../tenancy/new-id.ts'
import { SYSTEM } from '../../server/product.ts'
import { SECRET_KEY, startTestProduct, tenantBody, type TestProduct } from '../../testing/product.ts'
import { createTenant } from '../tenants/contract.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-servers-'))
let postgres: EmbeddedPostgres
let product: TestProduct
let second: DatabaseServer
const secondId = newId()

beforeAll(async () => {
  ;[postgres, product] = await Promise.all([startEmbeddedPostgres({ directory }), startTestProduct()])
  const secrets = new Secrets(SECRET_KEY)
  const admin = addressOf(postgres.adminUrl, false)
  second = new DatabaseServer(admin, secrets)
  await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.run(
      platformSql.insertInto('platform.server').values({
        id: secondId,
        name: 'second',
        kind: 'dedicated',
        host: admin.host,
        port: admin.port,
        ssl_mode: 'disable',
        admin_database: admin.database,
        sealed_admin_user: secrets.seal(admin.user, `${secondId}/user`),
        sealed_admin_password: secrets.seal(admin.password, `${secondId}/password`),
      }),
    ),
  )
})
afterAll(async () => {
  await product.stop()
  await second.close()
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('a tenant on a server of its own', () => {
  test('has its database there, and only there', async () => {
    const tenant = await product.createTenant({ serverId: secondId })
    expect((await tenant.admin.call(me)).ok()).toMatchObject({ role: 'Administrator' })
    const database = `erp_tenant_${tenant.code.toLowerCase()}`
    expect(await second.exists(database)).toBe(true)
    expect(await product.server.exists(database)).toBe(false)
    expect(await second.exists(product.databases.template)).toBe(true)
  })

  test('control: one for which no server was asked stays off the dedicated one', async () => {
    const tenant = await product.createTenant()
    const database = `erp_tenant_${tenant.code.toLowerCase()}`
    expect(await second.exists(database)).toBe(false)
    expect(await product.server.exists(database)).toBe(true)
  })

  test('a server that is not there is refused with its field', async () => {
    const body = tenantBody({ serverId: newId() })
    expect((await product.operator.call(createTenant, { body })).refusals).toEqual(['serverId NO_ROOM'])
  })
})
