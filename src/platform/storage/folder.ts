import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkName, StorageError, type Storage, type StoredFile, type WrittenFile } from './storage.ts'

const PART = '.part'
const CHUNK_BYTES = 1_048_576

/** Files in a folder: written beside their name, synced, renamed. Only their owner can read them. */
export class FolderStorage implements Storage {
  readonly url: string
  readonly #root: string

  constructor(url: string) {
    this.url = url
    this.#root = resolve(fileURLToPath(url))
  }

  async write(
    name: string,
    source: AsyncIterable<Uint8Array>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<WrittenFile> {
    const path = this.#path(name)
    const unfinished = `${path}.${randomBytes(6).toString('hex')}${PART}`
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await this.#clearUnfinishedOf(path)
      const written = await writeSynced(unfinished, source, signal)
      await rename(unfinished, path)
      await syncFolder(dirname(path))
      return written
    } catch (error) {
      await rm(unfinished, { force: true })
      throw explained(error, name)
    }
  }

  async *read(name: string): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(this.#path(name), { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>
    } catch (error) {
      throw explained(error, name)
    }
  }

  async size(name: string): Promise<number | undefined> {
    try {
      return (await stat(this.#path(name))).size
    } catch (error) {
      if (isMissing(error)) return undefined
      throw explained(error, name)
    }
  }

  async delete(name: string): Promise<void> {
    const path = this.#path(name)
    await rm(path, { force: true })
    await this.#clearUnfinishedOf(path)
  }

  async *list(prefix: string): AsyncGenerator<StoredFile> {
    for await (const { path, name } of this.#files()) {
      if (!name.startsWith(prefix) || name.endsWith(PART)) continue
      const found = await stat(path).catch(() => undefined) // deleted meanwhile
      if (found) yield { name, sizeBytes: found.size, modifiedAt: found.mtime }
    }
  }

  async clearUnfinished(olderThanMs: number): Promise<number> {
    let count = 0
    for await (const { path, name } of this.#files()) {
      if (!name.endsWith(PART)) continue
      const found = await stat(path).catch(() => undefined)
      if (!found || found.mtimeMs > Date.now() - olderThanMs) continue
      await rm(path, { force: true })
      count++
    }
    return count
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** A name has one writer; what another left of it was left by one that died. */
  async #clearUnfinishedOf(path: string): Promise<void> {
    const names = await readdir(dirname(path)).catch(() => [])
    for (const name of names) {
      if (name.startsWith(`${basename(path)}.`) && name.endsWith(PART))
        await rm(join(dirname(path), name), { force: true })
    }
  }

  async *#files(): AsyncGenerator<{ path: string; name: string }> {
    const folders = [this.#root]
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) folders.push(path)
        else if (entry.isFile()) yield { path, name: relative(this.#root, path).split(sep).join('/') }
      }
    }
  }

  #path(name: string): string {
    return join(this.#root, ...checkName(name).split('/'))
  }
}

async function writeSynced(
  path: string,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of source) {
      signal?.throwIfAborted()
      hash.update(chunk)
      sizeBytes += chunk.byteLength
      await file.writeFile(chunk) // from where it stands; unlike `write`, all of it or a failure
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** The new name itself must reach the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function explained(error: unknown, name: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return new StorageError('missing', `There is no file ${name}`, error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StorageError('full', `No room for ${name}: the disk is full`, error) // prettier-ignore
  if (code === 'EACCES' || code === 'EROFS' || code === 'EIO' || code === 'EPERM')
    return new StorageError('away', `${name} cannot be reached: ${code}`, error)
  return error
}
