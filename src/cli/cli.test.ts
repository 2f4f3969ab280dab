/** The operator's command line, as an operator calls it: real processes, their output and their exit codes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, DatabaseServer, withClient } from '../tenancy/databases.ts'
import { migrationsOf, moveTo, newestVersion } from '../tenancy/migrations.ts'
import { Secrets } from '../tenancy/secrets.ts'
import { Client } from '../testing/client.ts'
import {
  eventually,
  rawRequest,
  runErp,
  spawnProcess,
  startProcess,
  ERP,
  type Finished,
} from '../testing/process.ts'
import { ADMIN_PASSWORD, signIn, testEnvironment } from '../testing/product.ts'
import { createTenant } from '../platform/tenants/contract.ts'
import { signInAsOperator, tenantBody } from '../testing/product.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-cli-'))
let environment: Record<string, string>
const erp = (...arguments_: string[]): Promise<Finished> => runErp(arguments_, environment)
const database = (code: string): string => `erp_tenant_${code.toLowerCase()}`
const suffix = Math.random().toString(36).slice(2, 8)
const code = `CLI_${suffix}`

beforeAll(async () => {
  environment = testEnvironment()
  const made = await erp('tenants', 'create', code, '--name', 'Command Line Ltd', '--plan', 'starter', '--country', 'GB', '--currency', 'GBP',
    '--admin-name', 'Ann Keeper', '--admin-email', 'ann@cli.example', '--admin-password', ADMIN_PASSWORD) // prettier-ignore
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)])
  expect(made.stdout).toContain(`${code}\tactive\thttp://cli-${suffix}.localhost`)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function asSuperuser(text: string): Promise<unknown[]> {
  const admin = addressOf(new URL(environment['DATABASE_URL'] ?? '').href, false)
  return withClient({ ...admin, database: database(code) }, async (client) => (await client.query(text)).rows)
}
const countEntries = async (): Promise<number> =>
  Number(
    (
      (await asSuperuser('SELECT count(*)::int AS count FROM finance.journal_entry')) as { count: number }[]
    )[0]?.count,
  )

describe('usage', () => {
  test.concurrent.each([
    [['nonsense'], 2],
    [['tenants'], 2],
    [['tenants', 'dance'], 2],
    [['tenants', 'create'], 2],
    [['tenants', 'create', 'X1', '--nonsense', 'x'], 2],
    [['tenants', 'suspend'], 2],
    [['tenants', 'suspend', code], 2],
    [['tenants', 'list', 'too-much'], 2],
    [['check'], 2],
    [['check', code, 'too-much'], 2],
    [['import-sales-journal', '--tenant', code], 2],
    [['import-sales-journal', 'file.csv'], 2],
    [['import-sales-journal', '--tenant', code, '--nonsense', 'file.csv'], 2],
    [['import-sales-journal', '--tenant', code, '/does/not/exist.csv'], 2],
    [['export-journal'], 2],
    [['export-journal', '--nonsense'], 2],
    [['serve', '--nonsense'], 2],
    [['migrate', 'too-much'], 2],
    [['fleet'], 2],
    [['fleet', 'dance'], 2],
    [['fleet', 'status', 'not-an-id'], 2],
    [['fleet', 'migrate', '--parallel', 'many'], 2],
    [['fleet', 'migrate', '--wave', 'A,,B'], 2],
    [['fleet', 'skip'], 2],
    [['fleet', 'rehearse'], 2],
    [[], 0],
    [['help'], 0],
    [['--help'], 0],
    [['check', '--help'], 0],
  ])('%j exits %i', async (arguments_, expected) => {
    const { code: exit, stdout, stderr } = await erp(...arguments_)
    expect(exit).toBe(expected)
    expect(`${stdout}${stderr}`).toContain('erp ') // how it is called
    expect(stderr).not.toMatch(/\n\s+at /) // and no stack: the caller is wrong, not we
  })

  test('the help tells of every command once', async () => {
    const { stdout } = await erp('--help')
    const told = stdout.split('\n').filter((line) => line.startsWith('  erp '))
    expect(told.length).toBeGreaterThan(40)
    expect(told).toEqual([...new Set(told)])
  })

  test('whoever reads only its first line hears of no fault', async () => {
    const piped = spawnProcess('/bin/bash', ['-c', `set -o pipefail; '${ERP}' help | head -1; echo "exit $?"`], environment) // prettier-ignore
    await piped.exited
    expect(piped.output()).toBe('Solution ERP\nexit 0\n')
  })

  test('a wrong configuration lists every problem and exits 2', async () => {
    const { code: exit, stderr } = await runErp(['tenants', 'list'], {
      ...environment,
      PORT: 'x',
      LOG_LEVEL: 'loud',
    })
    expect(exit).toBe(2)
    expect(stderr).toContain('- PORT: ')
    expect(stderr).toContain('- LOG_LEVEL: ')
  })
})

describe('tenants', () => {
  test('are listed', async () => {
    const { code: exit, stdout } = await erp('tenants', 'list')
    expect(exit).toBe(0)
    expect(stdout.split('\n').find((line) => line.startsWith(code))).toMatch(
      /\tactive\tstarter\tCommand Line Ltd\thttp/,
    )
  })

  test('without a password the link is shown', async () => {
    const { code: exit, stdout } = await erp(
      'tenants',
      'create',
      `${code}_LINK`,
      '--admin-email',
      'bob@cli.example',
    )
    expect(exit).toBe(0)
    expect(stdout).toMatch(/set the password: http:\/\/.+\/set-password\?token=[\w-]{43}/)
  })

  test('every wrong field is named, exit code 1', async () => {
    const { code: exit, stderr } = await erp(
      'tenants',
      'create',
      '9',
      '--admin-email',
      'nobody',
      '--country',
      'x',
    )
    expect(exit).toBe(1)
    for (const field of ['tenantCode', 'adminEmail', 'country']) expect(stderr).toContain(`  ${field}: `)
    const rules = await erp(
      'tenants',
      'create',
      'OK1',
      '--admin-email',
      'a@b.example',
      '--country',
      'XX',
      '--plan',
      'gold',
    )
    expect(rules.code).toBe(1)
    expect(rules.stderr).toContain('VALIDATION_ERROR')
    expect(rules.stderr).toContain('planCode')
    expect(
      (
        await erp(
          'tenants',
          'create',
          code.toLowerCase(),
          '--admin-email',
          'a@b.example',
          '--subdomain',
          `x-${suffix}`,
        )
      ).stderr,
    ).toContain('DUPLICATE_TENANT_CODE')
  })

  test('are suspended and let work again, also while a server runs', async () => {
    const server = await startProcess(environment)
    const at = new Client(server.url).with({ tenant: code })
    const { client } = await signIn(at, 'ann@cli.example')
    const status = async (): Promise<number> => (await client.send('GET', '/api/v1/auth/me')).status
    expect(await status()).toBe(200)
    const suspended = await erp('tenants', 'suspend', code, '--reason', 'unpaid')
    expect([suspended.code, suspended.stdout]).toEqual([0, `${code}\tsuspended\n`])
    expect(await status()).toBe(403) // another process did it: told by NOTIFY
    const again = await erp('tenants', 'suspend', code, '--reason', 'unpaid')
    expect([again.code, again.stderr.includes('WRONG_STATE')]).toEqual([1, true])
    expect((await erp('tenants', 'activate', code)).stdout).toBe(`${code}\tactive\n`)
    expect(await status()).toBe(401) // its session has ended
    await signIn(at, 'ann@cli.example')
    expect((await erp('tenants', 'suspend', 'NOBODY', '--reason', 'unpaid')).code).toBe(1)
    expect(await server.stop()).toBe(0)
  })
})

describe('the sales journal', () => {
  const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
  const year = new Date().getUTCFullYear()
  const good = [
    `536365,85123A,WHITE HANGER,6,${year}-01-10 08:26:00,2.55,17850,United Kingdom`,
    `536365,71053,WHITE LANTERN,6,${year}-01-10 08:26:00,3.39,17850,United Kingdom`,
    `536366,22633,HAND WARMER,6,${year}-01-10 08:28:00,1.85,17850,United Kingdom`,
    `536367,POST,POSTAGE,1,${year}-01-11 09:00:00,18.00,12583,France`,
  ]
  const file = (name: string, rows: readonly string[], packed = false): string => {
    const path = join(directory, name)
    const text = `${[header, ...rows].join('\n')}\n`
    writeFileSync(path, packed ? gzipSync(text) : text)
    return path
  }

  test('with a broken row: the row is named, nothing is posted', async () => {
    const path = file('broken.csv', [...good, `536368,22633,X,many,${year}-01-11 09:00:00,1.85,1,France`])
    const { code: exit, stdout } = await erp('import-sales-journal', '--tenant', code, path)
    expect(exit).toBe(1)
    expect(stdout).toMatch(/line 6, Quantity: /)
    expect(stdout).toContain('Nothing was posted')
    expect(await countEntries()).toBe(0)
  })

  test('leaving bad rows out, the rest is posted; once more, nothing is', async () => {
    const path = file('broken.csv', [...good, `536368,22633,X,many,${year}-01-11 09:00:00,1.85,1,France`])
    const first = await erp('import-sales-journal', '--tenant', code, '--skip-bad-rows', path)
    expect(first.code).toBe(0)
    expect(first.stdout).toMatch(/posted\s+3\n/)
    expect(first.stdout).toMatch(/left out \(bad rows\)\s+1\n/)
    expect(await countEntries()).toBe(3)
    const again = await erp('import-sales-journal', '--tenant', code, '--skip-bad-rows', path)
    expect(again.stdout).toMatch(/posted\s+0\n/)
    expect(again.stdout).toMatch(/already in the books\s+3\n/)
    expect(await countEntries()).toBe(3)
  })

  test('packed, with one more document: only that one is posted', async () => {
    const path = file('more.csv.gz', [...good, `536369,22633,X,2,${year}-01-12 09:00:00,1.85,1,France`], true)
    const { stdout, code: exit } = await erp('import-sales-journal', '--tenant', code, path)
    expect(exit).toBe(0)
    expect(stdout).toMatch(/posted\s+1\n/)
    expect(await countEntries()).toBe(4)
  })

  test('is written as plain-text accounting', async () => {
    const { code: exit, stdout } = await erp('export-journal', '--tenant', code)
    expect(exit).toBe(0)
    expect(stdout).toContain('536365')
    expect(stdout.match(/^\d{4}-\d\d-\d\d /gm)?.length).toBe(await countEntries())
    expect((await erp('export-journal', '--tenant', 'NOBODY')).code).toBe(1)
  })

  test(
    'killed in the middle and started again, each document is there once',
    { timeout: 60_000 },
    async () => {
      const rows = Array.from(
        { length: 12_000 },
        (_, index) => `7${String(index).padStart(5, '0')},22633,X,1,${year}-02-01 09:00:00,1.85,1,France`,
      )
      const path = file('many.csv', rows)
      const before = await countEntries()
      const killed = spawnProcess(ERP, ['import-sales-journal', '--tenant', code, path], environment)
      await eventually(async () => expect(await countEntries()).toBeGreaterThan(before), 30_000, 5)
      await killed.kill()
      const halfWay = (await countEntries()) - before
      expect(halfWay).toBeLessThan(rows.length) // control: it was in the middle
      expect((await erp('import-sales-journal', '--tenant', code, path)).code).toBe(0)
      expect((await countEntries()) - before).toBe(rows.length)
    },
  )

  test('is written as plain text straight after a large import, too', async () => {
    const { code: exit, stdout } = await runErp(['export-journal', '--tenant', code], environment, 15_000)
    expect(exit).toBe(0)
    expect(stdout.match(/^\d{4}-\d\d-\d\d /gm)?.length).toBe(await countEntries())
  })

  test('of an unknown tenant or company is refused', async () => {
    const path = file('good.csv', good)
    expect((await erp('import-sales-journal', '--tenant', 'NOBODY', path)).stderr).toContain('NOT_FOUND')
    expect((await erp('import-sales-journal', '--tenant', code, '--company', 'NONE', path)).stderr).toContain(
      'NOT_FOUND',
    )
  })
})

describe('check', () => {
  test('exits 0 where the books are right, for one and for all', async () => {
    const one = await erp('check', code)
    expect([one.code, one.stdout]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^${code} MAIN: \\d+ checks hold\n${code}: audit log whole: .*\n$`)),
    ])
    const all = await erp('check', '--all')
    expect([all.code, all.stdout]).toEqual([0, expect.stringContaining(`${code}_LINK MAIN: `)])
  })

  test('exits 1 and names what is wrong', async () => {
    const corrupt = (text: string): Promise<unknown> =>
      asSuperuser(`SET session_replication_role = replica; ${text}; RESET session_replication_role`)
    await corrupt(
      "UPDATE finance.account_balance SET debit = debit + 1 WHERE id = (SELECT id FROM finance.account_balance WHERE grain = 'day' ORDER BY id LIMIT 1)",
    )
    const { code: exit, stdout } = await erp('check', code)
    expect(exit).toBe(1)
    expect(stdout).toContain('1 finding(s)')
    expect(stdout).toMatch(/daily balances equal the lines: day of \d{4}-\d\d-\d\d in account \d+/)
    await corrupt(
      "UPDATE finance.account_balance SET debit = debit - 1 WHERE id = (SELECT id FROM finance.account_balance WHERE grain = 'day' ORDER BY id LIMIT 1)",
    )
    expect((await erp('check', code)).code).toBe(0)
  })

  test('of an unknown tenant exits 1', async () => {
    const { code: exit, stderr } = await erp('check', 'NOBODY')
    expect([exit, stderr.includes('NOT_FOUND: There is no tenant NOBODY')]).toEqual([1, true])
  })
})

describe('migrate', () => {
  test('tells that there is nothing to do', async () => {
    const { code: exit, stdout } = await erp('migrate')
    expect([exit, stdout]).toEqual([0, expect.stringContaining('\tup\tdone\t0 of 0 done')])
  })
})

describe('the fleet', () => {
  test('is planned, marked and looked at', async () => {
    const planned = await erp('fleet', 'plan')
    expect([planned.code, planned.stdout]).toEqual([
      0,
      expect.stringMatching(/^target \d+_\w+: \d+ tenants, \d+ there, 0 behind/),
    ])
    expect((await erp('fleet', 'canary', code)).stdout).toBe(`${code}\tcanary\n`)
    expect((await erp('fleet', 'canary', code, '--off')).stdout).toBe(`${code}\tno canary\n`)
    expect((await erp('fleet', 'canary', 'NOBODY')).code).toBe(1)
    const status = await erp('fleet', 'status')
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining('\tup\tdone\t')])
    const paused = await erp('fleet', 'pause')
    expect([paused.code, paused.stderr]).toEqual([1, expect.stringContaining('WRONG_STATE')])
  })

  test('is migrated with progress; rehearsed first; a tenant that fails makes the exit code 1, and is retried', async () => {
    const target = newestVersion('tenant')
    const former = migrationsOf('tenant').at(-2)?.name ?? ''
    const server = new DatabaseServer(
      addressOf(environment['DATABASE_URL'] ?? '', false),
      new Secrets(environment['SECRET_KEY'] ?? ''),
    )
    await moveTo(server.migratorAddress(database(code)), 'tenant', former, 'down')
    await server.close()
    await onPlatform(`UPDATE platform.tenant SET schema_version = '${former}' WHERE tenant_code = '${code}'`)
    const rehearsed = await erp('fleet', 'rehearse', code)
    expect([rehearsed.code, rehearsed.stdout]).toEqual([
      0,
      expect.stringContaining(`${code}\tdone\t${former} → ${target}`),
    ])
    // A table of another name in the way of nothing; a lock in the way of everything.
    const holding = withClient(
      { ...addressOf(environment['DATABASE_URL'] ?? '', false), database: database(code) },
      async (client) => {
        await client.query('BEGIN; LOCK TABLE migrations.migration')
        const failed = await runErp(['fleet', 'migrate'], { ...environment, FLEET_LOCK_TIMEOUT_MS: '100' })
        await client.query('ROLLBACK')
        return failed
      },
    )
    const failed = await holding
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('0 of 1 done, 1 failed')])
    expect(failed.stdout).toContain(`${code}\tfailed after 3 attempt(s)\t`)
    expect((await erp('fleet', 'status')).code).toBe(1)
    const retried = await erp('fleet', 'retry')
    expect([retried.code, retried.stdout]).toEqual([0, expect.stringContaining('1 of 1 done')])
  })

  test('is reported on: exit code 1 where a schema has drifted', async () => {
    const same = await erp('fleet', 'report')
    expect([same.code, same.stdout]).toEqual([0, expect.stringContaining(`${code}\tsame\t`)])
    await asSuperuser('CREATE INDEX drifted ON core.company (name)')
    const drifted = await erp('fleet', 'report', code)
    expect([drifted.code, drifted.stdout]).toEqual([
      1,
      expect.stringContaining('unexpected\tindex core.drifted'),
    ])
    await asSuperuser('DROP INDEX core.drifted')
  })

  function onPlatform(text: string): Promise<unknown> {
    return withClient(addressOf(environment['DATABASE_URL'] ?? '', false), (client) => client.query(text))
  }
})

describe('serve', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s stops it cleanly: exit code 0', async (signal) => {
    const server = await startProcess(environment)
    expect(await server.stop(signal)).toBe(0)
    expect(server.output()).toContain(`${signal}: stopping`)
    expect(server.output()).not.toMatch(/\n\s+at /)
    await expect(rawRequest(server.url, 'GET', '/health/live')).rejects.toThrow()
  })

  test('what it was at is finished first, and a connection kept alive does not hold it up', async () => {
    const server = await startProcess(environment)
    const operator = await signInAsOperator(new Client(server.url))
    const making = operator.call(createTenant, { body: tenantBody() })
    await sleep(150)
    const stopped = server.stop()
    expect((await making).status).toBe(201)
    const outcome = await Promise.race([stopped, sleep(10_000, 'still there')])
    await server.kill()
    expect(outcome).toBe(0)
  })
})
