import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isUuid, uuidV7 } from './ids.ts'

const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const random = fc.uint8Array({ minLength: 10, maxLength: 10 })

test('the example of RFC 9562, appendix A.6', () => {
  const bytes = Uint8Array.from([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f])
  expect(uuidV7(0x017f22e279b0, bytes)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
})

test('version, variant, time and randomness stand where they belong', () => {
  fc.assert(
    fc.property(time, random, (nowMs, bytes) => {
      const id = uuidV7(nowMs, bytes)
      expect(isUuid(id)).toBe(true)
      expect(id[14]).toBe('7')
      expect('89ab').toContain(id[19])
      expect(Number.parseInt(id.slice(0, 13).replace('-', ''), 16)).toBe(nowMs)
      const value = BigInt('0x' + id.replaceAll('-', ''))
      expect((value >> 64n) & 0xfffn).toBe(BigInt(((bytes[0]! & 0x0f) << 8) | bytes[1]!))
      const tail = bytes.slice(2).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
      expect(value & 0x3fff_ffff_ffff_ffffn).toBe(tail & 0x3fff_ffff_ffff_ffffn)
    }),
  )
})

test('later ids sort later', () => {
  fc.assert(
    fc.property(time, time, random, random, (left, right, leftBytes, rightBytes) => {
      fc.pre(left !== right)
      expect(uuidV7(left, leftBytes) < uuidV7(right, rightBytes)).toBe(left < right)
    }),
  )
})

test('refuses a time that is none and too few random bytes', () => {
  for (const nowMs of [-1, 2 ** 48, 1.5, Number.NaN]) {
    expect(() => uuidV7(nowMs, new Uint8Array(10))).toThrow(RangeError)
  }
  expect(() => uuidV7(0, new Uint8Array(9))).toThrow(RangeError)
})

test.each([
  ['017f22e2-79b0-7cc3-98c4-dc0c0c07398f', true],
  ['017F22E2-79B0-7CC3-98C4-DC0C0C07398F', true],
  ['00000000-0000-0000-0000-000000000000', true],
  ['017f22e279b07cc398c4dc0c0c07398f', false],
  ['{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}', false],
  ['017f22e2-79b0-7cc3-98c4-dc0c0c07398g', false],
  ['017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n', false],
  ['', false],
])('isUuid %j is %s', (text, expected) => {
  expect(isUuid(text)).toBe(expected)
})
