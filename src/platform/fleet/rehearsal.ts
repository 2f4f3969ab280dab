/**
 * Rehearsing a migration on a copy of one tenant: copied from a consistent snapshot, migrated, its books
 * checked as `erp check` does, and always thrown away. The tenant itself is only read.
 */
import { randomBytes } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import { isTakenOver, startWorkflow } from '../../jobs/workflows.ts'
import { copyDatabase } from '../../tenancy/copy.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import {
  currentVersion,
  migrate,
  moveTo,
  type MigrationOutcome,
  type StepLimits,
} from '../../tenancy/migrations.ts'
import { recordEvent } from '../audit.ts'
import type { DatabaseServers } from '../servers/registry.ts'

export const REHEARSE_MIGRATION = 'rehearse-migration'
export const rehearsalSteps = ['copy', 'migration', 'checks', 'removal'] as const
type Step = (typeof rehearsalSteps)[number]

export interface RehearsalPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly limits: StepLimits
  /** The proofs of `erp check` over every company; each finding in words. */
  readonly checkTenant: (location: TenantLocation) => Promise<string[]>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Tests stop the process or fail here; nothing else does. */
  readonly atStep?: ((step: string, moment: 'before' | 'after') => void | Promise<void>) | undefined
}

const DATABASE_PREFIX = 'erp_rehearsal_'
const ROLE_PREFIX = 'erp_runtime_rehearsal_'
const FINDINGS_MAXIMUM = 200
const CONNECTIONS = 4
const GIVEN_UP = new Set(['ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'])
const RETRIES = { retriesAllowed: true, maxAttempts: 2, intervalSeconds: 1 }
/** The copy holds a customer's books: it is not left behind for an outage of some minutes. */
const REMOVAL_RETRIES = { retriesAllowed: true, maxAttempts: 11, intervalSeconds: 0.2, backoffRate: 2 }
const SYSTEM: Actor = { kind: 'system', id: null, requestId: REHEARSE_MIGRATION, address: null }

interface Rehearsal {
  readonly id: string
  readonly tenantId: string
  readonly tenantCode: string
  readonly serverId: string
  readonly source: string | null
  readonly database: string
  readonly role: string
}

export class Rehearsals {
  readonly #ports: RehearsalPorts
  readonly #workflow: (id: string) => Promise<void>

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: RehearsalPorts) {
    this.#ports = ports
    this.#workflow = DBOS.registerWorkflow((id: string) => this.#rehearse(id), { name: REHEARSE_MIGRATION })
  }

  async plan(tx: PlatformTx, tenantId: string): Promise<string> {
    const tenant = await tx.row(
      platformSql.selectFrom('platform.tenant').select(['id', 'database_name']).where('id', '=', tenantId),
    )
    if (!tenant) throw new Problem(problems.notFound, { message: 'There is no such tenant' })
    if (tenant.database_name === null)
      throw new Problem(problems.conflict, { message: 'The tenant has no database' })
    const suffix = randomBytes(8).toString('hex')
    const row = await tx.row(
      platformSql
        .insertInto('platform.fleet_rehearsal')
        .values({
          tenant_id: tenantId,
          status: 'running',
          database_name: `${DATABASE_PREFIX}${suffix}`,
          runtime_role: `${ROLE_PREFIX}${suffix}`,
          started_by: tx.actor.id ?? tx.actor.requestId,
        })
        .returning('id'),
    )
    if (!row) throw new Error('A rehearsal that was written down must come back')
    await recordEvent(tx, { action: 'start', entity: 'migration rehearsal', entityId: row.id, tenantId })
    return row.id
  }

  /** Once the transaction that planned it is committed. */
  async launch(id: string): Promise<void> {
    await startWorkflow(this.#workflow, rehearsalOperationId(id), id) // its row says what became of it
  }

  /**
   * At start: begins what was written down and not begun, and removes what a workflow that gave up has left.
   * One whose process died is taken over like any other workflow, and removes its copy itself.
   */
  async tidy(): Promise<void> {
    const { gate, servers } = this.#ports
    const running = await gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        platformSql
          .selectFrom('platform.fleet_rehearsal')
          .select(['id', 'database_name'])
          .where('status', '=', 'running')
          .limit(1_000),
      ),
    )
    const atWork = new Set<string>()
    for (const { id, database_name: database } of running) {
      const state = await DBOS.getWorkflowStatus(rehearsalOperationId(id))
      if (!state) await this.launch(id)
      if (state && GIVEN_UP.has(state.status)) await this.#end(id, 'failed', 'It was broken off')
      else atWork.add(database)
    }
    for (const { id } of await servers.list()) await this.#removeLeft(await servers.get(id), atWork)
  }

  async #removeLeft(server: DatabaseServer, atWork: ReadonlySet<string>): Promise<void> {
    for (const database of await server.databaseNames(DATABASE_PREFIX)) {
      // On a server that several platforms share, those of the others are theirs.
      if (atWork.has(database) || !(await this.#isOurs(database))) continue
      await server.drop(database)
      await server.dropRole(database.replace(DATABASE_PREFIX, ROLE_PREFIX))
    }
  }

  #isOurs(database: string): Promise<boolean> {
    return this.#ports.gate.readPlatform(SYSTEM, async (tx) => {
      const row = await tx.row(
        platformSql
          .selectFrom('platform.fleet_rehearsal')
          .select('id')
          .where('database_name', '=', database)
          .where('status', '<>', 'running'),
      )
      return row !== undefined
    })
  }

  async #rehearse(id: string): Promise<void> {
    let failure: string | null = null
    let findings: string[] = []
    try {
      await this.#step('copy', () => this.#copy(id))
      await this.#step('migration', () => this.#migrate(id))
      findings = await this.#step('checks', () => this.#check(id))
    } catch (error) {
      if (isTakenOver(error)) throw error
      failure = error instanceof Error ? error.message : String(error)
    }
    await this.#step('removal', () => this.#remove(id))
    const reason = failure ?? (findings.length > 0 ? `${findings.length} finding(s)` : null)
    await DBOS.runStep(() => this.#end(id, reason === null ? 'done' : 'failed', reason), {
      name: 'end',
      ...REMOVAL_RETRIES,
    })
    if (reason !== null) throw new Error(reason)
  }

  #step<Result>(name: Step, work: () => Promise<Result>): Promise<Result> {
    return DBOS.runStep(
      async () => {
        await this.#ports.atStep?.(`rehearsal ${name}`, 'before')
        const result = await work()
        await this.#ports.atStep?.(`rehearsal ${name}`, 'after')
        return result
      },
      { name, ...(name === 'removal' ? REMOVAL_RETRIES : RETRIES) },
    )
  }

  // ---- steps -------------------------------------------------------------------------------------------

  /** The copy is made at the tenant's own version: what is rehearsed is the way from there. */
  async #copy(id: string): Promise<void> {
    const { source, database, server } = await this.#find(id)
    if (source === null) throw new Error('The tenant has no database any more')
    const startedAt = performance.now()
    await server.drop(database)
    await server.create(database)
    const [from, to] = [server.migratorAddress(source), server.migratorAddress(database)]
    const version = await currentVersion(from)
    await moveTo(to, 'tenant', version, 'up')
    await copyDatabase(from, to)
    await this.#note(id, { from_version: version, copy_ms: millisecondsSince(startedAt) })
  }

  async #migrate(id: string): Promise<void> {
    const { database, server } = await this.#find(id)
    const startedAt = performance.now()
    const outcome = await migrate(server.migratorAddress(database), 'tenant', this.#ports.limits)
    await this.#note(id, {
      to_version: outcome.version,
      migrate_ms: millisecondsSince(startedAt),
      // Repeated after a kill it finds nothing to do, and keeps what was told.
      ...(outcome.steps.length === 0 ? {} : { steps: JSON.stringify(rounded(outcome)) }),
    })
  }

  async #check(id: string): Promise<string[]> {
    const { gate, checkTenant } = this.#ports
    const { tenantCode, database, role, server } = await this.#find(id)
    const startedAt = performance.now()
    const password = randomBytes(24).toString('base64url')
    await server.createRuntimeRole(role, password, CONNECTIONS)
    await server.grantConnect(database, role)
    const address = server.runtimeAddress(database, role, password)
    // A name of its own: the connections of the tenant itself are pooled by the tenant's id.
    const location = { tenantId: database, tenantCode, address: () => Promise.resolve(address) }
    try {
      const findings = (await checkTenant(location)).slice(0, FINDINGS_MAXIMUM)
      await this.#note(id, {
        check_ms: millisecondsSince(startedAt),
        findings: JSON.stringify(findings),
      })
      return findings
    } finally {
      await gate.closeTenant(database)
    }
  }

  async #remove(id: string): Promise<void> {
    const { database, role, server } = await this.#find(id)
    await server.drop(database)
    await server.dropRole(role)
  }

  async #end(id: string, status: 'done' | 'failed', reason: string | null): Promise<void> {
    await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        platformSql
          .updateTable('platform.fleet_rehearsal')
          .set({
            status,
            error: reason?.slice(0, 2_000) ?? null,
            finished_at: sql`now()`,
            updated_at: sql`now()`,
          })
          .where('id', '=', id),
      ),
    )
  }

  async #note(id: string, values: Record<string, string | number | null>): Promise<void> {
    await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
      tx.run(
        platformSql
          .updateTable('platform.fleet_rehearsal')
          .set({ ...values, updated_at: sql`now()` })
          .where('id', '=', id),
      ),
    )
  }

  async #find(id: string): Promise<Rehearsal & { server: DatabaseServer }> {
    const row = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
      tx.row(
        sql<Rehearsal>`SELECT r.id, t.id AS "tenantId", t.tenant_code AS "tenantCode", t.server_id AS "serverId",
            t.database_name AS source, r.database_name AS database, r.runtime_role AS role
          FROM platform.fleet_rehearsal r JOIN platform.tenant t ON t.id = r.tenant_id WHERE r.id = ${id}`.compile(
          platformSql,
        ),
      ),
    )
    if (!row) throw new Error(`There is no rehearsal ${id}`)
    return { ...row, server: await this.#ports.servers.get(row.serverId) }
  }
}

export function rehearsalOperationId(id: string): string {
  return `${REHEARSE_MIGRATION}:${id}`
}

function rounded({ steps }: MigrationOutcome): { name: string; milliseconds: number }[] {
  return steps.map(({ name, milliseconds }) => ({ name, milliseconds: Math.round(milliseconds) }))
}

function millisecondsSince(startedAt: number): number {
  return Math.round(performance.now() - startedAt)
}
