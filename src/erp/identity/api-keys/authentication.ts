/**
 * Who comes with an API key, or with a token that one was exchanged for. The key's row is remembered for seconds at
 * most; its secret, end, addresses and company are looked at on every request.
 */
import { timingSafeEqual } from 'node:crypto'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { sql } from 'kysely'
import { readApiKey } from '../../../http/api-keys.ts'
import type { Principal } from '../../../http/route.ts'
import type { Caller } from '../../../http/admission.ts'
import { Principals } from '../../../http/sessions.ts'
import type { VerifiedClaims } from '../../../http/tokens.ts'
import { BoundedCache } from '../../../kernel/bounded-cache.ts'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import type { Gate, TenantLocation } from '../../../tenancy/gate.ts'
import { statement, tenantSql, type Actor, type TenantRead } from '../../../tenancy/handles.ts'
import { beyond, expandPermissions } from '../rules/permission-patterns.ts'

const KEYS_REMEMBERED_MAXIMUM = 10_000
const EXPANSIONS_MAXIMUM = 1_000
/** How exactly it is kept when a key was last used. */
const USE_WRITTEN_EVERY_MS = 60_000

interface KeyRow {
  readonly id: string
  readonly scopes: string[]
  readonly company_ids: string[]
  readonly allowed_addresses: string[]
  readonly secret_hash: Buffer
  readonly secret_number: number
  readonly previous_secret_hash: Buffer | null
  readonly previous_secret_ends_at: string | null
  readonly expires_at: string | null
}

/** A key that proved who it is, with what it may be used for at most. */
export interface ProvenKey {
  readonly id: string
  readonly scopes: readonly string[]
  readonly secretNumber: number
  readonly expiresAtMs: number
}

export class ApiKeys {
  readonly #declared: ReadonlySet<string>
  readonly #known = new Principals<KeyRow>(KEYS_REMEMBERED_MAXIMUM)
  readonly #expanded = new BoundedCache<string, ReadonlySet<string>>(EXPANSIONS_MAXIMUM)
  readonly #used = new BoundedCache<string, number>(KEYS_REMEMBERED_MAXIMUM)

  constructor(declared: ReadonlySet<string>) {
    this.#declared = declared
  }

  /** By the key itself. */
  async authenticate(
    gate: Gate,
    token: string,
    tenant: TenantLocation,
    caller: Caller,
    actor: Actor,
  ): Promise<Principal> {
    const row = await this.#presented(gate, token, tenant, caller, actor)
    return this.#principal(gate, tenant, caller, actor, row)
  }

  /** By a token that a key was exchanged for: it ends with the secret that it came from. */
  async authenticateToken(
    gate: Gate,
    claims: VerifiedClaims,
    tenant: TenantLocation,
    caller: Caller,
    actor: Actor,
  ): Promise<Principal> {
    const row = await this.#read(gate, tenant, claims.sessionId, actor)
    const nowMs = Date.now()
    const isCurrent = claims.secretNumber === row.secret_number
    const isPrevious = claims.secretNumber === row.secret_number - 1 && overlaps(row, nowMs)
    if (!isCurrent && !isPrevious) throw keyIsVoid()
    assertUsable(row, caller, nowMs)
    const asked = claims.scope === undefined ? row.scopes : claims.scope.split(' ')
    return this.#principal(gate, tenant, caller, actor, row, asked)
  }

  /** Whether key and id belong together and are good; what a token for it may say. */
  async prove(
    gate: Gate,
    credentials: { readonly id: string; readonly key: string },
    tenant: TenantLocation,
    caller: Caller,
    actor: Actor,
  ): Promise<ProvenKey> {
    const row = await this.#presented(gate, credentials.key, tenant, caller, actor)
    if (row.id !== credentials.id.toLowerCase()) throw keyIsVoid()
    const hash = readApiKey(credentials.key)?.hash
    const isCurrent = hash !== undefined && timingSafeEqual(hash, row.secret_hash)
    this.#noteUse(gate, tenant, row.id, caller, actor)
    return {
      id: row.id,
      scopes: row.scopes,
      secretNumber: isCurrent ? row.secret_number : row.secret_number - 1,
      expiresAtMs: row.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(row.expires_at),
    }
  }

  forget(tenantId: string, keyId: string): void {
    this.#known.forget(`${tenantId}/${keyId}`)
  }

  forgetTenant(tenantId: string): void {
    this.#known.forgetWhere((key) => key.startsWith(`${tenantId}/`))
  }

  forgetAll(): void {
    this.#known.forgetAll()
  }

  async #presented(
    gate: Gate,
    token: string,
    tenant: TenantLocation,
    caller: Caller,
    actor: Actor,
  ): Promise<KeyRow> {
    const presented = readApiKey(token)
    if (!presented) throw keyIsVoid()
    const row = await this.#read(gate, tenant, presented.id, actor)
    const nowMs = Date.now()
    const isCurrent = timingSafeEqual(presented.hash, row.secret_hash)
    const isPrevious =
      row.previous_secret_hash !== null &&
      timingSafeEqual(presented.hash, row.previous_secret_hash) &&
      overlaps(row, nowMs)
    if (!isCurrent && !isPrevious) throw keyIsVoid()
    assertUsable(row, caller, nowMs)
    return row
  }

  async #read(gate: Gate, tenant: TenantLocation, id: string, actor: Actor): Promise<KeyRow> {
    return this.#known.of(`${tenant.tenantId}/${id}`, async () => {
      const [row] = await gate.readTenant(tenant, null, actor, (tx) => tx.prepared(LIVE_KEY, [id]))
      if (!row) throw keyIsVoid()
      return row
    })
  }

  #principal(
    gate: Gate,
    tenant: TenantLocation,
    caller: Caller,
    actor: Actor,
    row: KeyRow,
    asked: readonly string[] = row.scopes,
  ): Principal {
    const companyId = companyOf(row, caller.companyId)
    this.#noteUse(gate, tenant, row.id, caller, actor)
    const held = asked.filter((scope) => beyond(row.scopes, [scope]).length === 0)
    return {
      kind: 'integration',
      id: row.id,
      sessionId: row.id,
      scopes: held,
      companyId,
      permissions: this.#permissions(held),
    }
  }

  #permissions(scopes: readonly string[]): ReadonlySet<string> {
    const name = scopes.join(' ')
    const known = this.#expanded.get(name) ?? expandPermissions(scopes, this.#declared)
    this.#expanded.set(name, known)
    return known
  }

  /** In the background: nobody waits for it, and a process writes it once a minute at most, all of them together too. */
  #noteUse(gate: Gate, tenant: TenantLocation, id: string, { address }: Caller, actor: Actor): void {
    const key = `${tenant.tenantId}/${id}`
    const nowMs = Date.now()
    if (nowMs - (this.#used.get(key) ?? 0) < USE_WRITTEN_EVERY_MS) return
    this.#used.set(key, nowMs)
    const noted = sql`UPDATE core.api_key SET last_used_at = now(), last_used_address = ${address}
      WHERE id = ${id} AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`
    void gate
      .writeTenant(tenant, null, actor, (tx) => tx.run(noted.compile(tenantSql)))
      .catch(() => this.#used.delete(key)) // the next request tries again
  }
}

function overlaps({ previous_secret_ends_at: endsAt }: KeyRow, nowMs: number): boolean {
  return endsAt !== null && Date.parse(endsAt) > nowMs
}

function assertUsable(row: KeyRow, { address }: Caller, nowMs: number): void {
  if (row.expires_at !== null && Date.parse(row.expires_at) <= nowMs) {
    throw new Problem(problems.tokenExpired, { message: 'This API key has expired' })
  }
  if (row.allowed_addresses.length === 0 || isWithin(address, row.allowed_addresses)) return
  throw new Problem(problems.permissionDenied, { message: 'This API key is not for use from this address' })
}

/** IPv4 addresses written as IPv6 (::ffff:…) are judged as what they are. */
function isWithin(address: string, networks: readonly string[]): boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', prefix] = network.split('/')
    const family = isIPv6(base) ? 'ipv6' : 'ipv4'
    list.addSubnet(base, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Addresses and networks (192.0.2.0/24) that are none. */
export function wrongNetworks(networks: readonly string[]): string[] {
  return networks.filter((network) => {
    const [address = '', prefix, ...more] = network.split('/')
    const version = isIP(address)
    if (version === 0 || address.includes('%') || more.length > 0) return true
    return prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32))
  })
}

function companyOf({ company_ids: ids }: KeyRow, named: string | undefined): string | null {
  if (named !== undefined) {
    const id = named.toLowerCase()
    if (ids.includes(id)) return id
    throw new Problem(problems.permissionDenied, { message: 'This API key does not work in this company' })
  }
  if (ids.length === 1) return ids[0] ?? null
  const message =
    ids.length === 0
      ? 'The companies of this API key are not there any more'
      : `This API key works in ${ids.length} companies: say in which (X-Company-ID)`
  throw validationProblem([{ field: 'X-Company-ID', code: 'REQUIRED', message }])
}

function keyIsVoid(): Problem {
  return new Problem(problems.tokenInvalid, { message: 'This API key is not valid here' })
}

const LIVE_KEY = statement<KeyRow>(
  'live-api-key',
  `SELECT k.id, k.scopes, k.allowed_addresses, k.secret_hash, k.secret_number, k.previous_secret_hash,
     k.previous_secret_ends_at, k.expires_at,
     ARRAY(SELECT c.id::text FROM core.company c WHERE c.is_active AND c.deleted_at IS NULL
       AND (k.all_companies OR c.id = ANY (k.company_ids)) ORDER BY c.code) AS company_ids
   FROM core.api_key k WHERE k.id = $1 AND k.revoked_at IS NULL`,
)

/** The key that asks, as it is told about itself. */
export async function readOwnKey(
  tx: TenantRead,
  id: string,
): Promise<{ name: string; expiresAt: string | null } | undefined> {
  return tx.row(
    sql<{ name: string; expiresAt: string | null }>`SELECT name, expires_at AS "expiresAt"
      FROM core.api_key WHERE id = ${id}`.compile(tenantSql),
  )
}
