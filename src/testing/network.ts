/** A network between a client and a server that tests can cut, shut, silence or lead elsewhere at any moment. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface Target {
  readonly host: string
  readonly port: number
}

export class Network {
  /** Where new connections lead. */
  target: Target
  /** Connections so far, and how many of them were ended as they began. */
  count = 0
  endedCount = 0
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #isShut = false
  #isSilent = false
  #isEnding: (database: string) => boolean = () => false

  constructor(target: Target) {
    this.target = target
    this.#server = createServer((near) => this.#through(near))
  }

  async open(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Breaks every connection there is; new ones are let through. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
  }

  /** Lets nobody through until `mend`. */
  shut(): void {
    this.#isShut = true
    this.cut()
  }

  mend(): void {
    this.#isShut = false
    this.#isEnding = () => false
  }

  /** Nothing passes any more, in either direction, and nobody is told. */
  silence(): void {
    this.#isSilent = true
  }

  /**
   * From now on PostgreSQL ends a session the moment it has let it in, so that "ready for query" and "terminating
   * connection" come in one piece: what happens now and then when it dies.
   */
  endAsTheyBegin(isMeant: (database: string) => boolean): void {
    this.#isEnding = isMeant
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.cut()
    await closed
  }

  #through(near: Socket): void {
    this.count++
    near.on('error', () => {})
    if (this.#isShut) return void near.destroy()
    const far = connect(this.target.port, this.target.host)
    const pair = [near, far] as const
    this.#pairs.add(pair)
    let database: string | undefined
    near.on('data', (data) => {
      database ??= /\0database\0([^\0]*)/.exec(data.toString('latin1'))?.[1] ?? ''
      if (!this.#isSilent) far.write(data)
    })
    far.on('data', (data) => {
      if (this.#isSilent) return
      if (data.subarray(-6).equals(READY_FOR_QUERY) && this.#isEnding(database ?? '')) {
        this.endedCount++
        near.end(Buffer.concat([data, TERMINATING]))
        far.destroy()
      } else near.write(data)
    })
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('error', () => to.destroy())
      from.on('close', () => {
        if (!to.writableEnded) to.destroy()
        this.#pairs.delete(pair)
      })
    }
  }
}

const READY_FOR_QUERY = Buffer.from('Z\0\0\0\u0005I', 'latin1')
const TERMINATING = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P01', M: 'terminating connection' })

/** PostgreSQL's protocol, "Message Formats": ErrorResponse. */
function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const body = `${Object.entries(fields)
    .map(([name, value]) => `${name}${value}\0`)
    .join('')}\0`
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + body.length)
  return Buffer.concat([Buffer.from('E'), length, Buffer.from(body, 'latin1')])
}

/** One that nobody listens on now; whoever asks had better be quick. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}
