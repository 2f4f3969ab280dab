import { sql } from 'kysely'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { implement, type PlatformDoor, type RequestContext, type Route } from '../../http/route.ts'
import { platformSql } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { certificatesOf, isGenuine } from './certificates.ts'
import { ARCHIVABLE, ARCHIVE_TENANT, DELETE_TENANT, type Closing, type ClosingOrder } from './closing.ts'
import { archiveTenant, deleteTenant, listCertificates } from './contract.ts'
import { tenantProblems } from '../tenants/problems.ts'
import { closingProblems } from './problems.ts'

export interface ClosingRoutesPorts {
  readonly closing: Closing
  readonly secrets: Secrets
  readonly archiveRetentionDays: number
}

interface Confirmed {
  readonly confirm: string
  readonly reason?: string
}

interface Subject {
  readonly code: string
  readonly status: string
  readonly busyWith: string | null
  readonly deletableAt: string
  readonly isDeletable: boolean
}

export function closingRoutes({ closing, secrets, archiveRetentionDays }: ClosingRoutesPorts): Route[] {
  const subjectOf = async (door: PlatformDoor, id: string, { confirm }: Confirmed): Promise<Subject> => {
    const subject = await door.read((tx) =>
      tx.row(
        sql<Subject>`SELECT tenant_code AS code, status, busy_with AS "busyWith", status_changed_at
            + make_interval(days => ${archiveRetentionDays}) AS "deletableAt",
            status_changed_at + make_interval(days => ${archiveRetentionDays}) <= now() AS "isDeletable"
          FROM platform.tenant WHERE id = ${id}`.compile(platformSql),
      ),
    )
    if (!subject) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
    if (confirm !== subject.code) {
      const message = "This is not the tenant's code: nothing was done"
      throw validationProblem([{ field: 'confirm', code: 'NOT_CONFIRMED', message }])
    }
    if (subject.busyWith !== null)
      throw new Problem(problems.conflict, { message: 'Other work has this tenant to itself' })
    return subject
  }
  const orderOf = (
    kind: string,
    id: string,
    { reason }: Confirmed,
    context: RequestContext,
  ): ClosingOrder => ({
    tenantId: id,
    operationId: `${kind}:${id}:${context.newId().slice(-12)}`,
    reason: reason ?? 'asked for by an operator',
    actor: context.actor,
  })
  const answer = async (order: ClosingOrder, begun: Promise<{ finished: Promise<void> }>) => {
    const { finished } = await begun
    finished.catch(() => {}) // told by the operation
    return { tenantId: order.tenantId, operationId: order.operationId }
  }
  return [
    implement(archiveTenant, async (door, { params, body }, context) => {
      const { status } = await subjectOf(door, params.id, body)
      if (!ARCHIVABLE.includes(status))
        throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${status}` })
      const order = orderOf(ARCHIVE_TENANT, params.id, body, context)
      return answer(order, closing.archive(order))
    }),
    implement(deleteTenant, async (door, { params, body }, context) => {
      const { status, isDeletable, deletableAt } = await subjectOf(door, params.id, body)
      if (status !== 'archived')
        throw new Problem(tenantProblems.wrongState, { message: `The tenant is ${status}, not archived` })
      if (!isDeletable)
        throw new Problem(closingProblems.tooEarly, {
          message: `The archive must be kept until ${deletableAt}`,
        })
      const order = orderOf(DELETE_TENANT, params.id, body, context)
      return answer(order, closing.delete(order))
    }),
    implement(listCertificates, async (tx, { params }) => {
      const certificates = await certificatesOf(tx, params.id)
      return { certificates: certificates.map((row) => ({ ...row, isGenuine: isGenuine(secrets, row) })) }
    }),
  ]
}
