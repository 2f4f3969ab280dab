/**
 * Debian's PostgreSQL on a free port, thrown away afterwards: a server that Debian's pg_dump understands, for
 * measuring beside it. As another user than root, which PostgreSQL refuses.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const VERSIONS = '/usr/lib/postgresql'
const NOBODY = 65_534

export interface DebianPostgres {
  readonly adminUrl: string
  /** Folder of pg_dump and pg_restore of the same version. */
  readonly programs: string
  stop(): Promise<void>
}

/** undefined: there is none on this machine. */
export async function startDebianPostgres(port: number): Promise<DebianPostgres | undefined> {
  const version = existsSync(VERSIONS) ? readdirSync(VERSIONS).toSorted().at(-1) : undefined
  const programs = join(VERSIONS, version ?? '', 'bin')
  if (version === undefined || !existsSync(join(programs, 'postgres'))) return undefined
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const own = (path: string): void => {
    if (identity.uid !== undefined) chownSync(path, NOBODY, NOBODY)
  }
  const password = randomBytes(12).toString('hex')
  const directory = mkdtempSync(join(tmpdir(), 'erp-debian-'))
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, password)
  for (const path of [directory, passwordFile]) own(path)
  const data = join(directory, 'data')
  const initialised = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'postgres', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C.UTF-8', '-k'], // prettier-ignore
    { ...identity, encoding: 'utf8' },
  )
  if (initialised.status !== 0) throw new Error(`initdb failed: ${initialised.stderr}`)
  const log = openSync(join(directory, 'log'), 'a')
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_wal_size=1GB', 'jit=off']
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { ...identity, stdio: ['ignore', log, log] },
  )
  const adminUrl = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  await answering(adminUrl)
  return { adminUrl, programs, stop: () => stopped(child, directory) }
}

async function stopped(child: ChildProcess, directory: string): Promise<void> {
  const exit = once(child, 'exit')
  if (child.exitCode === null && child.kill('SIGINT')) await exit
  rmSync(directory, { recursive: true, force: true })
}

async function answering(connectionString: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString })
    try {
      await client.connect()
      return
    } catch (error) {
      if (attempt === 600) throw error
      await sleep(50)
    } finally {
      await client.end().catch(() => {})
    }
  }
}
