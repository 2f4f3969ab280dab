/** DB_SSL_MODE against a real server with a certificate made here, by an authority of our own, for one name. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startTestProduct } from '../testing/product.ts'
import { addressOf, sslOf, withClient } from './databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-tls-'))
const file = (name: string): string => join(directory, name)
let postgres: EmbeddedPostgres
let authority: string

beforeAll(async () => {
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=Test authority',
    '-keyout', file('ca.key'), '-out', file('ca.crt')) // prettier-ignore
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=database', '-keyout', file('server.key'), '-out', file('server.csr')) // prettier-ignore
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost')
  openssl('x509', '-req', '-days', '2', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'),
    '-CAcreateserial', '-extfile', file('names'), '-out', file('server.crt')) // prettier-ignore
  chmodSync(file('server.key'), 0o600)
  authority = readFileSync(file('ca.crt'), 'utf8')
  postgres = await startEmbeddedPostgres({
    directory,
    settings: ['ssl=on', `ssl_cert_file=${file('server.crt')}`, `ssl_key_file=${file('server.key')}`],
  })
})
afterAll(async () => {
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

function openssl(...arguments_: string[]): void {
  const { status, stderr } = spawnSync('openssl', arguments_, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${arguments_.join(' ')}: ${stderr}`)
}

type Mode = Parameters<typeof sslOf>[0]

/** Whether PostgreSQL itself says that the connection is encrypted. */
function encrypted(host: string, mode: Mode, ca?: string): Promise<boolean | undefined> {
  const address = { ...addressOf(postgres.adminUrl, sslOf(mode, ca)), host }
  return withClient(address, async (client) => {
    const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()') // prettier-ignore
    return rows[0]?.ssl
  })
}

describe('a connection', () => {
  test('is plain with `disable`', async () => {
    expect(await encrypted('localhost', 'disable')).toBe(false)
  })

  test('is encrypted with `require`, whoever the server says it is', async () => {
    expect(await encrypted('localhost', 'require')).toBe(true)
    expect(await encrypted('127.0.0.1', 'require')).toBe(true)
  })

  test('is encrypted with `verify-full`, where authority and name are right', async () => {
    expect(await encrypted('localhost', 'verify-full', authority)).toBe(true)
  })

  test('is refused with `verify-full`, where the name is another one', async () => {
    await expect(encrypted('127.0.0.1', 'verify-full', authority)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })

  test('is refused with `verify-full`, where nobody we know answers for the certificate', async () => {
    await expect(encrypted('localhost', 'verify-full')).rejects.toMatchObject({
      code: expect.stringMatching(/^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/), // prettier-ignore
    })
  })

  test('is refused with `require`, where the server does not encrypt', async () => {
    const plain = addressOf(inject('adminUrl'), sslOf('require'))
    await expect(withClient(plain, (client) => client.query('SELECT 1'))).rejects.toThrow(
      'does not support SSL',
    )
    // Control: it is there.
    await withClient({ ...plain, ssl: false }, (client) => client.query('SELECT 1'))
  })
})

test('with `verify-full` nothing of the product goes over the wire in clear', async () => {
  const url = new URL(postgres.adminUrl)
  url.hostname = 'localhost'
  url.pathname = '/erp_platform'
  const product = await startTestProduct({
    databaseUrl: url.href,
    databaseSslMode: 'verify-full',
    databaseCertificateAuthority: authority,
    poolerUrl: undefined,
  })
  await product.createTenant()
  const seen = await withClient({ ...product.server.admin, ssl: false }, async (client) => {
    const { rows } = await client.query<{ ssl: boolean; database: string; own: boolean }>(
      `SELECT ssl, datname AS database, pid = pg_backend_pid() AS own FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE datname IS NOT NULL AND backend_type = 'client backend'`,
    )
    return rows
  })
  expect(seen.find(({ own }) => own)?.ssl).toBe(false) // control: a plain one is seen as such
  const others = seen.filter(({ own }) => !own)
  expect(new Set(others.map(({ database }) => database.replace(/tenant_.*/, 'tenant')))).toEqual(
    new Set(['postgres', 'erp_platform', 'erp_platform_workflows', 'erp_tenant']),
  )
  expect(others.filter(({ ssl }) => !ssl)).toEqual([])
  await product.stop()
})
