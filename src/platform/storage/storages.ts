import type { Storage, StorageAccess } from './storage.ts'

/** `file:///var/backups/erp`, or `s3://bucket/prefix?region=…&endpoint=https://…`. */
export async function openStorage(url: string, access: StorageAccess): Promise<Storage> {
  const { protocol } = new URL(url)
  // Loaded only where it is used: the S3 client alone is a third of the product's start.
  if (protocol === 's3:') return new (await import('./s3.ts')).S3Storage(url, access)
  if (protocol === 'file:') return new (await import('./folder.ts')).FolderStorage(url)
  throw new RangeError(`Files are kept in a folder (file://) or a bucket (s3://), not at ${protocol}//`)
}

/** The storages in use: the one of the configuration, and those it was before, where older files lie. */
export class Storages {
  readonly current: string
  readonly #access: StorageAccess
  readonly #open = new Map<string, Promise<Storage>>()

  constructor(current: string, access: StorageAccess) {
    this.current = current
    this.#access = access
  }

  get(url: string): Promise<Storage> {
    const known = this.#open.get(url)
    if (known) return known
    const opened = openStorage(url, this.#access)
    this.#open.set(url, opened)
    opened.catch(() => this.#open.delete(url))
    return opened
  }

  async close(): Promise<void> {
    for (const opened of this.#open.values()) await (await opened.catch(() => undefined))?.close()
    this.#open.clear()
  }
}
