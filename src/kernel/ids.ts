const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/**
 * RFC 9562 version 7: 48 bits of Unix milliseconds, then randomness, so that keys made later sort later and
 * land at the right edge of an index. Takes the first ten bytes of `random`; clock and randomness are the
 * caller's. Within one millisecond the order is random.
 */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  if (!Number.isInteger(nowMs) || nowMs < 0 || nowMs >= 2 ** 48) throw new RangeError(`not a time: ${nowMs}`)
  if (random.length < 10) throw new RangeError('ten random bytes are needed')
  // Bitwise operators see 32 bits only: the 48 of the time are taken in two parts.
  const high = Math.floor(nowMs / 2 ** 32)
  const low = nowMs >>> 0
  return (
    hex(high >>> 8) +
    hex(high) +
    hex(low >>> 24) +
    hex(low >>> 16) +
    '-' +
    hex(low >>> 8) +
    hex(low) +
    '-' +
    hex(0x70 | (random[0]! & 0x0f)) +
    hex(random[1]!) +
    '-' +
    hex(0x80 | (random[2]! & 0x3f)) +
    hex(random[3]!) +
    '-' +
    hex(random[4]!) +
    hex(random[5]!) +
    hex(random[6]!) +
    hex(random[7]!) +
    hex(random[8]!) +
    hex(random[9]!)
  )
}

/** Any UUID in the usual writing, of whatever version and in either case. */
export function isUuid(text: string): boolean {
  return UUID_PATTERN.test(text)
}

function hex(byte: number): string {
  return hexOfByte[byte & 0xff]!
}

const NO_RANDOMNESS = new Uint8Array(10)

/** The smallest id of that moment: every id made before sorts before it, so that a key's index finds old rows. */
export function firstIdAt(time: Date): string {
  return uuidV7(time.getTime(), NO_RANDOMNESS)
}
