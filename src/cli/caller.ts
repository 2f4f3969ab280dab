/** Calls an operation from the command line, in the same runner and with the same checks as over HTTP. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../tenancy/new-id.ts'
import { isDestructive, type ApprovalData } from '../http/approvals/contract.ts'
import { CommandRunner, type Command } from '../http/commands.ts'
import { constraintProblem } from '../http/constraints.ts'
import type { DataOf, InputOf, Operation } from '../http/contract.ts'
import { bodyProblems } from '../http/validation.ts'
import { validationProblem } from '../kernel/problem.ts'
import { getOperation } from '../platform/operations/contract.ts'
import type { Product } from '../server/product.ts'

const LOOK_EVERY_MS = 250
const PARTS = ['params', 'query', 'body'] as const

/** Waits for a long operation, however it ends; a failed one is told and makes the exit code 1. */
export async function finished(product: Product, operationId: string): Promise<boolean> {
  for (;;) {
    const { status, error } = await callPlatform(product, getOperation, { params: { id: operationId } })
    if (status === 'done') return true
    if (status !== 'running' && status !== 'queued') {
      process.stderr.write(`${error ?? status}\n`)
      process.exitCode = 1
      return false
    }
    await sleep(LOOK_EVERY_MS)
  }
}

export async function callPlatform<O extends Operation>(
  product: Product,
  operation: O,
  input: Partial<InputOf<O>>,
): Promise<DataOf<O>> {
  const route = product.routes.find((candidate) => candidate.operation.name === operation.name)
  if (!route) throw new Error(`No route carries out ${operation.name}`)
  const given = { params: {}, query: {}, body: undefined, ...input }
  const wrong = PARTS.flatMap((part) => {
    const schema = operation[part]
    return schema ? bodyProblems(schema, given[part]) : []
  })
  if (wrong.length > 0) throw validationProblem(wrong)
  const command: Command = {
    route,
    input: given,
    tenant: undefined,
    claim: undefined,
    context: {
      actor: { kind: 'system', id: null, requestId: `cli-${randomUUID()}`, address: null },
      principal: undefined,
      now: new Date(),
      userAgent: 'erp command line',
      ifMatch: undefined,
      newId,
      answer: {},
    },
  }
  const answer = await new CommandRunner(product.gate, product.approvals)
    .run(command)
    .catch((error: unknown) => {
      throw constraintProblem(error) ?? error // as over HTTP
    })
  const { approval } = answer.data as { approval?: ApprovalData }
  if (approval && isDestructive(operation, given.body)) throw new WaitsForApproval(approval)
  return answer.data as DataOf<O>
}

/** Nothing went wrong, and nothing was done yet: a command ends here. */
export class WaitsForApproval extends Error {
  constructor({ id, path, expiresAt }: ApprovalData) {
    super(
      `Nothing has been done yet: this waits for an operator who approves it (DUAL_APPROVAL).\n` +
        `  request   ${id}\n  to do     ${path}\n  until     ${expiresAt}\n` +
        `Approve or reject it in the operator portal, under Approvals. It is then carried out by itself.`,
    )
  }
}
