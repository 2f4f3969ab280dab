/** Many requests over kept connections, byte for byte as an attacker writes them. */
import { Agent, request } from 'node:http'
import type { RawAnswer } from '../testing/process.ts'

const TIMEOUT_MS = 60_000

export class Sender {
  readonly #agent: Agent
  readonly #url: URL

  constructor(url: string, connections: number) {
    this.#url = new URL(url)
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Once more where the connection had been closed meanwhile: a kept one may be at any time. */
  async send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<RawAnswer> {
    try {
      return await this.#once(method, path, headers, body)
    } catch (error) {
      if (!['ECONNRESET', 'EPIPE'].includes((error as { code?: string }).code ?? '')) throw error
      return this.#once(method, path, headers, body)
    }
  }

  #once(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: string,
  ): Promise<RawAnswer> {
    const { hostname, port } = this.#url
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const sent = request(
        { agent: this.#agent, hostname, port, method, path, headers: { ...length, ...headers } },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', reject)
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(parts).toString(),
            }),
          )
        },
      )
      sent.on('error', reject)
      sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)))
      sent.end(body)
    })
  }
}
