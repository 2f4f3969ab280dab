/**
 * The bench harness: every figure stands beside its floor, measured in the same run on the same PostgreSQL,
 * in interleaved rounds, and is told as a ratio of medians. Absolute times on a shared machine mean little.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/tenancy/embedded.ts'
import { freePort } from '../src/testing/network.ts'

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly ours: number
  /** null: nothing to compare with; the aim is on the figure itself. */
  readonly floor: number | null
  readonly ratio: number | null
  /** What is aimed at, in words, e.g. `ratio ≥ 0.5`. */
  readonly aim: string
  readonly met: boolean
  readonly runs: number
  readonly note?: string
}

export interface Scenario {
  readonly names: readonly string[]
  run(bench: Bench): Promise<Figure[]>
}

const ROOT = join(import.meta.dirname, '..')
const OPERATOR = { email: 'bench@example.com', password: 'Bench-operator-1' }
export const PASSWORD = 'Str0ng-w0rd!'

export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'erp-bench-'))
  readonly #processes = new Set<ChildProcess>()
  #postgres: EmbeddedPostgres | undefined

  get adminUrl(): string {
    if (!this.#postgres) throw new Error('The bench has not started')
    return this.#postgres.adminUrl
  }

  async start(): Promise<void> {
    this.#postgres = await startEmbeddedPostgres({ directory: this.directory })
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) await ended(child)
    await this.#postgres?.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** The product as its users run it: a process of its own. */
  serve(environment: Record<string, string> = {}): Promise<ServedProduct> {
    return this.#served(join(ROOT, 'bin/erp'), ['serve'], environment)
  }

  /** The product as a release that does not exist (see src/testing/release-server.ts). */
  serveRelease(environment: Record<string, string>): Promise<ServedProduct> {
    const program = join(ROOT, 'src/testing/release-server.ts')
    const arguments_ = ['--disable-warning=ExperimentalWarning', program]
    return this.#served(join(ROOT, 'node_modules/.bin/node'), arguments_, environment)
  }

  async #served(
    file: string,
    arguments_: readonly string[],
    environment: Record<string, string>,
  ): Promise<ServedProduct> {
    const port = await freePort()
    const child = this.spawn(file, arguments_, {
      ...this.environment(),
      PORT: String(port),
      ...environment,
    })
    const url = `http://127.0.0.1:${port}`
    await answering(`${url}/health/ready`)
    return new ServedProduct(url, child)
  }

  environment(): Record<string, string> {
    const url = new URL(this.adminUrl)
    url.pathname = '/erp_platform'
    return {
      DATABASE_URL: url.href,
      SECRET_KEY: 'bench-secret-key-0123456789-0123456789',
      DATA_DIR: this.directory,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'warn',
      READY_DATABASES: '0',
      RATE_LIMIT_ENABLED: 'false',
      OPERATOR_EMAIL: OPERATOR.email,
      OPERATOR_PASSWORD: OPERATOR.password,
    }
  }

  /** A floor that is a server: a plain one, as small as it can be. */
  async serveFloor(
    program: string,
    environment: Record<string, string>,
    /** Answered once it is ready. */
    path = '',
  ): Promise<{ url: string; pid: number; stop: () => Promise<void> }> {
    const port = await freePort()
    const node = join(ROOT, 'node_modules/.bin/node')
    const child = this.spawn(node, [join(import.meta.dirname, program)], {
      ...environment,
      PORT: String(port),
    })
    const url = `http://127.0.0.1:${port}`
    await answering(`${url}${path}`)
    return { url, pid: child.pid ?? 0, stop: () => ended(child) }
  }

  spawn(file: string, arguments_: readonly string[], environment: Record<string, string>): ChildProcess {
    const child = spawn(file, arguments_, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    this.#processes.add(child)
    child.on('exit', () => this.#processes.delete(child))
    return child
  }

  async connect(database: string): Promise<pg.Client> {
    const url = new URL(this.adminUrl)
    url.pathname = `/${database}`
    const client = new pg.Client({ connectionString: url.href })
    await client.connect()
    return client
  }
}

export class ServedProduct {
  readonly url: string
  readonly #child: ChildProcess
  #operatorToken: string | undefined

  constructor(url: string, child: ChildProcess) {
    this.url = url
    this.#child = child
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  stop(): Promise<void> {
    return ended(this.#child)
  }

  /** Milliseconds from the request to the 201. */
  async createTenant(code: string, password: string | undefined): Promise<number> {
    const body = {
      tenantCode: code,
      companyName: code,
      subdomain: code.toLowerCase(),
      planCode: 'unlimited',
      country: 'US',
      currency: 'USD',
      chartTemplate: 'generic',
      adminName: 'Bench Admin',
      adminEmail: `admin@${code.toLowerCase()}.example`,
      ...(password === undefined ? {} : { adminPassword: password }),
    }
    const startedAt = performance.now()
    const answer = await this.asOperator('POST', '/tenants', body)
    if (answer.data?.tenant?.status !== 'active') throw new Error(`No tenant: ${JSON.stringify(answer)}`)
    return performance.now() - startedAt
  }

  async asOperator(method: string, path: string, body?: unknown): ReturnType<typeof call> {
    this.#operatorToken ??= (
      await call(this.url, 'POST', '/api/v1/platform/auth/login', {}, OPERATOR)
    ).data.token
    const headers = { authorization: `Bearer ${this.#operatorToken}` }
    return call(this.url, method, `/api/v1/platform${path}`, headers, body)
  }

  /** Headers of the tenant's signed-in administrator. */
  async signIn(code: string): Promise<Record<string, string>> {
    const headers = { 'x-tenant-id': code }
    const credentials = { email: `admin@${code.toLowerCase()}.example`, password: PASSWORD }
    const { data } = await call(this.url, 'POST', '/api/v1/auth/login', headers, credentials)
    return { ...headers, authorization: `Bearer ${data.token}` }
  }
}

// ---- load ----------------------------------------------------------------------------------------------

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** One request over a kept connection, as cheap for the measuring process as Node allows. */
export function request(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const extra =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const outgoing = http.request(
      { agent, hostname, port, method, path, headers: { ...headers, ...extra } },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

// eslint-disable-next-line typescript/no-explicit-any
export async function call(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<any> {
  const { status, text } = await request(
    url,
    method,
    path,
    headers,
    body === undefined ? undefined : JSON.stringify(body),
  )
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

/** Calls per second of so many workers, each starting its next when the last is done. */
export async function throughput(
  workers: number,
  milliseconds: number,
  work: (worker: number) => Promise<void>,
): Promise<number> {
  const startedAt = performance.now()
  const endsAt = startedAt + milliseconds
  let count = 0
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      while (performance.now() < endsAt) {
        await work(worker)
        count++
      }
    }),
  )
  return (count / (performance.now() - startedAt)) * 1000
}

/** Ours and floor in turn, so that whatever else the machine does falls on both. */
export async function interleaved(
  rounds: number,
  ours: () => Promise<number>,
  floor: () => Promise<number>,
): Promise<{ ours: number; floor: number }> {
  const [oursAll, floorAll]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    floorAll.push(await floor())
    oursAll.push(await ours())
  }
  return { ours: median(oursAll), floor: median(floorAll) }
}

/** Both per second: the more of ours beside the floor's, the better. */
export function throughputFigure(
  name: string,
  unit: string,
  figures: { ours: number; floor: number },
  ratioAim: number,
  runs: number,
): Figure {
  const ratio = figures.ours / figures.floor
  return { name, unit, ...figures, ratio, aim: `ratio ≥ ${ratioAim}`, met: ratio >= ratioAim, runs }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0
}

// ---- databases ----------------------------------------------------------------------------------------

/** A copy of the product's own template without the product, in milliseconds. */
export async function rawClone(bench: Bench, round: number): Promise<number> {
  const client = await bench.connect('postgres')
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE datname LIKE 'erp\\_template\\_%'`,
  )
  const startedAt = performance.now()
  await client.query(`CREATE DATABASE floor_clone_${round} TEMPLATE ${rows[0]?.datname}`)
  const milliseconds = performance.now() - startedAt
  await client.query(`DROP DATABASE floor_clone_${round}`)
  await client.end()
  return milliseconds
}

/** Until so many databases are ready. */
export async function poolFilled(bench: Bench, count: number): Promise<void> {
  const client = await bench.connect('erp_platform')
  for (;;) {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM platform.ready_database WHERE state = 'ready' AND claimed_by IS NULL`,
    )
    if ((rows[0]?.count ?? 0) >= count) break
    await sleep(50)
  }
  await client.end()
}

// ---- processes -----------------------------------------------------------------------------------------

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await exit
}

async function answering(url: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const isReady = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isReady) return
    await sleep(100)
  }
  throw new Error(`${url} does not answer`)
}
