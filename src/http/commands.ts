/**
 * The command runner: carries out one request in the kind of transaction its contract asks for, with
 * idempotency, and joins postings that arrive together into one transaction.
 *
 * Why join them: entries of one company queue for its gapless number anyway, and each transaction costs a
 * flush and some round trips. While one group is being committed the next one gathers; nobody waits for a
 * timer. One request alone is a group of one. (Tried: two groups at once, which wait for each other's locks
 * and cost PostgreSQL three times as much an entry; waiting 2 ms for a group to fill, which filled none; the
 * next group's look-ups during the last one's flush, and answers written meanwhile, which changed nothing.)
 */
import { Problem } from '../kernel/problem.ts'
import { TransactionLost, type Gate, type TenantLocation } from '../tenancy/gate.ts'
import type { PlatformTx, TenantRead, TenantTx } from '../tenancy/handles.ts'
import { isDestructive } from './approvals/contract.ts'
import type { Operation } from './contract.ts'
import { KeyTakenMeanwhile, saveAnswers, savedAnswers, type IdempotencyClaim } from './idempotency.ts'
import type { Handler, PlatformDoor, RequestContext, Route, TenantContext, TenantDoor } from './route.ts'

export interface Command {
  readonly route: Route
  readonly input: { params: unknown; query: unknown; body: unknown }
  readonly context: RequestContext
  readonly tenant: TenantLocation | undefined
  readonly claim: IdempotencyClaim | undefined
}

export interface Answer {
  readonly status: number
  readonly data: unknown
  readonly message: string | undefined
}

/** Where what waits for a second operator is kept until it is decided. */
export interface Approvals {
  /** The same request asked for again is kept once. */
  hold(command: Command): Promise<Answer>
}

const GROUP_MAXIMUM = 64

export class CommandRunner {
  readonly #gate: Gate
  readonly #approvals: Approvals | undefined
  readonly #groups = new Map<string, Group>()

  /** Without `approvals` nothing waits. */
  constructor(gate: Gate, approvals?: Approvals) {
    this.#gate = gate
    this.#approvals = approvals
  }

  run(command: Command): Promise<Answer> {
    const { route, tenant, input } = command
    if (this.#approvals && isDestructive(route.operation, input.body)) return this.#approvals.hold(command)
    const isGrouped = tenant && !readsOnly(command) && route.grouping?.applies(command.input as never)
    if (isGrouped) return this.#joined(command, tenant)
    return this.#alone(command)
  }

  async #alone(command: Command): Promise<Answer> {
    try {
      return await this.#once(command)
    } catch (error) {
      if (!mayBeRepeated(error, command)) throw error
      return this.#once(command)
    }
  }

  #once(command: Command): Promise<Answer> {
    const { tenant, context } = command
    const { actor } = context
    if (!tenant) {
      return answered(command, 'platform', {
        read: (work) => this.#gate.readPlatform(actor, work),
        write: (work) => this.#gate.writePlatform(actor, work),
      } satisfies PlatformDoor)
    }
    const companyId = context.principal?.companyId ?? null
    return answered(command, 'core', {
      read: (work) => this.#gate.readTenant(tenant, companyId, actor, work),
      write: (work) =>
        readsOnly(command)
          ? this.#gate.readTenant(
              tenant,
              companyId,
              actor,
              work as (tx: TenantRead) => ReturnType<typeof work>,
            )
          : this.#gate.writeTenant(tenant, companyId, actor, work),
    } satisfies TenantDoor)
  }

  // ---- groups ------------------------------------------------------------------------------------------

  #joined(command: Command, tenant: TenantLocation): Promise<Answer> {
    const companyId = command.context.principal?.companyId ?? ''
    const key = `${tenant.tenantId}/${companyId}/${command.route.operation.name}`
    return new Promise((resolve, reject) => {
      const group = this.#groups.get(key) ?? { waiting: [], isRunning: false }
      this.#groups.set(key, group)
      group.waiting.push({ command, resolve, reject })
      if (!group.isRunning) void this.#drain(key, group, tenant)
    })
  }

  async #drain(key: string, group: Group, tenant: TenantLocation): Promise<void> {
    group.isRunning = true
    while (group.waiting.length > 0) {
      const members = group.waiting.splice(0, GROUP_MAXIMUM)
      await this.#together(members, tenant)
    }
    this.#groups.delete(key)
  }

  async #together(members: readonly Member[], tenant: TenantLocation): Promise<void> {
    const [first] = members
    if (!first) return
    const { context } = first.command
    // Two requests with one key must not meet in one transaction: the later ones go alone, afterwards.
    const [together, later] = splitByKey(members)
    try {
      const answers = await this.#gate.writeTenant(
        tenant,
        context.principal?.companyId ?? null,
        context.actor,
        (tx) => handledTogether(tx, together),
      )
      for (const [index, member] of together.entries()) settle(member, answers[index])
    } catch (error) {
      if (mayBeRepeated(error, first.command) || (together.length > 1 && !mayStand(error)))
        await this.#oneByOne(together)
      else for (const { reject } of together) reject(error)
    }
    await this.#oneByOne(later)
  }

  async #oneByOne(members: readonly Member[]): Promise<void> {
    for (const member of members) await this.#alone(member.command).then(member.resolve, member.reject)
  }
}

interface Member {
  readonly command: Command
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

interface Group {
  readonly waiting: Member[]
  isRunning: boolean
}

/** The second wall: PostgreSQL refuses what the operation should have been refused for before it began. */
function readsOnly({ context }: Command): boolean {
  return context.principal?.support?.mayChange === false
}

/** Once: nothing of it is there, or another request has given the answer meanwhile. */
function mayBeRepeated(error: unknown, { route }: Command): boolean {
  if (error instanceof KeyTakenMeanwhile) return true
  return error instanceof TransactionLost && !error.mayStand && route.operation.access !== 'steps'
}

/** Whose COMMIT was under way: done again without a key, it would be done twice. */
function mayStand(error: unknown): boolean {
  return error instanceof TransactionLost && error.mayStand
}

function splitByKey(members: readonly Member[]): [Member[], Member[]] {
  const seen = new Set<string>()
  const together: Member[] = []
  const later: Member[] = []
  for (const member of members) {
    const { claim } = member.command
    const key = claim && `${claim.scope}/${claim.key}`
    if (key !== undefined && seen.has(key)) later.push(member)
    else together.push(member)
    if (key !== undefined) seen.add(key)
  }
  return [together, later]
}

function settle(member: Member, answer: Answer | Problem | undefined): void {
  if (answer instanceof Problem) member.reject(answer)
  else if (answer) member.resolve(answer)
  else member.reject(new Error('A grouped handler must answer every member'))
}

async function handledTogether(tx: TenantTx, members: readonly Member[]): Promise<(Answer | Problem)[]> {
  const commands = members.map(({ command }) => command)
  const grouping = commands[0]?.route.grouping
  if (!grouping) throw new Error('Only a grouped operation is joined with others')
  const [saved, loaded] = await Promise.all([
    savedAnswers(tx, 'core', commands.map(({ claim }) => claim)), // prettier-ignore
    grouping.load(tx, commands.map(({ input }) => input) as never),
  ])
  const fresh = commands.filter((_, index) => saved[index] === undefined)
  const results = await grouping.handle(tx, fresh as never, loaded)
  const answers = new Map<Command, Answer | Problem>()
  for (const [index, command] of fresh.entries()) {
    const result = results[index]
    answers.set(command, result instanceof Problem ? result : answerOf(command, result))
  }
  saveAnswers(
    tx,
    'core',
    fresh.flatMap((command) => {
      const answer = answers.get(command)
      return command.claim && answer && !(answer instanceof Problem) ? [{ ...command.claim, ...answer }] : []
    }),
  )
  return commands.map((command, index) => {
    const before = saved[index]
    if (before instanceof Problem) return before
    return before ? { ...before, message: undefined } : (answers.get(command) as Answer | Problem)
  })
}

interface Door<Read, Tx> {
  read<Result>(work: (tx: Read) => Promise<Result>): Promise<Result>
  write<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
}

/** In the kind of transaction the contract asks for. */
function answered<Read, Tx extends TenantTx | PlatformTx>(
  command: Command,
  schema: 'core' | 'platform',
  door: Door<Read, Tx>,
): Promise<Answer> {
  switch (command.route.operation.access) {
    case 'read':
      return door.read((tx) => handled(command, tx))
    case 'write':
      // One transaction for the work and its answer: both stand or neither.
      return door.write((tx) => oncePerKey(command, schema, (work) => work(tx), tx))
    case 'steps':
      // Several short ones: the answer is kept after the work, which must be safe to repeat by itself.
      return oncePerKey(command, schema, (work) => door.write(work), door)
  }
}

/** The answer that was given to this key before, or what the work answers now, kept for the next time. */
async function oncePerKey<Tx extends TenantTx | PlatformTx>(
  command: Command,
  schema: 'core' | 'platform',
  within: <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>,
  database: Tx | Door<unknown, Tx>,
): Promise<Answer> {
  const { claim } = command
  if (!claim) return handled(command, database)
  const [saved] = await within((tx) => savedAnswers(tx, schema, [claim]))
  if (saved instanceof Problem) throw saved
  if (saved) return { ...saved, message: undefined }
  const answer = await handled(command, database)
  await within(async (tx) => saveAnswers(tx, schema, [{ ...claim, ...answer }]))
  return answer
}

async function handled(command: Command, database: unknown): Promise<Answer> {
  const handle = command.route.handle as unknown as (
    database: unknown,
    input: Command['input'],
    context: RequestContext | TenantContext,
  ) => ReturnType<Handler<Operation>>
  const { tenant, context } = command
  const data = await handle(database, command.input, tenant ? { ...context, tenant } : context)
  return answerOf(command, data)
}

function answerOf(command: Command, data: unknown): Answer {
  const { operation } = command.route
  const { answer } = command.context
  return {
    status: answer.status ?? operation.status ?? 200,
    data,
    message: answer.message ?? operation.message,
  }
}
