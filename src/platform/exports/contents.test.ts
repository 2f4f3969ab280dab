/**
 * What is in an export: read by another zip program, its CSV by another CSV reader, its SQL by psql into a
 * database of its own, which then says the same as the tenant's.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withClient } from '../../tenancy/databases.ts'
import { DatabaseSnapshot } from '../../tenancy/copy.ts'
import { ledgerProof } from '../../erp/onboarding.ts'
import { newestVersion } from '../../tenancy/migrations.ts'
import { postEntry } from '../../testing/books.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { exportEntries } from './contents.ts'

const FORMULA = '=HYPERLINK("http://evil.example";A1)'
const AWKWARD = 'two\nlines, "quoted", back\\slash, tab\t, \u0627\u0644\u0639\u0631\u0628\u064a\u0629'

let product: TestProduct
let tenant: TestTenant
let files: Map<string, Buffer>

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  await postEntry(tenant.admin, '12345678901.55', { description: FORMULA })
  await postEntry(tenant.admin, '0.01', { description: AWKWARD, reference: '-1+1' })
  files = await exported()
})
afterAll(() => product.stop())

async function exported(): Promise<Map<string, Buffer>> {
  const snapshot = await DatabaseSnapshot.open(addressOf(`erp_tenant_${tenant.code.toLowerCase()}`), 1)
  try {
    const subject = {
      tenantCode: tenant.code,
      companyName: 'Exported',
      schemaVersion: newestVersion('tenant'),
      productVersion: 'test',
    }
    const read = new Map<string, Buffer>()
    for (const { name, open } of await exportEntries(snapshot, subject)) {
      const parts: Buffer[] = []
      for await (const part of open()) parts.push(part as Buffer)
      read.set(name, Buffer.concat(parts))
    }
    return read
  } finally {
    await snapshot.close()
  }
}

const addressOf = (database: string) => product.server.migratorAddress(database)
const text = (name: string): string => files.get(name)?.toString('utf8') ?? ''

test('a cell that a spreadsheet would carry out is text, and only there', () => {
  const rows = parse<Record<string, string>>(text('csv/finance.journal_entry.csv'), { columns: true })
  expect(rows.map(({ description }) => description)).toEqual([`'${FORMULA}`, AWKWARD])
  expect(rows[1]?.['reference']).toBe("'-1+1")
  // Control: in the database and in the JSON it stands as it was typed; and numbers are left alone.
  const entries = JSON.parse(text('json/finance.journal_entry.json')) as Record<string, unknown>[]
  expect(entries.map(({ description }) => description)).toEqual([FORMULA, AWKWARD])
  expect(rows[0]?.['total']).toBe('12345678901.5500')
  // No cell of any file begins as a formula does, negative numbers aside.
  for (const [name, content] of files) {
    if (!name.startsWith('csv/')) continue
    const cells = (parse(content) as string[][]).flat()
    expect(cells.filter((cell) => /^[=+@\t\r-]/.test(cell) && !/^-[\d.]+$/.test(cell))).toEqual([])
  }
})

test('every file of JSON is readable, its amounts exact', () => {
  const names = [...files.keys()].filter((name) => name.startsWith('json/'))
  expect(names.length).toBeGreaterThan(15)
  for (const name of names) expect(Array.isArray(JSON.parse(text(name)))).toBe(true)
  const lines = JSON.parse(text('json/finance.journal_line.json')) as { debit: unknown }[]
  expect(lines.map(({ debit }) => debit)).toContain('12345678901.5500')
})

test('the manifest names every file with its checksum, and every table with its rows', () => {
  const manifest = JSON.parse(text('manifest.json')) as {
    entries: { name: string; sizeBytes: number; sha256: string }[]
    tables: { table: string; rows: number }[]
  }
  const sums = [...files]
    .filter(([name]) => name !== 'manifest.json')
    .map(([name, content]) => ({ name, sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') })) // prettier-ignore
  expect(manifest.entries).toEqual(sums)
  expect(manifest.tables.find(({ table }) => table === 'finance.journal_line')?.rows).toBe(4)
})

test('nothing that lets anybody in is exported', async () => {
  const hash = await withClient(addressOf(`erp_tenant_${tenant.code.toLowerCase()}`), async (client) => {
    const { rows } = await client.query<{ hash: string }>('SELECT password_hash AS hash FROM core.app_user')
    return rows[0]?.hash ?? ''
  })
  expect(hash).toMatch(/^\$2/) // control: there is one
  for (const [name, content] of files) expect([name, content.includes(hash)]).toEqual([name, false])
  const isSecret = /session|token|idempotency|second_factor/
  // Who of the operator's support was there is the tenant's to know.
  const named = [...files.keys()].filter((name) => isSecret.test(name) && !/support_session/.test(name))
  expect(named).toEqual([])
  const columns = [...files].flatMap(([name, content]) =>
    name.startsWith('csv/') ? (content.toString('utf8').split(/\r?\n/, 1)[0] ?? '').split(',') : [],
  )
  expect(columns).toContain('full_name') // control: these are names of columns
  expect(columns.filter((name) => /hash|sealed|secret|token/.test(name) && !/_at$|secret_number/.test(name))).toEqual([]) // prettier-ignore
})

const PSQL = '/usr/bin/psql'
const isPsqlWanted = existsSync(PSQL) || process.env['REQUIRE_DEBIAN_POSTGRES'] === '1'
if (!isPsqlWanted)
  console.warn(
    `${PSQL} is not there: the SQL of an export is NOT tried (REQUIRE_DEBIAN_POSTGRES=1 makes this a failure)`,
  )

test.skipIf(!isPsqlWanted)('psql makes the same books of it', async () => {
  const database = `export_${randomBytes(4).toString('hex')}`
  await product.server.create(database)
  const { host, port, user, password } = product.server.admin
  const psql = (input: string) =>
    spawnSync(
      PSQL,
      ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', host, '-p', String(port), '-U', user, '-d', database],
      {
        input,
        encoding: 'utf8',
        env: { PGPASSWORD: password },
        timeout: 30_000,
      },
    )
  const schema = psql(text('sql/1-schema.sql'))
  expect([schema.status, schema.stderr]).toEqual([0, ''])
  // Control: a dump that lacks its end is refused, and leaves nothing.
  const torn = psql(text('sql/2-data.sql').slice(0, -2_000))
  expect(torn.status).not.toBe(0)
  const data = psql(text('sql/2-data.sql'))
  expect([data.status, data.stderr]).toEqual([0, ''])
  const proof = (name: string) =>
    withClient(
      { ...product.server.admin, database: name },
      async (client) => (await client.query(ledgerProof.text)).rows,
    )
  expect(await proof(database)).toEqual(await proof(`erp_tenant_${tenant.code.toLowerCase()}`))
  await product.server.drop(database)
})
