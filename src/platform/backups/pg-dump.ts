/**
 * PostgreSQL's own pg_dump and pg_restore as a second engine, where they are found and new enough: a dump of
 * a newer server by an older program is refused by the program itself. What they write is compressed and
 * sealed by us like rows. The dump carries its schema.
 */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DatabaseAddress } from '../../tenancy/pools.ts'

/** Debian keeps each version in a folder of its own. */
const DEBIAN = '/usr/lib/postgresql'
const VERSION_TIMEOUT_MS = 5_000
const PROGRAM_TIMEOUT_MS = 4 * 3_600_000
const COMPLAINT_MAXIMUM = 2_000

export interface PgPrograms {
  readonly folder: string
  readonly major: number
}

/** The newest that is no older than the server; undefined: there is none. `folder`: look nowhere else. */
export function findPgPrograms(serverVersion: number, folder?: string): PgPrograms | undefined {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : []
  const folders =
    folder === undefined ? [...(process.env['PATH'] ?? '').split(delimiter), ...debian] : [folder]
  const found = folders
    .filter((candidate) => ['pg_dump', 'pg_restore'].every((name) => existsSync(join(candidate, name))))
    .map((candidate) => ({ folder: candidate, major: majorOf(candidate) }))
    .filter(({ major }) => major >= Math.floor(serverVersion / 10_000))
  return found.toSorted((one, other) => other.major - one.major)[0]
}

function majorOf(folder: string): number {
  const { stdout } = spawnSync(join(folder, 'pg_dump'), ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_TIMEOUT_MS,
  })
  return Number(/(\d+)/.exec(stdout ?? '')?.[1] ?? 0)
}

/** Whether the programs can reach it: they take authorities for TLS from files only, and ours are none. */
export function canReach({ ssl }: DatabaseAddress): boolean {
  return typeof ssl !== 'object' || ssl.ca === undefined
}

/** What the snapshot shows, as pg_dump writes it. */
export async function* dumpOf(
  { folder }: PgPrograms,
  address: DatabaseAddress,
  snapshotId: string,
): AsyncGenerator<Buffer> {
  const program = started(folder, 'pg_dump', address, [
    '--format=custom',
    '--compress=0',
    '--no-owner',
    '--lock-wait-timeout=10000',
    `--snapshot=${snapshotId}`,
  ])
  try {
    yield* program.child.stdout as AsyncIterable<Buffer>
    await program.ended()
  } finally {
    program.child.kill()
  }
}

export async function restoreDump(
  { folder }: PgPrograms,
  address: DatabaseAddress,
  bytes: AsyncIterable<Buffer>,
): Promise<void> {
  const program = started(folder, 'pg_restore', address, [
    '--no-owner',
    '--exit-on-error',
    `--dbname=${address.database}`,
  ])
  program.child.stdout.resume()
  try {
    // A program that gives up closes its end; why it did is the better thing to say.
    await pipeline(bytes, program.child.stdin).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    })
    await program.ended()
  } finally {
    program.child.kill()
  }
}

interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly ended: () => Promise<void>
}

/** The password travels by the environment: arguments are seen by everybody on the machine. */
function started(
  folder: string,
  name: string,
  address: DatabaseAddress,
  arguments_: readonly string[],
): Program {
  const { host, port, database, user, password, ssl } = address
  const child = spawn(join(folder, name), arguments_, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: PROGRAM_TIMEOUT_MS,
    env: {
      PATH: process.env['PATH'],
      PGHOST: host,
      PGPORT: String(port),
      PGDATABASE: database,
      PGUSER: user,
      PGPASSWORD: password,
      PGSSLMODE:
        typeof ssl === 'object' ? (ssl.rejectUnauthorized === false ? 'require' : 'verify-full') : 'disable',
      PGCONNECT_TIMEOUT: '10',
    },
  })
  let complaint = ''
  child.stderr.on(
    'data',
    (part: Buffer) => (complaint = (complaint + String(part)).slice(-COMPLAINT_MAXIMUM)),
  )
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  closed.catch(() => {}) // told by `ended`
  const ended = async (): Promise<void> => {
    const [code, signal] = await closed
    if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}: ${complaint.trim()}`)
  }
  return { child, ended }
}
