import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../src/testing/network.ts'

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

/** The whole group: npm is gone before what it started has stopped its database. */
async function end({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return
  const deadline = Date.now() + STOP_LIMIT_MS
  for (let signal: NodeJS.Signals | 0 = 'SIGTERM'; isTold(-pid, signal); signal = 0) {
    if (Date.now() > deadline) {
      isTold(-pid, 'SIGKILL')
      throw new Error(`The product had not stopped after ${STOP_LIMIT_MS} ms`)
    }
    await pause(100)
  }
}

/** false: there is nobody any more. */
function isTold(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(group, signal)
  } catch {
    return false
  }
}
