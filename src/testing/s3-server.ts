/**
 * A real S3 server (s3rver, from npm) on a free port, with or without TLS, that tests can cut off. What it
 * lacks of the interface we use, listing and aborting unfinished uploads, is added here over its own folder.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import { selfSigned } from './certificates.ts'

export const BUCKET = 'backups'
export const S3_ACCESS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } as const

export interface S3Server {
  /** For BACKUP_URL. */
  readonly url: string
  /** To be trusted, PEM; undefined without TLS. */
  readonly certificate: string | undefined
  /** Ids of uploads that were begun and neither completed nor aborted. */
  unfinished(): string[]
  /** Called before each request: 'cut' ends its connection, 'stall' leaves it without an answer. */
  before: (request: IncomingMessage) => 'cut' | 'stall' | undefined
  stop(): Promise<void>
}

export async function startS3Server(options: { tls?: boolean } = {}): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'erp-s3-'))
  const identity = options.tls ? selfSigned(directory) : undefined
  const store = join(directory, 'store')
  const server = new S3rver({
    directory: store,
    silent: true,
    configureBuckets: [{ name: BUCKET, configs: [] }],
  })
  await server.configureBuckets()
  const answer = server.callback()
  const uploads = join(store, BUCKET, '._S3rver_uploads')
  const sockets = new Set<Socket>()
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const verdict = started.before(request)
    if (verdict === 'cut') return void request.socket.destroy()
    if (verdict === 'stall') return
    if (!answerUploads(uploads, request, response)) answer(request, response)
  }
  const http = identity ? createTlsServer(identity, handle) : createServer(handle)
  http.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const endpoint = `${identity ? 'https' : 'http'}://localhost:${port}`
  const started: S3Server = {
    url: `s3://${BUCKET}/some/prefix?region=eu-west-1&endpoint=${encodeURIComponent(endpoint)}`,
    certificate: identity?.cert,
    unfinished: () => namesIn(uploads),
    before: () => undefined,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => http.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
  return started
}

function answerUploads(uploads: string, request: IncomingMessage, response: ServerResponse): boolean {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  if (request.method === 'GET' && searchParams.has('uploads')) {
    const prefix = searchParams.get('prefix') ?? ''
    const found = namesIn(uploads).map((id) => ({ id, key: readFileSync(join(uploads, id, 'key'), 'utf8') }))
    const list = found
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ id, key }) => {
        const begun = statSync(join(uploads, id)).birthtime.toISOString()
        return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begun}</Initiated></Upload>`
      })
    response.setHeader('content-type', 'application/xml')
    response.end(`<?xml version="1.0"?><ListMultipartUploadsResult><Bucket>${pathname.slice(1)}</Bucket>${list.join('')}</ListMultipartUploadsResult>`) // prettier-ignore
    return true
  }
  if (request.method === 'DELETE' && searchParams.has('uploadId')) {
    rmSync(join(uploads, searchParams.get('uploadId') ?? ''), { recursive: true, force: true })
    response.writeHead(204).end()
    return true
  }
  return false
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
