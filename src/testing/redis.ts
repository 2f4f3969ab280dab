/** Debian's redis-server for tests, on a free port; killed and started again at the test's word. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually } from './process.ts'
import { freePort } from './network.ts'

/** Says loudly when it is not there; REQUIRE_REDIS=1 makes that a failure. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
if (!hasRedis) {
  const text = 'NOT TESTED: there is no redis-server here (Debian: apt-get install redis-server)'
  if (process.env['REQUIRE_REDIS'] === '1') throw new Error(text)
  process.stderr.write(`\n${text}\n`)
}

export class RedisServer {
  readonly port: number
  #child: ChildProcess | undefined

  private constructor(port: number) {
    this.port = port
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort())
    await server.begin()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async begin(): Promise<void> {
    const settings = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--appendonly', 'no']
    this.#child = spawn('redis-server', settings, { stdio: 'ignore' })
    await eventually(async () => this.command('PING'), 10_000, 50)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** It takes connections and says nothing, like a machine that hangs. */
  hang(doesHang: boolean): void {
    this.#child?.kill(doesHang ? 'SIGSTOP' : 'SIGCONT')
  }

  command(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${line}\r\n`))
      socket.setTimeout(2_000, () => socket.destroy(new Error('no answer')))
      socket.once('data', (data) => {
        resolve(data.toString())
        socket.end()
      })
      socket.once('error', reject)
    })
  }
}
