/**
 * How an API key is written: `erp_<id>_<secret><checksum>`. The prefix and the checksum let scanners recognise one
 * that was published by mistake, and let us refuse what is none without asking a database.
 */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { hashSecret } from './tokens.ts'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BYTES = 32
/** 256 bits in base 62. */
const SECRET_LENGTH = 43
const CHECKSUM_LENGTH = 6
const KEY = /^(erp_([0-9a-f]{32})_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/
const PREFIX = 'erp_'

export interface PresentedKey {
  readonly id: string
  readonly hash: Buffer
}

export function newApiKey(id: string): { readonly key: string; readonly hash: Buffer } {
  const secret = inBase62(BigInt(`0x${randomBytes(SECRET_BYTES).toString('hex')}`), SECRET_LENGTH)
  const unchecked = `${apiKeyPrefix(id)}_${secret}`
  const key = `${unchecked}${checksumOf(unchecked)}`
  return { key, hash: hashSecret(key) }
}

/** Whether somebody means it to be one: an access token never begins so. */
export function isApiKey(token: string): boolean {
  return token.startsWith(PREFIX)
}

export function readApiKey(token: string): PresentedKey | undefined {
  const [, unchecked, hex, checksum] = KEY.exec(token) ?? []
  if (unchecked === undefined || hex === undefined || checksumOf(unchecked) !== checksum) return undefined
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { id, hash: hashSecret(token) }
}

/** What a list shows of a key. */
export function apiKeyPrefix(id: string): string {
  return `${PREFIX}${id.replaceAll('-', '')}`
}

function checksumOf(text: string): string {
  return inBase62(BigInt(crc32(text)), CHECKSUM_LENGTH)
}

function inBase62(number: bigint, length: number): string {
  let [text, rest] = ['', number]
  for (; rest > 0n; rest /= 62n) text = `${DIGITS[Number(rest % 62n)]}${text}`
  return text.padStart(length, '0')
}
