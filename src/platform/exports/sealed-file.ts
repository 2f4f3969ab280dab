/**
 * A file sealed like an archive (see backups/sealed-blocks.ts): unreadable where it lies, and damage is found
 * before a byte of the damaged part is given out.
 */
import {
  BLOCK_BYTES,
  BlockReader,
  MANIFEST_PART,
  sealBlocks,
  type ArchiveKey,
  type Block,
} from '../backups/sealed-blocks.ts'

const FILE_PART = 0

export function sealFile(key: ArchiveKey, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  return sealBlocks(key, blocksOf(bytes))
}

export async function* openFile(
  source: AsyncIterable<Uint8Array>,
  keyOf: (fileId: string, sealedKey: string) => ArchiveKey,
): AsyncGenerator<Buffer, void> {
  const reader = await BlockReader.open(source)
  const key = keyOf(reader.preamble.archiveId, reader.preamble.sealedKey)
  for await (const { part, bytes } of reader.blocks(key, () => 'file')) if (part === FILE_PART) yield bytes
}

/** Blocks of the largest size, so that a thousand small pieces are not sealed one by one. */
async function* blocksOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Block> {
  let pieces: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length;) {
      const piece = chunk.subarray(from, from + BLOCK_BYTES - size)
      pieces.push(piece)
      size += piece.length
      from += piece.length
      if (size < BLOCK_BYTES) continue
      yield { part: FILE_PART, isLastOfPart: false, bytes: Buffer.concat(pieces) }
      pieces = []
      size = 0
    }
  }
  yield { part: FILE_PART, isLastOfPart: true, bytes: Buffer.concat(pieces) }
  yield { part: MANIFEST_PART, isLastOfPart: true, bytes: Buffer.alloc(0) }
}
