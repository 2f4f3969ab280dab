/**
 * Real processes for tests: `bin/erp …` or a small program of ours, with an environment of its own, started
 * until it is ready, killed or stopped by its own pid. What a failing test leaves behind ends with the run.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..', '..')
export const ERP = join(ROOT, 'bin', 'erp')
/** The same as bin/erp uses: tests start dozens of processes. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'node')
const READY_TIMEOUT_MS = 60_000

export interface RunningProcess {
  readonly pid: number
  /** Everything printed so far, both streams. */
  output(): string
  /** SIGKILL: nothing is cleaned up. Resolves when it is gone. */
  kill(): Promise<void>
  /** Resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  readonly exited: Promise<number | null>
}

export interface ServerProcess extends RunningProcess {
  readonly url: string
}

const running = new Set<ChildProcess>()
function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}
// A test runner's worker ends in any of these ways.
process.once('exit', killAll)
process.once('disconnect', killAll)
process.once('SIGTERM', () => {
  killAll()
  process.exit(143)
})

export function spawnProcess(
  file: string,
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>>,
): RunningProcess {
  const inherited = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  }
  const child = spawn(file, arguments_, {
    env: { ...inherited, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part))
  const exited = once(child, 'close').then(() => {
    running.delete(child)
    return child.exitCode
  })
  const signalled = (signal: NodeJS.Signals) => async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return exited
  }
  return {
    pid: child.pid ?? 0,
    output: () => output,
    kill: async () => void (await signalled('SIGKILL')()),
    stop: (signal = 'SIGINT') => signalled(signal)(),
    exited,
  }
}

/** A program of src/testing, under the Node that runs this test. */
export function spawnTestProgram(
  name: string,
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>>,
): RunningProcess {
  const program = join(import.meta.dirname, name)
  return spawnProcess(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...arguments_],
    environment,
  )
}

/** `bin/erp serve` in the given environment (see testEnvironment), answering. */
export function startProcess(environment: Readonly<Record<string, string>>): Promise<ServerProcess> {
  return whenReady(spawnProcess(ERP, ['serve'], environment))
}

/** Waits until a server has told its port and answers /health/ready. */
export async function whenReady(server: RunningProcess): Promise<ServerProcess> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  let ended = false
  void server.exited.then(() => (ended = true))
  while (Date.now() < deadline && !ended) {
    const port = /Listening on port (\d+)/.exec(server.output())?.[1]
    if (port !== undefined && (await answers(`http://127.0.0.1:${port}/health/ready`))) {
      return { ...server, url: `http://127.0.0.1:${port}` }
    }
    await sleep(25)
  }
  await server.kill()
  throw new Error(`The server did not become ready:\n${server.output()}`)
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** One command of the command line, to its end; one that takes longer than that is killed (code null). */
export async function runErp(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>>,
  timeoutMs = 50_000,
): Promise<Finished> {
  const inherited = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  }
  const child = spawn(ERP, arguments_, {
    env: { ...inherited, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (part: Buffer) => (stdout += part))
  child.stderr.on('data', (part: Buffer) => (stderr += part))
  await once(child, 'close')
  clearTimeout(timer)
  running.delete(child)
  return { code: child.exitCode, stdout, stderr }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** A request with any header, also `Host`, which fetch does not let us set. */
export function rawRequest(
  url: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const length = text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }
  const type = text === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, method, path, headers: { ...type, ...length, ...headers }, agent: false },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(parts).toString('utf8'),
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.setTimeout(30_000, () => sent.destroy(new Error('no answer in 30 s')))
    sent.end(text)
  })
}

/** What another process has to have heard of; without being told it would take it five seconds to find out. */
export function heard<Result>(check: () => Promise<Result>): Promise<Result> {
  return eventually(check, 4_000, 50)
}

/** Asks again until the check holds or the time is over; then tells the last failure. */
export async function eventually<Result>(
  check: () => Promise<Result>,
  timeoutMs = 30_000,
  everyMs = 100,
): Promise<Result> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(everyMs)
    }
  }
}
