/** A server whose answers would not survive a power cut must not be entrusted with books. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, DatabaseServer, withClient } from './databases.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.ts'
import { Secrets } from './secrets.ts'
import { eventually } from '../testing/process.ts'
import { SECRET_KEY } from '../testing/product.ts'
import { checkDatabaseServer, unsafeSettings } from './database-settings.ts'

const good = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  server_encoding: 'UTF8',
  server_version_num: '180004',
}

describe('settings', () => {
  test.each([
    ['none', {}, []],
    ['a local flush is durable', { synchronous_commit: 'local' }, []],
    ['fsync', { fsync: 'off' }, ['fsync is off']],
    ['full_page_writes', { full_page_writes: 'off' }, ['full_page_writes is off']],
    ['synchronous_commit', { synchronous_commit: 'off' }, ['synchronous_commit is off']],
    ['encoding', { server_encoding: 'SQL_ASCII' }, ['its encoding is SQL_ASCII, not UTF8']],
    ['version', { server_version_num: '140011' }, ['it is older than PostgreSQL 15']],
    [
      'all at once',
      { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' },
      ['fsync is off', 'full_page_writes is off', 'synchronous_commit is off'],
    ],
  ])('%s', (_name, change, expected) => {
    expect(unsafeSettings({ ...good, ...change })).toEqual(expected)
  })

  test('what was not told counts as unsafe', () => {
    expect(unsafeSettings({}).length).toBeGreaterThan(2)
  })
})

describe('a real server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'erp-settings-'))
  let postgres: EmbeddedPostgres
  let server: DatabaseServer
  const warnings: string[] = []
  const check = (isProduction: boolean): Promise<void> =>
    checkDatabaseServer(server, isProduction, (_level, message) => warnings.push(message))
  const execute = (text: string): Promise<unknown> => withClient(server.admin, (client) => client.query(text))

  beforeAll(async () => {
    postgres = await startEmbeddedPostgres({ directory })
    server = new DatabaseServer(addressOf(postgres.adminUrl, false), new Secrets(SECRET_KEY))
    await server.prepare()
  })
  afterAll(async () => {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('as we start it is safe', async () => {
    await check(true)
    expect(warnings).toEqual([])
  })

  test('with synchronous_commit off is refused in production and told of elsewhere', async () => {
    await execute('ALTER SYSTEM SET synchronous_commit = off')
    await execute('SELECT pg_reload_conf()')
    // A reload reaches new connections a moment later.
    await eventually(() =>
      expect(check(true)).rejects.toThrow(/not safe for books: synchronous_commit is off/),
    )
    await check(false)
    expect(warnings.at(-1)).toContain('synchronous_commit is off')
    await execute('ALTER SYSTEM RESET synchronous_commit')
    await execute('SELECT pg_reload_conf()')
    await eventually(() => check(true)) // control: reset, it is accepted again
  })

  test.each([
    [
      'a role',
      'ALTER ROLE erp_migrator SET synchronous_commit = off',
      'ALTER ROLE erp_migrator RESET synchronous_commit',
    ],
    [
      'a database',
      'ALTER DATABASE template1 SET synchronous_commit = off',
      'ALTER DATABASE template1 RESET synchronous_commit',
    ],
  ])('with synchronous_commit off for %s alone is refused too', async (_name, set, reset) => {
    await execute(set)
    try {
      await expect(check(true)).rejects.toThrow(/synchronous_commit/)
    } finally {
      await execute(reset)
    }
  })
})
