/** A real SMTP server for tests (npm's smtp-server), with the bad days that a test asks for. */
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  readonly isEncrypted: boolean
  readonly user: string | undefined
  /** As it came over the wire, headers and all. */
  readonly raw: string
}

export class MailServer {
  readonly received: ReceivedMail[] = []
  port = 0
  /** Called with each recipient; what it throws is the answer. */
  onRecipient: (address: string) => void | Promise<void> = () => {}
  /** Called when the mail has come in whole, before it is acknowledged. */
  onData: (mail: ReceivedMail) => void | Promise<void> = () => {}
  #server: SMTPServer | undefined

  async start(options: SMTPServerOptions = {}): Promise<this> {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: options.key === undefined ? ['STARTTLS'] : [],
      allowInsecureAuth: true,
      logger: false,
      onAuth: ({ username, password }, _session, done) =>
        done(password === 'wrong' ? refusal(535, 'no') : null, { user: username }),
      onRcptTo: ({ address }, _session, done) => {
        Promise.resolve()
          .then(() => this.onRecipient(address))
          .then(() => done(), done)
      },
      onData: (stream, session, done) => {
        const parts: Buffer[] = []
        stream.on('data', (part: Buffer) => parts.push(part))
        stream.on('end', () => {
          const { mailFrom, rcptTo } = session.envelope
          const mail: ReceivedMail = {
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            isEncrypted: Boolean(session.secure),
            user: typeof session.user === 'string' ? session.user : undefined,
            raw: Buffer.concat(parts).toString('utf8'),
          }
          this.received.push(mail)
          Promise.resolve()
            .then(() => this.onData(mail))
            .then(() => done(null), done)
        })
      },
      ...options,
    })
    server.on('error', () => {}) // a client that went away in the middle
    server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    const address = server.server.address()
    this.port = typeof address === 'object' && address ? address.port : 0
    this.#server = server
    return this
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}?tls=none`
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()))
  }
}

/** What an SMTP server says no with: 4xx for now, 5xx for good. */
export function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}

/** Takes connections and does with them what the test says: never answers, hangs up, dribbles. */
export async function startOddServer(
  treat: (socket: Socket) => void,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    treat(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
