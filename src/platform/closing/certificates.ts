/**
 * Certificates: what was done to a tenant's data for good, signed with Ed25519 (RFC 8032). The key comes from
 * the master key, so that there is nothing to keep; anybody can verify the signature with the public one.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { sql } from 'kysely'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'

export type CertificateKind = 'archive' | 'deletion'

export interface SignedCertificate {
  readonly document: string
  readonly signature: string
  readonly publicKey: string
}

/** PKCS #8 around the 32 bytes of an Ed25519 private key (RFC 8410). */
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

export function signCertificate(secrets: Secrets, content: object): SignedCertificate {
  const key = signingKey(secrets, secrets.keyId)
  const document = JSON.stringify({ ...content, keyId: secrets.keyId }, null, 2)
  return {
    document,
    signature: sign(null, Buffer.from(document), key).toString('base64url'),
    publicKey: publicPem(key),
  }
}

/** The signature fits the document, and the key is one of ours. */
export function isGenuine(secrets: Secrets, { document, signature, publicKey }: SignedCertificate): boolean {
  const { keyId } = JSON.parse(document) as { keyId?: unknown }
  if (typeof keyId !== 'string' || !secrets.knows(keyId)) return false
  if (publicPem(signingKey(secrets, keyId)) !== publicKey) return false
  return verify(null, Buffer.from(document), createPublicKey(publicKey), Buffer.from(signature, 'base64url'))
}

/** One for each operation, however often its step is repeated. */
export async function keepCertificate(
  tx: PlatformTx,
  tenantId: string,
  kind: CertificateKind,
  operationId: string,
  { document, signature, publicKey }: SignedCertificate,
): Promise<void> {
  await tx.run(
    sql`INSERT INTO platform.certificate (tenant_id, kind, operation_id, document, signature, public_key)
      VALUES (${tenantId}, ${kind}, ${operationId}, ${document}, ${signature}, ${publicKey})
      ON CONFLICT (operation_id) DO NOTHING`.compile(platformSql),
  )
}

export interface CertificateRow extends SignedCertificate {
  readonly id: string
  readonly tenantId: string
  readonly kind: CertificateKind
  readonly createdAt: string
}

const CERTIFICATES_MAXIMUM = 100

export function certificatesOf(tx: PlatformRead, tenantId: string): Promise<CertificateRow[]> {
  return tx.rows(
    sql<CertificateRow>`SELECT id, tenant_id AS "tenantId", kind, document, signature, public_key AS "publicKey",
        created_at AS "createdAt"
      FROM platform.certificate WHERE tenant_id = ${tenantId} ORDER BY id LIMIT ${CERTIFICATES_MAXIMUM}`.compile(
      platformSql,
    ),
  )
}

function signingKey(secrets: Secrets, keyId: string): KeyObject {
  const key = Buffer.concat([PRIVATE_KEY_PREFIX, secrets.derive('certificates', 32, keyId)])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

function publicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
}
