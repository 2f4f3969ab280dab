/**
 * The file format of archives: a header, then blocks, each compressed (zstd) and sealed (AES-256-GCM) on its
 * own, so that they are worked on side by side and a damaged one can be named.
 *
 *   magic      8 bytes   "ERPARCH1"
 *   descriptor u32 length, JSON: format, archive id, nonce prefix. Never changes: every block is bound to it
 *   key        u32 length, text: the archive's own key, sealed with the master key (see tenancy/secrets.ts)
 *   block      u32 length, u16 part, u8 flags, then the sealed bytes and their tag
 *
 * The nonce of a block is the archive's random prefix and the block's number; part, flags and length are
 * authenticated with it (STREAM, Hoang et al. 2015). So a flipped byte, a block that is missing, repeated or
 * moved, blocks of another archive and a cut-off end are all found.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Secrets } from '../../tenancy/secrets.ts'

const MAGIC = Buffer.from('ERPARCH1')
const FORMAT = 1
const NONCE_PREFIX_BYTES = 8
const TAG_BYTES = 16
const HEADER_BYTES = 7
const LAST_OF_ARCHIVE = 1
const LAST_OF_PART = 2
const PREAMBLE_BYTES_MAXIMUM = 4_096
/** What one block may hold before it is compressed; a length above what that can grow to is damage. */
export const BLOCK_BYTES = 1_048_576
const SEALED_BYTES_MAXIMUM = BLOCK_BYTES * 2
/** Blocks being compressed or decompressed at the same time: as many as Node has threads for it. */
const BLOCKS_AT_ONCE = 4
/** The part that is no table: the manifest at the front and the figures at the end. */
export const MANIFEST_PART = 0xffff

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
// Level 1: on a tenant's rows 2.4 times as fast as level 3 for a twentieth more bytes.
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** The archive cannot be trusted: damaged, cut off, or sealed with a key we do not have. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

export interface Block {
  readonly part: number
  readonly isLastOfPart: boolean
  readonly bytes: Buffer
}

export interface ArchiveKey {
  readonly archiveId: string
  /** Opened with the master key; the only form in which it is kept. */
  readonly sealed: string
  readonly key: Buffer
}

export function newArchiveKey(secrets: Secrets, archiveId: string): ArchiveKey {
  const key = randomBytes(32)
  return { archiveId, key, sealed: secrets.seal(key.toString('base64url'), contextOf(archiveId)) }
}

/** `sealed` may be another sealing of the same key than the file's own, e.g. after the master key changed. */
export function openArchiveKey(secrets: Secrets, archiveId: string, sealed: string): ArchiveKey {
  try {
    const key = Buffer.from(secrets.open(sealed, contextOf(archiveId)), 'base64url')
    return { archiveId, key, sealed }
  } catch (error) {
    throw new ArchiveError(`The archive's key does not open: ${(error as Error).message}`, { cause: error })
  }
}

/** What a sealed archive key is bound to. */
export function contextOf(archiveId: string): string {
  return `archive/${archiveId}`
}

// ---- writing -------------------------------------------------------------------------------------------

/** The bytes of an archive. The last block handed in must be the manifest's closing one. */
export async function* sealBlocks(
  key: ArchiveKey,
  blocks: AsyncIterable<Block>,
): AsyncGenerator<Buffer, void> {
  const prefix = randomBytes(NONCE_PREFIX_BYTES)
  const descriptor = Buffer.from(
    JSON.stringify({
      format: FORMAT,
      archiveId: key.archiveId,
      compression: 'zstd',
      cipher: 'aes-256-gcm',
      nonce: prefix.toString('hex'),
    }),
  )
  yield Buffer.concat([MAGIC, withLength(descriptor), withLength(Buffer.from(key.sealed))])
  const binding = bindingOf(descriptor)
  let number = 0
  let held: { block: Block; compressed: Buffer } | undefined
  // One is held back: only when the next one comes is it known not to be the last.
  for await (const next of ahead(blocks, async (block) => ({
    block,
    compressed: await compress(block.bytes, COMPRESSION),
  }))) {
    if (held) yield sealBlock(key, prefix, binding, number++, held, false)
    held = next
  }
  if (held) yield sealBlock(key, prefix, binding, number, held, true)
}

function sealBlock(
  { key }: ArchiveKey,
  prefix: Buffer,
  binding: Buffer,
  number: number,
  { block, compressed }: { block: Block; compressed: Buffer },
  isLast: boolean,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32BE(compressed.length + TAG_BYTES, 0)
  header.writeUInt16BE(block.part, 4)
  header.writeUInt8((isLast ? LAST_OF_ARCHIVE : 0) | (block.isLastOfPart ? LAST_OF_PART : 0), 6)
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(prefix, number))
  cipher.setAAD(Buffer.concat([binding, header]))
  return Buffer.concat([header, cipher.update(compressed), cipher.final(), cipher.getAuthTag()])
}

// ---- reading -------------------------------------------------------------------------------------------

export interface Preamble {
  readonly archiveId: string
  /** As it stands in the file. */
  readonly sealedKey: string
  readonly prefix: Buffer
  readonly binding: Buffer
}

interface OpenedBlock {
  readonly block: Omit<Block, 'bytes'>
  readonly compressed: Buffer
  readonly where: string
}

export class BlockReader {
  readonly preamble: Preamble
  readonly #bytes: ByteReader

  private constructor(preamble: Preamble, bytes: ByteReader) {
    this.preamble = preamble
    this.#bytes = bytes
  }

  static async open(source: AsyncIterable<Uint8Array>): Promise<BlockReader> {
    const bytes = new ByteReader(source)
    const magic = await bytes.take(MAGIC.length)
    if (magic === undefined || !magic.equals(MAGIC)) throw new ArchiveError('This is no archive of ours')
    const descriptor = await takeText(bytes)
    const sealedKey = (await takeText(bytes)).toString('utf8')
    return new BlockReader({ ...described(descriptor), sealedKey, binding: bindingOf(descriptor) }, bytes)
  }

  /** Every block in order, each authenticated before it is given out. `nameOf`: what a part is called. */
  async *blocks(key: ArchiveKey, nameOf: (part: number) => string): AsyncGenerator<Block> {
    const opened = this.#opened(key, nameOf)
    const whole = async ({ block, compressed, where }: OpenedBlock): Promise<Block> => {
      const bytes = await decompress(compressed, { maxOutputLength: BLOCK_BYTES }).catch((error: unknown) => {
        throw new ArchiveError(`${where} cannot be decompressed`, { cause: error })
      })
      return { ...block, bytes }
    }
    // The first says what the parts are called: nothing behind it is looked at before it is known.
    const first = await opened.next()
    if (!first.done) yield await whole(first.value)
    yield* ahead(opened, whole)
  }

  async *#opened(key: ArchiveKey, nameOf: (part: number) => string): AsyncGenerator<OpenedBlock> {
    for (let number = 0; ; number++) {
      const offset = this.#bytes.offset
      const header = await this.#bytes.take(HEADER_BYTES)
      if (header === undefined) throw cutOff(number, offset)
      const [length, part, flags] = [header.readUInt32BE(0), header.readUInt16BE(4), header.readUInt8(6)]
      const where = `Block ${number} (${nameOf(part)}, from byte ${offset})`
      if (length < TAG_BYTES || length > SEALED_BYTES_MAXIMUM) throw damaged(where)
      const sealed = await this.#bytes.take(length)
      if (sealed === undefined) throw cutOff(number, offset)
      const compressed = this.#open(key, number, header, sealed)
      if (compressed === undefined) throw damaged(where)
      yield { block: { part, isLastOfPart: (flags & LAST_OF_PART) !== 0 }, compressed, where }
      if ((flags & LAST_OF_ARCHIVE) !== 0) break
    }
    if ((await this.#bytes.take(1)) !== undefined) throw new ArchiveError('Something follows the end of the archive') // prettier-ignore
  }

  #open({ key }: ArchiveKey, number: number, header: Buffer, sealed: Buffer): Buffer | undefined {
    const { prefix, binding } = this.preamble
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(prefix, number))
    decipher.setAAD(Buffer.concat([binding, header]))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()])
    } catch {
      return undefined
    }
  }
}

function damaged(where: string): ArchiveError {
  return new ArchiveError(`${where} is damaged, not in its place, or sealed with another key`)
}

function cutOff(number: number, offset: number): ArchiveError {
  return new ArchiveError(`The archive is cut off in block ${number}, at byte ${offset}`)
}

async function takeText(bytes: ByteReader): Promise<Buffer> {
  const length = (await bytes.take(4))?.readUInt32BE(0)
  if (length === undefined || length > PREAMBLE_BYTES_MAXIMUM) throw new ArchiveError('The header of the archive is damaged') // prettier-ignore
  const text = await bytes.take(length)
  if (text === undefined) throw new ArchiveError('The archive is cut off in its header')
  return text
}

function described(descriptor: Buffer): Pick<Preamble, 'archiveId' | 'prefix'> {
  try {
    const { format, archiveId, nonce } = JSON.parse(descriptor.toString('utf8')) as Record<string, unknown>
    const prefix = Buffer.from(String(nonce), 'hex')
    if (format === FORMAT && typeof archiveId === 'string' && prefix.length === NONCE_PREFIX_BYTES)
      return { archiveId, prefix }
  } catch {
    // told below
  }
  throw new ArchiveError('The header of the archive is damaged, or of a later format')
}

function nonceOf(prefix: Buffer, number: number): Buffer {
  const nonce = Buffer.alloc(12)
  prefix.copy(nonce)
  nonce.writeUInt32BE(number, NONCE_PREFIX_BYTES)
  return nonce
}

function bindingOf(descriptor: Buffer): Buffer {
  return createHash('sha256').update(descriptor).digest()
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Takes exactly as many bytes as asked from chunks of any size. */
class ByteReader {
  offset = 0
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** undefined: the source ends before that many. */
  async take(count: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [this.#rest]
    let there = this.#rest.length
    while (there < count) {
      const { value, done } = await this.#chunks.next()
      if (done) return undefined
      const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      pieces.push(chunk)
      there += chunk.length
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces)
    this.#rest = all.subarray(count)
    this.offset += count
    return all.subarray(0, count)
  }
}

/** Works on a few items at once and gives the outcomes out in the order the items came. */
async function* ahead<Item, Outcome>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Outcome>,
): AsyncGenerator<Outcome> {
  const begun: Promise<Outcome>[] = []
  try {
    for await (const item of items) {
      const outcome = work(item)
      outcome.catch(() => {}) // told when its turn comes
      begun.push(outcome)
      if (begun.length >= BLOCKS_AT_ONCE) yield await (begun.shift() as Promise<Outcome>)
    }
    while (begun.length > 0) yield await (begun.shift() as Promise<Outcome>)
  } finally {
    await Promise.allSettled(begun)
  }
}
