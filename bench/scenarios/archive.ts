/**
 * Archive and restore of a tenant with 1,000,000 lines against `pg_dump -Fc` and `pg_restore` of Debian, on
 * Debian's own PostgreSQL. Both make the database they restore into. Ours also counts and checks every row,
 * encrypts, and syncs the file to the disk.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ledgerProof } from '../../src/erp/onboarding.ts'
import { ArchiveWriter, differencesFromArchive, OpenArchive } from '../../src/platform/backups/archive.ts'
import { newArchiveKey, openArchiveKey } from '../../src/platform/backups/sealed-blocks.ts'
import { FolderStorage } from '../../src/platform/storage/folder.ts'
import { DatabaseSnapshot } from '../../src/tenancy/copy.ts'
import { addressOf, DatabaseServer } from '../../src/tenancy/databases.ts'
import { Secrets } from '../../src/tenancy/secrets.ts'
import { startDebianPostgres, type DebianPostgres } from '../../src/testing/debian-postgres.ts'
import { freePort } from '../../src/testing/network.ts'
import { interleaved, type Bench, type Figure, type Scenario } from '../harness.ts'
import { postMillionLines } from '../million.ts'

const ROUNDS = 3
const RATIO_AIM = 1.2
const CODE = 'ARCHIVED'
const DATABASE = 'erp_tenant_archived'
const FILE = 'bench/archived'

export const archive: Scenario = {
  names: ['archive-1m'],
  run: async (bench) => {
    const postgres = await startDebianPostgres(await freePort())
    if (!postgres)
      throw new Error('archive-1m needs postgresql and its pg_dump of Debian (apt install postgresql)')
    try {
      return await measured(bench, postgres)
    } finally {
      await postgres.stop()
    }
  },
}

async function measured(bench: Bench, postgres: DebianPostgres): Promise<Figure[]> {
  const platform = new URL(postgres.adminUrl)
  platform.pathname = '/erp_platform'
  const product = await bench.serve({ DATABASE_URL: platform.href })
  await postMillionLines(product, CODE)
  await product.stop()
  const secrets = new Secrets(bench.environment()['SECRET_KEY'] ?? '')
  const server = new DatabaseServer(addressOf(postgres.adminUrl, false), secrets)
  try {
    const ours = new Ours(server, secrets, new FolderStorage(pathToFileURL(bench.directory).href))
    const theirs = new Theirs(server, postgres, join(bench.directory, 'archived.dump'))
    const written = await interleaved(ROUNDS, () => ours.write(), () => theirs.write()) // prettier-ignore
    const restored = await interleaved(ROUNDS, () => ours.restore(), () => theirs.restore()) // prettier-ignore
    const differences = await ours.differences()
    if (differences.length > 0) throw new Error(`The restored database differs: ${differences.join('; ')}`)
    const both = { ours: written.ours + restored.ours, floor: written.floor + restored.floor }
    return [
      figure('archive-1m: write', written),
      figure('archive-1m: restore', restored),
      figure('archive-1m', both, 'write and restore; the restored database was compared with the archive'),
    ]
  } finally {
    await server.close()
  }
}

function figure(name: string, { ours, floor }: { ours: number; floor: number }, note?: string): Figure {
  const ratio = ours / floor
  const aim = `ratio ≤ ${RATIO_AIM}`
  return { name, unit: 'ms', ours, floor, ratio, aim, met: ratio <= RATIO_AIM, runs: ROUNDS, ...(note === undefined ? {} : { note }) } // prettier-ignore
}

class Ours {
  readonly #server: DatabaseServer
  readonly #secrets: Secrets
  readonly #storage: FolderStorage
  readonly #target = 'bench_restored'

  constructor(server: DatabaseServer, secrets: Secrets, storage: FolderStorage) {
    this.#server = server
    this.#secrets = secrets
    this.#storage = storage
  }

  async write(): Promise<number> {
    const startedAt = performance.now()
    const snapshot = await DatabaseSnapshot.open(this.#server.migratorAddress(DATABASE))
    const subject = { tenantId: CODE, tenantCode: CODE, companyName: CODE, schemaVersion: '' }
    const writer = new ArchiveWriter(snapshot, {
      subject,
      key: newArchiveKey(this.#secrets, CODE),
      proofs: [ledgerProof],
    })
    await this.#storage.write(FILE, writer.bytes())
    await snapshot.close()
    return performance.now() - startedAt
  }

  async restore(): Promise<number> {
    await this.#server.drop(this.#target)
    const [template = ''] = await this.#server.databaseNames('erp_template_')
    const startedAt = performance.now()
    await this.#server.create(this.#target, template)
    await (await this.#open()).loadInto(this.#server.migratorAddress(this.#target))
    return performance.now() - startedAt
  }

  async differences(): Promise<string[]> {
    const figures = await (await this.#open()).verify()
    return differencesFromArchive(figures, this.#server.migratorAddress(this.#target), [ledgerProof])
  }

  #open(): Promise<OpenArchive> {
    return OpenArchive.open(this.#storage.read(FILE), (id, sealed) =>
      openArchiveKey(this.#secrets, id, sealed),
    )
  }
}

class Theirs {
  readonly #server: DatabaseServer
  readonly #postgres: DebianPostgres
  readonly #file: string
  readonly #target = 'bench_pg_restored'

  constructor(server: DatabaseServer, postgres: DebianPostgres, file: string) {
    this.#server = server
    this.#postgres = postgres
    this.#file = file
  }

  async write(): Promise<number> {
    const startedAt = performance.now()
    await this.#run('pg_dump', ['-Fc', '-f', this.#file, '-d', this.#urlOf(DATABASE)])
    return performance.now() - startedAt
  }

  async restore(): Promise<number> {
    await this.#server.drop(this.#target)
    const startedAt = performance.now()
    await this.#server.create(this.#target)
    await this.#run('pg_restore', ['-d', this.#urlOf(this.#target), this.#file])
    return performance.now() - startedAt
  }

  #urlOf(database: string): string {
    const url = new URL(this.#postgres.adminUrl)
    url.pathname = `/${database}`
    return url.href
  }

  async #run(program: string, arguments_: readonly string[]): Promise<void> {
    const child = spawn(join(this.#postgres.programs, program), arguments_, {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`${program} ended with ${code}`)
  }
}
