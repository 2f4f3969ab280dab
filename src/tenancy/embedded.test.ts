/** The embedded PostgreSQL dies in every way we can think of, in directories and processes of its own. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { eventually, spawnTestProgram, type RunningProcess } from '../testing/process.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.ts'

const directories: string[] = []
const started: EmbeddedPostgres[] = []

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'erp-embedded-'))
  directories.push(directory)
  return directory
}

afterEach(async () => {
  for (const postgres of started.splice(0)) await postgres.stop()
  for (const directory of directories.splice(0)) {
    const pid = postmasterOf(directory)
    if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
})

async function start(directory: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, settings: ['fsync=off'], startTimeoutMs: 30_000 })
  started.push(postgres)
  return postgres
}

async function hold(directory: string): Promise<RunningProcess & { adminUrl: string }> {
  const child = spawnTestProgram('embedded-holder.ts', [directory], {})
  const adminUrl = await eventually(async () => {
    const url = /Holding (\S+)/.exec(child.output())?.[1]
    if (url === undefined) throw new Error(`It does not hold: ${child.output()}`)
    return url
  }, 30_000)
  return { ...child, adminUrl }
}

function postmasterOf(directory: string): number | undefined {
  const file = join(directory, 'postgres', 'postmaster.pid')
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Every process that works in this data directory: postmaster and backends. */
function processesIn(directory: string): number[] {
  const data = join(directory, 'postgres')
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '' && cwdOf(pid) === data
      } catch {
        return false
      }
    })
}

function cwdOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/cwd`)
}

async function query<Row>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows as Row[]
  } finally {
    await client.end().catch(() => {})
  }
}

test('starts from nothing, also as root, safe for books and behind a password', async () => {
  const directory = newDirectory()
  const postgres = await startEmbeddedPostgres({ directory })
  started.push(postgres)
  const settings = await query<{ name: string; setting: string }>(
    postgres.adminUrl,
    `SELECT name, setting FROM pg_settings WHERE name IN
      ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'listen_addresses', 'server_encoding')`,
  )
  expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    data_checksums: 'on',
    listen_addresses: '127.0.0.1',
    server_encoding: 'UTF8',
  })
  const stranger = new URL(postgres.adminUrl)
  stranger.password = 'guess'
  await expect(query(stranger.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
})

test('stop stops: no process is left, and what was written is there at the next start', async () => {
  const directory = newDirectory()
  const first = await start(directory)
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = postmasterOf(directory) ?? 0
  expect(isAlive(pid)).toBe(true)
  await first.stop()
  expect(isAlive(pid)).toBe(false)
  expect(processesIn(directory)).toEqual([])
  const second = await start(directory)
  expect(await query(second.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('survives kill -9 of its parent; the next one adopts it and can stop it', async () => {
  const directory = newDirectory()
  const parent = await hold(directory)
  const pid = postmasterOf(directory) ?? 0
  await query(parent.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await parent.kill()
  expect(isAlive(pid)).toBe(true)
  const adopted = await start(directory)
  expect(postmasterOf(directory)).toBe(pid)
  expect(await query(adopted.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
  await adopted.stop()
  expect(isAlive(pid)).toBe(false)
})

test('a second process is a guest: it uses the same server and does not stop it', async () => {
  const directory = newDirectory()
  const owner = await start(directory)
  const pid = postmasterOf(directory) ?? 0
  const guest = await hold(directory)
  expect(guest.adminUrl).toBe(owner.adminUrl)
  expect(await guest.stop()).toBe(0)
  expect(isAlive(pid)).toBe(true)
  expect(await query(owner.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  // Control: the owner does.
  await owner.stop()
  expect(isAlive(pid)).toBe(false)
})

test('whoever leaves last stops it, also when the one that started it left first', async () => {
  const directory = newDirectory()
  const command = await hold(directory)
  const pid = postmasterOf(directory) ?? 0
  const server = await start(directory)
  expect(await command.stop()).toBe(0)
  expect(isAlive(pid)).toBe(true)
  expect(await query(server.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  // Control: it is stopped, by the last one.
  await server.stop()
  expect(isAlive(pid)).toBe(false)
})

test('one that was killed does not count as left, nor does a stranger with its process id', async () => {
  const directory = newDirectory()
  const server = await start(directory)
  const pid = postmasterOf(directory) ?? 0
  const guest = await hold(directory)
  const users = join(directory, 'postgres-users')
  const file = readdirSync(users).find((name) => name.startsWith(`${guest.pid}-`)) ?? ''
  await guest.kill()
  const stranger = spawnTestProgram('sleeper.ts', [], {})
  writeFileSync(join(users, `${stranger.pid}-0`), readFileSync(join(users, file), 'utf8'))
  await server.stop()
  expect(isAlive(pid)).toBe(false)
  await stranger.kill()
})

test('coming and going at the same moment: who is given a server keeps it', async () => {
  const directory = newDirectory()
  for (let round = 0; round < 5; round++) {
    const before = await start(directory)
    const [, after] = await Promise.all([before.stop(), start(directory)])
    await sleep(50)
    expect(await query(after.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await after.stop()
  }
  expect(processesIn(directory)).toEqual([])
})

test('recovers after kill -9 of the postmaster', async () => {
  const directory = newDirectory()
  const first = await start(directory)
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 42 AS answer')
  process.kill(postmasterOf(directory) ?? 0, 'SIGKILL')
  const second = await start(directory)
  expect(await query(second.adminUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('never starts beside a backend of a killed postmaster: two servers on one directory destroy it', async () => {
  const directory = newDirectory()
  const first = await start(directory)
  const client = new pg.Client({ connectionString: first.adminUrl })
  client.on('error', () => {})
  await client.connect()
  const backend = Number((await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid)
  // Computes without looking up, so that it does not notice that its postmaster is gone.
  const busy = client.query("SELECT count(*) FROM generate_series(1, 8000000) i WHERE i % 7 = length('x')")
  busy.catch(() => {})
  await sleep(200)
  process.kill(postmasterOf(directory) ?? 0, 'SIGKILL')
  await sleep(50)
  expect(isAlive(backend)).toBe(true) // control: there is something to wait for
  const second = await start(directory)
  expect(isAlive(backend)).toBe(false)
  expect(await query(second.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await client.end().catch(() => {})
})

test('a lock file whose process id belongs to another program by now does not keep it from starting', async () => {
  const directory = newDirectory()
  const first = await start(directory)
  process.kill(postmasterOf(directory) ?? 0, 'SIGKILL')
  await eventually(async () => expect(processesIn(directory)).toEqual([]))
  const file = join(directory, 'postgres', 'postmaster.pid')
  const lines = readFileSync(file, 'utf8').split('\n')
  const stranger = spawnTestProgram('sleeper.ts', [], {})
  writeFileSync(file, [String(stranger.pid), ...lines.slice(1)].join('\n'))
  const second = await start(directory)
  expect(await query(second.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  expect(first.adminUrl).not.toBe('')
  await stranger.kill()
})

test('an initdb that was killed half-way leaves nothing in the way', async () => {
  const directory = newDirectory()
  const unfinished = (): string[] =>
    readdirSync(directory).filter((name) => /^postgres\.unfinished-\d+-[0-9a-f]+$/.test(name))
  const child = spawnTestProgram('embedded-holder.ts', [directory], {})
  const isUnderWay = (): boolean => existsSync(join(directory, unfinished()[0] ?? 'none', 'base'))
  await eventually(async () => expect(isUnderWay()).toBe(true), 20_000, 2)
  await child.kill()
  expect(existsSync(join(directory, 'postgres'))).toBe(false) // control: it was half-way
  const postgres = await start(directory)
  expect(await query(postgres.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  expect(unfinished()).toEqual([])
})

test('two that start from nothing at once end up with one server', async () => {
  const directory = newDirectory()
  const [first, second] = await Promise.all([hold(directory), hold(directory)])
  expect(second.adminUrl).toBe(first.adminUrl)
  expect(await query(first.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await Promise.all([first.stop(), second.stop()])
  await eventually(async () => expect(processesIn(directory)).toEqual([]))
})

test('a directory that cannot serve says where to look, in time', async () => {
  const directory = newDirectory()
  mkdirSync(join(directory, 'postgres'))
  writeFileSync(join(directory, 'postgres', 'PG_VERSION'), '9\n')
  await expect(startEmbeddedPostgres({ directory, startTimeoutMs: 1_500 })).rejects.toThrow(
    /does not answer; see postgres.log/,
  )
})
