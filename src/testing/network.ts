/** A network between a client and a server that tests can cut, or silence, at any moment. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Network {
  readonly port: number
  /** Connections so far. */
  readonly count: () => number
  /** Breaks every connection there is; new ones are let through. */
  cut(): void
  /** Nothing passes any more, in either direction, and nobody is told. */
  silence(): void
  close(): Promise<void>
}

export async function startNetwork(target: { host: string; port: number }, port = 0): Promise<Network> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let [isSilent, count] = [false, 0]
  const server = createServer((near) => {
    count++
    const far = connect(target.port, target.host)
    const pair = [near, far] as const
    pairs.add(pair)
    const forward = (from: Socket, to: Socket): void => {
      from.on('data', (data) => isSilent || to.write(data))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    forward(near, far)
    forward(far, near)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    count: () => count,
    cut,
    silence: () => void (isSilent = true),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      cut()
      await closed
    },
  }
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
