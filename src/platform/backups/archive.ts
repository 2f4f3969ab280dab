/**
 * The tenant archive: one tenant's database at one moment, in one file that only we can read. First the
 * manifest (whose, which schema, which tables), then the rows of every table as COPY writes them, at the end
 * what was counted. Reading compares what came with what was counted; loading fills a database whose schema
 * is of the same version.
 */
import {
  DatabaseLoad,
  DatabaseSnapshot,
  Tally,
  type CopiedTable,
  type Proof,
  type SequenceState,
  type TableDescription,
  type TablePart,
} from '../../tenancy/copy.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Channel } from './channel.ts'
import {
  ArchiveError,
  BLOCK_BYTES,
  BlockReader,
  MANIFEST_PART,
  sealBlocks,
  type ArchiveKey,
  type Block,
} from './sealed-blocks.ts'

export interface ArchiveSubject {
  readonly tenantId: string
  readonly tenantCode: string
  readonly companyName: string
  readonly schemaVersion: string
}

export interface Manifest extends ArchiveSubject {
  readonly archiveId: string
  readonly engine: 'copy'
  readonly serverVersion: number
  readonly takenAt: string
  readonly tables: readonly TableDescription[]
  readonly parts: readonly { table: string; firstPage: number; endPage: number | null }[]
  readonly sequences: readonly SequenceState[]
  /** Parts whose blocks stand among each other: whoever loads needs as many connections. */
  readonly connections: number
}

/** What was counted while it was written. */
export interface ArchiveFigures {
  readonly tables: readonly CopiedTable[]
  readonly proofs: readonly { name: string; answer: string }[]
}

const CHANNEL_BLOCKS = 4

// ---- writing -------------------------------------------------------------------------------------------

export interface WritingOptions {
  readonly subject: ArchiveSubject
  readonly key: ArchiveKey
  /** Asked at the same moment, and to be asked again of what was restored. */
  readonly proofs?: readonly Proof[]
  readonly connections?: number
}

export class ArchiveWriter {
  readonly #snapshot: DatabaseSnapshot
  readonly #options: WritingOptions
  readonly #parts: readonly TablePart[]
  readonly manifest: Manifest
  #figures: ArchiveFigures | undefined

  constructor(snapshot: DatabaseSnapshot, options: WritingOptions) {
    this.#snapshot = snapshot
    this.#options = options
    this.#parts = snapshot.parts()
    if (this.#parts.length >= MANIFEST_PART) throw new RangeError('More tables than an archive can hold')
    this.manifest = {
      ...options.subject,
      archiveId: options.key.archiveId,
      engine: 'copy',
      serverVersion: snapshot.serverVersion,
      takenAt: snapshot.takenAt,
      tables: snapshot.tables,
      parts: this.#parts.map(({ table, ...range }) => ({ table: table.table, ...range })),
      sequences: snapshot.sequences,
      connections: snapshot.connections,
    }
  }

  /** There once the bytes have been read to their end. */
  get figures(): ArchiveFigures {
    if (!this.#figures) throw new Error('The archive is not written yet')
    return this.#figures
  }

  bytes(): AsyncGenerator<Buffer, void> {
    return sealBlocks(this.#options.key, this.#blocks())
  }

  async *#blocks(): AsyncGenerator<Block> {
    yield manifestBlock(this.manifest)
    const tally = new Tally(this.#snapshot.tables)
    const channel = new Channel<Block>(CHANNEL_BLOCKS)
    const reading = Promise.all(this.#parts.map((_, index) => this.#readPart(index, tally, channel))).then(
      () => channel.close(),
      (error: unknown) => channel.fail(error),
    )
    try {
      yield* channel
    } finally {
      channel.fail(new Error('Nobody reads the archive any more'))
      await reading
    }
    const proofs = []
    for (const { name, text } of this.#options.proofs ?? [])
      proofs.push({ name, answer: await this.#snapshot.row(text) })
    this.#figures = { tables: tally.copied(), proofs }
    yield manifestBlock(this.#figures)
  }

  async #readPart(index: number, tally: Tally, channel: Channel<Block>): Promise<void> {
    const part = this.#parts[index] as TablePart
    const sum = tally.begin(part)
    await this.#snapshot.read(part, async (rows) => {
      let gathered: Buffer[] = []
      let gatheredBytes = 0
      for await (const chunk of rows as AsyncIterable<Buffer>) {
        sum.update(chunk)
        if (gatheredBytes + chunk.length > BLOCK_BYTES) {
          await channel.push({ part: index, isLastOfPart: false, bytes: Buffer.concat(gathered) })
          gathered = []
          gatheredBytes = 0
        }
        gathered.push(chunk)
        gatheredBytes += chunk.length
      }
      await channel.push({ part: index, isLastOfPart: true, bytes: Buffer.concat(gathered) })
    })
  }
}

function manifestBlock(content: object): Block {
  const bytes = Buffer.from(JSON.stringify(content))
  if (bytes.length > BLOCK_BYTES) throw new RangeError('The manifest is larger than a block')
  return { part: MANIFEST_PART, isLastOfPart: false, bytes }
}

// ---- reading -------------------------------------------------------------------------------------------

type TakeRows = (part: number, bytes: Buffer, isLast: boolean) => Promise<void>

/** An archive whose manifest was read; what follows can be read once. */
export class OpenArchive {
  readonly manifest: Manifest
  readonly #blocks: AsyncGenerator<Block>
  readonly #parts: readonly TablePart[]

  private constructor(manifest: Manifest, blocks: AsyncGenerator<Block>) {
    this.manifest = manifest
    this.#blocks = blocks
    const tables = new Map(manifest.tables.map((table) => [table.table, table]))
    this.#parts = manifest.parts.map(({ table, ...range }) => ({
      table: tables.get(table) as TableDescription,
      ...range,
    }))
  }

  /** `keyOf` is asked for the archive's key, given its id and the sealed key of the file. */
  static async open(
    source: AsyncIterable<Uint8Array>,
    keyOf: (archiveId: string, sealedKey: string) => ArchiveKey | Promise<ArchiveKey>,
  ): Promise<OpenArchive> {
    const reader = await BlockReader.open(source)
    const { archiveId, sealedKey } = reader.preamble
    let manifest: Manifest | undefined
    const nameOf = (part: number): string =>
      part === MANIFEST_PART ? 'manifest' : (manifest?.parts[part]?.table ?? 'rows')
    const blocks = reader.blocks(await keyOf(archiveId, sealedKey), nameOf)
    const first = await blocks.next()
    if (first.done || first.value.part !== MANIFEST_PART) throw new ArchiveError('The archive does not begin with its manifest') // prettier-ignore
    manifest = JSON.parse(first.value.bytes.toString('utf8')) as Manifest
    return new OpenArchive(manifest, blocks)
  }

  /** Reads to the end; every block is authenticated, every table counted and compared. */
  verify(): Promise<ArchiveFigures> {
    return this.#read(() => Promise.resolve())
  }

  /** Replaces all rows of a database of the same schema version. What was loaded equals what was counted. */
  async loadInto(address: DatabaseAddress, signal?: AbortSignal): Promise<ArchiveFigures> {
    const load = await DatabaseLoad.begin(address, this.#parts, this.manifest.connections)
    const channels = new Map<number, Channel<Buffer>>()
    const writing: Promise<void>[] = []
    try {
      const figures = await this.#read(async (index, bytes, isLast) => {
        signal?.throwIfAborted()
        const known = channels.get(index)
        const channel = known ?? new Channel<Buffer>(CHANNEL_BLOCKS)
        if (!known) {
          channels.set(index, channel)
          const written = load.write(this.#parts[index] as TablePart, channel)
          writing.push(written)
          written.catch((error: unknown) => channel.fail(error))
        }
        await channel.push(bytes)
        if (!isLast) return
        channel.close()
        channels.delete(index)
      })
      await Promise.all(writing)
      await load.finish(this.manifest.sequences)
      return figures
    } catch (error) {
      for (const channel of channels.values()) channel.fail(error)
      await load.abandon()
      await Promise.allSettled(writing)
      throw error
    }
  }

  async #read(take: TakeRows): Promise<ArchiveFigures> {
    const tally = new Tally(this.manifest.tables)
    const sums = this.#parts.map((part) => tally.begin(part))
    const ended = new Set<number>()
    let figures: ArchiveFigures | undefined
    for await (const { part, bytes, isLastOfPart } of this.#blocks) {
      if (part === MANIFEST_PART) {
        figures = JSON.parse(bytes.toString('utf8')) as ArchiveFigures
        continue
      }
      const sum = sums[part]
      if (!sum || figures || ended.has(part)) throw new ArchiveError('The archive has rows where none belong')
      sum.update(bytes)
      if (isLastOfPart) ended.add(part)
      await take(part, bytes, isLastOfPart)
    }
    if (!figures || ended.size < sums.length) throw new ArchiveError('The archive lacks rows or its figures')
    checkCounted(figures.tables, tally)
    return figures
  }
}

function checkCounted(counted: readonly CopiedTable[], tally: Tally): void {
  for (const { table, rows, checksum } of counted) {
    const found = tally.of(table)
    if (found.rows === rows && found.checksum === checksum) continue
    throw new ArchiveError(
      `${table} has ${found.rows} rows (${found.checksum}) instead of ${rows} (${checksum})`,
    )
  }
}

/** What a database that was restored holds otherwise than its archive said; none: it is proven. */
export async function differencesFromArchive(
  figures: ArchiveFigures,
  address: DatabaseAddress,
  proofs: readonly Proof[] = [],
): Promise<string[]> {
  const snapshot = await DatabaseSnapshot.open(address)
  try {
    const found = new Map((await snapshot.figures()).map((table) => [table.table, table]))
    const differences = figures.tables.flatMap(({ table, rows, checksum }) => {
      const other = found.get(table)
      if (!other) return [`there is no table ${table}`]
      if (other.rows !== rows) return [`${table} has ${other.rows} rows instead of ${rows}`]
      return other.checksum === checksum ? [] : [`${table} has other rows (${rows} of them)`]
    })
    for (const { name, answer } of figures.proofs) {
      const proof = proofs.find((candidate) => candidate.name === name)
      const other = proof && (await snapshot.row(proof.text))
      if (other !== undefined && other !== answer) differences.push(`${name}: ${other} instead of ${answer}`)
    }
    return differences
  } finally {
    await snapshot.close()
  }
}
