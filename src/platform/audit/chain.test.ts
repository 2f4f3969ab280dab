/**
 * Whoever has every right in a tenant's database changes its audit log, in every way we know; `verify` names what
 * was done. Each way is undone again, and the log is whole: that is the control.
 */
import type pg from 'pg'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createJournalEntry } from '../../erp/ledger/contract.ts'
import { listAuditLog } from '../../erp/audit/contract.ts'
import type { TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, tenantSql } from '../../tenancy/handles.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { withClient } from '../../tenancy/databases.ts'
import { SYSTEM } from '../../server/product.ts'
import { asSuperuser, entryBody, query } from '../../testing/books.ts'
import { eventually, runErp } from '../../testing/process.ts'
import {
  SECRET_KEY,
  signIn,
  startTestProduct,
  testEnvironment,
  type TestProduct,
  type TestTenant,
} from '../../testing/product.ts'
import { listAlerts } from '../alerts/contract.ts'
import { createRestore, getRestore, undoRestore } from '../restores/contract.ts'
import { suspendTenant } from '../tenants/contract.ts'
import { AuditChains } from './chains.ts'
import { makeAuditKey } from './keys.ts'

const environment = testEnvironment()
let product: TestProduct
let tenant: TestTenant
let location: TenantLocation

beforeAll(async () => {
  product = await startTestProduct({}, {}, environment)
  ;[tenant, location] = await newTenant()
})
afterAll(() => product.stop())

async function newTenant(): Promise<[TestTenant, TenantLocation]> {
  const made = await product.createTenant()
  const found = await product.directory.byId(made.id)
  return [made, found!.location]
}

function chains(secrets: Secrets = product.secrets): AuditChains {
  return new AuditChains({ gate: product.gate, secrets, log: () => {} })
}

async function post(amount: string): Promise<void> {
  ;(await tenant.admin.call(createJournalEntry, { body: entryBody(amount) })).ok()
}

const findingsIn = async (at: TenantLocation = location): Promise<readonly string[]> =>
  (await product.auditChains.verifyTenant(at)).findings

/** With the append-only triggers switched off, as only a superuser can. */
async function tamper(work: (client: pg.Client) => Promise<unknown>, at: TestTenant = tenant): Promise<void> {
  await asSuperuser(product, at, async (client) => {
    await client.query(`SET session_replication_role = 'replica'`)
    await work(client)
  })
}

describe('of a tenant', () => {
  beforeAll(async () => {
    for (const amount of ['1.00', '2.00', '3.00', '4.00', '5.00', '6.00']) {
      await post(amount)
      // The number of a transaction that was undone.
      await query(product, tenant, `SELECT nextval('audit.change_number')`)
      expect(await product.auditChains.sealTenant(location)).toBe(true)
    }
    await tamper((client) =>
      client.query(
        `CREATE TABLE public.kept_change AS TABLE audit.change; CREATE TABLE public.kept_seal AS TABLE audit.seal`,
      ),
    )
  })

  test('untouched: whole, every row is sealed, and looking again seals nothing', async () => {
    const verdict = await product.auditChains.verifyTenant(location)
    expect(verdict).toMatchObject({ findings: [], unsealedRows: 0 })
    expect(verdict.batches).toBeGreaterThanOrEqual(6)
    const [counted] = await query<{ rows: number }>(product, tenant, 'SELECT count(number)::int AS rows FROM audit.change') // prettier-ignore
    expect(verdict.rows).toBe(counted?.rows)
    await product.auditChains.sealTenant(location)
    expect((await product.auditChains.verifyTenant(location)).batches).toBe(verdict.batches)
  })

  const THIRD = `(SELECT after_row + 1 FROM audit.seal WHERE number = 3)`
  const ATTACKS: readonly [string, string, RegExp][] = [
    [
      'a value is changed',
      `UPDATE audit.change SET new_values = jsonb_set(new_values, '{total}', '999') WHERE number = ${THIRD} + 1`,
      /^batch 3: row \d+ \(.*: post finance\.journal_entry\) was changed$/,
    ],
    [
      'another one is said to have done it',
      `UPDATE audit.change SET actor_id = core.uuid_v7() WHERE number = ${THIRD} + 1`,
      /^batch 3: row .* was changed$/,
    ],
    ['a moment is changed', `UPDATE audit.change SET created_at = created_at - interval '1 second' WHERE number = ${THIRD} + 1`, /^batch 3: row .* was changed$/], // prettier-ignore
    [
      'a row is deleted',
      `DELETE FROM audit.change WHERE number = ${THIRD} + 1`,
      /^batch 3: row \d+ was deleted$/,
    ],
    [
      'a row is hidden in a company that does not exist',
      `UPDATE audit.change SET company_id = core.uuid_v7() WHERE number = ${THIRD} + 1`,
      /^batch 3: row .* was changed$/,
    ],
    [
      'a row is slipped in under the number of one that was undone',
      `INSERT INTO audit.change (number, action, entity) VALUES (${THIRD}, 'insert', 'core.role')`,
      /^batch 3: row \d+ \(.*: insert core\.role\) was put in later$/,
    ],
    [
      'a row is slipped in under the number of another',
      `INSERT INTO audit.change (number, action, entity) VALUES (${THIRD} + 1, 'insert', 'core.role')`,
      /^batch 3: of row .* and row .* one was put in later$/,
    ],
    ['a row is slipped in without a number', `INSERT INTO audit.change (number, action, entity) VALUES (NULL, 'insert', 'core.role')`, /^\d+ row\(s\) have no number, where \d+ had none/], // prettier-ignore
    ['a row is slipped in before the first', `INSERT INTO audit.change (number, action, entity) VALUES (0, 'insert', 'core.role')`, /numbers that were never given/], // prettier-ignore
    ['a row is slipped in far ahead', `INSERT INTO audit.change (number, action, entity) VALUES (10^9, 'insert', 'core.role')`, /numbers that were never given/], // prettier-ignore
    ['a seal is deleted', 'DELETE FROM audit.seal WHERE number = 3', /^batch 3 is missing before batch 4$/],
    [
      'a batch and its rows are deleted, the next one is numbered in its place',
      `DELETE FROM audit.change WHERE number BETWEEN ${THIRD} AND (SELECT last_row FROM audit.seal WHERE number = 3);
       DELETE FROM audit.seal WHERE number = 3; UPDATE audit.seal SET number = number - 1 WHERE number > 3`,
      /^batch 3 does not follow the one before it$/,
    ],
    [
      'a row is changed, and the digest with it',
      `UPDATE audit.change SET address = '8.8.8.8' WHERE number = ${THIRD} + 1;
       UPDATE audit.seal SET digest = sha256(digest) WHERE number = 3`,
      /^batch 3: row .* was changed$/,
    ],
    ['a signature is replaced', `UPDATE audit.seal SET signature = sha256(digest) WHERE number = 3`, /^batch 3: its signature is none of ours$/], // prettier-ignore
    ['a seal is said to be of a key that nobody has', `UPDATE audit.seal SET key_id = core.uuid_v7() WHERE number = 3`, /^batch 3: its signature is none of ours$/], // prettier-ignore
    ['a seal is dated back', `UPDATE audit.seal SET created_at = '2020-01-01' WHERE number = 3`, /^batch 3: what it says of itself was changed$/], // prettier-ignore
    [
      'the tail is cut off, the sequence with it',
      `DELETE FROM audit.change WHERE number > (SELECT last_row FROM audit.seal WHERE number = 4);
       DELETE FROM audit.seal WHERE number > 4;
       SELECT setval('audit.change_number', (SELECT last_row FROM audit.seal WHERE number = 4))`,
      /^batch \d+, which the platform remembers, is gone: cut off, or replaced by an older copy$/,
    ],
    ['everything is deleted', 'DELETE FROM audit.change; DELETE FROM audit.seal', /which the platform remembers, is gone/], // prettier-ignore
  ]

  test.each(ATTACKS)('%s', async (_name, statements, finding) => {
    await tamper((client) => client.query(statements))
    const found = await findingsIn()
    expect(found).toContainEqual(expect.stringMatching(finding))
    // It was changed by a superuser alone: the tenant's own role is refused.
    await tamper((client) =>
      client.query(`TRUNCATE audit.change, audit.seal; INSERT INTO audit.change SELECT * FROM public.kept_change;
        INSERT INTO audit.seal SELECT * FROM public.kept_seal;
        SELECT setval('audit.change_number', (SELECT max(last_row) FROM audit.seal))`),
    )
    expect(await findingsIn()).toEqual([]) // control
  })

  test('a row that is written today and dated long ago', async () => {
    await tamper((client) =>
      client.query(`INSERT INTO audit.change (action, entity, created_at)
        VALUES ('insert', 'core.role', now() - interval '30 days')`),
    )
    await product.auditChains.sealTenant(location)
    expect(await findingsIn()).toEqual([expect.stringMatching(/insert core\.role\) is dated .*, long before it was written$/)]) // prettier-ignore
  })

  test('an older copy in its place: found, also after new rows have been sealed in it, until it is acknowledged', async () => {
    const [other, at] = await newTenant()
    await product.auditChains.sealTenant(at)
    await tamper((client) => client.query('CREATE TABLE public.old_change AS TABLE audit.change; CREATE TABLE public.old_seal AS TABLE audit.seal'), other) // prettier-ignore
    const write = () => query(product, other, `UPDATE core.company SET legal_name = core.uuid_v7()::text`)
    await write()
    await product.auditChains.sealTenant(at)
    expect(await findingsIn(at)).toEqual([])
    await tamper(async (client) => {
      await client.query(`TRUNCATE audit.change, audit.seal; INSERT INTO audit.change SELECT * FROM public.old_change;
        INSERT INTO audit.seal SELECT * FROM public.old_seal;
        SELECT setval('audit.change_number', (SELECT max(number) FROM audit.change))`)
    }, other)
    expect(await findingsIn(at)).toEqual([expect.stringContaining('is gone: cut off, or replaced by an older copy')]) // prettier-ignore
    for (let count = 0; count < 3; count++) {
      await write()
      await product.auditChains.sealTenant(at)
    }
    expect(await findingsIn(at)).toEqual([expect.stringContaining('is another one than the platform remembers')]) // prettier-ignore
    const { alerts } = (await product.operator.call(listAlerts, { query: { kind: 'audit-chain-broken', tenantId: other.id } })).ok() // prettier-ignore
    expect(alerts).toHaveLength(1)
    await product.auditChains.acknowledge(at, 'the server was set back', SYSTEM)
    expect(await findingsIn(at)).toEqual([])
    const [event] = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ details: object }>`SELECT details FROM platform.audit_event
          WHERE tenant_id = ${other.id} AND action = 'audit chain set back'`.compile(platformSql),
      ),
    )
    expect(event?.details).toMatchObject({ reason: 'the server was set back', endedWith: expect.stringMatching(/^\d+ \([0-9a-f]{64}\)$/) }) // prettier-ignore
  })
})

describe('sealing', () => {
  test('by many at once makes one chain', async () => {
    const [other, at] = await newTenant()
    const sealers = Array.from({ length: 4 }, () => chains())
    for (let round = 0; round < 5; round++) {
      await query(product, other, `UPDATE core.company SET legal_name = core.uuid_v7()::text`)
      await Promise.all(sealers.map((sealer) => sealer.sealTenant(at)))
    }
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ findings: [], unsealedRows: 0 })
    const [twice] = await query<{ count: number }>(product, other, `SELECT count(*)::int AS count FROM audit.seal
      GROUP BY after_row HAVING count(*) > 1`) // prettier-ignore
    expect(twice).toBeUndefined()
  })

  test('waits for whoever has taken a number and not committed; the late row is in the chain', async () => {
    const [other, at] = await newTenant()
    await product.auditChains.sealTenant(at)
    const before = (await product.auditChains.verifyTenant(at)).rows
    await asSuperuser(product, other, async (slow) => {
      await slow.query('BEGIN')
      await slow.query(`UPDATE core.role SET description = 'late' WHERE name = 'Viewer'`)
      // Later number, earlier commit.
      await query(product, other, `UPDATE core.role SET description = 'early' WHERE name = 'Sales'`)
      expect(await product.auditChains.sealTenant(at)).toBe(false)
      expect(await product.auditChains.verifyTenant(at)).toMatchObject({ rows: before, unsealedRows: 1 })
      await slow.query('COMMIT')
    })
    expect(await product.auditChains.sealTenant(at)).toBe(true)
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ rows: before + 2, unsealedRows: 0, findings: [] }) // prettier-ignore
  })

  test('control: a row that came in behind a seal, without that waiting, would be found', async () => {
    const [other, at] = await newTenant()
    await query(product, other, `SELECT nextval('audit.change_number')`)
    await query(product, other, `UPDATE core.role SET description = 'sealed' WHERE name = 'Sales'`)
    await product.auditChains.sealTenant(at)
    await query(product, other, `INSERT INTO audit.change (number, action, entity)
      SELECT max(number) - 1, 'update', 'core.role' FROM audit.change`) // prettier-ignore
    expect(await findingsIn(at)).toEqual([expect.stringMatching(/was put in later$/)])
  })

  test('goes over the rows of all companies, though nobody sees them at once', async () => {
    const [other, at] = await newTenant()
    await query(product, other, `INSERT INTO audit.change (company_id, action, entity) VALUES (core.uuid_v7(), 'insert', 'of another company')`) // prettier-ignore
    await product.auditChains.sealTenant(at)
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ findings: [], unsealedRows: 0 })
    const seen = await product.gate.readTenant(at, other.companyId, SYSTEM, (tx) =>
      tx.rows(sql`SELECT id FROM audit.change WHERE entity = 'of another company'`.compile(tenantSql)),
    )
    expect(seen).toEqual([])
    await query(product, other, `SET session_replication_role = 'replica'; DELETE FROM audit.change WHERE entity = 'of another company'`) // prettier-ignore
    expect(await findingsIn(at)).toEqual([expect.stringMatching(/row \d+ was deleted$/)])
  })
})

describe('keys', () => {
  const [OLD, NEW] = [SECRET_KEY, 'another-secret-key-for-tests-9876543210']

  test('after SECRET_KEY has changed old seals are proven as before, and new ones have a new key', async () => {
    const [other, at] = await newTenant()
    await chains().sealTenant(at)
    const both = new Secrets(NEW, [OLD])
    // What `erp secrets rotate` does with these keys (see rotation.test.ts for all of it).
    await product.gate.writePlatform(SYSTEM, async (tx) => {
      await makeAuditKey(tx, both)
      const keys = await tx.rows(sql<{ id: string; sealed: string }>`SELECT id, sealed_key AS sealed FROM platform.audit_key`.compile(platformSql)) // prettier-ignore
      for (const { id, sealed } of keys) {
        const anew = both.seal(both.open(sealed, `audit-key/${id}`), `audit-key/${id}`)
        await tx.run(sql`UPDATE platform.audit_key SET sealed_key = ${anew} WHERE id = ${id}`.compile(platformSql)) // prettier-ignore
      }
    })
    const later = chains(new Secrets(NEW))
    await query(product, other, `UPDATE core.role SET description = 'after' WHERE name = 'Sales'`)
    await later.sealTenant(at)
    expect(await later.verifyTenant(at)).toMatchObject({ findings: [], unsealedRows: 0 })
    const keyIds = await query<{ key_id: string }>(product, other, 'SELECT DISTINCT key_id FROM audit.seal')
    expect(keyIds).toHaveLength(2)
    // Control: without the right SECRET_KEY nothing is proven.
    await expect(chains(new Secrets(OLD)).verifyTenant(at)).rejects.toThrow('Sealed with key')
    // Back, for the tests behind this one.
    await product.gate.writePlatform(SYSTEM, async (tx) => {
      const keys = await tx.rows(sql<{ id: string; sealed: string }>`SELECT id, sealed_key AS sealed FROM platform.audit_key`.compile(platformSql)) // prettier-ignore
      for (const { id, sealed } of keys) {
        const back = new Secrets(OLD, [NEW])
        const anew = back.seal(back.open(sealed, `audit-key/${id}`), `audit-key/${id}`)
        await tx.run(sql`UPDATE platform.audit_key SET sealed_key = ${anew} WHERE id = ${id}`.compile(platformSql)) // prettier-ignore
      }
    })
  })
})

describe('a database that comes back', { timeout: 120_000 }, () => {
  let other: TestTenant
  let at: TenantLocation
  let backupId: string

  const write = (text: string) =>
    query(product, other, `UPDATE core.role SET description = $1 WHERE name = 'Sales'`, [text])
  const restore = async (mode: 'swap' | 'clone') => {
    const body = { backupId, mode }
    const { id } = (await product.operator.call(createRestore, { params: { id: other.id }, body })).ok()
    return ended(id, mode === 'swap' ? 'swapped' : 'cloned')
  }
  const ended = (id: string, state: string) =>
    eventually(async () => {
      const found = (await product.operator.call(getRestore, { params: { id } })).ok()
      expect(found.state).toBe(state)
      return found
    }, 60_000)
  const setBacks = async () => {
    const rows = await product.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ reason: string }>`SELECT details ->> 'reason' AS reason FROM platform.audit_event
          WHERE tenant_id = ${other.id} AND action = 'audit chain set back' ORDER BY number`.compile(
          platformSql,
        ),
      ),
    )
    return rows.map(({ reason }) => reason)
  }

  beforeAll(async () => {
    ;[other, at] = await newTenant()
    await write('in the backup')
    await product.auditChains.sealTenant(at)
    backupId = await product.backups.take(other.id, 'on-demand')
    await write('after the backup')
    await product.auditChains.sealTenant(at)
  })

  test('restored in its place: whole, goes on from there, and the platform says what it was set back from', async () => {
    const { id } = await restore('swap')
    expect(await findingsIn(at)).toEqual([])
    await write('after the restore')
    await product.auditChains.sealTenant(at)
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ findings: [], unsealedRows: 0 })
    expect(await setBacks()).toEqual(['a backup was restored'])
    ;(await product.operator.call(undoRestore, { params: { id } })).ok()
    await ended(id, 'undone')
    await product.auditChains.sealTenant(at)
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ findings: [], unsealedRows: 0 })
    expect(await setBacks()).toEqual(['a backup was restored', 'a restore was undone'])
  })

  test('as another tenant: its chain begins as that of the first one, and is its own from there', async () => {
    const { newTenantId } = await restore('clone')
    const clone = (await product.directory.byId(newTenantId!))!.location
    const { batches } = await product.auditChains.verifyTenant(clone)
    expect(batches).toBeGreaterThan(0)
    await product.auditChains.sealTenant(clone)
    const verdict = await product.auditChains.verifyTenant(clone)
    expect(verdict).toMatchObject({ findings: [], unsealedRows: 0 })
    expect(verdict.batches).toBe(batches + 1) // nobody of the first one is signed in: that is in the copy's own log
    expect(await product.auditChains.verifyTenant(at)).toMatchObject({ findings: [] })
    const email = `ann@${other.code.toLowerCase().replaceAll('_', '-')}.example`
    const { client } = await signIn(product.anonymous.with({ tenant: clone.tenantCode }), email)
    const { auditEntries } = (await client.call(listAuditLog, { query: { action: 'sign-out' } })).ok()
    expect(auditEntries[0]).toMatchObject({
      actorKind: 'system',
      newValues: { reason: 'copied from another account' },
    })
  })
})

describe('erp audit verify', { timeout: 120_000 }, () => {
  test('0 and whole; 1 and the row that was changed; also in erp check', async () => {
    const [other, at] = await newTenant()
    await product.auditChains.sealTenant(at)
    const verify = (...options: string[]) => runErp(['audit', 'verify', ...options], environment, 50_000)
    const whole = await verify('--tenant', other.code)
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringMatching(/: audit log whole: \d+ rows in 1 batches, 0 not sealed yet, up to batch 1 \([0-9a-f]{64}\)\n$/)]) // prettier-ignore
    await tamper((client) => client.query(`UPDATE audit.change SET entity_id = NULL WHERE number = 5`), other)
    const broken = await verify('--tenant', other.code)
    expect([broken.code, broken.stdout]).toEqual([1, expect.stringMatching(/audit log BROKEN.*\n {2}batch 1: row 5 \(.*\) was changed\n$/)]) // prettier-ignore
    const all = await verify('--all')
    expect([all.code, all.stdout]).toEqual([1, expect.stringMatching(/^platform: audit log whole/)])
    expect(all.stdout).toContain(`${other.code}: audit log BROKEN`)
    const checked = await runErp(['check', other.code], environment, 50_000)
    expect([checked.code, checked.stdout]).toEqual([1, expect.stringContaining('row 5')])
    expect((await verify('--all', '--platform')).code).toBe(2) // which one?
  })

  test('leaves out nobody: neither who is suspended, nor, in silence, who cannot be reached', async () => {
    const verify = (...options: string[]) => runErp(['audit', 'verify', ...options], environment, 50_000)
    const [[closed, at], [away]] = [await newTenant(), await newTenant()]
    const body = { reason: 'not paid' }
    ;(await product.operator.call(suspendTenant, { params: { id: closed.id }, body })).ok()
    await product.auditChains.sealTenant(at)
    const before = await verify()
    expect(before.stdout).toContain(`${closed.code}: audit log whole`) // control
    expect(before.stdout).toContain(`${away.code}: audit log whole`)
    expect((await verify('--all')).stdout.replaceAll(/ \d+ rows.*/g, '')).toBe(before.stdout.replaceAll(/ \d+ rows.*/g, '')) // prettier-ignore
    await tamper(
      (client) => client.query(`UPDATE audit.change SET entity_id = NULL WHERE number = 5`),
      closed,
    )
    await asSuperuser(product, away, (client) =>
      client.query(`ALTER DATABASE erp_tenant_${away.code.toLowerCase()} CONNECTION LIMIT 0`),
    )
    const after = await verify()
    expect(after.code).toBe(1)
    expect(after.stdout).toMatch(new RegExp(`${closed.code}: audit log BROKEN.*\n  batch 1: row 5 `))
    expect(after.stdout).toContain(`${away.code}: audit log NOT VERIFIED: `)
    expect(after.stdout).toContain(`${tenant.code}: audit log `)
    // Where that is all there is to say, it is still not 0.
    const onPlatform = (statement: ReturnType<typeof sql>) =>
      product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql)))
    await onPlatform(
      sql`UPDATE platform.tenant SET status_reason = status, status = 'failed' WHERE id <> ${away.id}`,
    )
    const left = await verify()
    await onPlatform(sql`UPDATE platform.tenant SET status = status_reason WHERE status = 'failed'`)
    expect([left.code, left.stdout]).toEqual([1, expect.stringMatching(/^platform: .*\n.*NOT VERIFIED.*\n$/)])
  })
})

describe("the platform's own", () => {
  test('a changed and a deleted row are named; untouched it is whole', async () => {
    await product.auditChains.sealPlatform()
    expect(await product.auditChains.verifyPlatform()).toMatchObject({ findings: [], unsealedRows: 0 })
    const address = { ...product.server.admin, database: await platformDatabase() }
    const tamperPlatform = (text: string) =>
      withClient(address, async (client) => {
        await client.query(`SET session_replication_role = 'replica'`)
        await client.query(text)
      })
    await tamperPlatform(`CREATE TABLE public.kept AS TABLE platform.audit_event;
      UPDATE platform.audit_event SET details = '{"reason": "none"}' WHERE number = 2;
      DELETE FROM platform.audit_event WHERE number = 3`)
    expect((await product.auditChains.verifyPlatform()).findings).toEqual([
      expect.stringMatching(/^batch 1: row 2 .* was changed$/),
      expect.stringMatching(/^batch 1: row 3 was deleted$/),
    ])
    await tamperPlatform(`DELETE FROM platform.audit_event WHERE number IN (SELECT number FROM public.kept);
      INSERT INTO platform.audit_event SELECT * FROM public.kept`)
    expect((await product.auditChains.verifyPlatform()).findings).toEqual([])
  })
})

async function platformDatabase(): Promise<string> {
  const row = await product.gate.readPlatform(SYSTEM, (tx) =>
    tx.row(sql<{ name: string }>`SELECT current_database() AS name`.compile(platformSql)),
  )
  return row!.name
}
