/** Operators as people: listed, invited, changed, deleted. */
import { sql } from 'kysely'
import { paginationOf, type InputOf } from '../../http/contract.ts'
import { assertUnchanged } from '../../http/etag.ts'
import { implement, type RequestContext, type Route } from '../../http/route.ts'
import { Problem, problems, validationProblem } from '../../kernel/problem.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import { recordEvent } from '../audit.ts'
import { tellOperatorSessionEnd, type OperatorPorts } from './accounts.ts'
import { OperatorAdministration } from './administration.ts'
import {
  createOperator,
  deleteOperator,
  getOperator,
  inviteOperator,
  listOperators,
  resetOperatorSecondFactor,
  updateOperator,
  type OperatorData,
} from './contract.ts'
import { operatorProblems } from './problems.ts'
import { OPERATOR_COLUMNS, readOperator } from './records.ts'

/** As for a tenant's users: over a weekend. */
const INVITATION_HOURS = 72
const HOUR_MS = 3_600_000
const PRODUCT_NAME = 'Solution ERP'

export function peopleRoutes(ports: OperatorPorts): Route[] {
  return [
    implement(listOperators, (tx, { query }) => list(tx, query)),
    implement(getOperator, (tx, { params }) => readOperator(tx, params.id)),
    implement(createOperator, (tx, { body }, context) => create(ports, tx, body, context)),
    implement(updateOperator, async (door, { params, body }, context) => {
      const operator = await door.write((tx) => update(ports, tx, params.id, body, context))
      await tellOperatorSessionEnd(ports)
      return operator
    }),
    implement(deleteOperator, async (door, { params }, context) => {
      await door.write((tx) => remove(ports, tx, params.id, context))
      await tellOperatorSessionEnd(ports)
      return {}
    }),
    implement(inviteOperator, async (tx, { params }, context) => {
      const administration = await OperatorAdministration.begin(tx, context.principal?.id)
      const operator = await readOperator(tx, params.id)
      administration.assertWithin(operator.role)
      if (!operator.isInvited) throw new Problem(operatorProblems.notInvited)
      if (operator.status !== 'active')
        throw new Problem(problems.conflict, { message: 'This operator is not active' })
      await ports.passwords.voidLinks(tx, operator.id)
      await invite(ports, tx, operator, context)
      return operator
    }),
    implement(resetOperatorSecondFactor, async (door, { params }, context) => {
      await door.write(async (tx) => {
        const administration = await OperatorAdministration.begin(tx, context.principal?.id)
        administration.assertWithin((await readOperator(tx, params.id)).role)
        await ports.secondFactors.reset(tx, params.id)
      })
      await tellOperatorSessionEnd(ports)
      return {}
    }),
  ]
}

// ---- reading -------------------------------------------------------------------------------------------

const SORTED = {
  fullName: 'lower(o.full_name)',
  email: 'lower(o.email)',
  role: 'o.role',
  status: 'o.is_active DESC, lower(o.full_name)',
  lastLoginAt: 'o.last_login_at',
  createdAt: 'o.created_at',
  updatedAt: 'o.updated_at',
} as const

async function list(tx: PlatformRead, query: InputOf<typeof listOperators>['query']) {
  const { page = 1, limit = 50, search, role, status, includeDeleted = false } = query
  const conditions = [sql`true`]
  if (!includeDeleted) conditions.push(sql`o.deleted_at IS NULL`)
  if (role !== undefined) conditions.push(sql`o.role = ${role}`)
  if (status !== undefined) conditions.push(sql`o.is_active = ${status === 'active'}`)
  if (search !== undefined && search !== '') {
    const pattern = likePattern(search)
    conditions.push(sql`(o.full_name ILIKE ${pattern} OR o.email ILIKE ${pattern})`)
  }
  const from = sql`FROM platform.operator o WHERE ${sql.join(conditions, sql` AND `)}`
  const direction = query.order === 'desc' ? 'DESC' : 'ASC'
  const order = sql.raw(`${SORTED[query.sort ?? 'fullName']} ${direction} NULLS LAST, o.id`)
  const operators = await tx.rows(
    sql<OperatorData>`SELECT ${OPERATOR_COLUMNS} ${from} ORDER BY ${order}
      LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(platformSql),
  )
  const counted = await tx.row(sql<{ total: number }>`SELECT count(*) AS total ${from}`.compile(platformSql))
  return { operators, pagination: paginationOf(Number(counted?.total ?? 0), page, limit) }
}

// ---- changing ------------------------------------------------------------------------------------------

async function create(
  ports: OperatorPorts,
  tx: PlatformTx,
  body: InputOf<typeof createOperator>['body'],
  context: RequestContext,
): Promise<OperatorData> {
  const administration = await OperatorAdministration.begin(tx, context.principal?.id)
  administration.assertWithin(body.role)
  const id = context.newId()
  const { role, email } = body
  await tx.run(
    platformSql.insertInto('platform.operator').values({ id, full_name: nameOf(body.fullName), email, role }),
  )
  const details = { email, role }
  await recordEvent(tx, { action: 'create', entity: 'operator', entityId: id, details })
  const operator = await readOperator(tx, id)
  await invite(ports, tx, operator, context)
  return operator
}

async function update(
  ports: OperatorPorts,
  tx: PlatformTx,
  id: string,
  given: InputOf<typeof updateOperator>['body'],
  context: RequestContext,
): Promise<OperatorData> {
  const administration = await OperatorAdministration.begin(tx, context.principal?.id)
  const before = await readOperator(tx, id)
  assertUnchanged(context.ifMatch, before)
  administration.assertWithin(before.role)
  administration.assertWithin(given.role ?? before.role)
  await tx.run(
    platformSql
      .updateTable('platform.operator')
      .set({
        full_name: nameOf(given.fullName ?? before.fullName),
        email: given.email ?? before.email,
        role: given.role ?? before.role,
        is_active: (given.status ?? before.status) === 'active',
      })
      .where('id', '=', id),
  )
  // A link that was mailed to the old address is in the hands of whoever reads mail there.
  if (given.email !== undefined && given.email !== before.email) await ports.passwords.voidLinks(tx, id)
  if (given.status === 'inactive') await ports.sessions.table.endAllOf(tx, id, 'deactivated')
  await administration.assertOwnerLeft()
  const after = await readOperator(tx, id)
  const [was, is] = [changeable(before), changeable(after)]
  await recordEvent(tx, { action: 'update', entity: 'operator', entityId: id, details: { was, is } })
  return after
}

async function remove(
  ports: OperatorPorts,
  tx: PlatformTx,
  id: string,
  context: RequestContext,
): Promise<void> {
  const administration = await OperatorAdministration.begin(tx, context.principal?.id)
  const before = await readOperator(tx, id)
  assertUnchanged(context.ifMatch, before)
  administration.assertWithin(before.role)
  await tx.run(
    sql`UPDATE platform.operator SET deleted_at = now(), is_active = false WHERE id = ${id}`.compile(
      platformSql,
    ),
  )
  await tx.run(platformSql.deleteFrom('platform.operator_second_factor').where('operator_id', '=', id))
  await ports.passwords.voidLinks(tx, id)
  await ports.sessions.table.endAllOf(tx, id, 'deleted')
  await administration.assertOwnerLeft()
  const details = changeable(before)
  await recordEvent(tx, { action: 'delete', entity: 'operator', entityId: id, details })
}

async function invite(
  ports: OperatorPorts,
  tx: PlatformTx,
  { id, fullName, email }: OperatorData,
  context: RequestContext,
): Promise<void> {
  const expiresAt = new Date(context.now.getTime() + INVITATION_HOURS * HOUR_MS)
  const [link = ''] = await ports.passwords.makeLinks(tx, [id], expiresAt)
  const inviter = context.principal && (await readOperator(tx, context.principal.id))
  await ports.mails.enqueue(tx, {
    template: 'invitation',
    values: {
      fullName,
      inviterName: inviter?.fullName ?? PRODUCT_NAME,
      companyName: `${PRODUCT_NAME} operators`,
      link,
      hours: INVITATION_HOURS,
    },
    language: 'en',
    to: email,
    expiresAt,
  })
}

function nameOf(fullName: string): string {
  const name = fullName.trim()
  if (name !== '') return name
  const message = 'fullName must not be empty'
  throw validationProblem([{ field: 'fullName', code: 'TOO_SHORT', message }])
}

function changeable({ fullName, email, role, status }: OperatorData) {
  return { fullName, email, role, status }
}
