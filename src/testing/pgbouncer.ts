/**
 * A real PgBouncer before the run's PostgreSQL, on the very file that is delivered (deploy/pgbouncer), with
 * other addresses.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './network.ts'

const DELIVERED = join(import.meta.dirname, '..', '..', 'deploy', 'pgbouncer', 'pgbouncer.ini')
const NOBODY = 65_534
const READY_TRIES = 200

export interface Pgbouncer {
  /** What DB_POOLER_URL is set to. */
  readonly url: string
  stop(): Promise<void>
}

export function hasPgbouncer(): boolean {
  return spawnSync('pgbouncer', ['--version']).status === 0
}

/** `settings`: what differs from the delivered file. */
export async function startPgbouncer(
  adminUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Pgbouncer> {
  const directory = mkdtempSync(join(tmpdir(), 'erp-pgbouncer-'))
  const { hostname, port } = new URL(adminUrl)
  const listening = await freePort()
  const password = 'looks-passwords-up-for-tests'
  const files = { users: join(directory, 'userlist.txt'), ini: join(directory, 'pgbouncer.ini') }
  writeFileSync(files.users, `"erp_pooler" "${password}"\n`)
  writeFileSync(
    files.ini,
    delivered({
      '*': `host=${hostname} port=${port}`,
      listen_addr: '127.0.0.1',
      listen_port: String(listening),
      auth_file: files.users,
      logfile: join(directory, 'log'),
      ...settings,
    }),
  )
  // It refuses to run as root, as PostgreSQL does.
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    chmodSync(directory, 0o755)
    for (const path of [directory, ...Object.values(files)]) chownSync(path, NOBODY, NOBODY)
  }
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  const child = spawn('pgbouncer', ['--quiet', files.ini], { stdio: 'ignore', ...identity })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
  for (let attempt = 0; !(await answers(listening)); attempt++) {
    if (attempt === READY_TRIES || child.exitCode !== null) {
      const log = readFileSync(join(directory, 'log'), 'utf8')
      await stop()
      throw new Error(`PgBouncer does not answer: ${log}`)
    }
    await sleep(25)
  }
  return { url: `postgres://erp_pooler:${password}@127.0.0.1:${listening}/`, stop }
}

/** A section that is opened twice loses what was said in it before: lines are changed where they stand. */
function delivered(changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(DELIVERED, 'utf8')
  for (const [name, value] of Object.entries(changes)) {
    const line = new RegExp(`^${name.replace('*', '\\*')} = .*$`, 'm')
    text = line.test(text) ? text.replace(line, () => `${name} = ${value}`) : `${text}${name} = ${value}\n`
  }
  return text
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
