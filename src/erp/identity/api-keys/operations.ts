/** API keys: made, listed, given a new secret, revoked. Who comes with one is in authentication.ts. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { apiKeyPrefix, newApiKey } from '../../../http/api-keys.ts'
import { paginationOf, type InputOf } from '../../../http/contract.ts'
import { assertUnchanged } from '../../../http/etag.ts'
import { callerOf, implement, type Route, type TenantContext } from '../../../http/route.ts'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { likePattern } from '../../../tenancy/sql-text.ts'
import { Administration, type Reach } from '../administration.ts'
import { tellSessionEnd, type IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { unknownPatterns } from '../rules/permission-patterns.ts'
import { readOwnKey, wrongNetworks } from './authentication.ts'
import {
  createApiKey,
  getApiKey,
  getOwnApiKey,
  listApiKeys,
  OVERLAP_HOURS_DEFAULT,
  revokeApiKey,
  rotateApiKey,
  updateApiKey,
  type ApiKey,
} from './contract.ts'

type KeyData = Static<typeof ApiKey>

/** Of one tenant, not counting those that were revoked. */
const LIVE_KEYS_MAXIMUM = 200
const HOUR_MS = 3_600_000

export function apiKeyRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(listApiKeys, (tx, { query }) => list(tx, query)),
    implement(getApiKey, (tx, { params }) => readKey(tx, params.id)),
    implement(createApiKey, (tx, { body }, context) => create(ports, tx, body, context)),
    implement(updateApiKey, async (door, { params, body }, context) => {
      const changed = await door.write((tx) => update(tx, params.id, body, context))
      await tellSessionEnd(ports, context.tenant.tenantId, params.id)
      return changed
    }),
    implement(rotateApiKey, async (door, { params, body }, context) => {
      const overlapHours = body?.overlapHours ?? OVERLAP_HOURS_DEFAULT
      const rotated = await door.write((tx) => rotate(tx, params.id, overlapHours, context))
      await tellSessionEnd(ports, context.tenant.tenantId, params.id)
      return rotated
    }),
    implement(revokeApiKey, async (door, { params }, context) => {
      // Whoever may revoke keys may revoke any: it takes away and gives nothing.
      await door.write(async (tx) => {
        const key = await readKey(tx, params.id)
        assertUnchanged(context.ifMatch, key)
        const revoked = sql`UPDATE core.api_key SET revoked_at = ${context.now.toISOString()}
          WHERE id = ${key.id} AND revoked_at IS NULL`
        await tx.run(revoked.compile(tenantSql))
      })
      await tellSessionEnd(ports, context.tenant.tenantId, params.id)
      return {}
    }),
    implement(getOwnApiKey, async (tx, _input, context) => {
      const { id, kind, permissions, companyId } = callerOf(context)
      const own = kind === 'integration' ? await readOwnKey(tx, id) : undefined
      if (!own) throw new Problem(problems.notFound, { message: 'Who asks is no API key: see /auth/me' })
      const { tenantCode } = tx
      return { ...own, id, companyId, permissions: [...permissions].toSorted(), tenantCode }
    }),
  ]
}

// ---- reading -------------------------------------------------------------------------------------------

const STATUS = `CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired'
  ELSE 'active' END`

const COLUMNS = `k.id, k.name, k.scopes, k.all_companies AS "allCompanies", k.company_ids::text[] AS "companyIds",
  k.allowed_addresses AS "allowedAddresses", ${STATUS} AS status, k.expires_at AS "expiresAt",
  k.revoked_at AS "revokedAt",
  CASE WHEN k.previous_secret_ends_at > now() THEN k.previous_secret_ends_at END AS "previousSecretEndsAt",
  k.last_used_at AS "lastUsedAt", k.last_used_address AS "lastUsedAddress", k.created_by AS "createdById",
  u.full_name AS "createdByName", k.created_at AS "createdAt", k.updated_at AS "updatedAt"`

const FROM = 'FROM core.api_key k LEFT JOIN core.app_user u ON u.id = k.created_by'

const SORTED = {
  name: 'lower(k.name)',
  createdAt: 'k.created_at',
  lastUsedAt: 'k.last_used_at',
  expiresAt: 'k.expires_at',
} as const

async function list(tx: TenantRead, query: InputOf<typeof listApiKeys>['query']) {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const conditions = [sql`true`]
  if (query.status !== undefined) conditions.push(sql`${sql.raw(STATUS)} = ${query.status}`)
  if (query.search) conditions.push(sql`k.name ILIKE ${likePattern(query.search)}`)
  const from = sql`${sql.raw(FROM)} WHERE ${sql.join(conditions, sql` AND `)}`
  const direction = query.order === 'desc' ? 'DESC' : 'ASC'
  const order = sql.raw(`${SORTED[query.sort ?? 'name']} ${direction} NULLS LAST, k.id`)
  const [rows, counted] = await Promise.all([
    tx.rows(
      sql<Row>`SELECT ${sql.raw(COLUMNS)} ${from} ORDER BY ${order}
        LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(tenantSql),
    ),
    tx.row(sql<{ total: number }>`SELECT count(*) AS total ${from}`.compile(tenantSql)),
  ])
  return { apiKeys: rows.map(shown), pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

type Row = Omit<KeyData, 'prefix'>

async function readKey(tx: TenantRead, id: string): Promise<KeyData> {
  const [row] = await tx.prepared(KEY, [id])
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such API key' })
  return shown(row)
}

function shown(row: Row): KeyData {
  return { ...row, prefix: apiKeyPrefix(row.id) }
}

const KEY = statement<Row>('identity-api-key', `SELECT ${COLUMNS} ${FROM} WHERE k.id = $1`)

// ---- changing ------------------------------------------------------------------------------------------

async function create(
  ports: IdentityPorts,
  tx: TenantTx,
  body: InputOf<typeof createApiKey>['body'],
  context: TenantContext,
) {
  const caller = callerOf(context)
  const administration = await Administration.begin(tx, caller.id)
  const reach = reachOf(body, caller.companyId)
  const wrong = [
    ...nameProblems(body.name),
    ...addressProblems(body.allowedAddresses),
    ...unknownPatterns(body.scopes, ports.declared).map((pattern) => ({
      field: `scopes[${body.scopes.indexOf(pattern)}]`,
      code: 'UNKNOWN_PERMISSION',
      message: `There is no permission ${pattern}`,
    })),
    ...expiryProblems(body.expiresAt, context.now),
    ...(await companyProblems(tx, reach)),
  ]
  if (wrong.length > 0) throw validationProblem(wrong)
  assertWithin(administration, { scopes: body.scopes, ...reach })
  await assertRoom(tx)
  const id = context.newId()
  const { key, hash } = newApiKey(id)
  await tx.run(
    tenantSql.insertInto('core.api_key').values({
      id,
      name: body.name.trim(),
      scopes: [...new Set(body.scopes)],
      all_companies: reach.allCompanies,
      company_ids: [...reach.companyIds],
      allowed_addresses: [...new Set(body.allowedAddresses)],
      secret_hash: hash,
      expires_at: body.expiresAt == null ? null : new Date(body.expiresAt).toISOString(),
      created_by: caller.id,
    }),
  )
  return { apiKey: await readKey(tx, id), secret: key }
}

async function update(
  tx: TenantTx,
  id: string,
  body: InputOf<typeof updateApiKey>['body'],
  context: TenantContext,
): Promise<KeyData> {
  const before = await readChangeable(tx, id, context)
  const wrong = [...nameProblems(body.name), ...addressProblems(body.allowedAddresses)]
  if (wrong.length > 0) throw validationProblem(wrong)
  await tx.run(
    tenantSql
      .updateTable('core.api_key')
      .set({
        name: body.name?.trim() ?? before.name,
        allowed_addresses: [...new Set(body.allowedAddresses ?? before.allowedAddresses)],
      })
      .where('id', '=', id),
  )
  return readKey(tx, id)
}

async function rotate(tx: TenantTx, id: string, overlapHours: number, context: TenantContext) {
  await readChangeable(tx, id, context)
  const { key, hash } = newApiKey(id)
  const endsAt = new Date(context.now.getTime() + overlapHours * HOUR_MS).toISOString()
  await tx.run(
    sql`UPDATE core.api_key SET previous_secret_hash = secret_hash, previous_secret_ends_at = ${endsAt},
      secret_hash = ${hash}, secret_number = secret_number + 1 WHERE id = ${id}`.compile(tenantSql),
  )
  return { apiKey: await readKey(tx, id), secret: key }
}

/** A key that can do more than the caller is out of the caller's hands: a new secret would be theirs. */
async function readChangeable(tx: TenantTx, id: string, context: TenantContext): Promise<KeyData> {
  const administration = await Administration.begin(tx, callerOf(context).id)
  const key = await readKey(tx, id)
  assertUnchanged(context.ifMatch, key)
  if (key.status === 'revoked') throw new Problem(identityProblems.keyRevoked)
  assertWithin(administration, key)
  return key
}

function assertWithin(
  administration: Administration,
  { scopes, ...reach }: Reach & { readonly scopes: readonly string[] },
): void {
  administration.assertWithin({
    permissions: scopes,
    discountPercentMaximum: '0',
    discountAmountMaximum: '0',
  })
  administration.assertWithinReach(reach)
}

/** Counted in the turn that the administration gives. */
async function assertRoom(tx: TenantTx): Promise<void> {
  const counted = sql<{ count: number }>`SELECT count(*) AS count FROM core.api_key WHERE revoked_at IS NULL`
  const count = (await tx.row(counted.compile(tenantSql)))?.count ?? 0
  if (count < LIVE_KEYS_MAXIMUM) return
  const message = `There are ${count} API keys already, as many as there may be: revoke some first`
  throw new Problem(problems.conflict, { message })
}

function reachOf(
  { allCompanies = false, companyIds }: { allCompanies?: boolean; companyIds?: string[] },
  workedIn: string | null,
): Reach {
  const ids = (companyIds ?? (allCompanies || workedIn === null ? [] : [workedIn])).map((id) =>
    id.toLowerCase(),
  )
  return { allCompanies, companyIds: allCompanies ? [] : [...new Set(ids)] }
}

async function companyProblems(tx: TenantRead, { allCompanies, companyIds }: Reach): Promise<FieldProblem[]> {
  if (!allCompanies && companyIds.length === 0) {
    const message = 'A key works in at least one company, or in all of them'
    return [{ field: 'companyIds', code: 'REQUIRED', message }]
  }
  const known = await tx.rows(
    sql<{ id: string }>`SELECT id FROM core.company WHERE deleted_at IS NULL
      AND id = ANY (${[...companyIds]}::uuid[])`.compile(tenantSql),
  )
  const unknown = companyIds.filter((id) => !known.some((company) => company.id === id))
  return unknown.map((id) => ({
    field: `companyIds[${companyIds.indexOf(id)}]`,
    code: 'UNKNOWN_COMPANY',
    message: 'There is no such company',
  }))
}

function nameProblems(name: string | undefined): FieldProblem[] {
  return name?.trim() === '' ? [{ field: 'name', code: 'TOO_SHORT', message: 'name must not be empty' }] : []
}

function addressProblems(networks: readonly string[] = []): FieldProblem[] {
  return wrongNetworks(networks).map((network) => ({
    field: `allowedAddresses[${networks.indexOf(network)}]`,
    code: 'FORMAT',
    message: `${network} is no address or network such as 192.0.2.0/24`,
  }))
}

function expiryProblems(expiresAt: string | null | undefined, now: Date): FieldProblem[] {
  if (expiresAt == null) return []
  const at = Date.parse(expiresAt)
  if (at > now.getTime()) return []
  return [{ field: 'expiresAt', code: 'RANGE', message: 'expiresAt must be in the future' }]
}
