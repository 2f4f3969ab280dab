/**
 * Counts and sums up the rows of a table as COPY writes them in text: one number that does not depend on the
 * order of the rows nor on where a chunk ends. The same over any server and version, and over an archive,
 * so that all three are compared with one another. Not against malice: archives are sealed besides.
 *
 * A row's 64 bits are two hashes of 32 (multiply and add, mixed at the end of the row), computed in one pass:
 * hashing each row by the crypto module costs ten times as much for the call alone.
 */
export interface TableFigures {
  readonly rows: number
  readonly checksum: string
}

const NEWLINE = 10
const SEED_A = 0x811c9dc5 | 0
const SEED_B = 0x9e3779b9 | 0

export class RowChecksum {
  #rows = 0
  #a = SEED_A
  #b = SEED_B
  #sumA = 0
  #sumB = 0

  update(chunk: Uint8Array): void {
    let [a, b, sumA, sumB, rows] = [this.#a, this.#b, this.#sumA, this.#sumB, this.#rows]
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] as number
      if (byte !== NEWLINE) {
        // COPY escapes the line breaks within a row: this one is a row's own byte.
        a = Math.imul(a ^ byte, 0x01000193)
        b = Math.imul(b, 0x2c1b3c6d) + byte + (b >>> 15)
        b |= 0
      } else {
        sumA = (sumA + mixed(a ^ ((b << 13) | (b >>> 19)))) | 0
        sumB = (sumB + mixed(Math.imul(a, 0x297a2d39) + b)) | 0
        rows++
        a = SEED_A
        b = SEED_B
      }
    }
    ;[this.#a, this.#b, this.#sumA, this.#sumB, this.#rows] = [a, b, sumA, sumB, rows]
  }

  /** Adds what another one summed up, e.g. over another part of the table. */
  add(other: RowChecksum): void {
    this.#rows += other.#rows
    this.#sumA = (this.#sumA + other.#sumA) | 0
    this.#sumB = (this.#sumB + other.#sumB) | 0
  }

  figures(): TableFigures {
    const hex = (sum: number): string => (sum >>> 0).toString(16).padStart(8, '0')
    return { rows: this.#rows, checksum: hex(this.#sumA) + hex(this.#sumB) }
  }
}

/** The last step of MurmurHash3 (public domain): every bit of the input reaches every bit of the output. */
function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
