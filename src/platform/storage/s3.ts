import { createHash } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { Readable } from 'node:stream'
import { rootCertificates } from 'node:tls'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { checkName, StorageError, type Storage, type StorageAccess, type StoredFile, type WrittenFile } from './storage.ts' // prettier-ignore

const CONNECT_TIMEOUT_MS = 5_000
/** Of one request, e.g. of a part of 8 MiB; and how long an answer may stand still. */
const REQUEST_TIMEOUT_MS = 60_000
/** A request is tried this often, with growing pauses; so is the rest of a file whose reading broke off. */
const ATTEMPTS = 4
const SOCKETS_MAXIMUM = 16
const PART_BYTES_MINIMUM = 8 * 1_048_576
/** S3 takes 10,000; the hint is a guess. */
const PARTS_PLANNED = 5_000
const PARTS_AT_ONCE = 2

/** Files in a bucket: uploaded in parts, there only when all of them are. */
export class S3Storage implements Storage {
  readonly url: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #client: S3Client

  constructor(url: string, access: StorageAccess) {
    const parsed = new URL(url)
    const prefix = decodeURIComponent(parsed.pathname).replace(/^\/+|\/+$/g, '')
    this.url = url
    this.#bucket = parsed.hostname
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.#client = new S3Client(clientConfiguration(parsed, access))
  }

  async write(
    name: string,
    source: AsyncIterable<Uint8Array>,
    { signal, sizeHintBytes = 0 }: { signal?: AbortSignal; sizeHintBytes?: number } = {},
  ): Promise<WrittenFile> {
    const hash = createHash('sha256')
    let sizeBytes = 0
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        signal?.throwIfAborted()
        hash.update(chunk)
        sizeBytes += chunk.byteLength
        yield chunk
      }
    }
    const body = Readable.from(counted(), { objectMode: false })
    try {
      await this.#abortUploads(this.#key(name), 0)
      const upload = new Upload({
        client: this.#client,
        params: { Bucket: this.#bucket, Key: this.#key(name), Body: body },
        partSize: Math.max(PART_BYTES_MINIMUM, Math.ceil(sizeHintBytes / PARTS_PLANNED)),
        queueSize: PARTS_AT_ONCE,
        leavePartsOnError: false,
      })
      const abort = (): void => void upload.abort()
      signal?.addEventListener('abort', abort, { once: true })
      await upload.done().finally(() => signal?.removeEventListener('abort', abort))
      const there = await this.size(name)
      if (there === sizeBytes) return { sizeBytes, sha256: hash.digest('hex') }
      await this.delete(name)
      throw new StorageError('away', `${name} has ${there} bytes there instead of ${sizeBytes}`)
    } catch (error) {
      signal?.throwIfAborted()
      throw explained(error, name)
    } finally {
      body.destroy()
    }
  }

  /** A reading that breaks off goes on where it was, unless it stands still for several tries. */
  async *read(name: string): AsyncGenerator<Uint8Array> {
    const key = this.#key(name)
    let offset = 0
    let failures = 0
    for (;;) {
      try {
        const range = offset === 0 ? {} : { Range: `bytes=${offset}-` }
        const { Body } = await this.#client.send(
          new GetObjectCommand({ Bucket: this.#bucket, Key: key, ...range }),
        )
        for await (const chunk of Body as Readable as AsyncIterable<Buffer>) {
          offset += chunk.length
          failures = 0
          yield chunk
        }
        return
      } catch (error) {
        const failure = explained(error, name)
        const isPassing = failure instanceof StorageError && failure.kind === 'away'
        if (!isPassing || ++failures >= ATTEMPTS) throw failure
      }
    }
  }

  async size(name: string): Promise<number | undefined> {
    try {
      const head = await this.#client.send(
        new HeadObjectCommand({ Bucket: this.#bucket, Key: this.#key(name) }),
      )
      return head.ContentLength
    } catch (error) {
      const failure = explained(error, name)
      if (failure instanceof StorageError && failure.kind === 'missing') return undefined
      throw failure
    }
  }

  async delete(name: string): Promise<void> {
    const key = this.#key(name)
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }))
      await this.#abortUploads(key, 0)
    } catch (error) {
      const failure = explained(error, name)
      if (!(failure instanceof StorageError) || failure.kind !== 'missing') throw failure
    }
  }

  async *list(prefix: string): AsyncGenerator<StoredFile> {
    let token: string | undefined
    do {
      const page = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: `${this.#prefix}${prefix}`,
            ContinuationToken: token,
          }),
        )
        .catch((error: unknown) => {
          throw explained(error, prefix)
        })
      for (const { Key: key = '', Size: sizeBytes = 0, LastModified: modifiedAt } of page.Contents ?? []) {
        yield { name: key.slice(this.#prefix.length), sizeBytes, modifiedAt: modifiedAt ?? new Date(0) }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  clearUnfinished(olderThanMs: number): Promise<number> {
    return this.#abortUploads(this.#prefix, olderThanMs)
  }

  close(): Promise<void> {
    this.#client.destroy()
    return Promise.resolve()
  }

  /** Parts of uploads that were never completed: nobody sees them, but they are kept and paid for. */
  async #abortUploads(prefix: string, olderThanMs: number): Promise<number> {
    const bucket = { Bucket: this.#bucket }
    let uploads
    try {
      uploads = await this.#client.send(new ListMultipartUploadsCommand({ ...bucket, Prefix: prefix }))
    } catch (error) {
      // Some servers of this interface cannot tell; their own expiry rules have to clear these away.
      const status = statusOf(error)
      if (status === 501 || status === 405 || status === 404) return 0
      throw explained(error, prefix)
    }
    let count = 0
    for (const { Key: key, UploadId: id, Initiated: begun } of uploads.Uploads ?? []) {
      if ((begun?.getTime() ?? 0) > Date.now() - olderThanMs) continue
      await this.#client.send(new AbortMultipartUploadCommand({ ...bucket, Key: key, UploadId: id }))
      count++
    }
    return count
  }

  #key(name: string): string {
    return `${this.#prefix}${checkName(name)}`
  }
}

function clientConfiguration({ searchParams }: URL, access: StorageAccess): S3ClientConfig {
  const { accessKeyId, secretAccessKey, sessionToken, caCertificates } = access
  const endpoint = searchParams.get('endpoint')
  const ca = caCertificates === undefined ? {} : { ca: [...rootCertificates, caCertificates] }
  return {
    region: searchParams.get('region') ?? 'us-east-1',
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    // Never looked for elsewhere: the usual chain asks addresses of the cloud that may not be there.
    credentials: {
      accessKeyId: accessKeyId ?? '',
      secretAccessKey: secretAccessKey ?? '',
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    maxAttempts: ATTEMPTS,
    // Archives carry their own proof; not every server of this interface knows the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      socketTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAXIMUM }),
      httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAXIMUM, ...ca }),
    },
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}

/** The server's own words stay in the cause: they may name what is none of the reader's business. */
function explained(error: unknown, name: string): unknown {
  if (error instanceof StorageError) return error
  const { name: kind, code } = error as NodeJS.ErrnoException
  const status = statusOf(error)
  if (status === 404 || kind === 'NoSuchKey' || kind === 'NotFound')
    return new StorageError('missing', `There is no file ${name}`, error)
  if (status === 507) return new StorageError('full', `No room for ${name}: the storage is full`, error)
  if (
    status !== undefined ||
    code !== undefined ||
    /Timeout|Abort|ECONN|socket/i.test(`${kind} ${String(error)}`)
  )
    return new StorageError(
      'away',
      `${name} cannot be reached: ${kind} ${status ?? code ?? ''}`.trim(),
      error,
    )
  return error
}
