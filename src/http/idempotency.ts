/**
 * Idempotency-Key: the same key and request gets the first answer again. The answer is written in the
 * transaction that did the work, so a crash leaves either both or neither; of two requests with one key
 * at the same moment, the unique index lets one through and the other is given its answer.
 */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { firstIdAt } from '../kernel/ids.ts'
import { Problem, problems, validationProblem } from '../kernel/problem.ts'
import { platformSql, statement, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import type { Operation } from './contract.ts'

export interface IdempotencyClaim {
  /** Who the key belongs to: another user's same key is another key. */
  readonly scope: string
  readonly key: string
  readonly operation: string
  readonly requestHash: Buffer
}

export interface SavedAnswer {
  readonly status: number
  readonly data: unknown
}

interface SavedRow {
  scope: string
  key: string
  operation: string
  request_hash: Buffer
  status: number
  response: string
}

export class KeyTakenMeanwhile extends Error {}

const KEY = /^[\x21-\x7e]{1,200}$/

export function idempotencyClaim(
  operation: Operation,
  header: string | undefined,
  scope: string,
  request: unknown,
): IdempotencyClaim | undefined {
  if (!operation.idempotent || header === undefined) return undefined
  if (!KEY.test(header)) {
    const message = 'Idempotency-Key must be 1 to 200 visible ASCII characters'
    throw validationProblem([{ field: 'Idempotency-Key', code: 'FORMAT', message }])
  }
  const requestHash = createHash('sha256').update(operation.name).update(JSON.stringify(request)).digest()
  return { scope, key: header, operation: operation.name, requestHash }
}

/** Answers already given, in the order of the claims. A key that was used with another request is refused. */
export async function savedAnswers(
  tx: TenantTx | PlatformTx,
  schema: 'core' | 'platform',
  claims: readonly (IdempotencyClaim | undefined)[],
): Promise<(SavedAnswer | Problem | undefined)[]> {
  const present = claims.filter((claim) => claim !== undefined)
  if (present.length === 0) return claims.map(() => undefined)
  const rows = await tx.prepared(SELECT[schema], [
    present.map(({ scope }) => scope),
    present.map(({ key }) => key),
  ])
  return claims.map((claim) => {
    const row = claim && rows.find(({ scope, key }) => scope === claim.scope && key === claim.key)
    if (!claim || !row) return undefined
    if (!claim.requestHash.equals(row.request_hash)) return new Problem(problems.idempotencyMismatch)
    return { status: row.status, data: JSON.parse(row.response) as unknown }
  })
}

/** Written with the commit; a key that another request took in the meantime undoes the whole (KeyTakenMeanwhile). */
export function saveAnswers(
  tx: TenantTx | PlatformTx,
  schema: 'core' | 'platform',
  answers: readonly (IdempotencyClaim & { status: number; data: unknown })[],
): void {
  if (answers.length === 0) return
  const values = [
    answers.map(({ scope }) => scope),
    answers.map(({ key }) => key),
    answers.map(({ operation }) => operation),
    answers.map(({ requestHash }) => requestHash),
    answers.map(({ status }) => status),
    answers.map(({ data }) => JSON.stringify(data)),
  ]
  tx.finish(INSERT[schema], values, (error) =>
    (error as { constraint?: string }).constraint === 'idempotency_key_scope_key_key'
      ? new KeyTakenMeanwhile()
      : error,
  )
}

/** Forgets answers older than that, so many at a time; how many there were. */
export async function purgeAnswers(
  tx: TenantTx | PlatformTx,
  schema: 'core' | 'platform',
  before: Date,
  maximum: number,
): Promise<number> {
  const table = sql.table(`${schema}.idempotency_key`)
  return tx.run(
    sql`DELETE FROM ${table} WHERE id IN (
      SELECT id FROM ${table} WHERE id < ${firstIdAt(before)} ORDER BY id LIMIT ${maximum})`.compile(
      platformSql,
    ),
  )
}

const SELECT = { core: select('core'), platform: select('platform') }
const INSERT = { core: insert('core'), platform: insert('platform') }

function select(schema: 'core' | 'platform') {
  return statement<SavedRow>(
    'idempotency-select',
    // LIMIT keeps the planner from turning the look-ups by key into a walk through the whole table.
    `SELECT found.* FROM unnest($1::text[], $2::text[]) AS claim (scope, key) CROSS JOIN LATERAL (
       SELECT scope, key, operation, request_hash, status, response FROM ${schema}.idempotency_key known
       WHERE known.scope = claim.scope AND known.key = claim.key LIMIT 1) found`,
  )
}

function insert(schema: 'core' | 'platform') {
  return statement<unknown>(
    'idempotency-insert',
    `INSERT INTO ${schema}.idempotency_key (scope, key, operation, request_hash, status, response)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::int[], $6::text[])`,
  )
}
