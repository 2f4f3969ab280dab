/**
 * The tenant archive: one tenant's database at one moment, in one file that only we can read. First the
 * manifest (whose, which schema, which tables), then the rows of every table as COPY writes them, at the end
 * what was counted. Reading compares what came with what was counted; loading fills a database whose schema
 * is of the same version.
 */
import {
  DatabaseLoad,
  DatabaseSnapshot,
  emptyDatabase,
  Tally,
  type CopiedTable,
  type Proof,
  type SequenceState,
  type TableDescription,
  type TablePart,
} from '../../tenancy/copy.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Channel } from './channel.ts'
import { canReach, dumpOf, findPgPrograms, restoreDump, type PgPrograms } from './pg-dump.ts'
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
  /** `copy`: rows of tables, into a database whose schema is there. `pg_dump`: one dump, schema and all. */
  readonly engine: 'copy' | 'pg_dump'
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
/** The only one of an archive that holds a dump. */
const DUMP_PART = 0

// ---- writing -------------------------------------------------------------------------------------------

export interface WritingOptions {
  readonly subject: ArchiveSubject
  readonly key: ArchiveKey
  /** Asked at the same moment, and to be asked again of what was restored. */
  readonly proofs?: readonly Proof[]
  /** With these it is a dump. */
  readonly dump?: { readonly programs: PgPrograms; readonly address: DatabaseAddress }
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
    this.#parts = options.dump ? [] : snapshot.parts()
    if (this.#parts.length >= MANIFEST_PART) throw new RangeError('More tables than an archive can hold')
    this.manifest = {
      ...options.subject,
      archiveId: options.key.archiveId,
      engine: options.dump ? 'pg_dump' : 'copy',
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
    const { dump } = this.#options
    const tables = dump ? yield* this.#dumped(dump) : yield* this.#rows()
    const proofs = []
    for (const { name, text } of this.#options.proofs ?? [])
      proofs.push({ name, answer: await this.#snapshot.row(text) })
    this.#figures = { tables, proofs }
    yield manifestBlock(this.#figures)
  }

  /** Counted beside it, at the same moment. */
  async *#dumped(dump: NonNullable<WritingOptions['dump']>): AsyncGenerator<Block, CopiedTable[]> {
    for await (const bytes of inBlocks(dumpOf(dump.programs, dump.address, this.#snapshot.id))) {
      yield { part: DUMP_PART, isLastOfPart: false, bytes }
    }
    return this.#snapshot.figures()
  }

  async *#rows(): AsyncGenerator<Block, CopiedTable[]> {
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
    return tally.copied()
  }

  async #readPart(index: number, tally: Tally, channel: Channel<Block>): Promise<void> {
    const part = this.#parts[index] as TablePart
    const sum = tally.begin(part)
    await this.#snapshot.read(part, async (rows) => {
      let held: Buffer = Buffer.alloc(0)
      for await (const bytes of inBlocks(rows as AsyncIterable<Buffer>)) {
        sum.update(bytes)
        if (held.length > 0) await channel.push({ part: index, isLastOfPart: false, bytes: held })
        held = bytes
      }
      await channel.push({ part: index, isLastOfPart: true, bytes: held })
    })
  }
}

async function* inBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  for await (const chunk of chunks) {
    if (gatheredBytes + chunk.length > BLOCK_BYTES) {
      yield Buffer.concat(gathered)
      gathered = []
      gatheredBytes = 0
    }
    gathered.push(chunk)
    gatheredBytes += chunk.length
  }
  if (gatheredBytes > 0) yield Buffer.concat(gathered)
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
      part === MANIFEST_PART ? 'manifest' : (manifest?.parts[part]?.table ?? manifest?.engine ?? 'rows')
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

  /** Its schema comes with it; one of rows needs a database of the same schema version. */
  get bringsSchema(): boolean {
    return this.manifest.engine === 'pg_dump'
  }

  /**
   * Replaces all rows of a database of the same schema version; what was loaded equals what was counted. A dump
   * replaces the schema too, and is to be compared afterwards. `programsFolder`: where pg_restore is.
   */
  async loadInto(
    address: DatabaseAddress,
    { signal, programsFolder }: { signal?: AbortSignal; programsFolder?: string | undefined } = {},
  ): Promise<ArchiveFigures> {
    return this.bringsSchema
      ? this.#restoreInto(address, programsFolder)
      : this.#loadRowsInto(address, signal)
  }

  async #restoreInto(address: DatabaseAddress, programsFolder: string | undefined): Promise<ArchiveFigures> {
    const programs = findPgPrograms(this.manifest.serverVersion, programsFolder)
    if (!programs || !canReach(address)) throw new Error('There is no pg_restore for this archive here')
    await emptyDatabase(address)
    const channel = new Channel<Buffer>(CHANNEL_BLOCKS)
    const restoring = restoreDump(programs, address, channel)
    restoring.catch((error: unknown) => channel.fail(error))
    try {
      const figures = await this.#read((_part, bytes) => channel.push(bytes))
      channel.close()
      await restoring
      return figures
    } catch (error) {
      channel.fail(error)
      await restoring.catch(() => {})
      throw error
    }
  }

  async #loadRowsInto(address: DatabaseAddress, signal: AbortSignal | undefined): Promise<ArchiveFigures> {
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
    const isDump = this.bringsSchema
    const ended = new Set<number>()
    let figures: ArchiveFigures | undefined
    for await (const { part, bytes, isLastOfPart } of this.#blocks) {
      if (part === MANIFEST_PART) {
        figures = JSON.parse(bytes.toString('utf8')) as ArchiveFigures
        continue
      }
      if (isDump && part === DUMP_PART && !figures) {
        await take(part, bytes, isLastOfPart)
        continue
      }
      const sum = sums[part]
      if (!sum || figures || ended.has(part)) throw new ArchiveError('The archive has rows where none belong')
      sum.update(bytes)
      if (isLastOfPart) ended.add(part)
      await take(part, bytes, isLastOfPart)
    }
    if (!figures || ended.size < sums.length) throw new ArchiveError('The archive lacks rows or its figures')
    if (!isDump) checkCounted(figures.tables, tally)
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
