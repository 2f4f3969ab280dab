import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { Secrets } from '../../tenancy/secrets.ts'
import { isGenuine, signCertificate } from './certificates.ts'

const secrets = new Secrets('the-master-key-of-this-test-0123456789')
const content = { certificate: 'archive', tenant: { code: 'ACME' }, rows: 12 }

test('a certificate is genuine, whatever the master key has become since', () => {
  const signed = signCertificate(secrets, content)
  expect(JSON.parse(signed.document)).toMatchObject(content)
  expect(isGenuine(secrets, signed)).toBe(true)
  const rotated = new Secrets('another-master-key-0123456789-abcdefgh', [
    'the-master-key-of-this-test-0123456789',
  ])
  expect(isGenuine(rotated, signed)).toBe(true)
})

test('a changed word, a foreign key and a stranger are found out', () => {
  const signed = signCertificate(secrets, content)
  expect(isGenuine(secrets, { ...signed, document: signed.document.replace('12', '13') })).toBe(false)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const forged = {
    document: signed.document,
    signature: sign(null, Buffer.from(signed.document), privateKey).toString('base64url'),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
  expect(isGenuine(secrets, forged)).toBe(false)
  expect(isGenuine(new Secrets('somebody-elses-key-0123456789-abcdefgh'), signed)).toBe(false)
})
