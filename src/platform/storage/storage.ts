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

/** `file:///var/backups/erp`, or `s3://bucket/prefix?region=…&endpoint=https://…`. */
export async function openStorage(url: string, access: StorageAccess): Promise<Storage> {
  const { protocol } = new URL(url)
  // Loaded only where it is used: the S3 client alone is a third of the product's start.
  if (protocol === 's3:') return new (await import('./s3.ts')).S3Storage(url, access)
  if (protocol === 'file:') return new (await import('./folder.ts')).FolderStorage(url)
  throw new RangeError(`Files are kept in a folder (file://) or a bucket (s3://), not at ${protocol}//`)
}
