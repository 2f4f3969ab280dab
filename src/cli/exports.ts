import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createTenantExport, downloadTenantExport, listTenantExports } from '../platform/exports/contract.ts'
import { callPlatform, finished } from './caller.ts'
import { command } from './command.ts'
import { tenantId, withProduct } from './program.ts'

const create = command({
  name: 'exports create',
  summary: 'write everything of a tenant (CSV, JSON, SQL) into a zip file',
  arguments: ['TENANT', 'FILE'],
  run: ({ positionals: [code = '', file = ''] }) =>
    withProduct(async (product) => {
      const id = await tenantId(product, code)
      const made = await callPlatform(product, createTenantExport, { params: { id } })
      if (!(await finished(product, made.operationId))) return
      const params = { id, exportId: made.id }
      const { stream, sizeBytes } = await callPlatform(product, downloadTenantExport, { params })
      await pipeline(Readable.from(stream), createWriteStream(`${file}.part`, { mode: 0o600, flush: true }))
      await rename(`${file}.part`, file)
      process.stdout.write(`${[made.id, sizeBytes, file].join('\t')}\n`)
    }),
})

const list = command({
  name: 'exports list',
  summary: "a tenant's newest exports: id, state, bytes, when, until when",
  arguments: ['TENANT'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, code) }
      const { exports } = await callPlatform(product, listTenantExports, { params, query: { limit: 200 } })
      for (const { id, state, sizeBytes, createdAt, expiresAt } of exports)
        process.stdout.write(`${[id, state, sizeBytes ?? '-', createdAt, expiresAt ?? '-'].join('\t')}\n`)
    }),
})

export const commands = [create, list]
