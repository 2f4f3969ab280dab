/**
 * Durable workflows on PostgreSQL (DBOS): each step's outcome is kept, so that a workflow whose process
 * died goes on at the step it was in. A process proves that it lives by a session advisory lock; another
 * one takes over the workflows of a process whose lock is free.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DBOS, DBOSWorkflowConflictError } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { clientConfig, type DatabaseAddress } from '../tenancy/pools.ts'

export interface WorkflowOptions {
  readonly database: DatabaseAddress
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  readonly takeOverEveryMs?: number
  /** Not: what others left behind is left to others. */
  readonly takesOver?: boolean
}

export interface WorkflowState {
  readonly status: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly finishedSteps: readonly { name: string; startedAt: Date | null; finishedAt: Date | null }[]
  readonly error: string | null
}

export interface WorkflowFilter {
  readonly kind: string | undefined
  readonly status: WorkflowState['status'] | undefined
  readonly limit: number
  readonly offset: number
}

export interface WorkflowPage {
  readonly total: number
  readonly workflows: readonly {
    readonly id: string
    readonly kind: string
    readonly status: WorkflowState['status']
    readonly startedAt: Date
    readonly changedAt: Date
    readonly error: string | null
  }[]
}

/** The code's version for DBOS: constant, because every step is written to be taken over by newer code. */
const APPLICATION_VERSION = '1'
const LOCK_CLASS = 7_241_861
const LAUNCH_LOCK = 7_241_860_003
const LAUNCH_TRY_EVERY_MS = 50
const POOL_CONNECTIONS = 6
const COUNT_TIMEOUT_MS = 5_000
const TAKE_OVER_EVERY_MS = 5_000
const PROVE_AGAIN_AFTER_MS = 500

export class Workflows {
  readonly #options: WorkflowOptions
  readonly #executorId = randomUUID()
  readonly #pool: pg.Pool
  readonly #clients = new Set<pg.ClientBase & { end(): Promise<void> }>()
  #lock: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: WorkflowOptions) {
    this.#options = options
    this.#pool = new pg.Pool({ ...clientConfig(options.database), max: POOL_CONNECTIONS })
    this.#pool.on('connect', (client) => {
      // Between being made and being handed over, a connection has no listener of the pool's nor of its borrower's; the
      // last word of a dying server may come in the same piece as its welcome, and would end this process.
      client.on('error', () => {})
      this.#clients.add(client)
    })
    this.#pool.on('remove', (client) => this.#clients.delete(client))
    this.#pool.on('error', (error) => options.log('warn', `A workflow connection was lost: ${error.message}`))
  }

  async start(): Promise<void> {
    const { log } = this.#options
    await this.#proveLife()
    DBOS.setConfig({
      name: 'solution-erp',
      // Our own pool: DBOS would ask another database whether this one exists, which its role may not enter.
      systemDatabasePool: this.#pool,
      executorID: this.#executorId,
      applicationVersion: APPLICATION_VERSION,
      // Debug and info of the library tell its own story, not the operator's.
      logger: {
        info: () => {},
        debug: () => {},
        warn: (message: unknown) => log('warn', String(message)),
        error: (message: unknown) => log('error', String(message)),
      } as never,
    })
    await this.#launch()
    if (this.#options.takesOver === false) return
    await this.#takeOver()
    const everyMs = this.#options.takeOverEveryMs ?? TAKE_OVER_EVERY_MS
    this.#timer = setInterval(() => void this.#takeOver(), everyMs)
    this.#timer.unref()
  }

  /**
   * The first start makes the library's tables, and two processes that do so at once get into each other's way.
   * Tried again and again rather than waited for: it makes an index CONCURRENTLY, which waits for every
   * statement that is running, so that one waiting for us would never end.
   */
  async #launch(): Promise<void> {
    const take = 'SELECT pg_try_advisory_lock($1) AS taken'
    while (!(await this.#lock?.query<{ taken: boolean }>(take, [LAUNCH_LOCK]))?.rows[0]?.taken) {
      await sleep(LAUNCH_TRY_EVERY_MS)
    }
    try {
      await DBOS.launch()
    } finally {
      await this.#lock?.query('SELECT pg_advisory_unlock($1)', [LAUNCH_LOCK])
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await DBOS.shutdown({ workflowCompletionTimeoutMS: 10_000 })
    await this.#lock?.end().catch(() => {})
    // Not awaited: DBOS keeps a listening connection of a pool that is not its own, and the pool would wait for it.
    void this.#pool.end()
    for (const client of this.#clients) await client.end().catch(() => {})
  }

  async state(id: string): Promise<(WorkflowState & { kind: string }) | undefined> {
    const status = await DBOS.getWorkflowStatus(id)
    if (!status) return undefined
    const steps = (await DBOS.listWorkflowSteps(id)) ?? []
    return {
      kind: status.workflowName,
      status: STATES[status.status] ?? 'running',
      finishedSteps: steps.map(({ name, startedAtEpochMs, completedAtEpochMs }) => ({
        name,
        startedAt: instant(startedAtEpochMs),
        finishedAt: instant(completedAtEpochMs),
      })),
      error: status.error instanceof Error ? status.error.message : null,
    }
  }

  /** Newest first, with how many there are in all. */
  async list({ kind, status, limit, offset }: WorkflowFilter): Promise<WorkflowPage> {
    const statuses = Object.keys(STATES).filter((name) => status === undefined || STATES[name] === status)
    const filter = { status: statuses as never, ...(kind === undefined ? {} : { workflowName: kind }) }
    const [found, counted] = await Promise.all([
      DBOS.listWorkflows({ ...filter, limit, offset, sortDesc: true, loadInput: false }),
      this.#pool.query<{ total: number }>({
        text: `SELECT count(*)::int AS total FROM dbos.workflow_status
          WHERE status = ANY($1) AND ($2::text IS NULL OR name = $2)`,
        values: [statuses, kind ?? null],
        query_timeout: COUNT_TIMEOUT_MS,
      } as pg.QueryConfig),
    ])
    return {
      total: counted.rows[0]?.total ?? 0,
      workflows: found.map(({ workflowID, workflowName, createdAt, updatedAt, error, ...state }) => ({
        id: workflowID,
        kind: workflowName,
        status: STATES[state.status] ?? 'running',
        startedAt: new Date(createdAt),
        changedAt: new Date(updatedAt ?? createdAt),
        error: error instanceof Error ? error.message : null,
      })),
    }
  }

  /** Held as long as the connection lives: the server frees it the moment this process is gone. */
  async #proveLife(): Promise<void> {
    const client = new pg.Client({ ...clientConfig(this.#options.database), connectionTimeoutMillis: 5_000 })
    client.on('error', () => client.end().catch(() => {}))
    try {
      await client.connect()
      await client.query('SELECT pg_advisory_lock($1, $2)', [LOCK_CLASS, lockKey(this.#executorId)])
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    client.once('end', () => void this.#proveLifeAgain())
    this.#lock = client
    if (this.#stopped) await client.end()
  }

  async #proveLifeAgain(): Promise<void> {
    while (!this.#stopped) {
      await sleep(PROVE_AGAIN_AFTER_MS, undefined, { ref: false })
      if (this.#stopped) return
      try {
        return await this.#proveLife()
      } catch {
        // The database is still away; nobody can take our workflows over meanwhile.
      }
    }
  }

  async #takeOver(): Promise<void> {
    try {
      const executors = new Set((await pendingWorkflows()).map(({ executorId }) => executorId ?? ''))
      executors.delete(this.#executorId)
      for (const executorId of executors) await this.#takeOverFrom(executorId)
    } catch (error) {
      if (!this.#stopped)
        this.#options.log('error', `Looking for orphaned workflows failed: ${String(error)}`)
    }
  }

  /**
   * Under the lock that a living process has of itself, and looked up again once we have it: of several that
   * find it dead, one takes its workflows over. A workflow that is resumed twice changes hands while it runs.
   */
  async #takeOverFrom(executorId: string): Promise<void> {
    const values = [LOCK_CLASS, lockKey(executorId)]
    const result = await this.#lock?.query<{ free: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS free', values) // prettier-ignore
    if (!result?.rows[0]?.free) return // it lives, or another one is at it
    try {
      const orphans = (await pendingWorkflows()).filter((workflow) => workflow.executorId === executorId)
      if (orphans.length === 0) return
      this.#options.log('warn', `Taking over ${orphans.length} workflow(s) of a process that is gone`)
      for (const { workflowID } of orphans) await DBOS.resumeWorkflow(workflowID)
    } finally {
      await this.#lock?.query('SELECT pg_advisory_unlock($1, $2)', values)
    }
  }
}

function pendingWorkflows() {
  return DBOS.listWorkflows({ status: 'PENDING', loadInput: false, loadOutput: false, limit: 1_000 })
}

/**
 * Whether a step ended because another process has its workflow now. What that one does stands: whoever catches
 * this must throw it on, and undo nothing.
 */
export function isTakenOver(error: unknown): boolean {
  return error instanceof DBOSWorkflowConflictError
}

/** Taken when no workflow was running yet. */
const outside = AsyncLocalStorage.snapshot()

/**
 * Starts a workflow under its id, once however often it is called. It stands for itself, also when a step of
 * another one asks for it and waits: there DBOS would refuse to start it.
 */
export function startWorkflow<Arguments extends unknown[], Result>(
  workflow: (...arguments_: Arguments) => Promise<Result>,
  workflowID: string,
  ...arguments_: Arguments
): Promise<{ finished: Promise<Result> }> {
  return outside(async () => {
    const handle = await DBOS.startWorkflow(workflow, { workflowID })(...arguments_)
    const finished = handle.getResult()
    finished.catch(() => {}) // told to whoever waits for it, and by the workflow's own state
    return { finished }
  })
}

/** The id of one that is under way with these very arguments. */
export async function unfinishedWorkflow(
  name: string,
  arguments_: readonly unknown[],
): Promise<string | undefined> {
  const status = ['PENDING', 'ENQUEUED', 'DELAYED'] as const
  const found = await DBOS.listWorkflows({ workflowName: name, status: [...status], loadOutput: false, limit: 1_000 }) // prettier-ignore
  const sought = JSON.stringify(arguments_)
  return found.find(({ input }) => JSON.stringify(input) === sought)?.workflowID
}

const STATES: Readonly<Record<string, WorkflowState['status']>> = {
  ENQUEUED: 'queued',
  DELAYED: 'queued',
  PENDING: 'running',
  SUCCESS: 'done',
  ERROR: 'failed',
  MAX_RECOVERY_ATTEMPTS_EXCEEDED: 'failed',
  CANCELLED: 'cancelled',
}

function instant(epochMs: number | undefined): Date | null {
  return epochMs === undefined ? null : new Date(epochMs)
}

function lockKey(executorId: string): number {
  return createHash('sha256').update(executorId).digest().readInt32BE()
}
