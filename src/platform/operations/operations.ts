import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { paginationOf } from '../../http/contract.ts'
import { implement, type PlatformDoor, type Route } from '../../http/route.ts'
import type { Workflows } from '../../jobs/workflows.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import { BACK_UP_TENANT, backupSteps } from '../backups/backups.ts'
import { REHEARSE_MIGRATION, rehearsalSteps } from '../fleet/rehearsal.ts'
import { CHANGE_PASSWORDS, changePasswordSteps } from '../tenants/passwords.ts'
import { MOVE_TENANT, moveSteps } from '../moves/moving.ts'
import { ARCHIVE_TENANT, archiveSteps, DELETE_TENANT, deleteSteps } from '../closing/closing.ts'
import { EXPORT_TENANT, exportSteps } from '../exports/exporting.ts'
import {
  RESTORE_TENANT,
  restoreSteps,
  SWAP_RESTORE,
  swapSteps,
  UNDO_RESTORE,
  undoSteps,
} from '../restores/restoring.ts'
import { PROVISION_TENANT, provisioningSteps } from '../tenants/provisioning.ts'
import { getOperation, listOperations, type OperationState } from './contract.ts'

export type OperationView = Omit<Static<typeof OperationState>, 'id'>

/** Work that is more than one workflow tells itself how far it is; undefined: the id is none of its. */
export type OperationViewer = (tx: PlatformRead, operationId: string) => Promise<OperationView | undefined>

/** The steps each kind of operation has, so that progress is known before they are done. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  [PROVISION_TENANT]: provisioningSteps,
  [BACK_UP_TENANT]: backupSteps,
  [REHEARSE_MIGRATION]: rehearsalSteps,
  [CHANGE_PASSWORDS]: changePasswordSteps,
  [MOVE_TENANT]: moveSteps,
  [`${RESTORE_TENANT}:side`]: restoreSteps.side,
  [`${RESTORE_TENANT}:swap`]: restoreSteps.swap,
  [`${RESTORE_TENANT}:clone`]: restoreSteps.clone,
  [`${RESTORE_TENANT}:drill`]: restoreSteps.drill,
  [SWAP_RESTORE]: swapSteps,
  [UNDO_RESTORE]: undoSteps,
  [EXPORT_TENANT]: exportSteps,
  [ARCHIVE_TENANT]: archiveSteps,
  [DELETE_TENANT]: deleteSteps,
}

/** An operation's id begins with its kind; where a kind has several ways, with the way behind it. */
function stepsOf(id: string, kind: string): readonly string[] {
  return STEPS[id.split(':').slice(0, 2).join(':')] ?? STEPS[kind] ?? []
}

/** What the library itself notes, e.g. that another workflow was waited for. */
const OF_LIBRARY = /^DBOS\./

export function operationRoutes(workflows: Workflows, viewers: readonly OperationViewer[]): Route[] {
  return [
    implement(getOperation, async (door, { params: { id } }) => {
      const view = await look(door, workflows, viewers, id)
      if (!view) throw new Problem(problems.notFound, { message: 'There is no such operation' })
      return { id, ...view }
    }),
    implement(listOperations, async (door, { query: { page = 1, limit = 50, status, kind } }) => {
      const found = await workflows.list({ status, kind, limit, offset: (page - 1) * limit })
      const tenants = await door.read((tx) => tenantsOf(tx, found.workflows))
      const operations = found.workflows.map(async ({ startedAt, changedAt, ...workflow }) => ({
        ...workflow,
        progress: await progressOf(workflow, () => look(door, workflows, viewers, workflow.id)),
        tenant: tenants.get(uuidIn(workflow.id) ?? '') ?? null,
        startedAt: startedAt.toISOString(),
        changedAt: changedAt.toISOString(),
      }))
      return {
        operations: await Promise.all(operations),
        pagination: paginationOf(found.total, page, limit),
      }
    }),
  ]
}

async function progressOf(
  { status }: { status: OperationView['status'] },
  view: () => Promise<OperationView | undefined>,
): Promise<number | null> {
  if (status === 'done') return 1
  if (status === 'queued') return 0
  return status === 'running' ? ((await view())?.progress ?? 0) : null
}

/** An operation's id names whom it is about. */
function uuidIn(id: string): string | undefined {
  return /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(id)?.[0]
}

async function tenantsOf(
  tx: PlatformRead,
  named: readonly { id: string }[],
): Promise<Map<string, { id: string; tenantCode: string }>> {
  const ids = named.flatMap(({ id }) => uuidIn(id) ?? [])
  if (ids.length === 0) return new Map()
  const rows = await tx.rows(
    platformSql
      .selectFrom('platform.tenant')
      .select(['id', 'tenant_code as tenantCode'])
      .where('id', 'in', ids),
  )
  return new Map(rows.map((row) => [row.id, row]))
}

async function look(
  door: PlatformDoor,
  workflows: Workflows,
  viewers: readonly OperationViewer[],
  id: string,
): Promise<OperationView | undefined> {
  for (const viewer of viewers) {
    const view = await door.read((tx) => viewer(tx, id))
    if (view) return view
  }
  const state = await workflows.state(id)
  return state && viewOf(id, state)
}

function viewOf(id: string, state: NonNullable<Awaited<ReturnType<Workflows['state']>>>): OperationView {
  const planned = stepsOf(id, state.kind)
  const extra = state.finishedSteps
    .map(({ name }) => name)
    .filter((name) => !planned.includes(name) && !OF_LIBRARY.test(name))
  const isOver = state.status !== 'running' && state.status !== 'queued'
  const steps = [...planned, ...extra].map((name) => {
    const finished = state.finishedSteps.find((step) => step.name === name)
    return {
      name,
      status: finished ? ('done' as const) : isOver ? ('failed' as const) : ('waiting' as const),
      startedAt: finished?.startedAt?.toISOString() ?? null,
      finishedAt: finished?.finishedAt?.toISOString() ?? null,
    }
  })
  const next = steps.find(({ status }) => status === 'waiting')
  const withNext = steps.map((step) =>
    step === next && !isOver ? { ...step, status: 'running' as const } : step,
  )
  const done = steps.filter(({ status }) => status === 'done').length
  const progress = state.status === 'done' ? 1 : steps.length === 0 ? 0 : done / steps.length
  return {
    kind: state.kind,
    status: state.status,
    progress,
    steps: withNext,
    error: state.error,
  }
}
