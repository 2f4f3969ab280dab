import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { S3_ACCESS, startS3Server, type S3Server } from '../../testing/s3-server.ts'
import { StorageError, type Storage } from './storage.ts'
import { openStorage } from './storages.ts'

const folder = mkdtempSync(join(tmpdir(), 'erp-storage-'))
let plain: S3Server
let tls: S3Server
const storages: Record<string, Storage> = {}

beforeAll(async () => {
  ;[plain, tls] = [await startS3Server(), await startS3Server({ tls: true })]
  storages['a folder'] = await openStorage(pathToFileURL(join(folder, 'files')).href, {})
  storages['S3'] = await openStorage(plain.url, S3_ACCESS)
  storages['S3 over TLS'] = await openStorage(tls.url, { ...S3_ACCESS, caCertificates: tls.certificate })
})
afterAll(async () => {
  for (const storage of Object.values(storages)) await storage.close()
  await plain.stop()
  await tls.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function* of(...chunks: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

async function* failingAfter(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
  throw new Error('the source broke off')
}

async function contentOf(storage: Storage, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of storage.read(name)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function namesOf(storage: Storage, prefix = ''): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of storage.list(prefix)) names.push(name)
  return names.toSorted()
}

const large = randomBytes(20 * 1_048_576)

describe.each(['a folder', 'S3', 'S3 over TLS'])('%s', (kind) => {
  const storage = (): Storage => storages[kind] as Storage

  test('gives back what was written, and says how much and its hash', async () => {
    const written = await storage().write('tenants/a/one', of('hello ', 'world'))
    expect(written).toEqual({
      sizeBytes: 11,
      sha256: createHash('sha256').update('hello world').digest('hex'),
    })
    expect((await contentOf(storage(), 'tenants/a/one')).toString()).toBe('hello world')
    expect(await storage().size('tenants/a/one')).toBe(11)
  })

  test('takes files larger than one part', async () => {
    const pieces = Array.from({ length: 40 }, (_, n) => large.subarray(n * 524_288, (n + 1) * 524_288))
    const written = await storage().write('large', of(...pieces))
    expect(written.sizeBytes).toBe(large.length)
    expect((await contentOf(storage(), 'large')).equals(large)).toBe(true)
  })

  test('lists, deletes, and says what is missing', async () => {
    await storage().write('tenants/b/two', of('2'))
    await storage().write('tenants/b/empty', of())
    expect(await namesOf(storage(), 'tenants/')).toEqual([
      'tenants/a/one',
      'tenants/b/empty',
      'tenants/b/two',
    ])
    await storage().delete('tenants/b/two')
    await storage().delete('tenants/b/two')
    expect(await namesOf(storage(), 'tenants/b')).toEqual(['tenants/b/empty'])
    expect(await storage().size('tenants/b/two')).toBeUndefined()
    await expect(contentOf(storage(), 'tenants/b/two')).rejects.toMatchObject({ kind: 'missing' })
  })

  test('has no file whose writing failed or was called off, and the older one stays', async () => {
    await storage().write('tenants/c/kept', of('older'))
    await expect(storage().write('tenants/c/kept', failingAfter(large))).rejects.toThrow('broke off')
    await expect(storage().write('tenants/c/new', failingAfter(Buffer.from('x')))).rejects.toThrow(
      'broke off',
    )
    const abort = new AbortController()
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (let n = 0; ; n++) {
        if (n === 20) abort.abort(new Error('called off'))
        yield large.subarray(0, 1_048_576)
      }
    }
    await expect(storage().write('tenants/c/new', endless(), { signal: abort.signal })).rejects.toThrow(
      'called off',
    )
    expect(await namesOf(storage(), 'tenants/c')).toEqual(['tenants/c/kept'])
    expect((await contentOf(storage(), 'tenants/c/kept')).toString()).toBe('older')
    expect(plain.unfinished()).toEqual([])
    expect(tls.unfinished()).toEqual([])
    expect(await storage().clearUnfinished(0)).toBe(0)
  })

  test('refuses names that lead elsewhere', async () => {
    for (const name of ['../x', '/x', 'a/../b', 'a//b', '', '.hidden', 'a.part', 'a\\b', 'a\0']) {
      await expect(storage().write(name, of('x'))).rejects.toThrow('is no name')
    }
  })
})

describe('a folder', () => {
  const storage = (): Storage => storages['a folder'] as Storage

  test("clears away what a killed process left: at once for the same name, after a while for others'", async () => {
    mkdirSync(join(folder, 'files', 'tenants', 'd'), { recursive: true })
    const left = (name: string): string => join(folder, 'files', 'tenants', 'd', `${name}.0011.part`)
    for (const name of ['same', 'old', 'growing']) writeFileSync(left(name), 'half')
    utimesSync(left('old'), new Date(0), new Date(0))
    expect(await namesOf(storage(), 'tenants/d')).toEqual([])
    await storage().write('tenants/d/same', of('whole'))
    expect(existsSync(left('same'))).toBe(false)
    expect(await storage().clearUnfinished(60_000)).toBe(1)
    expect(readdirSync(join(folder, 'files', 'tenants', 'd')).toSorted()).toEqual([
      'growing.0011.part',
      'same',
    ])
  })

  test('keeps files for its owner alone', async () => {
    await storage().write('mine', of('x'))
    expect(statSync(join(folder, 'files', 'mine')).mode & 0o077).toBe(0)
  })

  test('that is full has no file under the name, and the older one stays', async (context) => {
    const mount = join(folder, 'small')
    mkdirSync(mount)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount])
    if (mounted.status !== 0) {
      process.stderr.write(`NOT TESTED: a full disk, because nothing may be mounted here (${String(mounted.stderr).trim()})\n`) // prettier-ignore
      context.skip()
    }
    try {
      const small = await openStorage(pathToFileURL(mount).href, {})
      await small.write('kept', of('older'))
      const writing = small.write('kept', of(...Array.from({ length: 4 }, () => large.subarray(0, 524_288))))
      await expect(writing).rejects.toMatchObject({ kind: 'full' })
      expect(readdirSync(mount)).toEqual(['kept'])
      expect((await contentOf(small, 'kept')).toString()).toBe('older')
      await small.write('kept', of(large.subarray(0, 524_288))) // control: what fits is written
    } finally {
      spawnSync('umount', [mount])
    }
  })
})

describe('S3', () => {
  const storage = (): Storage => storages['S3'] as Storage

  test('that is away in the middle of writing leaves nothing, neither file nor parts', async () => {
    let parts = 0
    plain.before = ({ method, url }) => (method === 'PUT' && url?.includes('partNumber') && ++parts > 1 ? 'cut' : undefined) // prettier-ignore
    await expect(storage().write('tenants/e/half', of(large))).rejects.toMatchObject({ kind: 'away' })
    plain.before = () => undefined
    expect(parts).toBeGreaterThan(2) // tried again, a few times
    expect(await namesOf(storage(), 'tenants/e')).toEqual([])
    expect(plain.unfinished()).toEqual([])
  })

  test('that is away for a moment is asked again', async () => {
    let cuts = 0
    plain.before = ({ method, url }) => (method === 'PUT' && url?.includes('partNumber=2') && ++cuts <= 2 ? 'cut' : undefined) // prettier-ignore
    await storage().write('tenants/e/whole', of(large))
    plain.before = () => undefined
    expect(cuts).toBe(3)
    expect((await contentOf(storage(), 'tenants/e/whole')).equals(large)).toBe(true)
  })

  test('that breaks off in the middle of reading is asked for the rest', async () => {
    await storage().write('tenants/e/read', of(large))
    const ranges: (string | undefined)[] = []
    plain.before = (request) => {
      if (request.method !== 'GET') return undefined
      ranges.push(request.headers.range)
      if (ranges.length < 3) setTimeout(() => request.socket.destroy(), 15)
      return undefined
    }
    const back = await contentOf(storage(), 'tenants/e/read')
    plain.before = () => undefined
    expect(back.equals(large)).toBe(true)
    expect(ranges[0]).toBeUndefined()
  })

  test('that stays away is told after a few tries; uploads left by a killed process are cleared', async () => {
    plain.before = ({ method }) => (method === 'DELETE' || method === 'PUT' ? 'cut' : undefined)
    await expect(storage().write('tenants/f/x', of(large))).rejects.toBeInstanceOf(StorageError)
    plain.before = () => undefined
    expect(plain.unfinished()).toHaveLength(1) // control: the abort could not be sent either
    expect(await storage().clearUnfinished(3_600_000)).toBe(0)
    expect(await storage().clearUnfinished(0)).toBe(1)
    expect(plain.unfinished()).toEqual([])
  })

  test('over TLS is refused when its certificate is unknown', async () => {
    const stranger = await openStorage(tls.url, S3_ACCESS)
    await expect(stranger.write('x', of('x'))).rejects.toMatchObject({ kind: 'away' })
    await stranger.close()
  })

  test('is refused to a stranger', async () => {
    const stranger = await openStorage(plain.url, { accessKeyId: 'stranger', secretAccessKey: 'wrong' })
    await expect(stranger.write('x', of('x'))).rejects.toBeInstanceOf(StorageError)
    await stranger.close()
  })
})
