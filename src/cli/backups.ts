import { createReadStream, existsSync } from 'node:fs'
import { OpenArchive, type ArchiveFigures, type Manifest } from '../platform/backups/archive.ts'
import { createBackup, deleteBackup, getBackup, listBackups } from '../platform/backups/contract.ts'
import { ArchiveError, openArchiveKey } from '../platform/backups/sealed-blocks.ts'
import { readConfiguration } from '../server/configuration.ts'
import { addressOf, sslOf } from '../tenancy/databases.ts'
import { Secrets } from '../tenancy/secrets.ts'
import { callPlatform } from './caller.ts'
import { command, UsageError } from './command.ts'
import { tenantId, withProduct } from './program.ts'

const READ_BYTES = 1_048_576
const LINES_MAXIMUM = 1_000

const list = command({
  name: 'backups list',
  summary: 'backups, newest first: id, tenant, state, reason, moment, bytes, where',
  arguments: ['[TENANT]'],
  options: { state: { type: 'string', value: 'STATE', help: 'running, good, failed, expiring or deleted' } },
  run: ({ values, positionals: [code] }) =>
    withProduct(async (product) => {
      const filter = {
        ...(code === undefined ? {} : { tenantId: await tenantId(product, code) }),
        ...(values.state === undefined ? {} : { state: values.state as 'good' }),
      }
      for (let page = 1; page * 200 <= LINES_MAXIMUM; page++) {
        const { backups, pagination } = await callPlatform(product, listBackups, {
          query: { ...filter, page, limit: 200 },
        })
        for (const one of backups) {
          const { id, tenantCode, state, reason, takenAt, sizeBytes, location } = one
          const line = [id, tenantCode, state, reason, takenAt ?? '-', sizeBytes ?? '-', location]
          process.stdout.write(`${line.join('\t')}\n`)
        }
        if (!pagination.hasNext) return
      }
    }),
})

const create = command({
  name: 'backups create',
  summary: 'take a backup of a tenant now, and wait for it',
  arguments: ['TENANT'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, code) }
      const { backup } = await callPlatform(product, createBackup, { params })
      const { finished } = await product.backups.begin(backup.id)
      await finished
      const done = await callPlatform(product, getBackup, { params: { id: backup.id } })
      process.stdout.write(`${[done.id, done.state, done.sizeBytes, done.location].join('\t')}\n`)
    }),
})

const verify = command({
  name: 'backups verify',
  summary: 'read an archive from its first byte to its last; a file needs nothing but SECRET_KEY',
  arguments: ['FILE-OR-ID'],
  run: async ({ positionals: [subject = ''] }) => {
    const told = (manifest: Manifest, figures: ArchiveFigures): void => {
      const rows = figures.tables.reduce((sum, table) => sum + table.rows, 0)
      const { tenantCode, takenAt, schemaVersion } = manifest
      process.stdout.write(
        `whole: tenant ${tenantCode} at ${takenAt}, schema ${schemaVersion}, ${figures.tables.length} tables, ${rows} rows\n`,
      )
    }
    const read = async (archive: OpenArchive): Promise<void> => told(archive.manifest, await archive.verify())
    try {
      if (UUID.test(subject)) await withProduct(async (product) => read(await product.backups.open(subject)))
      else await read(await openFile(subject))
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error
      process.stderr.write(`not whole: ${error.message}\n`)
      process.exitCode = 1
    }
  },
})

const remove = command({
  name: 'backups delete',
  summary: "delete a backup and its archive; a tenant's newest good one is refused",
  arguments: ['ID'],
  run: ({ positionals: [id = ''] }) =>
    withProduct(async (product) => {
      const { state } = await callPlatform(product, deleteBackup, { params: { id } })
      process.stdout.write(`${id}\t${state}\n`)
    }),
})

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Offline: the archive carries its own key, sealed with the master key of its day. */
async function openFile(path: string): Promise<OpenArchive> {
  if (!existsSync(path)) throw new UsageError(`There is no file ${path}`)
  const { secretKey, previousSecretKeys } = readConfiguration(process.env)
  const secrets = new Secrets(secretKey, previousSecretKeys)
  return OpenArchive.open(createReadStream(path, { highWaterMark: READ_BYTES }), (archiveId, sealedKey) =>
    openArchiveKey(secrets, archiveId, sealedKey),
  )
}

/** A password among the arguments is seen by everybody on the machine. */
const SOURCE_VARIABLE = 'SOURCE_URL'

const takeFrom = command({
  name: 'backups take-from',
  summary: `a backup of a tenant from the database whose address is in ${SOURCE_VARIABLE}, e.g. of a server restored beside to an earlier moment`,
  arguments: ['TENANT'],
  run: ({ positionals: [code = ''] }) => {
    const url = process.env[SOURCE_VARIABLE]
    if (!url || !URL.canParse(url)) throw new UsageError(`${SOURCE_VARIABLE} names no database`)
    return withProduct(async (product) => {
      const source = addressOf(url, sslOf(product.configuration.databaseSslMode))
      const id = await product.backups.takeFrom(await tenantId(product, code), source)
      const { state, takenAt } = await callPlatform(product, getBackup, { params: { id } })
      process.stdout.write(`${[id, state, takenAt].join('\t')}\n`)
    })
  },
})

export const commands = [list, create, takeFrom, verify, remove]
