/** Users: listed, created, changed, deleted. What surrounds a user (photo, sessions …) is in files beside this one. */
import { sql } from 'kysely'
import { isCommonPassword } from '../../../http/common-passwords.ts'
import { hashPassword } from '../../../http/password-hashes.ts'
import { paginationOf, type InputOf } from '../../../http/contract.ts'
import { assertUnchanged } from '../../../http/etag.ts'
import { callerOf, implement, type Route, type TenantContext, type TenantDoor } from '../../../http/route.ts'
import { passwordProblems } from '../../../kernel/passwords.ts'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { likePattern } from '../../../tenancy/sql-text.ts'
import { Administration, type Reach } from '../administration.ts'
import { tellSessionEnd, type IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { findRole } from '../roles/operations.ts'
import { activityRoutes } from './activity.ts'
import {
  createUser,
  deleteUser,
  getUser,
  listUsers,
  resetUserSecondFactor,
  restoreUser,
  sendPasswordReset,
  updateUser,
  type UserData,
} from './contract.ts'
import { invitationRoutes, invite } from './invitations.ts'
import { photoRoutes } from './photo.ts'
import {
  assertMayChange,
  insertUsers,
  readDeletedUser,
  readUser,
  setCompanies,
  USER_COLUMNS,
  type NewUser,
} from './records.ts'

type Given = InputOf<typeof updateUser>['body']

export function userRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(listUsers, (tx, { query }) => list(tx, query)),
    implement(getUser, (tx, { params }) => readUser(tx, params.id)),
    implement(createUser, (door, { body }, context) => create(ports, door, body, context)),
    implement(updateUser, async (door, { params, body }, context) => {
      const user = await door.write((tx) => update(ports, tx, params.id, body, context))
      await tellSessionEnd(ports, context.tenant.tenantId)
      return user
    }),
    implement(deleteUser, async (door, { params }, context) => {
      await door.write((tx) => remove(ports, tx, params.id, context))
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(resetUserSecondFactor, async (door, { params }, context) => {
      await door.write(async (tx) => {
        const administration = await Administration.begin(tx, callerOf(context).id)
        await assertMayChange(tx, administration, await readUser(tx, params.id))
        await ports.secondFactors.reset(tx, params.id)
      })
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(sendPasswordReset, async (tx, { params }, context) => {
      const administration = await Administration.begin(tx, callerOf(context).id)
      const user = await readUser(tx, params.id)
      await assertMayChange(tx, administration, user)
      if (user.isInvited) throw new Problem(identityProblems.noPasswordYet)
      if (user.status !== 'active')
        throw new Problem(problems.conflict, { message: 'This user is not active' })
      const isMailed = await ports.passwords.mailResetLink(tx, user.email, context.now)
      if (!isMailed) throw new Problem(identityProblems.linksEnough)
      return {}
    }),
    implement(restoreUser, (tx, { params, body }, context) =>
      restore(tx, params.id, body?.roleId?.toLowerCase(), context),
    ),
    ...invitationRoutes(ports),
    ...photoRoutes,
    ...activityRoutes(ports),
  ]
}

// ---- reading -------------------------------------------------------------------------------------------

const SORTED = {
  fullName: 'lower(u.full_name)',
  email: 'lower(u.email)',
  role: 'lower(r.name)',
  status: "CASE WHEN u.is_active THEN 'active' ELSE 'inactive' END",
  joinDate: 'u.join_date',
  lastLoginAt: 'u.last_login_at',
  createdAt: 'u.created_at',
  updatedAt: 'u.updated_at',
} as const

async function list(tx: TenantRead, query: InputOf<typeof listUsers>['query']) {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const conditions = [sql`true`]
  if (!query.includeDeleted) conditions.push(sql`u.deleted_at IS NULL`)
  if (query.status !== undefined) conditions.push(sql`u.is_active = ${query.status === 'active'}`)
  if (query.roleId !== undefined) conditions.push(sql`u.role_id = ${query.roleId}`)
  if (query.search) {
    const pattern = likePattern(query.search)
    conditions.push(
      sql`(u.full_name ILIKE ${pattern} OR u.email ILIKE ${pattern} OR u.phone ILIKE ${pattern})`,
    )
  }
  const from = sql`FROM core.app_user u JOIN core.role r ON r.id = u.role_id
    WHERE ${sql.join(conditions, sql` AND `)}`
  const direction = query.order === 'desc' ? 'DESC' : 'ASC'
  const order = sql.raw(
    `${SORTED[query.sort ?? 'fullName']} ${direction} NULLS LAST, lower(u.full_name), u.id`,
  )
  const [users, counted] = await Promise.all([
    tx.rows(
      sql<UserData>`SELECT ${sql.raw(USER_COLUMNS)} ${from} ORDER BY ${order}
        LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(tenantSql),
    ),
    tx.row(sql<{ total: number }>`SELECT count(*) AS total ${from}`.compile(tenantSql)),
  ])
  return { users, pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

// ---- changing ------------------------------------------------------------------------------------------

async function create(
  ports: IdentityPorts,
  door: TenantDoor,
  body: InputOf<typeof createUser>['body'],
  context: TenantContext,
): Promise<UserData> {
  const { password, ...given } = body
  const person = { fullName: given.fullName, email: given.email }
  const wrong = [
    ...userProblems(given),
    ...(password === undefined ? [] : passwordProblems(password, person, isCommonPassword)),
  ]
  if (wrong.length > 0) throw validationProblem(wrong)
  // Hashing takes its time; no connection is held, and nobody waits for a turn, meanwhile.
  const passwordHash = password === undefined ? null : await hashPassword(password)
  return door.write(async (tx) => {
    const administration = await Administration.begin(tx, callerOf(context).id)
    const reach = reachOf(given, { allCompanies: false, companyIds: [callerOf(context).companyId ?? ''] })
    const role = await roleProblem(tx, given.roleId)
    if (role.wrong.length > 0) throw validationProblem(role.wrong)
    if (role.powers) administration.assertWithin(role.powers)
    administration.assertWithinReach(reach)
    const user: NewUser = {
      id: context.newId(),
      fullName: given.fullName.trim(),
      email: given.email,
      phone: given.phone ?? null,
      roleId: given.roleId,
      isActive: given.status !== 'inactive',
      joinDate: given.joinDate ?? null,
      metadata: given.metadata ?? {},
      passwordHash,
      ...reach,
    }
    await insertUsers(tx, [user])
    if (passwordHash === null) await invite(ports, tx, [user], context)
    return readUser(tx, user.id)
  })
}

async function update(
  ports: IdentityPorts,
  tx: TenantTx,
  id: string,
  given: Given,
  context: TenantContext,
): Promise<UserData> {
  const administration = await Administration.begin(tx, callerOf(context).id)
  const before = await readUser(tx, id)
  assertUnchanged(context.ifMatch, before)
  const roleId = given.roleId?.toLowerCase() ?? before.roleId
  const role = await roleProblem(tx, roleId)
  // Whoever holds a role that was put to sleep keeps it, and can be mended or deactivated like anybody.
  const isGivenRole = roleId !== before.roleId || (given.status === 'active' && before.status === 'inactive')
  const wrong = [...userProblems(given), ...(isGivenRole ? role.wrong : [])]
  if (wrong.length > 0) throw validationProblem(wrong)
  await assertMayChange(tx, administration, before)
  if (role.powers) administration.assertWithin(role.powers)
  const reach = reachOf(given, before)
  administration.assertWithinReach(reach)
  await tx.run(
    tenantSql
      .updateTable('core.app_user')
      .set({
        full_name: given.fullName?.trim() ?? before.fullName,
        email: given.email ?? before.email,
        phone: given.phone === undefined ? before.phone : given.phone,
        role_id: roleId,
        is_active: (given.status ?? before.status) === 'active',
        join_date: given.joinDate === undefined ? before.joinDate : given.joinDate,
        all_companies: reach.allCompanies,
        metadata: JSON.stringify(given.metadata ?? before.metadata),
      })
      .where('id', '=', id),
  )
  if (given.companyIds !== undefined || given.allCompanies !== undefined) await setCompanies(tx, id, reach)
  // A link that was mailed to the old address is in the hands of whoever reads mail there.
  if (given.email !== undefined && given.email !== before.email) await ports.passwords.voidLinks(tx, id)
  if (given.status === 'inactive') await ports.sessions.endAllOf(tx, id, 'deactivated')
  await administration.assertAdministratorLeft()
  return readUser(tx, id)
}

async function remove(ports: IdentityPorts, tx: TenantTx, id: string, context: TenantContext): Promise<void> {
  const administration = await Administration.begin(tx, callerOf(context).id)
  const user = await readUser(tx, id)
  assertUnchanged(context.ifMatch, user)
  await assertMayChange(tx, administration, user)
  await tx.run(
    sql`UPDATE core.app_user SET deleted_at = now(), is_active = false WHERE id = ${id}`.compile(tenantSql),
  )
  for (const table of ['core.user_photo', 'core.user_email_settings', 'core.second_factor'] as const) {
    await tx.run(tenantSql.deleteFrom(table).where('user_id', '=', id))
  }
  await ports.passwords.voidLinks(tx, id)
  await ports.sessions.endAllOf(tx, id, 'deleted')
  await administration.assertAdministratorLeft()
}

/**
 * Inactive, with the role and companies of before: whoever brings somebody back looks at these first. A role that was
 * deleted meanwhile does not come back with its holder: another one is given.
 */
async function restore(
  tx: TenantTx,
  id: string,
  roleId: string | undefined,
  context: TenantContext,
): Promise<UserData> {
  const administration = await Administration.begin(tx, callerOf(context).id)
  const user = await readDeletedUser(tx, id)
  const former = await findRole(tx, user.roleId)
  if (!former && roleId === undefined) throw new Problem(identityProblems.roleIsGone)
  if (former) await assertMayChange(tx, administration, user)
  else administration.assertWithinReach(user)
  if (roleId !== undefined) {
    const role = await roleProblem(tx, roleId)
    if (role.wrong.length > 0) throw validationProblem(role.wrong)
    if (role.powers) administration.assertWithin(role.powers)
  }
  await tx.run(
    tenantSql
      .updateTable('core.app_user')
      .set({ deleted_at: null, role_id: roleId ?? user.roleId })
      .where('id', '=', id),
  )
  return readUser(tx, id)
}

const METADATA_BYTES_MAXIMUM = 8_192
const NO_COMPANY: FieldProblem = {
  field: 'companyIds',
  code: 'REQUIRED',
  message: 'A user works in at least one company, or in all of them',
}

function userProblems({ fullName, metadata, allCompanies, companyIds }: Given): FieldProblem[] {
  const wrong: FieldProblem[] = []
  if (fullName?.trim() === '') {
    wrong.push({ field: 'fullName', code: 'TOO_SHORT', message: 'fullName must not be empty' })
  }
  if (metadata !== undefined && Buffer.byteLength(JSON.stringify(metadata)) > METADATA_BYTES_MAXIMUM) {
    const message = `metadata takes at most ${METADATA_BYTES_MAXIMUM} bytes of JSON`
    wrong.push({ field: 'metadata', code: 'TOO_LONG', message })
  }
  if (!allCompanies && companyIds?.length === 0) wrong.push(NO_COMPANY)
  return wrong
}

function reachOf(given: Given, before: Reach): Reach {
  const allCompanies = given.allCompanies ?? (given.companyIds === undefined && before.allCompanies)
  const companyIds = (given.companyIds ?? before.companyIds).map((id) => id.toLowerCase())
  if (!allCompanies && companyIds.length === 0) throw validationProblem([NO_COMPANY])
  return { allCompanies, companyIds: [...new Set(companyIds)] }
}

async function roleProblem(tx: TenantRead, roleId: string) {
  const role = await findRole(tx, roleId)
  const refuse = (code: string, message: string): FieldProblem[] => [{ field: 'roleId', code, message }]
  if (!role) return { powers: undefined, wrong: refuse('UNKNOWN_ROLE', 'There is no such role') }
  return { powers: role, wrong: role.isActive ? [] : refuse('INACTIVE_ROLE', 'This role is not active') }
}
