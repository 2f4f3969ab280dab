/**
 * Changing the master key while everything runs (docs/adr/0015). Every process is given the new key as
 * SECRET_KEY and the present one as SECRET_KEY_PREVIOUS; each goes on sealing with the present one, which old
 * processes beside it know. When all know both, this changes the servers over, tells every process, and seals
 * anew what the present one has sealed, in batches. Stopped anywhere, it goes on when it is started again.
 */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx, type TenantTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { announce, keysOfListener, LISTENER } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import { makeAuditKey } from '../audit/keys.ts'
import type { DatabaseServers } from '../servers/registry.ts'

/** A column of sealed texts, and what each is bound to (an SQL expression of its row). */
interface SealedColumn {
  readonly table: string
  readonly column: string
  readonly context: string
}

/** Every one there is in the platform's database: a test holds this against the columns named `sealed_…`. */
export const sealedColumns: readonly SealedColumn[] = [
  { table: 'platform.tenant', column: 'sealed_runtime_password', context: 'runtime_role' },
  { table: 'platform.tenant', column: 'sealed_next_runtime_password', context: 'runtime_role' },
  { table: 'platform.tenant', column: 'sealed_admin_password', context: 'id::text' },
  { table: 'platform.ready_database', column: 'sealed_runtime_password', context: 'runtime_role' },
  { table: 'platform.server', column: 'sealed_admin_user', context: `id || '/user'` },
  { table: 'platform.server', column: 'sealed_admin_password', context: `id || '/password'` },
  { table: 'platform.backup', column: 'sealed_key', context: `'archive/' || id` },
  { table: 'platform.tenant_export', column: 'sealed_key', context: `'archive/' || id` },
  { table: 'platform.restore', column: 'sealed_side_password', context: 'side_role' },
  { table: 'platform.audit_key', column: 'sealed_key', context: `'audit-key/' || id` },
  { table: 'platform.mail', column: 'sealed_content', context: `'mail/' || id` },
  {
    table: 'platform.operator_second_factor',
    column: 'sealed_secret',
    context: `'second-factor/' || operator_id`,
  },
]

/** The same of each tenant's database. */
export const sealedTenantColumns: readonly SealedColumn[] = [
  { table: 'core.mail', column: 'sealed_content', context: `'mail/' || id` },
  { table: 'core.second_factor', column: 'sealed_secret', context: `'second-factor/' || user_id` },
  {
    table: 'core.user_email_settings',
    column: 'sealed_password',
    context: `'smtp-password/' || user_id`,
  },
  { table: 'core.single_sign_on', column: 'sealed_client_secret', context: `'single-sign-on/' || id` },
]

const BATCH = 200
const NAMED_MAXIMUM = 20
const SYSTEM: Actor = { kind: 'system', id: null, requestId: 'change-secret-key', address: null }

export interface SecretRotationPorts {
  readonly gate: Gate
  readonly secrets: Secrets
  /** The server of the configuration: its key is the platform's. */
  readonly server: DatabaseServer
  readonly servers: DatabaseServers
  readonly locate: (tenantId: string) => Promise<TenantLocation | undefined>
}

export interface SealedCount {
  readonly table: string
  readonly column: string
  readonly keyId: string
  readonly count: number
}

export interface RotationOutcome {
  readonly keyId: string
  readonly sealedAnew: number
  /** Servers that could not be reached; they keep the earlier key until this is done again. */
  readonly serversLeft: readonly string[]
  /** Tenants, by code, likewise. */
  readonly tenantsLeft: readonly string[]
  /** Texts that none of our keys opens, by table, column and id; left as they are. */
  readonly unopened: readonly string[]
}

/** A database as this needs it: the platform's or a tenant's. */
interface Place {
  readonly columns: readonly SealedColumn[]
  readonly within: <Result>(work: (tx: PlatformTx | TenantTx) => Promise<Result>) => Promise<Result>
}

interface Batch {
  readonly sealedAnew: number
  readonly last: string | undefined
  readonly unopened: readonly string[]
}

export class SecretRotation {
  readonly #ports: SecretRotationPorts

  constructor(ports: SecretRotationPorts) {
    this.#ports = ports
  }

  /** What is sealed with which key, all tenants' together; and those that could not be asked. */
  async counts(): Promise<{ counts: SealedCount[]; tenantsLeft: readonly string[] }> {
    const counts = new Map<string, SealedCount>()
    const count = async ({ columns, within }: Place): Promise<void> => {
      for (const { table, column } of columns) {
        const rows = await within((tx) =>
          tx.rows(
            sql<{
              keyId: string
              count: number
            }>`SELECT split_part(${sql.ref(column)}, '.', 2) AS "keyId", count(*) AS count
              FROM ${sql.table(table)} WHERE ${sql.ref(column)} LIKE 'v1.%' GROUP BY 1 ORDER BY 1`.compile(
              platformSql,
            ),
          ),
        )
        for (const row of rows) {
          const key = `${table}.${column} ${row.keyId}`
          const before = counts.get(key)?.count ?? 0
          counts.set(key, { table, column, keyId: row.keyId, count: before + Number(row.count) })
        }
      }
    }
    await count(this.#platform())
    const left = await this.#eachTenant(count)
    return { counts: [...counts.values()], tenantsLeft: left }
  }

  async rotate(onBatch: (sealedAnew: number) => void = () => {}): Promise<RotationOutcome> {
    const { secrets, server } = this.#ports
    const keyId = secrets.newestKeyId
    await this.#refuseWhileSomebodyKnowsLess(keyId)
    const serversLeft = await this.#changeServers(keyId)
    // Last: a process that starts takes the platform's key from here.
    await server.changeKey(keyId)
    secrets.use(keyId)
    await this.#ports.gate.writePlatform(SYSTEM, async (tx) => {
      await announce(tx, { kind: 'secret-key' })
      // Whoever has seen the earlier SECRET_KEY and a copy of the database signs no more.
      await makeAuditKey(tx, secrets)
      await recordEvent(tx, { action: 'change secret key', entity: 'secret-key', details: { keyId } })
    })
    let sealedAnew = 0
    const unopened: string[] = []
    const seal = async ({ columns, within }: Place): Promise<void> => {
      for (const column of columns) {
        let last: string | undefined
        do {
          const after: string | undefined = last
          const batch = await within((tx) => this.#sealBatch(tx, column, keyId, after))
          last = batch.last
          sealedAnew += batch.sealedAnew
          unopened.push(...batch.unopened)
          if (batch.sealedAnew > 0) onBatch(sealedAnew)
        } while (last !== undefined)
      }
    }
    await seal(this.#platform())
    const tenantsLeft = await this.#eachTenant(seal)
    return { keyId, sealedAnew, serversLeft, tenantsLeft, unopened: unopened.slice(0, NAMED_MAXIMUM) }
  }

  #platform(): Place {
    return { columns: sealedColumns, within: (work) => this.#ports.gate.writePlatform(SYSTEM, work) }
  }

  /** One after the other; codes of those that could not be reached. */
  async #eachTenant(work: (place: Place) => Promise<void>): Promise<string[]> {
    const { gate, locate } = this.#ports
    const left: string[] = []
    const tenants = await gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ id: string; code: string }>`SELECT id, tenant_code AS code FROM platform.tenant
          WHERE database_name IS NOT NULL AND status <> 'failed' ORDER BY tenant_code`.compile(platformSql),
      ),
    )
    for (const { id, code } of tenants) {
      try {
        const tenant = await locate(id)
        if (!tenant) throw new Problem(problems.unavailable)
        const within: Place['within'] = (step) => gate.writeTenant(tenant, null, SYSTEM, step)
        await work({ columns: await within(columnsThere), within })
      } catch {
        left.push(code)
      }
    }
    return left
  }

  /** A process without the new key could neither open what others seal with it nor verify their tokens. */
  async #refuseWhileSomebodyKnowsLess(keyId: string): Promise<void> {
    const names = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
      tx.rows(
        sql<{ name: string }>`SELECT application_name AS name FROM pg_stat_activity
          WHERE datname = current_database() AND starts_with(application_name, ${LISTENER})`.compile(
          platformSql,
        ),
      ),
    )
    const behind = names.filter(({ name }) => !keysOfListener(name).includes(keyId)).length
    if (behind === 0) return
    throw new Problem(problems.conflict, {
      message: `${behind} running process(es) do not know the new SECRET_KEY; start them again with it, and with the present one as SECRET_KEY_PREVIOUS`,
    })
  }

  async #changeServers(keyId: string): Promise<string[]> {
    const { servers, server: configured } = this.#ports
    const left: string[] = []
    for (const { id, name } of await servers.list()) {
      try {
        const server = await servers.get(id)
        if (server !== configured) await server.changeKey(keyId)
      } catch {
        left.push(name)
      }
    }
    return left
  }

  async #sealBatch(
    tx: PlatformTx | TenantTx,
    { table, column, context }: SealedColumn,
    keyId: string,
    after: string | undefined,
  ): Promise<Batch> {
    const { secrets } = this.#ports
    const rows = await tx.rows(
      sql<{ id: string; sealed: string; context: string }>`SELECT id, ${sql.ref(column)} AS sealed,
          ${sql.raw(context)} AS context
        FROM ${sql.table(table)} WHERE ${sql.ref(column)} LIKE 'v1.%' AND split_part(${sql.ref(column)}, '.', 2) <> ${keyId}
          AND (${after ?? null}::uuid IS NULL OR id > ${after ?? null})
        ORDER BY id LIMIT ${BATCH} FOR UPDATE`.compile(platformSql),
    )
    const anew: { id: string; sealed: string }[] = []
    const unopened: string[] = []
    for (const row of rows) {
      try {
        const plain = secrets.open(row.sealed, row.context)
        anew.push({ id: row.id, sealed: secrets.seal(plain, row.context) })
      } catch {
        unopened.push(`${table}.${column} ${row.id}`) // one that is lost must not keep the others from their key
      }
    }
    if (anew.length > 0) {
      await tx.run(
        sql`UPDATE ${sql.table(table)} AS t SET ${sql.ref(column)} = anew.sealed
          FROM unnest(${anew.map(({ id }) => id)}::uuid[], ${anew.map(({ sealed }) => sealed)}::text[]) AS anew (id, sealed)
          WHERE t.id = anew.id`.compile(platformSql),
      )
    }
    const last = rows.length === BATCH ? rows.at(-1)?.id : undefined
    return { sealedAnew: anew.length, last, unopened }
  }
}

/** A tenant that is behind lacks those of the newest schema. */
async function columnsThere(tx: PlatformTx | TenantTx): Promise<SealedColumn[]> {
  const there = await tx.rows(
    sql<{ name: string }>`SELECT format('%s.%s.%s', table_schema, table_name, column_name) AS name
      FROM information_schema.columns WHERE column_name LIKE 'sealed\\_%'`.compile(platformSql),
  )
  const names = new Set(there.map(({ name }) => name))
  return sealedTenantColumns.filter(({ table, column }) => names.has(`${table}.${column}`))
}
