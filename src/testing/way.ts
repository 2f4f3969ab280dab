/** A way to a server that can be cut and mended, and that counts who comes. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class Way {
  attempts = 0
  port = 0
  readonly #to: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #isCut = false

  constructor(to: { readonly host: string; readonly port: number }) {
    this.#to = to
    this.#server = createServer((socket) => this.#through(socket))
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  mend(): void {
    this.#isCut = false
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #through(socket: Socket): void {
    this.attempts++
    socket.on('error', () => {})
    if (this.#isCut) return void socket.destroy()
    const through = connect(this.#to.port, this.#to.host)
    through.on('error', () => socket.destroy())
    this.#sockets.add(socket.on('close', () => through.destroy()))
    through.on('close', () => socket.destroy())
    socket.pipe(through).pipe(socket)
  }
}
