/**
 * Keys derived from SECRET_KEY, one per purpose, so that no two uses share key material (HKDF, RFC 5869),
 * and encryption at rest with AES-256-GCM. A sealed text names the key it was sealed with: earlier master
 * keys (SECRET_KEY_PREVIOUS) still open theirs until everything is sealed anew (docs/adr/0015).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  pbkdf2Sync,
  createHmac,
  randomBytes,
} from 'node:crypto'

export class Secrets {
  /** Of SECRET_KEY; the one that seals once the product has been told to use it. */
  readonly newestKeyId: string
  readonly #keys = new Map<string, { secretKey: string; sealingKey: Buffer }>()
  #keyId: string

  /** `previousKeys` open what they sealed, and are used until the server they belong to changes over. */
  constructor(secretKey: string, previousKeys: readonly string[] = []) {
    for (const key of [secretKey, ...previousKeys]) {
      const id = createHash('sha256')
        .update(derived(key, 'key-id', 32))
        .digest('hex')
        .slice(0, 8)
      this.#keys.set(id, { secretKey: key, sealingKey: derived(key, 'seal', 32) })
    }
    this.newestKeyId = this.keyIds[0] ?? ''
    this.#keyId = this.newestKeyId
  }

  /** Names the key that seals now, without telling it. */
  get keyId(): string {
    return this.#keyId
  }

  /** All that open; the newest first. */
  get keyIds(): readonly string[] {
    return [...this.#keys.keys()]
  }

  knows(keyId: string): boolean {
    return this.#keys.has(keyId)
  }

  /** From now on this key seals and derives. */
  use(keyId: string): void {
    this.#key(keyId)
    this.#keyId = keyId
  }

  derive(purpose: string, bytes = 32, keyId: string = this.#keyId): Buffer {
    return derived(this.#key(keyId).secretKey, purpose, bytes)
  }

  /** `context` (e.g. the tenant's id) is authenticated: a sealed text moved to another row does not open. */
  seal(plain: string, context: string): string {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#key(this.#keyId).sealingKey, nonce)
    cipher.setAAD(Buffer.from(context))
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return [
      VERSION,
      this.#keyId,
      Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url'),
    ].join('.')
  }

  open(sealed: string, context: string): string {
    const [version, keyId, payload] = sealed.split('.')
    if (version !== VERSION || keyId === undefined || payload === undefined)
      throw new Error('This is no sealed text')
    const bytes = Buffer.from(payload, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', this.#key(keyId).sealingKey, bytes.subarray(0, 12))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(12, 28))
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
  }

  #key(keyId: string): { secretKey: string; sealingKey: Buffer } {
    const key = this.#keys.get(keyId)
    if (!key) throw new Error(`Sealed with key ${keyId}, but SECRET_KEY is ${this.keyIds.join(', before ')}`)
    return key
  }
}

const VERSION = 'v1'

function derived(secretKey: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secretKey, 'solution-erp', purpose, bytes))
}

/**
 * PostgreSQL's stored form of a SCRAM-SHA-256 password (RFC 5802), computed here so that the clear
 * password never travels to the server, its log or its statement statistics.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const iterations = 4096
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
