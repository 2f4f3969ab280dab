/**
 * A tenant's data over its whole life on the command line, as an operator at two in the morning goes through it:
 * backed up, restored beside, swapped in and back, cloned, drilled, exported, archived, brought back, deleted.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runErp, startProcess, type Finished, type ServerProcess } from '../testing/process.ts'
import { ADMIN_PASSWORD, signIn, testEnvironment } from '../testing/product.ts'
import { trialBalance } from '../erp/reports/contract.ts'
import { postEntry, SALES } from '../testing/books.ts'
import { Client } from '../testing/client.ts'
import { unzip } from '../testing/zip.ts'

const directory = mkdtempSync(join(tmpdir(), 'erp-cli-recovery-'))
const suffix = Math.random().toString(36).slice(2, 8)
const code = `LIFE_${suffix}`
const email = 'ann@life.example'
let environment: Record<string, string>
let server: ServerProcess
let backupId = ''

beforeAll(async () => {
  environment = {
    ...testEnvironment(),
    DATA_DIR: join(directory, 'data'),
    ARCHIVE_RETENTION_DAYS: '0',
    PORT: '0',
  }
  const made = await erp(
    'tenants',
    'create',
    code,
    '--chart',
    'generic',
    '--admin-email',
    email,
    '--admin-password',
    ADMIN_PASSWORD,
  )
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)])
  server = await startProcess(environment)
  await postEntry((await admin()).client, '100.00')
})
afterAll(async () => {
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const erp = (...arguments_: string[]): Promise<Finished> => runErp(arguments_, environment, 100_000)
const admin = (tenant = code) => signIn(new Client(server.url).with({ tenant }), email)

/** What it prints, word by word; it must end well. */
async function told(...arguments_: string[]): Promise<string[][]> {
  const { code: exit, stdout, stderr } = await erp(...arguments_)
  expect([exit, stderr], arguments_.join(' ')).toEqual([0, expect.any(String)])
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map((line) => line.split('\t'))
}

async function salesOf(tenant = code): Promise<string | undefined> {
  const { rows } = (await (await admin(tenant)).client.call(trialBalance)).ok()
  return rows.find(({ accountCode }) => accountCode === SALES)?.credit
}

describe('a restore', { timeout: 120_000 }, () => {
  test('of a backup stands beside, and tells what differs', async () => {
    ;[[backupId = '']] = (await told('backups', 'create', code)) as [[string]]
    expect((await told('backups', 'list', code)).map(([id]) => id)).toContain(backupId)
    await postEntry((await admin()).client, '7.00')

    const { stdout } = await erp('restores', 'create', code, '--backup', backupId)
    const [id = '', tenant, mode, state, of] = stdout.split('\n')[0]?.split('\t') ?? []
    expect([tenant, mode, state, of]).toEqual([code, 'side', 'ready', backupId])
    expect(stdout).toContain('0 finding(s)')
    expect(stdout).toContain('live 107.0000, restored 100.0000')
    expect((await erp('restores', 'show', id)).stdout).toContain('live 107.0000, restored 100.0000')
    expect(await salesOf()).toBe('107.00')
  })

  test('is swapped in, undone, and dropped', async () => {
    const ready = (await told('restores', 'list', code)).find(([, , , state]) => state === 'ready')
    const id = ready?.[0] ?? ''
    expect((await told('restores', 'swap', id))[0]?.[3]).toBe('swapped')
    expect(await salesOf()).toBe('100.00')
    expect((await told('restores', 'undo', id))[0]?.[3]).toBe('undone')
    expect(await salesOf()).toBe('107.00')
    expect((await told('restores', 'discard', id))[0]?.[6]).toBe('-') // it keeps nothing any more
  })

  test('makes a new tenant', async () => {
    const [line] = await told('restores', 'create', code, '--backup', backupId, '--mode', 'clone', '--new-code', `COPY_${suffix}`) // prettier-ignore
    expect(line?.slice(2, 4)).toEqual(['clone', 'cloned'])
    expect(await salesOf(`COPY_${suffix}`)).toBe('100.00')
  })

  test('that cannot be is told, with exit code 1', async () => {
    const unknown = await erp('restores', 'create', code, '--backup', '01900000-0000-7000-8000-000000000000')
    expect([unknown.code, unknown.stdout]).toEqual([1, ''])
    expect(unknown.stderr).not.toBe('')
    const wrong = await erp('restores', 'create', code, '--backup', backupId, '--mode', 'upside-down')
    expect(wrong.code).toBeGreaterThan(0)
    expect(wrong.stderr).toContain('mode')
  })
})

test('a drill proves the newest backup', { timeout: 60_000 }, async () => {
  const [line] = await told('drills', 'run', code)
  expect(line?.slice(1, 4)).toEqual([code, 'drill', 'proven'])
})

test('an export is a file that says everything', { timeout: 60_000 }, async () => {
  const file = join(directory, 'everything.zip')
  const [line] = await told('exports', 'create', code, file)
  expect(Number(line?.[1])).toBe(statSync(file).size)
  expect(existsSync(`${file}.part`)).toBe(false)
  const names = [...(await unzip(readFileSync(file))).keys()]
  expect(names).toContain('manifest.json')
  expect(names.some((name) => name.endsWith('journal_entry.csv'))).toBe(true)
  expect((await told('exports', 'list', code)).map(([id]) => id)).toEqual([line?.[0]])
})

describe('the end', { timeout: 120_000 }, () => {
  const archivesOf = (): string[] =>
    readdirSync(join(directory, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.includes(code.toLowerCase()) && name.endsWith('.erparchive'),
    )

  test('only with the code once more', async () => {
    const wrong = await erp('tenants', 'archive', code, '--confirm', 'OTHER')
    expect(wrong.code).toBe(1)
    expect((await erp('tenants', 'delete', code, '--confirm', code)).code).toBe(1) // not archived yet
    expect(await salesOf()).toBe('107.00')
  })

  test('archived with a certificate, it can be brought back', async () => {
    const { code: exit, stdout } = await erp(
      'tenants',
      'archive',
      code,
      '--confirm',
      code,
      '--reason',
      'moves away',
    )
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'archive', isGenuine: true })
    const last = (await told('backups', 'list', code)).find(([, , , reason]) => reason === 'archive')
    const [line] = await told('restores', 'create', code, '--backup', last?.[0] ?? '', '--mode', 'swap')
    expect(line?.[3]).toBe('swapped')
    expect(await salesOf()).toBe('107.00')
  })

  test('deleted, nothing of it is left but its certificates', async () => {
    expect((await erp('tenants', 'archive', code, '--confirm', code)).code).toBe(0)
    expect(archivesOf().length).toBeGreaterThan(0) // control
    const { code: exit, stdout } = await erp(
      'tenants',
      'delete',
      code,
      '--confirm',
      code,
      '--reason',
      'as agreed',
    )
    expect(exit).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'deletion', isGenuine: true })
    expect(archivesOf()).toEqual([])
    expect((await erp('check', code)).code).not.toBe(0)
  })
})
