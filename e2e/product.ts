import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..')
const START_LIMIT_MS = 120_000
const STOP_LIMIT_MS = 20_000

export interface Product {
  url: string
  operatorEmail: string
  operatorPassword: string
  dataDirectory: string
  stop(options?: { keepsData?: boolean }): Promise<void>
}

export interface StartOptions {
  /** Where an earlier one has left its data. */
  dataDirectory?: string
  /** Another program than `npm start`, under the same Node. */
  program?: string
  environment?: Record<string, string>
}

/** The product as an operator starts it, on a free port with a data directory of its own. */
export async function startProduct(options: StartOptions = {}): Promise<Product> {
  if (options.dataDirectory === undefined) buildPortal()
  const port = await freePort()
  const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'erp-e2e-'))
  const operatorEmail = 'operator@example.com'
  const operatorPassword = 'Operator-of-the-browser-1'
  const output: string[] = []
  const [file, arguments_] = options.program
    ? [process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, options.program)]]
    : ['npm', ['start']]
  const child = spawn(file, arguments_, {
    cwd: ROOT,
    // A group of its own, so that stopping reaches what npm started and nothing else.
    detached: true,
    env: {
      ...process.env,
      PORT: String(port),
      DATA_DIR: dataDirectory,
      OPERATOR_EMAIL: operatorEmail,
      OPERATOR_PASSWORD: operatorPassword,
      LOG_LEVEL: 'warn',
      ...options.environment,
    },
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(String(chunk)))
  const url = `http://localhost:${port}`
  const stop = async ({ keepsData = false } = {}) => {
    await end(child)
    if (!keepsData) rmSync(dataDirectory, { recursive: true, force: true })
  }
  try {
    await untilReady(url, child)
  } catch (error) {
    await stop()
    throw new Error(`The product did not start:\n${output.join('').slice(-4_000)}`, { cause: error })
  }
  return { url, operatorEmail, operatorPassword, dataDirectory, stop }
}

function buildPortal(): void {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  const { status, stderr } = spawnSync(process.execPath, [vite, 'build'], { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`The portal could not be built:\n${stderr}`)
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`ended with code ${child.exitCode}`)
    const response = await fetch(`${url}/health/ready`).catch(() => null)
    if (response?.ok) return
    await pause(200)
  }
  throw new Error(`not ready after ${START_LIMIT_MS} ms`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  process.kill(-child.pid, 'SIGTERM')
  const isEnded = await Promise.race([ended.then(() => true), pause(STOP_LIMIT_MS, false)])
  if (!isEnded) process.kill(-child.pid, 'SIGKILL')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
