import type { Static } from 'typebox'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { bodyProblems } from '../http/validation.ts'
import { archiveTenant, deleteTenant, listCertificates } from '../platform/closing/contract.ts'
import {
  activateTenant,
  changeDatabasePassword,
  changeDatabasePasswords,
  createTenant,
  listTenants,
  retryProvisioning,
  suspendTenant,
  TenantBody,
  type CreatedTenant,
} from '../platform/tenants/contract.ts'
import { callPlatform, finished } from './caller.ts'
import { command, UsageError } from './command.ts'
import { commands as moves } from './moves.ts'
import { tenantId, withProduct } from './program.ts'
import { serverNamed } from './servers.ts'

const text = { type: 'string' } as const
const code = { ...text, value: 'CODE' } as const

const list = command({
  name: 'tenants list',
  summary: 'every tenant: code, state, plan, company, address',
  run: () =>
    withProduct(async (product) => {
      for (let page = 1; ; page++) {
        const { tenants, pagination } = await callPlatform(product, listTenants, {
          query: { page, limit: 200 },
        })
        for (const { tenantCode, status, planCode, companyName, address } of tenants) {
          process.stdout.write(`${[tenantCode, status, planCode, companyName, address].join('\t')}\n`)
        }
        if (!pagination.hasNext) return
      }
    }),
})

const create = command({
  name: 'tenants create',
  summary: 'make a tenant with its database, first company and administrator',
  arguments: ['CODE'],
  options: {
    name: { ...text, help: 'name of the company; else the code' },
    subdomain: { ...text, value: 'LABEL', help: 'else made from the code' },
    plan: { ...code, default: 'trial', help: 'what it pays for' },
    country: { ...code, default: 'US', help: 'ISO 3166-1, two letters' },
    currency: { ...code, default: 'USD', help: 'ISO 4217, three letters' },
    chart: { ...code, help: 'chart of accounts: generic, us, uk, eg; else by country' },
    server: { ...text, value: 'NAME', help: 'server for its database; else the emptiest shared one' },
    'admin-name': { ...text, default: 'Administrator', help: 'first user' },
    'admin-email': { ...text, value: 'ADDRESS', required: true, help: 'the first user signs in with it' },
    'admin-password': { ...text, help: 'without it a link to set one is printed' },
  },
  run: async ({ values, positionals: [tenantCode = ''] }) => {
    const body: Static<typeof TenantBody> = {
      tenantCode,
      companyName: values.name ?? tenantCode,
      subdomain: values.subdomain ?? tenantCode.toLowerCase().replaceAll('_', '-'),
      planCode: values.plan,
      country: values.country,
      currency: values.currency,
      ...(values.chart === undefined ? {} : { chartTemplate: values.chart as 'generic' }),
      adminName: values['admin-name'],
      adminEmail: values['admin-email'],
      ...(values['admin-password'] === undefined ? {} : { adminPassword: values['admin-password'] }),
    }
    const wrong = bodyProblems(TenantBody, body)
    if (wrong.length > 0) throw validationProblem(wrong)
    await withProduct(async (product) => {
      const { server } = values
      const place = server === undefined ? {} : { serverId: (await serverNamed(product, server)).id }
      printMade(await callPlatform(product, createTenant, { body: { ...body, ...place } }))
    })
  },
})

const suspend = command({
  name: 'tenants suspend',
  summary: 'end its sessions and refuse its requests; its data stays',
  arguments: ['CODE'],
  options: { reason: { ...text, required: true, help: 'told to whoever asks why' } },
  run: ({ values: { reason }, positionals: [tenantCode = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, tenantCode) }
      printState(await callPlatform(product, suspendTenant, { params, body: { reason } }))
    }),
})

const activate = command({
  name: 'tenants activate',
  summary: 'let a suspended tenant work again',
  arguments: ['CODE'],
  options: { reason: { ...text, help: 'kept in the audit log' } },
  run: ({ values: { reason }, positionals: [tenantCode = ''] }) =>
    withProduct(async (product) => {
      const params = { id: await tenantId(product, tenantCode) }
      const body = reason === undefined ? {} : { reason }
      printState(await callPlatform(product, activateTenant, { params, body }))
    }),
})

const provision = command({
  name: 'tenants provision',
  summary: 'make a tenant again that failed; what is left of it is cleared first',
  arguments: ['CODE'],
  run: ({ positionals: [tenantCode = ''] }) =>
    withProduct(async (product) => {
      const query = { status: 'failed', search: tenantCode } as const
      const { tenants } = await callPlatform(product, listTenants, { query })
      const failed = tenants.find((tenant) => tenant.tenantCode.toLowerCase() === tenantCode.toLowerCase())
      if (!failed) {
        throw new Problem(problems.notFound, { message: `There is no failed tenant ${tenantCode}` })
      }
      printMade(await callPlatform(product, retryProvisioning, { params: { id: failed.id } }))
    }),
})

const rotatePassword = command({
  name: 'tenants rotate-password',
  summary: "give its database role a new password, or every tenant's with --all; nobody is interrupted",
  arguments: ['[CODE]'],
  options: { all: { type: 'boolean', help: 'every tenant' } },
  run: async ({ values: { all }, positionals: [tenantCode] }) => {
    if (all === (tenantCode !== undefined)) throw new UsageError('A tenant code, or --all')
    await withProduct(async (product) => {
      const { operationId } =
        tenantCode === undefined
          ? await callPlatform(product, changeDatabasePasswords, {})
          : await callPlatform(product, changeDatabasePassword, {
              params: { id: await tenantId(product, tenantCode) },
            })
      await finished(product, operationId)
    })
  },
})

const confirm = {
  ...text,
  value: 'CODE',
  required: true,
  help: 'the code once more: nothing brings it back',
} as const
const reason = { ...text, help: 'stands in the certificate' } as const

const archive = command({
  name: 'tenants archive',
  summary: 'make and prove a final backup, then drop the database; it can be restored from that',
  arguments: ['CODE'],
  options: { confirm: { ...confirm, help: 'the code once more' }, reason },
  run: ({ values, positionals: [tenantCode = ''] }) => close(archiveTenant, tenantCode, values),
})

const remove = command({
  name: 'tenants delete',
  summary: 'remove everything of an archived tenant whose retention is over',
  arguments: ['CODE'],
  options: { confirm, reason },
  run: ({ values, positionals: [tenantCode = ''] }) => close(deleteTenant, tenantCode, values),
})

export const commands = [
  list,
  create,
  provision,
  suspend,
  activate,
  rotatePassword,
  archive,
  remove,
  ...moves,
]

function close(
  operation: typeof archiveTenant | typeof deleteTenant,
  tenantCode: string,
  given: { readonly confirm: string; readonly reason: string | undefined },
): Promise<void> {
  return withProduct(async (product) => {
    const id = await tenantId(product, tenantCode)
    const body = { confirm: given.confirm, ...(given.reason === undefined ? {} : { reason: given.reason }) }
    const { operationId } = await callPlatform(product, operation, { params: { id }, body })
    if (!(await finished(product, operationId))) return
    const { certificates } = await callPlatform(product, listCertificates, { params: { id } })
    process.stdout.write(`${JSON.stringify(certificates.at(-1), null, 2)}\n`)
  })
}

function printMade({ tenant, setPasswordUrl }: Static<typeof CreatedTenant>): void {
  process.stdout.write(`${tenant.tenantCode}\t${tenant.status}\t${tenant.address}\n`)
  if (setPasswordUrl !== null) process.stdout.write(`set the password: ${setPasswordUrl}\n`)
}

function printState({ tenantCode, status }: { tenantCode: string; status: string }): void {
  process.stdout.write(`${tenantCode}\t${status}\n`)
}
