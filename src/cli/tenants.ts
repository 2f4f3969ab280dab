import type { Static } from 'typebox'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { bodyProblems } from '../http/validation.ts'
import {
  activateTenant,
  createTenant,
  listTenants,
  suspendTenant,
  TenantBody,
} from '../platform/tenants/contract.ts'
import type { Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'
import { parseArguments, UsageError, withProduct } from './program.ts'

export async function run([action, ...rest]: string[]): Promise<void> {
  if (action === 'list') return list(rest)
  if (action === 'create') return create(rest)
  if (action === 'suspend' || action === 'activate') return changeStatus(action, rest)
  throw new UsageError(`erp tenants: there is no "${action ?? ''}"`)
}

async function list(arguments_: string[]): Promise<void> {
  parseArguments(arguments_, {})
  await withProduct(async (product) => {
    for (let page = 1; ; page++) {
      const { tenants, pagination } = await callPlatform(product, listTenants, {
        query: { page, limit: 200 },
      })
      for (const { tenantCode, status, planCode, companyName, address } of tenants) {
        process.stdout.write(`${[tenantCode, status, planCode, companyName, address].join('\t')}\n`)
      }
      if (!pagination.hasNext) return
    }
  })
}

async function create(arguments_: string[]): Promise<void> {
  const body = tenantBody(arguments_)
  const wrong = bodyProblems(TenantBody, body)
  if (wrong.length > 0) throw validationProblem(wrong)
  await withProduct(async (product) => {
    const created = await callPlatform(product, createTenant, { body })
    process.stdout.write(
      `${created.tenant.tenantCode}\t${created.tenant.status}\t${created.tenant.address}\n`,
    )
    if (created.setPasswordUrl !== null) process.stdout.write(`set the password: ${created.setPasswordUrl}\n`)
  })
}

function tenantBody(arguments_: string[]): Static<typeof TenantBody> {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArguments(
    arguments_,
    {
      name: text,
      subdomain: text,
      plan: text,
      country: text,
      currency: text,
      chart: text,
      'admin-name': text,
      'admin-email': text,
      'admin-password': text,
    },
    1,
  )
  const [code] = positionals
  if (code === undefined) throw new UsageError('erp tenants create CODE --name … --admin-email …')
  return {
    tenantCode: code,
    companyName: values['name'] ?? code,
    subdomain: values['subdomain'] ?? code.toLowerCase().replaceAll('_', '-'),
    planCode: values['plan'] ?? 'trial',
    country: values['country'] ?? 'US',
    currency: values['currency'] ?? 'USD',
    ...(values['chart'] === undefined ? {} : { chartTemplate: values['chart'] as 'generic' }),
    adminName: values['admin-name'] ?? 'Administrator',
    adminEmail: values['admin-email'] ?? '',
    ...(values['admin-password'] === undefined ? {} : { adminPassword: values['admin-password'] }),
  }
}

async function changeStatus(action: 'suspend' | 'activate', arguments_: string[]): Promise<void> {
  const { values, positionals } = parseArguments(arguments_, { reason: { type: 'string' } }, 1)
  const [code] = positionals
  if (code === undefined) throw new UsageError(`erp tenants ${action} CODE`)
  const reason = values['reason']
  if (action === 'suspend' && reason === undefined) throw new UsageError('Say why: --reason TEXT')
  await withProduct(async (product) => {
    const params = { id: await tenantId(product, code) }
    const tenant =
      action === 'suspend'
        ? await callPlatform(product, suspendTenant, { params, body: { reason: reason ?? '' } })
        : await callPlatform(product, activateTenant, {
            params,
            body: reason === undefined ? {} : { reason },
          })
    process.stdout.write(`${tenant.tenantCode}\t${tenant.status}\n`)
  })
}

async function tenantId(product: Product, code: string): Promise<string> {
  const tenant = await product.directory.find({ code, host: '' })
  if (!tenant) throw new Problem(problems.notFound, { message: `There is no tenant ${code}` })
  return tenant.location.tenantId
}
