/**
 * Where large files are kept: a folder or an S3 bucket, named by one address. A file is there whole under its
 * name or not at all; whoever was killed while writing leaves something that is none of the files, and that
 * the next writing of the same name or `clearUnfinished` takes away.
 */
export interface Storage {
  /** As an operator would write it; carries no credentials. */
  readonly url: string
  /** `sizeHintBytes`: about how large it will become, where that is known. */
  write(
    name: string,
    source: AsyncIterable<Uint8Array>,
    options?: { signal?: AbortSignal; sizeHintBytes?: number },
  ): Promise<WrittenFile>
  /** Fails with `StorageError` of kind `missing` when there is none. */
  read(name: string): AsyncIterable<Uint8Array>
  /** undefined: there is none. */
  size(name: string): Promise<number | undefined>
  /** One that is gone already is no failure. */
  delete(name: string): Promise<void>
  list(prefix: string): AsyncIterable<StoredFile>
  /** Takes away what was never finished and has not grown since; how many. */
  clearUnfinished(olderThanMs: number): Promise<number>
  close(): Promise<void>
}

export interface WrittenFile {
  readonly sizeBytes: number
  readonly sha256: string
}

export interface StoredFile {
  readonly name: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly kind: 'missing' | 'full' | 'away'

  constructor(kind: StorageError['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/

/** Names are made by us; one that could leave the folder is a mistake of ours. */
export function checkName(name: string): string {
  if (!NAME.test(name) || name.endsWith('.part'))
    throw new RangeError(`"${name}" is no name of a stored file`)
  return name
}

/** Credentials and the like, which stand in no address. */
export interface StorageAccess {
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly sessionToken?: string | undefined
  /** Certificates to trust beside the usual ones, PEM. */
  readonly caCertificates?: string | undefined
}
