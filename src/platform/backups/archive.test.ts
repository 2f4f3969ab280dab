import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { ledgerProof } from '../../erp/onboarding.ts'
import { DatabaseSnapshot } from '../../tenancy/copy.ts'
import { addressOf, DatabaseServer, withClient } from '../../tenancy/databases.ts'
import { migrate } from '../../tenancy/migrations.ts'
import type { DatabaseAddress } from '../../tenancy/pools.ts'
import { Secrets } from '../../tenancy/secrets.ts'
import { eventually } from '../../testing/process.ts'
import { SECRET_KEY } from '../../testing/product.ts'
import { ArchiveWriter, differencesFromArchive, OpenArchive } from './archive.ts'
import {
  ArchiveError,
  BlockReader,
  MANIFEST_PART,
  newArchiveKey,
  openArchiveKey,
  sealBlocks,
  type Block,
} from './sealed-blocks.ts'

const CANARY = 'Canary-Müller-7731'
const secrets = new Secrets(SECRET_KEY)
const server = new DatabaseServer(addressOf(inject('adminUrl'), false), secrets)
const subject = { tenantId: 'id', tenantCode: 'ACME', companyName: CANARY, schemaVersion: 'v1' }
const keyOf = (archiveId: string, sealed: string) => openArchiveKey(secrets, archiveId, sealed)
const made: string[] = []

async function newDatabase(name: string): Promise<DatabaseAddress> {
  const database = `archive_test_${process.pid}_${name}`
  made.push(database)
  await server.drop(database)
  await server.create(database)
  await migrate(server.migratorAddress(database), 'tenant')
  return server.migratorAddress(database)
}

async function run(address: DatabaseAddress, text: string): Promise<Record<string, unknown>[]> {
  return withClient(address, async (client) => (await client.query<Record<string, unknown>>(text)).rows)
}

async function gathered(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* inChunks(bytes: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size)
}

async function archived(address: DatabaseAddress, id = 'archive-1'): Promise<Buffer> {
  const snapshot = await DatabaseSnapshot.open(address)
  try {
    const key = newArchiveKey(secrets, id)
    return await gathered(new ArchiveWriter(snapshot, { subject, key, proofs: [ledgerProof] }).bytes())
  } finally {
    await snapshot.close()
  }
}

const opened = (bytes: Buffer, chunkBytes?: number): Promise<OpenArchive> =>
  OpenArchive.open(inChunks(bytes, chunkBytes), keyOf)

let source: DatabaseAddress
let archive: Buffer
beforeAll(async () => {
  await server.prepare()
  source = await newDatabase('source')
  await run(
    source,
    `INSERT INTO core.role (name, description) VALUES ('${CANARY}', E'tab\\t line\\n back\\\\');
     INSERT INTO audit.change (actor_kind, request_id, action, entity, new_values)
       SELECT 'system', '${CANARY}' || n, 'insert', 'e', jsonb_build_object('n', n, 'random', md5(n::text))
       FROM generate_series(1, 40000) n`,
  )
  archive = await archived(source)
})
afterAll(async () => {
  for (const database of made) await server.drop(database)
  await server.close()
})

/** Where the blocks lie in a file. */
function blocksOf(bytes: Buffer): { start: number; end: number }[] {
  let offset = 8
  for (let text = 0; text < 2; text++) offset += 4 + bytes.readUInt32BE(offset)
  const found = []
  while (offset < bytes.length) {
    const end = offset + 7 + bytes.readUInt32BE(offset)
    found.push({ start: offset, end })
    offset = end
  }
  return found
}

describe('an archive', () => {
  test('gives back what went in, whatever the chunks it is read in', async () => {
    for (const chunkBytes of [65_536, 1_777]) {
      const target = await newDatabase('target')
      await run(target, `INSERT INTO core.role (name) VALUES ('rows that were there before')`)
      const open = await opened(archive, chunkBytes)
      expect(open.manifest).toMatchObject({ ...subject, engine: 'copy', archiveId: 'archive-1' })
      const figures = await open.loadInto(target)
      expect(figures.tables).toContainEqual(expect.objectContaining({ table: 'audit.change', rows: 40_001 }))
      expect(await differencesFromArchive(figures, target, [ledgerProof])).toEqual([])
      // Controls: a row less, a value changed, a ledger that adds up to something else.
      await run(target, `DELETE FROM core.role WHERE name = '${CANARY}'`)
      expect(await differencesFromArchive(figures, target)).toContain('core.role has 0 rows instead of 1')
      const proofs = [{ name: 'ledger', answer: '{"entries":"1"}' }]
      expect(await differencesFromArchive({ tables: [], proofs }, target, [ledgerProof])).toHaveLength(1)
    }
  })

  test('is several blocks, and shows nothing of what is in it', async () => {
    expect(blocksOf(archive).length).toBeGreaterThan(20)
    const clear = `${(await run(source, `SELECT string_agg(c::text, '') AS all FROM audit.change c`))[0]?.['all']}`
    for (const word of [CANARY, 'Müller', 'audit.change', 'ACME', 'core'])
      expect(archive.includes(word)).toBe(false)
    expect(Buffer.from(clear).includes(CANARY)).toBe(true) // control: it would be found
    const { key } = keyOf('archive-1', (await BlockReader.open(inChunks(archive))).preamble.sealedKey)
    expect(archive.includes(key) || archive.includes(key.toString('base64url'))).toBe(false)
  })

  test('does not open with another master key', async () => {
    const stranger = new Secrets('another-secret-key-entirely-0123456789')
    const opening = OpenArchive.open(inChunks(archive), (id, sealed) => openArchiveKey(stranger, id, sealed))
    await expect(opening).rejects.toThrow(/key does not open/)
  })

  test('opens after the master key changed, as long as the one before is known', async () => {
    const rotated = new Secrets('another-secret-key-entirely-0123456789', [SECRET_KEY])
    const open = await OpenArchive.open(inChunks(archive), (id, sealed) =>
      openArchiveKey(rotated, id, sealed),
    )
    expect((await open.verify()).tables.length).toBeGreaterThan(10)
  })

  test('opens with its key sealed anew under another master key', async () => {
    const stranger = new Secrets('another-secret-key-entirely-0123456789')
    const { sealedKey } = (await BlockReader.open(inChunks(archive))).preamble
    const { key } = keyOf('archive-1', sealedKey)
    const resealed = stranger.seal(key.toString('base64url'), 'archive/archive-1')
    const open = await OpenArchive.open(inChunks(archive), (id) => openArchiveKey(stranger, id, resealed))
    expect((await open.verify()).tables.length).toBeGreaterThan(10)
  })
})

describe('a damaged archive is refused:', () => {
  const refusal = async (bytes: Buffer): Promise<string> => {
    const outcome = await opened(bytes)
      .then((open) => open.verify())
      .then(() => 'accepted', (error: unknown) => error) // prettier-ignore
    expect(outcome).toBeInstanceOf(ArchiveError)
    return (outcome as ArchiveError).message
  }

  test('(control) the whole one is accepted', async () => {
    expect((await (await opened(archive)).verify()).tables.length).toBeGreaterThan(10)
  })

  test('one byte flipped, anywhere; the block and its table are named', async () => {
    const blocks = blocksOf(archive)
    // Another place in each: length, part, flags, the sealed bytes, their tag.
    const places = blocks.map(({ start, end }, index) => [start + 1, start + 5, start + 6, start + 40, end - 1][index % 5]!) // prettier-ignore
    const offsets = [0, 9, 20, 60, blocks[0]!.start - 3, ...places]
    for (const offset of offsets) {
      const bytes = Buffer.from(archive)
      bytes[offset]! ^= 0x10
      await refusal(bytes)
    }
    const largest = blocks.toSorted((a, b) => b.end - b.start - (a.end - a.start))[0]!
    const bytes = Buffer.from(archive)
    bytes[largest.start + 1_000]! ^= 1
    const number = blocks.indexOf(largest)
    expect(await refusal(bytes)).toBe(
      `Block ${number} (audit.change, from byte ${largest.start}) is damaged, not in its place, or sealed with another key`,
    )
  })

  test('cut off, at and between blocks', async () => {
    const blocks = blocksOf(archive)
    const some = [...blocks.filter((_, index) => index % 5 === 1), blocks.at(-1)!]
    for (const { start } of some) expect(await refusal(archive.subarray(0, start))).toContain('cut off')
    for (const { end } of some) expect(await refusal(archive.subarray(0, end - 1))).toContain('cut off')
    for (const length of [0, 5, 10, 40]) await refusal(archive.subarray(0, length))
  })

  test('blocks in another order, twice, left out, from another archive, or something behind', async () => {
    const other = await archived(source, 'archive-2')
    const [blocks, others] = [blocksOf(archive), blocksOf(other)]
    const head = archive.subarray(0, blocks[0]!.start)
    const of = (bytes: Buffer, { start, end }: { start: number; end: number }) => bytes.subarray(start, end)
    const own = blocks.map((block) => of(archive, block))
    const swapped = [...own.slice(0, 2), own[3]!, own[2]!, ...own.slice(4)]
    const cases = {
      swapped,
      twice: [...own.slice(0, 3), own[2]!, ...own.slice(3)],
      'left out': own.filter((_, index) => index !== 2),
      'of another': own.map((block, index) => (index === 2 ? of(other, others[2]!) : block)),
      behind: [...own, Buffer.from('x')],
    }
    expect((await (await opened(Buffer.concat([head, ...own]))).verify()).tables).not.toEqual([]) // control
    for (const pieces of Object.values(cases)) await refusal(Buffer.concat([head, ...pieces]))
  })

  test('rows that are not those that were counted, though every seal is right', async () => {
    const key = newArchiveKey(secrets, 'archive-3')
    const reader = await BlockReader.open(inChunks(archive))
    const change = async function* (alter: (block: Block) => Block | undefined): AsyncGenerator<Block> {
      const own = await BlockReader.open(inChunks(archive))
      for await (const block of own.blocks(keyOf('archive-1', own.preamble.sealedKey), String)) {
        const altered = alter(block)
        if (altered) yield altered
      }
    }
    expect(reader.preamble.archiveId).toBe('archive-1')
    const sealedWith = async (alter: (block: Block) => Block | undefined): Promise<Buffer> =>
      gathered(sealBlocks(key, change(alter)))
    await (await opened(await sealedWith((block) => block))).verify() // control
    const alterRow = (block: Block): Block =>
      block.bytes.includes(CANARY) && block.part !== MANIFEST_PART
        ? {
            ...block,
            bytes: Buffer.from(block.bytes.toString('latin1').replace('Canary', 'canary'), 'latin1'),
          }
        : block
    expect(await refusal(await sealedWith(alterRow))).toMatch(/^(audit\.change|core\.role) has \d+ rows/)
    const empty = (block: Block): Block => (block.part === 0 ? { ...block, bytes: Buffer.alloc(0) } : block)
    expect(await refusal(await sealedWith(empty))).toMatch(/^audit\.change has \d+ rows .* instead of 40001/)
    const lacking = (block: Block): Block | undefined => (block.part === 3 ? undefined : block)
    expect(await refusal(await sealedWith(lacking))).toContain('lacks rows')
  })

  test('while it is loaded: the load ends, and no connection stays', async () => {
    const target = await newDatabase('half')
    const bytes = Buffer.from(archive)
    bytes[blocksOf(archive)[6]!.start + 30]! ^= 1
    await expect((await opened(bytes)).loadInto(target)).rejects.toThrow('is damaged')
    // The server notices a moment later; its own vacuum workers are none of ours.
    await eventually(async () => {
      const left = await run(
        server.admin,
        `SELECT pid FROM pg_stat_activity WHERE datname = '${target.database}' AND backend_type = 'client backend'`,
      )
      expect(left).toEqual([])
    })
  })
})

test('whoever stops reading in the middle leaves nothing hanging', async () => {
  const snapshot = await DatabaseSnapshot.open(source)
  const writer = new ArchiveWriter(snapshot, { subject, key: newArchiveKey(secrets, 'archive-4') })
  let count = 0
  for await (const bytes of writer.bytes()) if (bytes.length > 0 && ++count === 3) break
  await snapshot.close()
  expect(() => writer.figures).toThrow('not written yet')
})

test('blocks of any size come back as they went in', async () => {
  const block = fc.record({
    part: fc.integer({ min: 0, max: 65_535 }),
    isLastOfPart: fc.boolean(),
    bytes: fc.uint8Array({ maxLength: 3_000 }).map((bytes) => Buffer.from(bytes)),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(block, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 900 }),
      async (blocks, size) => {
        const key = newArchiveKey(secrets, 'any')
        const source = async function* (): AsyncGenerator<Block> {
          yield* blocks
        }
        const reader = await BlockReader.open(inChunks(await gathered(sealBlocks(key, source())), size))
        const back: Block[] = []
        for await (const one of reader.blocks(key, String)) back.push(one)
        expect(back).toEqual(blocks)
      },
    ),
    { numRuns: 40 },
  )
})
