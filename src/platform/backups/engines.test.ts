/**
 * The second engine, and rows that go from one version of PostgreSQL to another: on Debian's server, which
 * Debian's pg_dump understands, beside the embedded one, which is newer.
 */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { ledgerProof } from '../../erp/onboarding.ts'
import { copyDatabase, DatabaseSnapshot, verifyCopy } from '../../tenancy/copy.ts'
import { addressOf, DatabaseServer, withClient } from '../../tenancy/databases.ts'
import { migrate } from '../../tenancy/migrations.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { freePort } from '../../testing/network.ts'
import { startDebianPostgres, type DebianPostgres } from '../../testing/debian-postgres.ts'
import { SECRET_KEY } from '../../testing/product.ts'
import { ArchiveWriter, differencesFromArchive, OpenArchive } from './archive.ts'
import { findPgPrograms, type PgPrograms } from './pg-dump.ts'
import { newArchiveKey, openArchiveKey } from './sealed-blocks.ts'

const secrets = new Secrets(SECRET_KEY)
const embedded = new DatabaseServer(addressOf(inject('adminUrl'), false), secrets)
const required = process.env['REQUIRE_DEBIAN_POSTGRES'] === '1'
const isHere = existsSync('/usr/lib/postgresql')
if (!isHere && !required) {
  process.stderr.write('NOT TESTED: pg_dump as an engine, and another version of PostgreSQL: Debian has none here\n') // prettier-ignore
}

describe.skipIf(!isHere && !required)("Debian's PostgreSQL", () => {
  let debian: DebianPostgres
  let server: DatabaseServer
  let programs: PgPrograms
  const name = `engines_test_${process.pid}`

  beforeAll(async () => {
    const started = await startDebianPostgres(await freePort())
    if (!started) throw new Error('REQUIRE_DEBIAN_POSTGRES: there is no postgresql of Debian')
    debian = started
    server = new DatabaseServer(addressOf(debian.adminUrl, false), secrets)
    await Promise.all([server.prepare(), embedded.prepare()])
    await server.create(name)
    await migrate(server.migratorAddress(name), 'tenant')
    await withClient(server.migratorAddress(name), (client) =>
      client.query(`INSERT INTO audit.change (actor_kind, request_id, action, entity, new_values, created_at)
        SELECT 'system', 'Canary-' || n, 'insert', 'e', jsonb_build_object('n', n / 7.0), now() - n * interval '1.000001 s'
        FROM generate_series(1, 20000) n`),
    )
    programs = findPgPrograms(150_000, debian.programs) as PgPrograms
  })
  afterAll(async () => {
    await embedded.drop(name)
    await embedded.close()
    await server.close()
    await debian.stop()
  })

  async function dumped(): Promise<Buffer> {
    const address = server.migratorAddress(name)
    const snapshot = await DatabaseSnapshot.open(address)
    try {
      const writer = new ArchiveWriter(snapshot, {
        subject: { tenantId: 'id', tenantCode: 'ACME', companyName: 'Acme', schemaVersion: 'v1' },
        key: newArchiveKey(secrets, 'dump-1'),
        proofs: [ledgerProof],
        dump: { programs, address },
      })
      const chunks: Buffer[] = []
      for await (const chunk of writer.bytes()) chunks.push(chunk)
      return Buffer.concat(chunks)
    } finally {
      await snapshot.close()
    }
  }

  const opened = (bytes: Buffer): Promise<OpenArchive> =>
    OpenArchive.open(
      (async function* () {
        yield bytes
      })(),
      (id, sealed) => openArchiveKey(secrets, id, sealed),
    )

  test('a dump: sealed like rows, restored schema and all, equal to what was counted', async () => {
    const bytes = await dumped()
    expect(bytes.includes('Canary')).toBe(false)
    const archive = await opened(bytes)
    expect(archive.manifest.engine).toBe('pg_dump')
    expect(archive.bringsSchema).toBe(true)
    const target = `${name}_restored`
    await server.create(target)
    await migrate(server.migratorAddress(target), 'tenant') // as a clone of the template
    const address = server.migratorAddress(target)
    const figures = await archive.loadInto(address, { programsFolder: debian.programs })
    expect(await differencesFromArchive(figures, address, [ledgerProof])).toEqual([])
    expect((await verifyCopy(server.migratorAddress(name), address)).differences).toEqual([])
    // Controls: a row less is seen, and comes back; a flipped byte is refused.
    const damage = `ALTER TABLE audit.change DISABLE TRIGGER USER; DELETE FROM audit.change WHERE request_id = 'Canary-7'`
    await withClient(address, (client) => client.query(damage))
    expect(await differencesFromArchive(figures, address)).toEqual([
      'audit.change has 19999 rows instead of 20000',
    ])
    await (await opened(bytes)).loadInto(address, { programsFolder: debian.programs })
    expect((await verifyCopy(server.migratorAddress(name), address)).differences).toEqual([])
    const flipped = Buffer.from(bytes)
    flipped[Math.floor(bytes.length / 2)]! ^= 2
    await expect((await opened(flipped)).verify()).rejects.toThrow(/\(pg_dump, from byte \d+\) is damaged/)
  })

  test('programs older than the server, or in no such folder, are not taken', () => {
    expect(findPgPrograms((programs.major + 1) * 10_000, debian.programs)).toBeUndefined()
    expect(findPgPrograms(150_000, '/nowhere')).toBeUndefined()
  })

  test('rows go to another version and back, and stay the same', async () => {
    await embedded.create(name)
    const newer = embedded.migratorAddress(name)
    await migrate(newer, 'tenant')
    await copyDatabase(server.migratorAddress(name), newer)
    const comparison = await verifyCopy(server.migratorAddress(name), newer, [ledgerProof])
    // The catalogue words a few constraints otherwise in another version; rows and the ledger are the same.
    expect(comparison.differences.filter((line) => !/^(missing|too much): constraint/.test(line))).toEqual([])
    expect(comparison.tables.find(({ table }) => table === 'audit.change')?.rows).toBe(20_000)
  })
})
