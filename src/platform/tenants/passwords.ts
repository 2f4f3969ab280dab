/**
 * New passwords for tenants' database roles, while their users work. The new one is written down beside the
 * present one before the server is told: whoever finds the present one refused meanwhile asks the directory
 * again and is given the new one. Connections are opened anew afterwards, and what was let in with the old
 * password and is still there after the longest statement is ended.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DBOS } from '@dbos-inc/dbos-sdk'
import { sql } from 'kysely'
import { runStep } from '../../jobs/steps.ts'
import { startWorkflow, unfinishedWorkflow } from '../../jobs/workflows.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { announce } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import type { DatabaseServers } from '../servers/registry.ts'

export const CHANGE_PASSWORDS = 'change-database-passwords'
export const changePasswordSteps = ['passwords', 'sessions'] as const

const SYSTEM: Actor = { kind: 'system', id: null, requestId: CHANGE_PASSWORDS, address: null }
const PAGE = 50
const STEP = { retriesAllowed: true, maxAttempts: 5, intervalSeconds: 0.2, backoffRate: 3 }
/** Longer than a tenant's statement may take: who is still at work then is none of ours. */
const SESSIONS_END_MS = 35_000
const LOOK_EVERY_MS = 250
const NAMED_MAXIMUM = 20

export interface DatabasePasswordsPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

interface Page {
  readonly last: string | undefined
  readonly failed: readonly string[]
}

export class DatabasePasswords {
  readonly #ports: DatabasePasswordsPorts
  readonly #workflow: (tenantId: string | null) => Promise<void>

  /** Must be made before the workflows start: DBOS recovers only what is registered. */
  constructor(ports: DatabasePasswordsPorts) {
    this.#ports = ports
    this.#workflow = DBOS.registerWorkflow((tenantId: string | null) => this.#change(tenantId), {
      name: CHANGE_PASSWORDS,
    })
  }

  /**
   * Of one tenant, or of all (null). Resolves to the operation's id. Refused while the same is under way: each
   * holds connections of the platform, and a thousand of them would leave none to anybody else.
   */
  async start(id: string, tenantId: string | null): Promise<string> {
    const workflowID = `${CHANGE_PASSWORDS}:${id}`
    await this.#ports.gate.writePlatform(SYSTEM, async (tx) => {
      const turn = sql<{
        taken: boolean
      }>`SELECT pg_try_advisory_xact_lock(hashtextextended(${`${CHANGE_PASSWORDS}/${tenantId ?? 'all'}`}, 0)) AS taken`
      const isOurTurn = (await tx.row(turn.compile(platformSql)))?.taken === true
      const operationId = isOurTurn ? await unfinishedWorkflow(CHANGE_PASSWORDS, [tenantId]) : null
      if (operationId !== undefined) {
        const message = 'These passwords are being changed already'
        throw new Problem(problems.conflict, { message, details: operationId ? { operationId } : {} })
      }
      await startWorkflow(this.#workflow, workflowID, tenantId)
    })
    return workflowID
  }

  async #change(tenantId: string | null): Promise<void> {
    const failed: string[] = []
    let last: string | undefined
    for (let number = 1; ; number++) {
      const name = number === 1 ? 'passwords' : `passwords ${number}`
      const page = await runStep(() => this.#changePage(tenantId, last), { name, ...STEP })
      failed.push(...page.failed)
      last = page.last
      if (last === undefined) break
    }
    await runStep(() => this.#endSessions(tenantId), { name: 'sessions', ...STEP })
    if (failed.length === 0) return
    const named = failed.slice(0, NAMED_MAXIMUM).join('; ')
    throw new Error(`${failed.length} tenant(s) keep their old password; try again. ${named}`)
  }

  /** A repeated page changes some passwords twice, which nobody notices. */
  async #changePage(tenantId: string | null, after: string | undefined): Promise<Page> {
    const { gate, log } = this.#ports
    const tenants = await gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ id: string; code: string }>`SELECT id, tenant_code AS code FROM platform.tenant
          WHERE runtime_role IS NOT NULL AND status NOT IN ('provisioning', 'failed')
            AND (${tenantId}::uuid IS NULL OR id = ${tenantId}) AND (${after ?? null}::uuid IS NULL OR id > ${after ?? null})
          ORDER BY id LIMIT ${PAGE}`.compile(platformSql),
      ),
    )
    const failed: string[] = []
    for (const { id, code } of tenants) {
      try {
        await this.changeOne(id)
      } catch (error) {
        // One server that is away must not keep the others' tenants from getting theirs.
        log('error', `The database password of tenant ${code} could not be changed: ${String(error)}`)
        failed.push(`${code}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return { last: tenants.length < PAGE ? undefined : tenants.at(-1)?.id, failed }
  }

  /** May be repeated, and stopped anywhere: a password that was written down is the next one until it is in use. */
  async changeOne(tenantId: string): Promise<void> {
    const { gate, servers, secrets } = this.#ports
    const planned = await gate.writePlatform(SYSTEM, (tx) => this.#writeDown(tx, tenantId))
    if (!planned) return
    const server = await servers.get(planned.serverId)
    await gate.writePlatform(SYSTEM, async (tx) => {
      // The row is held while the server is told: a late repetition would bring an older password back.
      const row = await tx.row(
        sql<{ sealed: string | null; busyWith: string | null }>`SELECT busy_with AS "busyWith",
            sealed_next_runtime_password AS sealed
          FROM platform.tenant WHERE id = ${tenantId} FOR UPDATE`.compile(platformSql),
      )
      if (row?.sealed !== planned.sealed) return
      // A tenant that is being moved has its role on two servers, and would lose its way with two passwords.
      if (row.busyWith !== null) throw new Error(`Other work has the tenant (${row.busyWith})`)
      const { role, sealed } = planned
      const changedAt = await server.changeRuntimePassword(role, secrets.open(sealed, role))
      await tx.run(
        sql`UPDATE platform.tenant SET sealed_runtime_password = sealed_next_runtime_password,
            sealed_next_runtime_password = NULL, runtime_password_changed_at = ${changedAt}, updated_at = now()
          WHERE id = ${tenantId}`.compile(platformSql),
      )
      const action = 'change database password'
      await recordEvent(tx, { action, entity: 'tenant', entityId: tenantId, tenantId })
      await announce(tx, { kind: 'tenant', tenantId, reconnect: true })
    })
  }

  async #writeDown(
    tx: PlatformTx,
    tenantId: string,
  ): Promise<{ role: string; serverId: string; sealed: string } | undefined> {
    const row = await tx.row(
      sql<{ role: string; serverId: string; sealed: string | null }>`SELECT runtime_role AS role,
          server_id AS "serverId", sealed_next_runtime_password AS sealed
        FROM platform.tenant WHERE id = ${tenantId} AND runtime_role IS NOT NULL FOR UPDATE`.compile(
        platformSql,
      ),
    )
    if (!row) return undefined
    if (row.sealed !== null && this.#isOpened(row.sealed, row.role)) return { ...row, sealed: row.sealed }
    const sealed = this.#ports.secrets.seal(randomBytes(24).toString('base64url'), row.role)
    await tx.run(
      sql`UPDATE platform.tenant SET sealed_next_runtime_password = ${sealed} WHERE id = ${tenantId}`.compile(
        platformSql,
      ),
    )
    return { ...row, sealed }
  }

  /** Not by another role than ours (the tenant was restored meanwhile), nor with a key that was lost. */
  #isOpened(sealed: string, role: string): boolean {
    try {
      return this.#ports.secrets.open(sealed, role) !== ''
    } catch {
      return false
    }
  }

  /** Those of our processes are closed as soon as they are idle; whoever else knew the old password has to go too. */
  async #endSessions(tenantId: string | null): Promise<void> {
    const deadline = Date.now() + SESSIONS_END_MS
    for (const { id, name } of await this.#ports.servers.list()) {
      try {
        const server = await this.#ports.servers.get(id)
        for (;;) {
          const isOver = Date.now() > deadline
          const left = await server.endSessionsBefore(await this.#changes(id, tenantId), isOver)
          if (left === 0 || isOver) break
          await sleep(LOOK_EVERY_MS)
        }
      } catch (error) {
        this.#ports.log('warn', `Sessions let in with old passwords on ${name} may go on: ${String(error)}`)
      }
    }
  }

  /** Changes of the last hour: a session from before an earlier one has been ended by that. */
  #changes(serverId: string, tenantId: string | null): Promise<{ role: string; changedAt: string }[]> {
    return this.#ports.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{
          role: string
          changedAt: string
        }>`SELECT runtime_role AS role, runtime_password_changed_at AS "changedAt"
          FROM platform.tenant WHERE server_id = ${serverId} AND runtime_role IS NOT NULL
            AND runtime_password_changed_at > now() - interval '1 hour'
            AND (${tenantId}::uuid IS NULL OR id = ${tenantId})`.compile(platformSql),
      ),
    )
  }
}
