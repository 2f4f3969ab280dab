/** `erp audit …`: prove that nobody has changed the audit logs. Exit code 1 when somebody has, or where it cannot be proven. */
import { sql } from 'kysely'
import type { Verdict } from '../audit/verdict.ts'
import { nameOf } from '../platform/audit/chains.ts'
import { SYSTEM, type Product } from '../server/product.ts'
import { platformSql } from '../tenancy/handles.ts'
import { command, UsageError } from './command.ts'
import { findTenant, withProduct } from './program.ts'

const verify = command({
  name: 'audit verify',
  summary: 'prove that no row of an audit log was changed, deleted, put in later or cut off',
  options: {
    tenant: { type: 'string', value: 'CODE', help: "one tenant's" },
    platform: { type: 'boolean', help: "the platform's own" },
    all: {
      type: 'boolean',
      help: "every tenant's, whatever its state, and the platform's (also without any option)",
    },
  },
  run: ({ values: { tenant, platform, all } }) => {
    if ([tenant !== undefined, platform, all].filter(Boolean).length > 1)
      throw new UsageError('Which one? --tenant CODE, --platform or --all')
    return withProduct(async (product) => {
      if (tenant !== undefined) return verifyTenant(product, tenant)
      printVerdict('platform', await product.auditChains.verifyPlatform())
      if (!platform) await verifyTenants(product)
    })
  },
})

async function verifyTenant(product: Product, code: string): Promise<void> {
  printVerdict(code, await product.auditChains.verifyTenant(await findTenant(product, code)))
}

/** A tenant that cannot be reached keeps nobody from proving the others, and is not passed over either. */
async function verifyTenants(product: Product): Promise<void> {
  for (const { code, status } of await tenantsWithDatabase(product)) {
    if (status === 'provisioning') {
      process.stdout.write(`${code}: audit log not begun: it is being set up\n`)
      continue
    }
    await verifyTenant(product, code).catch((error: unknown) => {
      process.stdout.write(
        `${code}: audit log NOT VERIFIED: ${error instanceof Error ? error.message : String(error)}\n`,
      )
      process.exitCode = 1
    })
  }
}

function tenantsWithDatabase({ gate }: Product): Promise<{ code: string; status: string }[]> {
  return gate.readPlatform(SYSTEM, (tx) =>
    tx.rows(
      sql<{ code: string; status: string }>`SELECT tenant_code AS code, status FROM platform.tenant
        WHERE database_name IS NOT NULL AND status <> 'failed' ORDER BY tenant_code`.compile(platformSql),
    ),
  )
}

const acknowledge = command({
  name: 'audit acknowledge',
  summary: "go on from where a tenant's audit log ends, where it is known why it was set back",
  arguments: ['TENANT'],
  options: {
    reason: { type: 'string', value: 'TEXT', required: true, help: "kept in the platform's audit log" },
  },
  run: ({ values: { reason }, positionals: [code = ''] }) =>
    withProduct(async (product) => {
      await product.auditChains.acknowledge(await findTenant(product, code), reason, SYSTEM)
      process.stdout.write(`${code}: acknowledged\n`)
    }),
})

export const commands = [verify, acknowledge]

export function printVerdict(name: string, { batches, rows, unsealedRows, newest, findings }: Verdict): void {
  const sealed = `${rows} rows in ${batches} batches, ${unsealedRows} not sealed yet`
  const end = newest ? `, up to batch ${nameOf(newest)}` : ''
  process.stdout.write(`${name}: audit log ${findings.length === 0 ? 'whole' : 'BROKEN'}: ${sealed}${end}\n`)
  for (const finding of findings) process.stdout.write(`  ${finding}\n`)
  if (findings.length > 0) process.exitCode = 1
}
