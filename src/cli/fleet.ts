/** `erp fleet …`: the schema of all tenants. `erp migrate` is `erp fleet migrate` without choices, for a release job. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem, problems } from '../kernel/problem.ts'
import type { DataOf } from '../http/contract.ts'
import {
  cancelFleetMigration,
  getFleetRehearsal,
  getSchemaReport,
  startFleetRehearsal,
  getFleetMigration,
  getFleetPlan,
  listFleetMigrations,
  pauseFleetMigration,
  resumeFleetMigration,
  retryFleetMigration,
  rollBackFleetMigration,
  setTenantCanary,
  skipTenantMigrations,
  startFleetMigration,
} from '../platform/fleet/contract.ts'
import type { Product } from '../server/product.ts'
import { callPlatform } from './caller.ts'
import { command, UsageError } from './command.ts'
import { withProduct } from './program.ts'

type Detail = DataOf<typeof getFleetMigration>
type Plan = DataOf<typeof getFleetPlan>
type Wave = NonNullable<
  NonNullable<Parameters<typeof callPlatform<typeof startFleetMigration>>[2]['body']>['waves']
>[number]

const LOOK_EVERY_MS = 250
const ID = '[ID]'
const text = { type: 'string' } as const

// The commands say themselves when tenants are migrated: starting the product for them does not.
const AS_ASKED = { migratesAtStart: false } as const

const plan = command({
  name: 'fleet plan',
  summary: 'which tenants are at which version, and the waves a migration would take',
  run: () =>
    withProduct(async (product) => printPlan(await callPlatform(product, getFleetPlan, {})), AS_ASKED),
})

const migrationOptions = {
  wave: {
    ...text,
    value: 'WAVES',
    help: 'instead of canaries and plans: tenant codes by comma, waves by semicolon; the others go last',
  },
  parallel: { ...text, value: 'NUMBER', help: 'tenants at once; else FLEET_PARALLEL' },
  'failure-percent': {
    ...text,
    value: 'NUMBER',
    help: 'stop when more of one wave fail; else FLEET_FAILURE_PERCENT',
  },
} as const

const migrate = command({
  name: 'fleet migrate',
  summary: 'bring every tenant to this version, with live progress; exit code 1 when any fails',
  options: migrationOptions,
  run: ({ values }) =>
    withProduct((product) => {
      const waves = values.wave === undefined ? undefined : wavesOf(values.wave)
      return start(product, {
        ...(waves ? { waves } : {}),
        ...numberOption('parallel', values.parallel),
        ...numberOption('failurePercent', values['failure-percent']),
      })
    }, AS_ASKED),
})

const migrateAll = command({
  name: 'migrate',
  summary: 'bring the platform and every tenant to this version (as `erp fleet migrate`)',
  run: () => withProduct((product) => start(product, {}), AS_ASKED),
})

const status = command({
  name: 'fleet status',
  summary: 'how far the newest fleet migration is, or the one named; exit code 1 when it failed or stopped',
  arguments: [ID],
  run: ({ positionals: [id] }) =>
    withProduct(async (product) => {
      const detail = await chosen(product, id)
      printDetail(detail)
      if (detail.status === 'failed' || detail.status === 'stopped') process.exitCode = 1
    }, AS_ASKED),
})

const pause = command({
  name: 'fleet pause',
  summary: 'begin no further tenant',
  arguments: [ID],
  options: { reason: { ...text, help: 'kept with it' } },
  run: ({ values: { reason }, positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      const body = reason === undefined ? {} : { reason }
      printDetail(await callPlatform(product, pauseFleetMigration, { params, body }))
    }, AS_ASKED),
})

const resume = command({
  name: 'fleet resume',
  summary: 'go on where it was paused or stopped, with live progress',
  arguments: [ID],
  run: ({ positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      await callPlatform(product, resumeFleetMigration, { params })
      await follow(product, params.id)
    }, AS_ASKED),
})

const tenantOption = { ...text, value: 'CODES', help: 'these tenants only, by comma' } as const

const retry = command({
  name: 'fleet retry',
  summary: 'try the failed tenants again, with live progress',
  arguments: [ID],
  options: { tenants: tenantOption },
  run: ({ values: { tenants }, positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      const body = tenants === undefined ? {} : { tenantIds: await tenantIds(product, tenants) }
      await callPlatform(product, retryFleetMigration, { params, body })
      await follow(product, params.id)
    }, AS_ASKED),
})

const skip = command({
  name: 'fleet skip',
  summary: 'leave tenants out that wait or have failed',
  arguments: [ID],
  options: {
    tenants: { ...tenantOption, required: true },
    reason: { ...text, required: true, help: 'kept with them' },
  },
  run: ({ values: { tenants, reason }, positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      const body = { tenantIds: await tenantIds(product, tenants), reason }
      printDetail(await callPlatform(product, skipTenantMigrations, { params, body }))
    }, AS_ASKED),
})

const cancel = command({
  name: 'fleet cancel',
  summary: 'give up a paused or stopped one; what is done stays',
  arguments: [ID],
  options: { reason: { ...text, help: 'kept with it' } },
  run: ({ values: { reason }, positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      const body = reason === undefined ? {} : { reason }
      printDetail(await callPlatform(product, cancelFleetMigration, { params, body }))
    }, AS_ASKED),
})

const rollback = command({
  name: 'fleet rollback',
  summary: 'undo the newest fleet migration, or the one named, by its down parts; with live progress',
  arguments: [ID],
  options: { tenants: tenantOption },
  run: ({ values: { tenants }, positionals: [id] }) =>
    withProduct(async (product) => {
      const params = { id: (await chosen(product, id)).id }
      const body = tenants === undefined ? {} : { tenantIds: await tenantIds(product, tenants) }
      const { id: rollbackId } = await callPlatform(product, rollBackFleetMigration, { params, body })
      await follow(product, rollbackId)
    }, AS_ASKED),
})

const canary = command({
  name: 'fleet canary',
  summary: 'have a tenant go first',
  arguments: ['CODE'],
  options: { off: { type: 'boolean', help: 'no longer' } },
  run: ({ values: { off }, positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const [id = ''] = await tenantIds(product, code)
      const set = await callPlatform(product, setTenantCanary, { params: { id }, body: { isCanary: !off } })
      process.stdout.write(`${set.tenantCode}\t${set.isCanary ? 'canary' : 'no canary'}\n`)
    }, AS_ASKED),
})

const report = command({
  name: 'fleet report',
  summary: "every tenant's schema compared with the template's; exit code 1 when any has drifted",
  arguments: ['[CODE]'],
  run: ({ positionals: [tenantCode] }) =>
    withProduct(async (product) => {
      let drifted = 0
      for (let page = 1; ; page++) {
        const query = { page, ...(tenantCode === undefined ? {} : { tenantCode }) }
        const { tenants, pagination } = await callPlatform(product, getSchemaReport, { query })
        for (const line of tenants) {
          if (line.status === 'drifted' || line.status === 'unreachable') drifted++
          printSchema(line)
        }
        if (!pagination.hasNext) break
      }
      if (drifted > 0) process.exitCode = 1
    }, AS_ASKED),
})

const rehearse = command({
  name: 'fleet rehearse',
  summary:
    'copy a tenant, migrate the copy, check its books, throw it away; exit code 1 when anything is wrong',
  arguments: ['CODE'],
  run: ({ positionals: [code = ''] }) =>
    withProduct(async (product) => {
      const [tenantId = ''] = await tenantIds(product, code)
      const { id } = await callPlatform(product, startFleetRehearsal, { body: { tenantId } })
      for (;;) {
        const rehearsal = await callPlatform(product, getFleetRehearsal, { params: { id } })
        if (rehearsal.status === 'running') await sleep(LOOK_EVERY_MS)
        else {
          printRehearsal(rehearsal)
          if (rehearsal.status === 'failed') process.exitCode = 1
          return
        }
      }
    }, AS_ASKED),
})

export const commands = [
  report,
  rehearse,
  plan,
  migrate,
  migrateAll,
  status,
  pause,
  resume,
  retry,
  skip,
  cancel,
  rollback,
  canary,
]

// ---- what they share -----------------------------------------------------------------------------------

interface Wish {
  readonly waves?: Wave[]
  readonly parallel?: number
  readonly failurePercent?: number
}

async function start(product: Product, body: Wish): Promise<void> {
  const { id, plan: planned } = await callPlatform(product, startFleetMigration, { body })
  printPlan(planned)
  if (id !== null) await follow(product, id)
}

function wavesOf(given: string): Wave[] {
  return given.split(';').map((wave) => ({ tenantCodes: codesOf(wave) }))
}

function codesOf(given: string): string[] {
  const codes = given.split(',').map((code) => code.trim())
  if (codes.includes('')) throw new UsageError(`"${given}" is no list of tenant codes`)
  return codes
}

function numberOption(name: 'parallel' | 'failurePercent', value: string | undefined): Partial<Wish> {
  if (value === undefined) return {}
  if (!/^\d{1,3}$/.test(value)) throw new UsageError(`"${value}" is no number`)
  return { [name]: Number(value) }
}

async function chosen(product: Product, id: string | undefined): Promise<Detail> {
  if (id !== undefined && !/^[0-9a-f-]{36}$/.test(id))
    throw new UsageError(`"${id}" is no id of a fleet migration`)
  const newest = id ?? (await newestId(product))
  return callPlatform(product, getFleetMigration, { params: { id: newest } })
}

async function newestId(product: Product): Promise<string> {
  const { fleetMigrations } = await callPlatform(product, listFleetMigrations, { query: { limit: 1 } })
  const [newest] = fleetMigrations
  if (!newest) throw new Problem(problems.notFound, { message: 'There has been no fleet migration yet' })
  return newest.id
}

async function tenantIds(product: Product, given: string): Promise<string[]> {
  const ids: string[] = []
  for (const code of codesOf(given)) {
    const tenant = await product.directory.find({ code, host: '' })
    if (!tenant) throw new Problem(problems.notFound, { message: `There is no tenant ${code}` })
    ids.push(tenant.location.tenantId)
  }
  return ids
}

/** A line whenever something has changed, until it runs no more. */
async function follow(product: Product, id: string): Promise<void> {
  const startedAt = Date.now()
  let last = ''
  for (;;) {
    const detail = await callPlatform(product, getFleetMigration, { params: { id } })
    const wave = detail.waves.find(({ status: of }) => of === 'running' || of === 'backing_up')
    const line = `${countsOf(detail.counts)}${wave ? `  (wave ${wave.number}, ${wave.name}${wave.status === 'backing_up' ? ': backing up' : ''})` : ''}`
    if (line !== last) {
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)
      process.stdout.write(`${seconds} s  ${line}\n`)
      last = line
    }
    if (detail.status !== 'running') {
      printDetail(detail)
      if (detail.status !== 'done') process.exitCode = 1
      return
    }
    await sleep(LOOK_EVERY_MS)
  }
}

function countsOf({ total, done, failed, skipped }: Detail['counts']): string {
  return `${done} of ${total} done${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function printPlan(planned: Plan): void {
  const { targetVersion, tenants, current, behind, ahead, versions, servers, plans, waves } = planned
  const out = (line: string): boolean => process.stdout.write(`${line}\n`)
  out(`target ${targetVersion}: ${tenants} tenants, ${current} there, ${behind} behind, ${ahead} ahead`)
  for (const { version, tenants: count, pendingMigrations } of versions) {
    out(`  ${version ?? 'no version'}: ${count} tenants, ${pendingMigrations.length} migrations to go`)
  }
  for (const { name, tenants: count, behind: late } of servers)
    out(`  server ${name}: ${count} tenants, ${late} behind`)
  for (const { planCode, tenants: count, behind: late } of plans)
    out(`  plan ${planCode}: ${count} tenants, ${late} behind`)
  for (const { number, name, tenants: count, tenantCodes } of waves) {
    const more = count > 5 ? ', …' : ''
    out(`  wave ${number}, ${name}: ${count} tenants (${tenantCodes.slice(0, 5).join(', ')}${more})`)
  }
}

function printSchema(line: DataOf<typeof getSchemaReport>['tenants'][number]): void {
  const { tenantCode, status: state, actualVersion, fingerprint, differences, differenceCount, error } = line
  process.stdout.write(`${tenantCode}\t${state}\t${actualVersion ?? ''}\t${fingerprint ?? error ?? ''}\n`)
  for (const { kind, object } of differences) process.stdout.write(`  ${kind}\t${object}\n`)
  if (differenceCount > differences.length)
    process.stdout.write(`  … ${differenceCount - differences.length} more\n`)
}

function printRehearsal(rehearsal: DataOf<typeof getFleetRehearsal>): void {
  const {
    tenantCode,
    status: state,
    fromVersion,
    toVersion,
    copyMs,
    migrateMs,
    checkMs,
    steps,
    findings,
    error,
  } = rehearsal
  process.stdout.write(
    `${tenantCode}\t${state}\t${fromVersion ?? ''} → ${toVersion ?? ''}${error === null ? '' : `\t${error}`}\n` +
      `  copied in ${copyMs ?? '–'} ms, migrated in ${migrateMs ?? '–'} ms, checked in ${checkMs ?? '–'} ms\n`,
  )
  for (const { name, milliseconds } of steps) process.stdout.write(`  ${name}\t${milliseconds} ms\n`)
  for (const finding of findings) process.stdout.write(`  ${finding}\n`)
}

function printDetail(detail: Detail): void {
  const { id, direction, status: state, statusReason, counts, failures } = detail
  process.stdout.write(
    `${id}\t${direction}\t${state}\t${countsOf(counts)}${statusReason === null ? '' : `\t${statusReason}`}\n`,
  )
  for (const { tenantCode, attempts, error } of failures) {
    process.stdout.write(`  ${tenantCode}\tfailed after ${attempts} attempt(s)\t${error ?? ''}\n`)
  }
}
