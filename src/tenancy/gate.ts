/**
 * The gate: sole minter of handles. It finds the tenant's database, opens a transaction that knows who
 * acts and in which company, and commits or rolls back. Nothing else in the house opens a transaction.
 */
import type pg from 'pg'
import { Problem, problems } from '../kernel/problem.ts'
import { isConnectionLoss, type ConnectionPools, type DatabaseAddress } from './pools.ts'
import {
  Transaction,
  type Actor,
  type PlatformRead,
  type PlatformTx,
  type TenantRead,
  type TenantScope,
  type TenantTx,
} from './handles.ts'

/** Where a tenant's data lies; resolved by the platform, cached there. */
export interface TenantLocation {
  readonly tenantId: string
  readonly tenantCode: string
  readonly address: () => Promise<DatabaseAddress>
}

export interface GateOptions {
  readonly tenantPools: ConnectionPools
  readonly platformPools: ConnectionPools
  readonly platformAddress: DatabaseAddress
  /** Off behind poolers older than PgBouncer 1.21, which lose named statements between transactions. */
  readonly usePreparedStatements?: boolean
}

type Mode = 'READ ONLY' | 'READ WRITE'

const PLATFORM = 'platform'
/**
 * Writers plan a statement once a connection (their statements look rows up by key; planning each anew took
 * a tenth of a posting) and never scan a table from end to end: a plan made while a new tenant's tables were
 * almost empty would do so, and be kept while they grow, until autovacuum looks by.
 */
const PLANNING = {
  'READ ONLY': { enable_seqscan: 'on', plan_cache_mode: 'auto' },
  'READ WRITE': { enable_seqscan: 'off', plan_cache_mode: 'force_generic_plan' },
} as const
const SET_CONTEXT = `SELECT set_config('erp.company_id', $1, true), set_config('erp.actor_kind', $2, true),
  set_config('erp.actor_id', $3, true), set_config('erp.request_id', $4, true), set_config('erp.address', $5, true),
  set_config('enable_seqscan', $6, true), set_config('plan_cache_mode', $7, true)`

export class Gate {
  readonly #options: GateOptions
  readonly #usePreparedStatements: boolean

  constructor(options: GateOptions) {
    this.#options = options
    this.#usePreparedStatements = options.usePreparedStatements ?? true
  }

  readTenant<Result>(
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantRead) => Promise<Result>,
  ): Promise<Result> {
    return this.#inTenant('READ ONLY', location, companyId, actor, work)
  }

  writeTenant<Result>(
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantTx) => Promise<Result>,
  ): Promise<Result> {
    return this.#inTenant('READ WRITE', location, companyId, actor, work)
  }

  readPlatform<Result>(actor: Actor, work: (tx: PlatformRead) => Promise<Result>): Promise<Result> {
    return this.#inPlatform('READ ONLY', actor, work)
  }

  writePlatform<Result>(actor: Actor, work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    return this.#inPlatform('READ WRITE', actor, work)
  }

  /** Forgets the tenant's connections, e.g. before its database is dropped or moved. */
  closeTenant(tenantId: string): Promise<void> {
    return this.#options.tenantPools.close(tenantId)
  }

  #inTenant<Result>(
    mode: Mode,
    location: TenantLocation,
    companyId: string | null,
    actor: Actor,
    work: (tx: TenantTx) => Promise<Result>,
  ): Promise<Result> {
    const scope = { tenantId: location.tenantId, tenantCode: location.tenantCode, companyId }
    const { tenantPools } = this.#options
    return this.#transact(
      mode,
      tenantPools,
      location.tenantId,
      location.address,
      actor,
      scope,
      work as Work<Result>,
    )
  }

  #inPlatform<Result>(mode: Mode, actor: Actor, work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    const { platformPools, platformAddress } = this.#options
    const address = (): Promise<DatabaseAddress> => Promise.resolve(platformAddress)
    return this.#transact(
      mode,
      platformPools,
      PLATFORM,
      address,
      actor,
      null,
      work as unknown as Work<Result>,
    )
  }

  async #transact<Result>(
    mode: Mode,
    pools: ConnectionPools,
    key: string,
    address: () => Promise<DatabaseAddress>,
    actor: Actor,
    scope: TenantScope | null,
    work: Work<Result>,
  ): Promise<Result> {
    const client = await pools.acquire(key, address)
    const transaction = new Transaction(client, actor, scope, this.#usePreparedStatements)
    let broken = false
    try {
      // Not awaited: the first statement of the work travels behind these two in the same packet.
      const opened = Promise.all([
        client.query(`BEGIN ISOLATION LEVEL READ COMMITTED ${mode}`),
        client.query(this.#context(mode, actor, scope)),
      ])
      opened.catch(() => {})
      const result = await work(transaction)
      await opened
      transaction.end()
      const { command } = await client.query('COMMIT')
      if (command !== 'COMMIT') throw new Error('A statement had failed unnoticed: PostgreSQL rolled back')
      return result
    } catch (error) {
      transaction.end()
      broken = isConnectionLoss(error) || !(await rolledBack(client))
      throw translated(error)
    } finally {
      pools.release(key, client, broken)
    }
  }

  #context(mode: Mode, actor: Actor, scope: TenantScope | null): pg.QueryConfig {
    const { kind, id, requestId, address } = actor
    const { enable_seqscan, plan_cache_mode } = PLANNING[mode]
    const values = [
      scope?.companyId ?? '',
      kind,
      id ?? '',
      requestId,
      address ?? '',
      enable_seqscan,
      plan_cache_mode,
    ]
    return { text: SET_CONTEXT, values, ...(this.#usePreparedStatements ? { name: 'set-context' } : {}) }
  }
}

type Work<Result> = (tx: Transaction & TenantTx) => Promise<Result>

async function rolledBack(client: pg.Client): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    return false
  }
}

/** Lost connections and overload are the database's weather, not our failure: 503, try again. */
function translated(error: unknown): unknown {
  if (error instanceof Problem) return error
  const { code } = error as { code?: string }
  const passing =
    isConnectionLoss(error) || code === '57014' || code === '55P03' || code === '40P01' || code === '53100'
  if (!passing) return error
  return new Problem(problems.unavailable, { retryAfterSeconds: 1, cause: error })
}
