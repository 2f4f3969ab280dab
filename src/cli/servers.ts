/** `erp servers`: the database servers. */
import type { Static } from 'typebox'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { bodyProblems } from '../http/validation.ts'
import {
  changeServer,
  checkServer,
  listServers,
  registerServer,
  removeServer,
  ServerBody,
  ServerChanges,
  type Server,
} from '../platform/servers/contract.ts'
import { addressOf } from '../tenancy/databases.ts'
import type { Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'
import { command, UsageError } from './command.ts'
import { withProduct } from './program.ts'

const text = { type: 'string' } as const
/** A password among the arguments is seen by everybody on the machine. */
const ADDRESS_VARIABLE = 'SERVER_URL'

const kind = {
  ...text,
  value: 'KIND',
  help: 'shared (any tenant) or dedicated (tenants that are sent there)',
}
const limit = { ...text, value: 'NUMBER', help: "tenants' databases at most; else no limit" }
const region = { ...text, help: 'where it stands, for your own use' }
const tls = { ...text, value: 'MODE', help: 'disable, require or verify-full' }

const list = command({
  name: 'servers list',
  summary: 'every server: name, kind, state, tenants and room, health, address, id',
  run: () =>
    withProduct(async (product) => {
      for (const server of await allServers(product)) print(server)
    }),
})

const add = command({
  name: 'servers add',
  summary: `register the PostgreSQL server whose administrator's address is in ${ADDRESS_VARIABLE} (postgres://user:password@host:port/postgres)`,
  arguments: ['NAME'],
  options: { kind: { ...kind, default: 'shared' }, limit, region, tls: { ...tls, default: 'require' } },
  run: async ({ values, positionals: [name = ''] }) => {
    const body = {
      name,
      kind: values.kind,
      ...(values.region === undefined ? {} : { region: values.region }),
      ...(values.limit === undefined ? {} : { databaseLimit: Number(values.limit) }),
      ...connectionGiven(),
      sslMode: values.tls,
    }
    const wrong = bodyProblems(ServerBody, body)
    if (wrong.length > 0) throw validationProblem(wrong)
    await withProduct(async (product) =>
      print(await callPlatform(product, registerServer, { body: body as Static<typeof ServerBody> })),
    )
  },
})

const change = command({
  name: 'servers change',
  summary: `change what is given; a new address is taken from ${ADDRESS_VARIABLE}`,
  arguments: ['NAME'],
  options: {
    kind,
    limit: { ...limit, help: "tenants' databases at most, or none" },
    region,
    name: { ...text, help: 'new name' },
    tls,
  },
  run: async ({ values, positionals: [name = ''] }) => {
    const body = {
      ...(values.name === undefined ? {} : { name: values.name }),
      ...(values.kind === undefined ? {} : { kind: values.kind }),
      ...(values.region === undefined ? {} : { region: values.region }),
      ...(values.limit === undefined
        ? {}
        : { databaseLimit: values.limit === 'none' ? null : Number(values.limit) }),
      ...(values.tls === undefined ? {} : { sslMode: values.tls }),
      ...(process.env[ADDRESS_VARIABLE] ? connectionGiven() : {}),
    }
    await changeNamed(name, body)
  },
})

const states = {
  drain: ['draining', 'send it no new tenants'],
  activate: ['active', 'send it tenants again'],
  full: ['full', 'mark it full: it gets no new tenants'],
} as const
const changesOfState = Object.entries(states).map(([action, [state, summary]]) =>
  command({
    name: `servers ${action}`,
    summary,
    arguments: ['NAME'],
    run: ({ positionals: [name = ''] }) => changeNamed(name, { state }),
  }),
)

const check = command({
  name: 'servers check',
  summary: 'look at a server now; exit code 1 when it does not answer',
  arguments: ['NAME'],
  run: ({ positionals: [name = ''] }) =>
    withProduct(async (product) => {
      const params = { id: (await serverNamed(product, name)).id }
      const server = await callPlatform(product, checkServer, { params })
      print(server)
      if (!server.health.isReachable) process.exitCode = 1
    }),
})

const remove = command({
  name: 'servers remove',
  summary: 'take away a server that has no tenants left',
  arguments: ['NAME'],
  run: ({ positionals: [name = ''] }) =>
    withProduct(async (product) => {
      const params = { id: (await serverNamed(product, name)).id }
      await callPlatform(product, removeServer, { params })
      process.stdout.write(`${name}\tremoved\n`)
    }),
})

export const commands = [list, add, change, ...changesOfState, check, remove]

async function changeNamed(name: string, body: object): Promise<void> {
  const wrong = bodyProblems(ServerChanges, body)
  if (wrong.length > 0) throw validationProblem(wrong)
  await withProduct(async (product) => {
    const params = { id: (await serverNamed(product, name)).id }
    print(await callPlatform(product, changeServer, { params, body }))
  })
}

function connectionGiven() {
  const url = process.env[ADDRESS_VARIABLE]
  if (url === undefined || !URL.canParse(url)) {
    throw new UsageError(`Set ${ADDRESS_VARIABLE} to postgres://user:password@host:port/postgres`)
  }
  const { host, port, user, password, database } = addressOf(url, false)
  return { host, port, adminUser: user, adminPassword: password, adminDatabase: database }
}

export async function serverNamed(product: Product, name: string): Promise<Static<typeof Server>> {
  const server = (await allServers(product)).find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (!server) throw new Problem(problems.notFound, { message: `There is no server ${name}` })
  return server
}

async function allServers(product: Product): Promise<Static<typeof Server>[]> {
  const { servers } = await callPlatform(product, listServers, { query: { page: 1, limit: 200 } })
  return servers
}

function print(server: Static<typeof Server>): void {
  const { name, kind: ofKind, state, tenants, databaseLimit, health, host, port, id } = server
  const room = `${tenants}/${databaseLimit ?? '∞'}`
  const well = { true: 'up', false: `away: ${health.lastError}`, null: 'not looked at yet' }
  const condition = well[`${health.isReachable}`]
  const address = host === null ? 'as configured' : `${host}:${port}`
  process.stdout.write(`${[name, ofKind, state, room, condition, address, id].join('\t')}\n`)
}
