import { createHash, createHmac } from 'node:crypto'
import { inject, describe, expect, test } from 'vitest'
import { addressOf, withClient } from './databases.ts'
import { scramVerifier, Secrets } from './secrets.ts'

const secrets = new Secrets('a-master-key-of-more-than-32-characters')

describe('sealing', () => {
  test('what is sealed opens again, and never looks the same twice', () => {
    const sealed = secrets.seal('päss🔑', 'tenant-1')
    expect(secrets.open(sealed, 'tenant-1')).toBe('päss🔑')
    expect(sealed).not.toContain('päss')
    expect(secrets.seal('päss🔑', 'tenant-1')).not.toBe(sealed)
  })

  test('a sealed text moved to another row does not open', () => {
    expect(() => secrets.open(secrets.seal('x', 'tenant-1'), 'tenant-2')).toThrow()
  })

  test('no changed byte goes unnoticed', () => {
    const [version, keyId, payload] = secrets.seal('secret', 'c').split('.') as [string, string, string]
    const bytes = Buffer.from(payload, 'base64url')
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => secrets.open([version, keyId, changed.toString('base64url')].join('.'), 'c')).toThrow()
    }
    // Control: with no byte changed the same assembly opens.
    expect(secrets.open([version, keyId, bytes.toString('base64url')].join('.'), 'c')).toBe('secret')
  })

  test('another master key says which key is missing, without a word of either', () => {
    const other = new Secrets('another-master-key-of-more-than-32-chars')
    expect(() => other.open(secrets.seal('x', 'c'), 'c')).toThrow(
      /Sealed with key [0-9a-f]{8}, but SECRET_KEY is/,
    )
    expect(() => secrets.open('garbage', 'c')).toThrow('This is no sealed text')
  })
})

describe('an earlier master key', () => {
  const [before, after] = [
    'the-key-of-before-0123456789-0123456789',
    'the-key-of-after-9876543210-9876543210',
  ]
  const old = new Secrets(before)
  const both = new Secrets(after, [before])

  test('still opens what it sealed; the new one seals', () => {
    const sealed = old.seal('secret', 'c')
    expect(both.open(sealed, 'c')).toBe('secret')
    expect(both.keyId).toBe(new Secrets(after).keyId)
    expect(new Secrets(after).open(both.seal('anew', 'c'), 'c')).toBe('anew')
    // Control: without the earlier key it stays shut.
    expect(() => new Secrets(after).open(sealed, 'c')).toThrow(/Sealed with key/)
  })

  test('goes on sealing as long as it is told to, for processes that know no other', () => {
    const side = new Secrets(after, [before])
    side.use(old.keyId)
    expect(old.open(side.seal('shared', 'c'), 'c')).toBe('shared')
    expect(side.derive('x')).toEqual(old.derive('x'))
    side.use(side.newestKeyId)
    expect(() => old.open(side.seal('shared', 'c'), 'c')).toThrow()
    expect(side.derive('x', 32, old.keyId)).toEqual(old.derive('x'))
    expect(() => side.use('00000000')).toThrow()
  })
})

test('every purpose has a key of its own, the same at every start', () => {
  const again = new Secrets('a-master-key-of-more-than-32-characters')
  const keys = ['access-tokens', 'migrator-password', 'migrator-salt', 'seal'].map((purpose) =>
    secrets.derive(purpose, 32).toString('hex'),
  )
  expect(new Set(keys).size).toBe(keys.length)
  expect(again.derive('access-tokens', 32).toString('hex')).toBe(keys[0])
  expect(secrets.derive('access-tokens', 64)).toHaveLength(64)
})

describe('SCRAM verifier', () => {
  test('equals the published example (RFC 7677, section 3)', () => {
    const verifier = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))
    const [, iterations, salt, stored, server] =
      /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier) ?? []
    expect([iterations, salt]).toEqual(['4096', 'W22ZaJ0SNY7soEsUEjb6gQ=='])
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`
    const signature = createHmac('sha256', Buffer.from(server ?? '', 'base64'))
      .update(message)
      .digest('base64')
    expect(signature).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    // The proof of the example, taken apart with the stored key, gives the client key it was made from.
    const mask = createHmac('sha256', Buffer.from(stored ?? '', 'base64'))
      .update(message)
      .digest()
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (mask[index] ?? 0)))
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(stored)
  })

  test('PostgreSQL lets the password in, and no other', async () => {
    const admin = addressOf(inject('adminUrl'), false)
    const role = `scram_test_${process.pid}`
    const account = { ...admin, user: role, database: 'postgres' }
    await withClient(admin, async (client) => {
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${scramVerifier('right-one')}'`)
      await client.query(`GRANT CONNECT ON DATABASE postgres TO ${role}`)
    })
    const whoAmI = (password: string): Promise<unknown> =>
      withClient({ ...account, password }, async (client) => (await client.query('SELECT user AS me')).rows)
    try {
      expect(await whoAmI('right-one')).toEqual([{ me: role }])
      await expect(whoAmI('wrong-one')).rejects.toMatchObject({ code: '28P01' })
    } finally {
      await withClient(admin, async (client) => {
        await client.query(`REVOKE CONNECT ON DATABASE postgres FROM ${role}`)
        await client.query(`DROP ROLE ${role}`)
      })
    }
  })
})
