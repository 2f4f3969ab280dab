import type { Static } from 'typebox'
import { Problem, problems } from '../../kernel/problem.ts'
import { implement, type Route } from '../../http/route.ts'
import type { Workflows } from '../../jobs/workflows.ts'
import type { PlatformRead } from '../../tenancy/handles.ts'
import { BACK_UP_TENANT, backupSteps } from '../backups/backups.ts'
import { PROVISION_TENANT, provisioningSteps } from '../tenants/provisioning.ts'
import { getOperation, type OperationState } from './contract.ts'

export type OperationView = Omit<Static<typeof OperationState>, 'id'>

/** Work that is more than one workflow tells itself how far it is; undefined: the id is none of its. */
export type OperationViewer = (tx: PlatformRead, operationId: string) => Promise<OperationView | undefined>

/** The steps each kind of operation has, so that progress is known before they are done. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  [PROVISION_TENANT]: provisioningSteps,
  [BACK_UP_TENANT]: backupSteps,
}

export function operationRoutes(workflows: Workflows, viewers: readonly OperationViewer[]): Route[] {
  return [
    implement(getOperation, async (door, { params }) => {
      for (const viewer of viewers) {
        const view = await door.read((tx) => viewer(tx, params.id))
        if (view) return { id: params.id, ...view }
      }
      const state = await workflows.state(params.id)
      if (!state) throw new Problem(problems.notFound, { message: 'There is no such operation' })
      const planned = STEPS[state.kind] ?? []
      const extra = state.finishedSteps.map(({ name }) => name).filter((name) => !planned.includes(name))
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
        id: params.id,
        kind: state.kind,
        status: state.status,
        progress,
        steps: withNext,
        error: state.error,
      }
    }),
  ]
}
