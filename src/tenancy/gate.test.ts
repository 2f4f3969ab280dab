/** The gate against a real tenant: what a handle may do, what a transaction leaves, what weather becomes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../kernel/problem.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { Network } from '../testing/network.ts'
import { withClient } from './databases.ts'
import type { TenantLocation } from './gate.ts'
import { platformSql, tenantSql, type Actor, type TenantRead, type TenantTx } from './handles.ts'

let product: TestProduct
let tenant: TestTenant
let location: TenantLocation
const actor: Actor = { kind: 'user', id: null, requestId: 'gate-test', address: '192.0.2.7' }

beforeAll(async () => {
  product = await startTestProduct({ connectionsPerTenantMaximum: 4 })
  tenant = await product.createTenant()
  location = (await product.directory.byId(tenant.id))!.location
})
afterAll(() => product.stop())

const read = <Result>(work: (tx: TenantRead) => Promise<Result>): Promise<Result> =>
  product.gate.readTenant(location, tenant.companyId, actor, work)
const write = <Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result> =>
  product.gate.writeTenant(location, tenant.companyId, actor, work)
const rename = (name: string) => sql`UPDATE core.company SET legal_name = ${name}`.compile(tenantSql)
const legalName = async (): Promise<string | null | undefined> =>
  (
    await read((tx) =>
      tx.row(sql<{ n: string }>`SELECT legal_name AS n FROM core.company`.compile(tenantSql)),
    )
  )?.n

describe('a transaction', () => {
  test('is committed when the work is done and undone when it throws', async () => {
    await write((tx) => tx.run(rename('kept')))
    await expect(
      write(async (tx) => {
        await tx.run(rename('lost'))
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect(await legalName()).toBe('kept')
  })

  test('a problem passes through as it is', async () => {
    const problem = new Problem({ code: 'X', status: 409, message: 'x' })
    await expect(read(() => Promise.reject(problem))).rejects.toBe(problem)
  })

  test('a statement that failed unnoticed does not count as success', async () => {
    const work = write(async (tx) => {
      await tx.run(rename('unnoticed'))
      await tx.rows(sql`SELECT 1 / 0`.compile(tenantSql)).catch(() => {})
    })
    await expect(work).rejects.toThrow('PostgreSQL rolled back')
    expect(await legalName()).toBe('kept')
  })

  test('statements that travel together are one transaction', async () => {
    const work = write((tx) =>
      Promise.all([
        tx.run(rename('first')),
        tx.rows(sql`SELECT 1 / 0`.compile(tenantSql)),
        tx.run(rename('third')),
      ]),
    )
    await expect(work).rejects.toMatchObject({ code: '22012' })
    expect(await legalName()).toBe('kept')
  })

  test('carries the actor and the company to the triggers', async () => {
    await write((tx) => tx.run(rename('audited')))
    const change = await read((tx) =>
      tx.row(
        sql`SELECT actor_kind, request_id, address, new_values ->> 'legal_name' AS name FROM audit.change
          WHERE entity = 'core.company' ORDER BY created_at DESC LIMIT 1`.compile(tenantSql),
      ),
    )
    expect(change).toEqual({
      actor_kind: 'user',
      request_id: 'gate-test',
      address: '192.0.2.7',
      name: 'audited',
    })
  })

  test('leaves no context behind for the next one on the same connection', async () => {
    const context = sql<{
      company: string
      actor: string
    }>`SELECT current_setting('erp.company_id', true) AS company,
      current_setting('erp.address', true) AS actor`.compile(tenantSql)
    expect(await write((tx) => tx.row(context))).toEqual({ company: tenant.companyId, actor: '192.0.2.7' })
    const nobody: Actor = { kind: 'system', id: null, requestId: '', address: null }
    const bare = await product.gate.readTenant(location, null, nobody, (tx) => tx.row(context))
    expect(bare).toEqual({ company: '', actor: '' })
  })
})

describe('a handle', () => {
  test('that reads cannot write, even where the compiler was fooled', async () => {
    for (const text of [
      "UPDATE core.company SET name = 'x'",
      'DELETE FROM core.session',
      'SELECT * FROM core.role FOR UPDATE',
    ]) {
      await expect(read((tx) => tx.rows(sql.raw(text).compile(tenantSql)))).rejects.toMatchObject({
        code: '25006',
      })
    }
    await expect(
      product.gate.readPlatform(actor, (tx) => tx.rows(sql`DELETE FROM platform.plan`.compile(platformSql))),
    ).rejects.toMatchObject({ code: '25006' })
    // Control: the same statement, through a handle that writes, is no matter of the transaction's mode.
    await write((tx) => tx.rows(sql.raw('SELECT * FROM core.role FOR UPDATE').compile(tenantSql)))
  })

  test('a reader is committed with the next one on its connection, or alone within a moment', async () => {
    const waiting = async (): Promise<number> => {
      const [row] = await product.server.withAdmin((client) =>
        client
          .query<{ count: number }>(
            `SELECT count(*)::int AS count FROM pg_stat_activity
             WHERE datname = $1 AND state LIKE 'idle in transaction%'`,
            [`erp_tenant_${location.tenantCode.toLowerCase()}`],
          )
          .then(({ rows }) => rows),
      )
      return row?.count ?? -1
    }
    // Control: one that is still open is seen.
    await read(async (tx) => {
      await tx.rows(sql`SELECT 1`.compile(tenantSql))
      expect(await waiting()).toBe(1)
    })
    await sleep(50)
    expect(await waiting()).toBe(0)
    // Each sees what was committed before it began, though they share a connection.
    for (const name of ['first', 'second', 'audited']) {
      await write((tx) => tx.run(rename(name)))
      expect(await legalName()).toBe(name)
    }
  })

  test('is of no use when its transaction is over', async () => {
    let kept: TenantTx | undefined
    await write(async (tx) => void (kept = tx))
    await expect(kept?.run(rename('too late'))).rejects.toThrow('This transaction has ended')
    let thrown: TenantTx | undefined
    await write(async (tx) => {
      thrown = tx
      throw new Error('x')
    }).catch(() => {})
    await expect(thrown?.run(rename('too late'))).rejects.toThrow('This transaction has ended')
    expect(await legalName()).toBe('audited')
  })

  test('sees the rows of its company only', async () => {
    const count = sql<{ count: number }>`SELECT count(*) AS count FROM masters.gl_account`.compile(tenantSql)
    const countIn = (companyId: string | null) =>
      product.gate.readTenant(location, companyId, actor, async (tx) => (await tx.row(count))?.count)
    expect(await countIn(tenant.companyId)).toBeGreaterThan(20)
    expect(await countIn(null)).toBe(0)
    expect(await countIn('00000000-0000-4000-8000-000000000000')).toBe(0)
  })
})

describe("the database's weather", () => {
  const unavailable = { status: 503, code: 'UNAVAILABLE', retryAfterSeconds: 1 }

  test('a connection that breaks in the middle is 503, and the next request has a whole one', async () => {
    const work = write(async (tx) => {
      const row = await tx.row(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.compile(tenantSql))
      await withClient(product.server.admin, (client) =>
        client.query('SELECT pg_terminate_backend($1, 2000)', [row?.pid]),
      )
      await tx.run(rename('never'))
    })
    await expect(work).rejects.toMatchObject(unavailable)
    expect(await legalName()).toBe('audited')
  })

  describe('a connection found dead', () => {
    let network: Network
    let away: TenantLocation
    beforeAll(async () => {
      const address = await location.address()
      network = new Network(address)
      await network.open()
      away = {
        ...location,
        tenantId: 'behind a network',
        address: () => Promise.resolve({ ...address, port: network.port }),
      }
    })
    afterAll(() => network.close())
    let runs = 0
    const change = (name: string, between: () => void = () => {}): Promise<void> =>
      product.gate.writeTenant(away, tenant.companyId, actor, async (tx) => {
        runs++
        await tx.rows(sql`SELECT 1`.compile(tenantSql))
        between()
        await tx.run(rename(name))
      })

    test('when the transaction opens is replaced, and nobody notices', async () => {
      await change('before')
      runs = 0
      network.cut() // we have not heard of it yet when the next one asks
      await change('after')
      expect([await legalName(), runs]).toEqual(['after', 2])
    })

    test('control: one that is cut in the middle is 503, and its work is not done again', async () => {
      runs = 0
      await expect(change('lost', () => network.cut())).rejects.toMatchObject(unavailable)
      expect([await legalName(), runs]).toEqual(['after', 1])
      await change('audited')
    })

    test('control: so is one whose commit got no answer, since it may have happened', async () => {
      runs = 0
      let committing: Promise<void> | undefined
      const heard = new Promise<void>((resolve) => {
        committing = product.gate.writeTenant(away, tenant.companyId, actor, async (tx) => {
          runs++
          await tx.run(rename('audited'))
          setTimeout(() => resolve(network.cut()), 0)
        })
      })
      const outcome = await committing!.then(() => 200, (error: Problem) => error.status) // prettier-ignore
      await heard
      expect([runs, [200, 503].includes(outcome)]).toEqual([1, true])
    })

    test('that says nothing at all is given up', async () => {
      await change('audited')
      network.silence()
      const startedAt = Date.now()
      await expect(change('never')).rejects.toMatchObject(unavailable)
      expect(Date.now() - startedAt).toBeLessThan(10_000)
      expect(await legalName()).toBe('audited')
    })
  })

  test('a statement over its time limit is 503, and the connection stays good', async () => {
    const slow = write(async (tx) => {
      await tx.rows(sql`SET LOCAL statement_timeout = 50`.compile(tenantSql))
      await tx.rows(sql`SELECT pg_sleep(5)`.compile(tenantSql))
    })
    await expect(slow).rejects.toMatchObject(unavailable)
    expect(await legalName()).toBe('audited')
  })

  test('a lock that does not come is 503', async () => {
    const lock = sql`SELECT * FROM core.company FOR UPDATE`.compile(tenantSql)
    const work = write(async (tx) => {
      await tx.rows(lock)
      await write(async (other) => {
        await other.rows(sql`SET LOCAL lock_timeout = 50`.compile(tenantSql))
        await other.rows(lock)
      })
    })
    await expect(work).rejects.toMatchObject(unavailable)
  })

  test('an error of ours stays what it is', async () => {
    await expect(read((tx) => tx.rows(sql`SELECT nonsense`.compile(tenantSql)))).rejects.toMatchObject({
      code: '42703',
    })
  })

  test('after all that, every connection of the tenant can be used', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => legalName()))
    expect(new Set(answers)).toEqual(new Set(['audited']))
  })
})
