/**
 * Keys that seals are signed with: made at random, kept in the platform's database sealed under SECRET_KEY. When
 * SECRET_KEY is changed they are sealed anew like everything else, and the next seals get a new one; earlier
 * seals are proven with their own for ever, also those of a tenant that has been archived meanwhile.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { isUuid } from '../../kernel/ids.ts'
import type { SealKeys } from '../../audit/chain.ts'
import { BoundedCache } from '../../kernel/bounded-cache.ts'
import type { Gate } from '../../tenancy/gate.ts'
import { platformSql, type Actor, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { newId } from '../../tenancy/new-id.ts'
import type { Secrets } from '../../tenancy/secrets.ts'

const KEY_BYTES = 32
const KEYS_REMEMBERED = 100
/** Two processes that look for the first key at the same moment take turns. */
const FIRST_KEY_LOCK = 7_241_860_022
const ACTOR: Actor = { kind: 'system', id: null, requestId: 'audit-keys', address: null }

export async function makeAuditKey(tx: PlatformTx, secrets: Secrets): Promise<KeyRow> {
  const id = newId()
  const sealed = secrets.seal(randomBytes(KEY_BYTES).toString('base64url'), contextOf(id))
  await tx.run(platformSql.insertInto('platform.audit_key').values({ id, sealed_key: sealed }))
  return { id, sealed }
}

export class AuditKeys implements SealKeys {
  readonly #gate: Gate
  readonly #secrets: Secrets
  readonly #opened = new BoundedCache<string, Buffer>(KEYS_REMEMBERED)

  constructor(gate: Gate, secrets: Secrets) {
    this.#gate = gate
    this.#secrets = secrets
  }

  async newest(): Promise<{ id: string; key: Buffer }> {
    const found = (await this.#gate.readPlatform(ACTOR, newestKey)) ?? (await this.#first())
    return { id: found.id, key: this.#open(found) }
  }

  async byId(id: string): Promise<Buffer | undefined> {
    const known = this.#opened.get(id)
    if (known || !isUuid(id)) return known
    const found = await this.#gate.readPlatform(
      ACTOR,
      (tx) =>
      tx.row(sql<KeyRow>`SELECT id, sealed_key AS sealed FROM platform.audit_key WHERE id = ${id}`.compile(platformSql)), // prettier-ignore
    )
    return found && this.#open(found)
  }

  #first(): Promise<KeyRow> {
    return this.#gate.writePlatform(ACTOR, async (tx) => {
      await tx.rows(sql`SELECT pg_advisory_xact_lock(${FIRST_KEY_LOCK})`.compile(platformSql))
      return (await newestKey(tx)) ?? makeAuditKey(tx, this.#secrets)
    })
  }

  #open({ id, sealed }: KeyRow): Buffer {
    const known = this.#opened.get(id)
    if (known) return known
    const key = Buffer.from(this.#secrets.open(sealed, contextOf(id)), 'base64url')
    this.#opened.set(id, key)
    return key
  }
}

interface KeyRow {
  readonly id: string
  readonly sealed: string
}

function newestKey(tx: PlatformRead): Promise<KeyRow | undefined> {
  return tx.row(
    sql<KeyRow>`SELECT id, sealed_key AS sealed FROM platform.audit_key ORDER BY id DESC LIMIT 1`.compile(
      platformSql,
    ),
  )
}

function contextOf(id: string): string {
  return `audit-key/${id}`
}
