/**
 * A PostgreSQL cluster whose changes are archived by pgBackRest, for tests: Debian's server and pgBackRest with
 * the configuration of deploy/pgbackrest, its paths replaced. Runs as another user than root.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './network.ts'

const SERVER = '/usr/lib/postgresql/15/bin'
const PGBACKREST = '/usr/bin/pgbackrest'
const DEPLOY = join(import.meta.dirname, '..', '..', 'deploy', 'pgbackrest')
const COMMAND_TIMEOUT_MS = 120_000

export const missingPrograms: readonly string[] = [`${SERVER}/postgres`, PGBACKREST].filter(
  (file) => !existsSync(file),
)

interface Identity {
  readonly uid?: number
  readonly gid?: number
}

export class ArchivedCluster {
  readonly #directory: string
  readonly #identity = databaseUser()
  readonly #password = randomBytes(12).toString('hex')
  readonly #environment: Record<string, string>
  readonly #running = new Map<string, ChildProcess>()

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'erp-archived-'))
    this.#own(this.#directory)
    for (const name of ['repository', 'spool', 'lock', 'log', 'socket']) this.#folder(name)
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      PGBACKREST_CONFIG: join(this.#directory, 'pgbackrest.conf'),
      PGBACKREST_LOCK_PATH: join(this.#directory, 'lock'),
      PGBACKREST_LOG_PATH: join(this.#directory, 'log'),
      PGBACKREST_REPO1_CIPHER_PASS: randomBytes(24).toString('hex'),
    }
  }

  /** Makes the cluster, starts it and its archiving; resolves to the superuser's address. */
  async start(): Promise<string> {
    const port = await freePort()
    const data = join(this.#directory, 'live')
    const passwordFile = join(this.#directory, 'password')
    writeFileSync(passwordFile, this.#password)
    this.#own(passwordFile)
    // prettier-ignore
    this.#run(`${SERVER}/initdb`, ['-D', data, '--username=postgres', `--pwfile=${passwordFile}`,
      '--auth-local=trust', '--auth-host=scram-sha-256', '--encoding=UTF8', '--locale=C.UTF-8', '--data-checksums'])
    appendFileSync(join(data, 'postgresql.conf'), readFileSync(join(DEPLOY, 'postgresql.conf')))
    const configuration = readFileSync(join(DEPLOY, 'pgbackrest.conf'), 'utf8')
      .replace('/var/lib/pgbackrest', join(this.#directory, 'repository'))
      .replace('/var/spool/pgbackrest', join(this.#directory, 'spool'))
      .replace('/var/lib/postgresql/15/main', data)
    const connection = `pg1-port=${port}\npg1-socket-path=${join(this.#directory, 'socket')}\npg1-user=postgres\n`
    writeFileSync(join(this.#directory, 'pgbackrest.conf'), configuration + connection)
    await this.#startServer('live', port)
    this.pgbackrest('stanza-create')
    this.pgbackrest('check')
    return this.#url(port)
  }

  pgbackrest(...arguments_: readonly string[]): string {
    return this.#run(PGBACKREST, ['--stanza=erp', ...arguments_])
  }

  /** The cluster as it was at a moment, beside the live one, which is left alone; resolves to its address. */
  async restoreBeside(moment: string, onlyDatabase: string): Promise<string> {
    const data = this.#folder('beside')
    // prettier-ignore
    this.pgbackrest(`--pg1-path=${data}`, '--type=time', `--target=${moment}`, '--target-action=promote',
      '--archive-mode=off', `--db-include=${onlyDatabase}`, 'restore')
    const port = await freePort()
    await this.#startServer('beside', port)
    return this.#url(port)
  }

  async stop(): Promise<void> {
    for (const server of this.#running.values()) {
      server.kill('SIGINT')
      await once(server, 'exit')
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #url(port: number): string {
    return `postgres://postgres:${this.#password}@127.0.0.1:${port}/postgres`
  }

  async #startServer(name: string, port: number): Promise<void> {
    const settings = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${join(this.#directory, 'socket')}`,
    ]
    const log = openSync(join(this.#directory, `${name}.log`), 'a')
    const server = spawn(
      `${SERVER}/postgres`,
      ['-D', join(this.#directory, name), ...settings.flatMap((setting) => ['-c', setting])],
      { ...this.#identity, env: this.#environment, cwd: '/', stdio: ['ignore', log, log] },
    )
    this.#running.set(name, server)
    const deadline = Date.now() + COMMAND_TIMEOUT_MS
    for (;;) {
      const arguments_ = ['-h', join(this.#directory, 'socket'), '-p', String(port), '-U', 'postgres', '-Atc', 'SELECT pg_is_in_recovery()', 'postgres'] // prettier-ignore
      const asked = spawnSync(`${SERVER}/psql`, arguments_, { ...this.#identity, cwd: '/', encoding: 'utf8' })
      if (asked.stdout.trim() === 'f') return
      if (Date.now() > deadline || server.exitCode !== null) {
        throw new Error(`The server does not start: ${readFileSync(join(this.#directory, `${name}.log`), 'utf8').slice(-3_000)}`) // prettier-ignore
      }
      await sleep(100)
    }
  }

  #run(file: string, arguments_: readonly string[]): string {
    const { status, stdout, stderr, error } = spawnSync(file, arguments_, {
      ...this.#identity,
      env: this.#environment,
      cwd: '/',
      encoding: 'utf8',
      timeout: COMMAND_TIMEOUT_MS,
    })
    if (status === 0) return stdout
    throw new Error(`${file} ${arguments_.join(' ')}: ${error?.message ?? ''} ${stderr} ${stdout}`)
  }

  #folder(name: string): string {
    const path = join(this.#directory, name)
    mkdirSync(path, { mode: 0o700 })
    this.#own(path)
    return path
  }

  #own(path: string): void {
    const { uid, gid } = this.#identity
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
  }
}

/** PostgreSQL refuses root: then it is Debian's user `postgres`, who came with the server. */
function databaseUser(): Identity {
  if (process.getuid?.() !== 0) return {}
  const number = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: number('-u'), gid: number('-g') }
}
