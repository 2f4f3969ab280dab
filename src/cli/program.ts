/** What the commands share: starting the product, stopping it cleanly, finding a tenant. */
import { styleText } from 'node:util'
import { Problem, problems } from '../kernel/problem.ts'
import type { TenantLocation } from '../tenancy/gate.ts'
import { readConfiguration, type Configuration } from '../server/configuration.ts'
import { startProduct, SYSTEM, type Product } from '../server/product.ts'
import { tenantSql } from '../tenancy/handles.ts'
import { listTenants } from '../platform/tenants/contract.ts'
import { callPlatform } from './caller.ts'
import { UsageError } from './command.ts'

export function log(level: 'info' | 'warn' | 'error', message: string): void {
  const colour = { info: 'dim', warn: 'yellow', error: 'red' } as const
  process.stderr.write(`${styleText(colour[level], message, { stream: process.stderr })}\n`)
}

/**
 * Does one piece of work with the product, and stops it whatever happens. It looks after nothing beside it: what a
 * command begins as it ends would be left half done.
 */
export async function withProduct<Result>(
  work: (product: Product) => Promise<Result>,
  overrides: Partial<Configuration> = {},
): Promise<Result> {
  const configuration = { ...readConfiguration(process.env), readyDatabasesTarget: 0, ...overrides }
  const product = await startProduct(configuration, { log, onlyAsked: true })
  try {
    return await work(product)
  } finally {
    await product.stop()
  }
}

/**
 * Runs until Ctrl-C or SIGTERM, then stops everything in order; a second signal does not wait. `tellReady` is called
 * when signals are listened for: whoever hears it may send one at once.
 */
export async function runUntilSignalled(product: Product, tellReady: () => void): Promise<void> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve)
  })
  tellReady()
  const signal = await signalled
  process.once('SIGINT', () => process.exit(130))
  log('info', `${signal}: stopping`)
  await product.stop()
}

export async function findTenant(product: Product, code: string): Promise<TenantLocation> {
  const tenant = await product.directory.find({ code, host: '' })
  if (!tenant) throw new Problem(problems.notFound, { message: `There is no tenant ${code}` })
  if (tenant.closedBecause?.status === 503) throw tenant.closedBecause // its schema may not be ours
  return tenant.location
}

/** Whatever its state. */
export async function tenantId(product: Product, code: string): Promise<string> {
  const tenant = await product.directory.find({ code, host: '' })
  if (!tenant) throw new Problem(problems.notFound, { message: `There is no tenant ${code}` })
  return tenant.location.tenantId
}

export interface CompanyChoice {
  readonly id: string
  readonly code: string
  readonly baseCurrency: string
  readonly chartTemplate: string
}

export async function companiesOf(product: Product, tenant: TenantLocation): Promise<CompanyChoice[]> {
  return product.gate.readTenant(tenant, null, SYSTEM, (tx) =>
    tx.rows(
      tenantSql
        .selectFrom('core.company')
        .select(['id', 'code', 'base_currency as baseCurrency', 'chart_template as chartTemplate'])
        .where('deleted_at', 'is', null)
        .orderBy('code'),
    ),
  )
}

/** The company named, or the tenant's only one. */
export async function chooseCompany(
  product: Product,
  tenant: TenantLocation,
  code: string | undefined,
): Promise<CompanyChoice> {
  const companies = await companiesOf(product, tenant)
  const [first] = companies
  const chosen = code === undefined ? first : companies.find((company) => company.code === code)
  if (!chosen) throw new Problem(problems.notFound, { message: `There is no company ${code ?? ''}` })
  if (code === undefined && companies.length > 1) throw new UsageError('Which company? --company CODE')
  return chosen
}

export async function activeTenantCodes(product: Product): Promise<string[]> {
  const codes: string[] = []
  for (let page = 1; ; page++) {
    const { tenants, pagination } = await callPlatform(product, listTenants, { query: { page, limit: 200 } })
    codes.push(...tenants.filter(({ status }) => status === 'active').map(({ tenantCode }) => tenantCode))
    if (!pagination.hasNext) return codes
  }
}
