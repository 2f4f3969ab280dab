/**
 * Changing the master key while everything runs (docs/adr/0015). Every process is given the new key as
 * SECRET_KEY and the present one as SECRET_KEY_PREVIOUS; each goes on sealing with the present one, which old
 * processes beside it know. When all know both, this changes the servers over, tells every process, and seals
 * anew what the present one has sealed, in batches. Stopped anywhere, it goes on when it is started again.
 */
import { sql } from 'kysely'
import { Problem, problems } from '../../kernel/problem.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { announce, keysOfListener, LISTENER } from '../announcements.ts'
import { recordEvent } from '../audit.ts'
import type { DatabaseServers } from '../servers/registry.ts'

/** A column of sealed texts, and what each is bound to (an SQL expression of its row). */
interface SealedColumn {
  readonly table: string
  readonly column: string
  readonly context: string
}

/** Every one there is: a test holds this against the columns named `sealed_…`. */
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
  { table: 'platform.mail', column: 'sealed_content', context: `'mail/' || id` },
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
  /** Texts that none of our keys opens, by table, column and id; left as they are. */
  readonly unopened: readonly string[]
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

  /** What is sealed with which key. */
  async counts(): Promise<SealedCount[]> {
    const counts: SealedCount[] = []
    for (const { table, column } of sealedColumns) {
      const rows = await this.#ports.gate.readPlatform(SYSTEM, (tx) =>
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
      counts.push(...rows.map((row) => ({ table, column, ...row })))
    }
    return counts
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
      await recordEvent(tx, { action: 'change secret key', entity: 'secret-key', details: { keyId } })
    })
    let sealedAnew = 0
    const unopened: string[] = []
    for (const column of sealedColumns) {
      let last: string | undefined
      do {
        const after: string | undefined = last
        const batch = await this.#ports.gate.writePlatform(SYSTEM, (tx) =>
          this.#sealBatch(tx, column, keyId, after),
        )
        last = batch.last
        sealedAnew += batch.sealedAnew
        unopened.push(...batch.unopened)
        if (batch.sealedAnew > 0) onBatch(sealedAnew)
      } while (last !== undefined)
    }
    return { keyId, sealedAnew, serversLeft, unopened: unopened.slice(0, NAMED_MAXIMUM) }
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
    tx: PlatformTx,
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
