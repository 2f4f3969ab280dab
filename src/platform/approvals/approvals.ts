/**
 * Two operators for what cannot be undone. A destructive request is kept, exactly as it was asked for; another operator
 * with the same permission approves it, and it is carried out once, as the first one. What the world looks like is
 * asked by the operation itself, when it is carried out.
 */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import type { ApprovalData } from '../../http/approvals/contract.ts'
import {
  CommandRunner,
  type Answer,
  type Approvals as ApprovalsPort,
  type Command,
} from '../../http/commands.ts'
import { constraintProblem } from '../../http/constraints.ts'
import type { Operation } from '../../http/contract.ts'
import type { PlatformDoor, Principal, RequestContext, Route } from '../../http/route.ts'
import { BASE_PATHS } from '../../http/server.ts'
import type { StepWatch } from '../../jobs/steps.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { newId } from '../../tenancy/new-id.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import { recordEvent } from '../audit.ts'
import { operatorPermissions, type OperatorRole } from '../operators/rules/permissions.ts'
import * as records from './records.ts'
import { canonicalJson } from './rules/canonical-json.ts'
import { approvalProblems } from './problems.ts'

export interface ApprovalsPorts {
  readonly gate: Gate
  readonly isRequired: boolean
  readonly routes: () => readonly Route[]
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop here. */
  readonly atStep?: StepWatch | undefined
}

const PENDING_MAXIMUM = 100
const INPUT_LENGTH_MAXIMUM = 100_000
const HOUR_MS = 3_600_000
/** Requests that arrive together are counted, and told apart, one after the other. */
const HOLD_LOCK = 7_241_860_022
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'approvals', address: null }

interface Input {
  readonly params: Readonly<Record<string, string>>
  readonly query: unknown
  readonly body: unknown
}

export class Approvals implements ApprovalsPort {
  readonly #ports: ApprovalsPorts
  /** Carries out what was approved: nothing waits again. */
  readonly #runner: CommandRunner

  constructor(ports: ApprovalsPorts) {
    this.#ports = ports
    this.#runner = new CommandRunner(ports.gate)
  }

  get isRequired(): boolean {
    return this.#ports.isRequired
  }

  /** Names of the operations that wait. */
  get operations(): string[] {
    const destructive = this.#ports.routes().filter(({ operation }) => operation.needsApproval)
    return destructive.map(({ operation }) => operation.name).toSorted()
  }

  // ---- asking ------------------------------------------------------------------------------------------

  async hold(command: Command): Promise<Answer> {
    const { actor, now } = command.context
    const approval = await this.#ports.gate.writePlatform(actor, async (tx) =>
      this.present(await records.readRow(tx, await this.#kept(tx, command, now))),
    )
    return { status: 202, data: { approval }, message: 'This waits for a second operator' }
  }

  /** The id of the request; the same one of the same operator that still waits is not kept twice. */
  async #kept(tx: PlatformTx, { route, input, context }: Command, now: Date): Promise<string> {
    const { operation } = route
    const text = canonicalJson({ ...input, body: input.body ?? null })
    if (text.length > INPUT_LENGTH_MAXIMUM) throw new Problem(problems.bodyTooLarge)
    const requestedBy = context.principal?.id ?? null
    await tx.rows(sql`SELECT pg_advisory_xact_lock(${HOLD_LOCK})`.compile(platformSql))
    const waiting = await tx.rows(
      sql<{ id: string; isSame: boolean }>`SELECT id, operation = ${operation.name} AND input = ${text}
          AND requested_by IS NOT DISTINCT FROM ${requestedBy} AS "isSame"
        FROM platform.approval_request WHERE state = 'pending' AND expires_at > now()`.compile(platformSql),
    )
    const same = waiting.find(({ isSame }) => isSame)
    if (same) return same.id
    if (waiting.length >= PENDING_MAXIMUM) throw new Problem(approvalProblems.tooMany)
    const id = context.newId()
    const expiresAt = new Date(now.getTime() + records.WAITS_HOURS * HOUR_MS).toISOString()
    const tenantId = tenantOf(operation, input as Input)
    await tx.run(
      sql`INSERT INTO platform.approval_request (id, operation, input, if_match, tenant_id, state, requested_by, address,
          user_agent, expires_at)
        VALUES (${id}, ${operation.name}, ${text}, ${context.ifMatch ?? null},
          (SELECT id FROM platform.tenant WHERE id = ${tenantId}), 'pending', ${requestedBy},
          ${context.actor.address}, ${context.userAgent}, ${expiresAt})`.compile(platformSql),
    )
    await recordEvent(tx, {
      action: 'request',
      entity: records.ENTITY,
      entityId: id,
      ...(tenantId === null ? {} : { tenantId }),
      details: { operation: operation.name, input: JSON.parse(text) as unknown },
    })
    return id
  }

  // ---- deciding ----------------------------------------------------------------------------------------

  async approve(
    door: PlatformDoor,
    id: string,
    reason: string,
    context: RequestContext,
  ): Promise<ApprovalData> {
    const approver = operatorOf(context)
    await door.write(async (tx) => {
      const row = await this.#decidable(tx, id, approver)
      if (row.requestedById === approver.id) throw new Problem(approvalProblems.ownRequest)
      if ((await records.takeApproval(tx, id, approver.id, reason)) === 0)
        throw new Problem(approvalProblems.decided)
      await this.#recordDecision(tx, 'approve', row, reason)
    })
    await this.#ports.atStep?.('approval: approve', 'after')
    await this.#carryOut(id)
    return door.read(async (tx) => this.present(await records.readRow(tx, id)))
  }

  async reject(tx: PlatformTx, id: string, reason: string, context: RequestContext): Promise<ApprovalData> {
    const operator = operatorOf(context)
    const row = await this.#decidable(tx, id, operator)
    if ((await records.takeRejection(tx, id, operator.id, reason)) === 0)
      throw new Problem(approvalProblems.decided)
    await this.#recordDecision(tx, 'reject', row, reason)
    return this.present(await records.readRow(tx, id))
  }

  /** Whoever decides must be allowed to do it themselves. */
  async #decidable(tx: PlatformTx, id: string, operator: Principal): Promise<records.Row> {
    const row = await records.readRow(tx, id)
    const { permission } = this.#routeOf(row.operation).operation
    if (!operator.permissions.has(permission)) {
      throw new Problem(problems.permissionDenied, { details: { permission } })
    }
    return row
  }

  async #recordDecision(tx: PlatformTx, action: string, row: records.Row, reason: string): Promise<void> {
    await recordEvent(tx, {
      action,
      entity: records.ENTITY,
      entityId: row.id,
      ...(row.tenantId === null ? {} : { tenantId: row.tenantId }),
      details: { operation: row.operation, requestedBy: row.requestedById, reason },
    })
  }

  // ---- carrying out ------------------------------------------------------------------------------------

  async #carryOut(id: string): Promise<void> {
    const { gate, atStep, log } = this.#ports
    const held = await gate.writePlatform(SYSTEM, (tx) => records.takeExecution(tx, id))
    if (!held) return // another process has it
    await atStep?.('approval: execute', 'before')
    // What is written on the way carries the request's id: it leads to both operators.
    const actor: Actor = {
      kind: held.requestedById === null ? 'system' : 'operator',
      id: held.requestedById,
      requestId: `approval-${id}`,
      address: held.address,
    }
    const outcome = await this.#outcome(held, actor).catch((error: unknown): records.Outcome => {
      const known = error instanceof Problem ? error : constraintProblem(error)
      if (!known) log('error', `Approval request ${id} failed: ${error instanceof Error ? error.stack : String(error)}`) // prettier-ignore
      return {
        operationId: null,
        error: known ? `${known.code}: ${known.message}` : problems.serverError.message,
      }
    })
    await atStep?.('approval: execute', 'after')
    await gate.writePlatform(actor, (tx) => records.finish(tx, held, outcome))
  }

  async #outcome(held: records.Held, actor: Actor): Promise<records.Outcome> {
    const route = this.#routeOf(held.operation)
    const input = JSON.parse(held.input) as Input
    const principal = await this.#requester(held, route.operation)
    const { data } = await this.#runner.run({
      route,
      input: { ...input, body: input.body ?? undefined },
      tenant: undefined,
      claim: undefined,
      context: {
        actor,
        principal,
        now: new Date(),
        userAgent: held.userAgent,
        ifMatch: held.ifMatch ?? undefined,
        newId,
        answer: {},
      },
    })
    const { operationId } = data as { operationId?: unknown }
    return { operationId: typeof operationId === 'string' ? operationId : null, error: null }
  }

  /** Who asked may have lost the right meanwhile: then it is not done. */
  async #requester(held: records.Held, { permission }: Operation): Promise<Principal | undefined> {
    const { requestedById: id } = held
    if (id === null) return undefined
    const row = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        platformSql
          .selectFrom('platform.operator')
          .select('role')
          .where('id', '=', id)
          .where('is_active', '=', true)
          .where('deleted_at', 'is', null),
      ),
    )
    const permissions = new Set(row ? operatorPermissions[row.role as OperatorRole] : [])
    if (!permissions.has(permission)) {
      const message = 'Who asked for it may not do it any more'
      throw new Problem(problems.permissionDenied, { message })
    }
    return {
      kind: 'operator',
      id,
      sessionId: held.id,
      companyId: null,
      permissions,
    }
  }

  /** What others left behind, what is lost, what has expired. May run in several processes. */
  async tend(): Promise<void> {
    const { gate } = this.#ports
    const left = await gate.readPlatform(SYSTEM, (tx) => records.leftBehind(tx))
    for (const id of left) await this.#carryOut(id)
    await gate.writePlatform(SYSTEM, async (tx) => {
      await records.giveUpLost(tx)
      await records.expireOld(tx)
    })
  }

  // ---- shown -------------------------------------------------------------------------------------------

  present(row: records.Row): ApprovalData {
    const { summary, method, path, audience } = this.#routeOf(row.operation).operation
    const { params } = JSON.parse(row.input) as Input
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '')
    return { ...row, summary, path: `${method} ${BASE_PATHS[audience]}${filled}` }
  }

  #routeOf(name: string): Route {
    const route = this.#ports.routes().find(({ operation }) => operation.name === name)
    if (!route) throw new Problem(problems.notFound, { message: `There is no operation ${name} any more` })
    return route
  }
}

function operatorOf({ principal }: RequestContext): Principal {
  if (principal?.kind !== 'operator') throw new Problem(problems.permissionDenied)
  return principal
}

function tenantOf({ path }: Operation, { params }: Input): string | null {
  return path.startsWith('/tenants/{id}') ? (params['id'] ?? null) : null
}
