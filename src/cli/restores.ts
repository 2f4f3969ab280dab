/** `erp restores` and `erp drills`: backups brought back. */
import type { Static } from 'typebox'
import { listTenants } from '../platform/tenants/contract.ts'
import {
  createRestore,
  discardRestore,
  getRestore,
  listRestores,
  startDrill,
  swapRestore,
  undoRestore,
  type Restore,
} from '../platform/restores/contract.ts'
import type { Product } from '../server/product.ts'
import { callPlatform, finished } from './caller.ts'
import { command } from './command.ts'
import { tenantId, withProduct } from './program.ts'

type RestoreData = Static<typeof Restore>

const LINES_MAXIMUM = 1_000

const list = command({
  name: 'restores list',
  summary: "a tenant's restores and drills, newest first: id, mode, state, backup, when, what it keeps",
  arguments: ['TENANT'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, code) }
      for (let page = 1; page * 200 <= LINES_MAXIMUM; page++) {
        const { restores, pagination } = await callPlatform(product, listRestores, { params, query: { page, limit: 200 } }) // prettier-ignore
        for (const restore of restores) print(restore)
        if (!pagination.hasNext) return
      }
    }),
})

const create = command({
  name: 'restores create',
  summary: 'restore a backup and wait for it; beside the live database, unless told otherwise',
  arguments: ['TENANT'],
  options: {
    backup: { type: 'string', value: 'ID', required: true, help: 'as `erp backups list` names it' },
    mode: {
      type: 'string',
      value: 'MODE',
      default: 'side',
      help: 'side, swap (in place) or clone (new tenant)',
    },
    'new-code': { type: 'string', value: 'CODE', help: 'of the clone; else the code with _COPY' },
  },
  run: ({ values, positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const restore = await callPlatform(product, createRestore, {
        params: { id: await tenantId(product, code) },
        body: {
          backupId: values.backup,
          mode: values.mode as 'side',
          ...(values['new-code'] === undefined ? {} : { newTenantCode: values['new-code'] }),
        },
      })
      await finish(product, restore)
    }),
})

const show = command({
  name: 'restores show',
  summary: 'what was verified, and what differs from the live database',
  arguments: ['ID'],
  run: ({ positionals: [id = ''] }) =>
    withProduct(async (product) => {
      const restore = await callPlatform(product, getRestore, { params: { id } })
      print(restore)
      printDetails(restore)
    }),
})

const further = (
  action: 'swap' | 'undo',
  operation: typeof swapRestore | typeof undoRestore,
  summary: string,
) =>
  command({
    name: `restores ${action}`,
    summary,
    arguments: ['ID'],
    run: ({ positionals: [id = ''] }) =>
      withProduct(async (product) =>
        finish(product, await callPlatform(product, operation, { params: { id } })),
      ),
  })

const discard = command({
  name: 'restores discard',
  summary: 'drop the side database, or the database that a swap replaced',
  arguments: ['ID'],
  run: ({ positionals: [id = ''] }) =>
    withProduct(async (product) => print(await callPlatform(product, discardRestore, { params: { id } }))),
})

const drill = command({
  name: 'drills run',
  summary: 'prove that the newest backup can be restored: of one tenant, or of each in turn',
  arguments: ['[TENANT]'],
  run: ({ positionals: [code] }) =>
    withProduct(async (product) => {
      const ids = code === undefined ? await restorable(product) : [await tenantId(product, code)]
      for (const id of ids) {
        try {
          await finish(product, await callPlatform(product, startDrill, { params: { id } }))
        } catch (error) {
          process.stderr.write(`${id}: ${(error as Error).message}\n`)
          process.exitCode = 1
        }
      }
    }),
})

export const commands = [
  list,
  create,
  show,
  further(
    'swap',
    swapRestore,
    'put a side database in the place of the live one, which is backed up and kept',
  ),
  further('undo', undoRestore, 'put back what a swap replaced'),
  discard,
  drill,
]

async function restorable(product: Product): Promise<string[]> {
  const ids: string[] = []
  for (let page = 1; ; page++) {
    const { tenants, pagination } = await callPlatform(product, listTenants, { query: { page, limit: 200, sort: 'tenantCode' } }) // prettier-ignore
    ids.push(...tenants.filter(({ databaseName, status }) => databaseName !== null && status !== 'provisioning').map(({ id }) => id)) // prettier-ignore
    if (!pagination.hasNext) return ids
  }
}

async function finish(product: Product, { id, operationId }: RestoreData): Promise<void> {
  const isDone = await finished(product, operationId)
  const restore = await callPlatform(product, getRestore, { params: { id } })
  print(restore)
  if (isDone) printDetails(restore)
}

function print(restore: RestoreData): void {
  const { id, tenantCode, mode, state, backupId, createdAt, sideDatabase, keptDatabase, error } = restore
  const keeps = sideDatabase ?? keptDatabase ?? '-'
  process.stdout.write(
    `${[id, tenantCode, mode, state, backupId, createdAt, keeps, error ?? '-'].join('\t')}\n`,
  )
}

function printDetails({ verification, difference }: RestoreData): void {
  const line = (text: string): void => void process.stdout.write(`  ${text}\n`)
  if (verification) {
    const { tables, rows, companies, findings, schemaVersion } = verification
    line(`${tables} tables, ${rows} rows as backed up (schema ${schemaVersion}); books of ${companies} compan${companies === 1 ? 'y' : 'ies'}: ${findings.length} finding(s)`) // prettier-ignore
    for (const finding of findings) line(`  ${finding}`)
  }
  if (!difference) return
  line(`against the live database at ${difference.comparedAt}: ${difference.tables.length} table(s) differ`)
  for (const { table, onlyLive, onlyRestored, changed } of difference.tables)
    line(`  ${table}: ${onlyLive} row(s) only live, ${onlyRestored} only restored, ${changed} changed`)
  for (const { companyCode, accountCode, currency, live, restored } of difference.balances)
    line(`  ${companyCode} account ${accountCode} (${currency}): live ${live}, restored ${restored}`)
  if (difference.balancesAreCut) line('  … and more accounts')
}
