/**
 * Keys derived from SECRET_KEY, one per purpose, so that no two uses share key material (HKDF, RFC 5869),
 * and encryption at rest with AES-256-GCM. A sealed text names the key it was sealed with, so that the
 * master key can be rotated.
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
  /** Names the key without telling it. */
  readonly keyId: string
  readonly #sealingKey: Buffer
  readonly #secretKey: string

  constructor(secretKey: string) {
    this.#secretKey = secretKey
    this.#sealingKey = this.derive('seal')
    this.keyId = createHash('sha256').update(this.derive('key-id')).digest('hex').slice(0, 8)
  }

  derive(purpose: string, bytes = 32): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secretKey, 'solution-erp', purpose, bytes))
  }

  /** `context` (e.g. the tenant's id) is authenticated: a sealed text moved to another row does not open. */
  seal(plain: string, context: string): string {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#sealingKey, nonce)
    cipher.setAAD(Buffer.from(context))
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return ['v1', this.keyId, Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')].join(
      '.',
    )
  }

  open(sealed: string, context: string): string {
    const [version, keyId, payload] = sealed.split('.')
    if (version !== 'v1' || payload === undefined) throw new Error('This is no sealed text')
    if (keyId !== this.keyId) throw new Error(`Sealed with key ${keyId}, but SECRET_KEY is key ${this.keyId}`)
    const bytes = Buffer.from(payload, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', this.#sealingKey, bytes.subarray(0, 12))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(12, 28))
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
  }
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
