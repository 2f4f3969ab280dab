/** Roles: what is in them, who may change them, and that the change holds at once. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { Decimal } from '../../../kernel/decimal.ts'
import { Problem, problems, validationProblem, type FieldProblem } from '../../../kernel/problem.ts'
import { paginationOf } from '../../../http/contract.ts'
import { assertUnchanged } from '../../../http/etag.ts'
import { callerOf, implement, type Route } from '../../../http/route.ts'
import { statement, tenantSql, type TenantRead } from '../../../tenancy/handles.ts'
import { likePattern } from '../../../tenancy/sql-text.ts'
import { readDecimal } from '../../masters/rules/decimal-input.ts'
import { Administration, type Powers } from '../administration.ts'
import { tellSessionEnd, type IdentityPorts } from '../ports.ts'
import { identityProblems } from '../problems.ts'
import { unknownPatterns } from '../rules/permission-patterns.ts'
import {
  createRole,
  deleteRole,
  getRole,
  listPermissions,
  listRoles,
  updateRole,
  type Role,
} from './contract.ts'

type RoleData = Static<typeof Role>
type Given = Partial<Static<(typeof createRole)['body']>>
type Values = Powers & Pick<RoleData, 'name' | 'description' | 'requiresSecondFactor' | 'isActive'>

const BASIC_ABILITIES = ['view', 'add', 'edit', 'delete']
const EVERYTHING = '*'

export function roleRoutes(ports: IdentityPorts): Route[] {
  return [
    implement(listRoles, (tx, { query }) => list(tx, query)),
    implement(listPermissions, () => Promise.resolve({ modules: permissionMatrix(ports.declared) })),
    implement(getRole, (tx, { params }) => readRole(tx, params.id)),
    implement(createRole, async (tx, { body }, context) => {
      const administration = await Administration.begin(tx, callerOf(context).id)
      const values = valuesOf(body, NEW_ROLE, ports.declared)
      administration.assertWithin(values)
      const id = context.newId()
      await tx.run(tenantSql.insertInto('core.role').values({ id, ...columnsOf(values) }))
      return readRole(tx, id)
    }),
    implement(updateRole, async (door, { params, body }, context) => {
      const role = await door.write(async (tx) => {
        const administration = await Administration.begin(tx, callerOf(context).id)
        const before = await readRole(tx, params.id)
        assertUnchanged(context.ifMatch, before)
        // All of it stays as it is but how its holders sign in.
        const isOfSignIn = Object.keys(body).every((field) => field === 'requiresSecondFactor')
        if (before.isBuiltIn && before.permissions.includes(EVERYTHING) && !isOfSignIn) {
          throw new Problem(identityProblems.administratorIsFixed)
        }
        const values = valuesOf(body, before, ports.declared)
        administration.assertWithin(before)
        administration.assertWithin(values)
        await tx.run(tenantSql.updateTable('core.role').set(columnsOf(values)).where('id', '=', params.id))
        await administration.assertAdministratorLeft()
        return readRole(tx, params.id)
      })
      await tellSessionEnd(ports, context.tenant.tenantId)
      return role
    }),
    implement(deleteRole, async (tx, { params }, context) => {
      const administration = await Administration.begin(tx, callerOf(context).id)
      const role = await readRole(tx, params.id)
      assertUnchanged(context.ifMatch, role)
      if (role.isBuiltIn) throw new Problem(identityProblems.builtInRole)
      administration.assertWithin(role)
      if (role.userCount > 0) {
        const message = `${role.userCount} user(s) hold this role: give them another one first`
        throw new Problem(problems.inUse, {
          message,
          details: { usedBy: ['users'], userCount: role.userCount },
        })
      }
      await tx.run(
        sql`UPDATE core.role SET deleted_at = now(), is_active = false WHERE id = ${params.id}`.compile(
          tenantSql,
        ),
      )
      return {}
    }),
  ]
}

/** Every module with what its operations declare, the four that most have first. */
export function permissionMatrix(
  declared: ReadonlySet<string>,
): Static<(typeof listPermissions)['data']>['modules'] {
  const modules = new Map<string, string[]>()
  for (const permission of declared) {
    const [module = '', ability = ''] = permission.split(':')
    modules.set(module, [...(modules.get(module) ?? []), ability])
  }
  const rank = (ability: string): number => (BASIC_ABILITIES.indexOf(ability) + 5) % 5
  return [...modules]
    .toSorted(([a], [b]) => a.localeCompare(b, 'en'))
    .map(([module, abilities]) => ({
      module,
      abilities: abilities
        .toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'))
        .map((ability) => ({
          ability,
          permission: `${module}:${ability}`,
          isExtra: !BASIC_ABILITIES.includes(ability),
        })),
    }))
}

// ---- reading -------------------------------------------------------------------------------------------

const COLUMNS = `r.id, r.name, r.description, r.permissions,
  r.discount_percent_maximum AS "discountPercentMaximum", r.discount_amount_maximum AS "discountAmountMaximum",
  r.requires_second_factor AS "requiresSecondFactor", r.is_built_in AS "isBuiltIn", r.is_active AS "isActive", r.created_at AS "createdAt", r.updated_at AS "updatedAt", r.deleted_at AS "deletedAt",
  (SELECT count(*) FROM core.app_user u WHERE u.role_id = r.id AND u.deleted_at IS NULL) AS "userCount"`

const SORTED = { name: 'lower(r.name)', createdAt: 'r.created_at', updatedAt: 'r.updated_at' } as const

async function list(tx: TenantRead, query: Static<(typeof listRoles)['query']>) {
  const [page, limit] = [query.page ?? 1, query.limit ?? 50]
  const conditions = [sql`true`]
  if (!query.includeDeleted) conditions.push(sql`r.deleted_at IS NULL`)
  if (query.status !== undefined) conditions.push(sql`r.is_active = ${query.status === 'active'}`)
  if (query.search) {
    const pattern = likePattern(query.search)
    conditions.push(sql`(r.name ILIKE ${pattern} OR r.description ILIKE ${pattern})`)
  }
  const from = sql`FROM core.role r WHERE ${sql.join(conditions, sql` AND `)}`
  const order = sql.raw(`${SORTED[query.sort ?? 'name']} ${query.order ?? 'asc'}, r.id`)
  const [roles, counted] = await Promise.all([
    tx.rows(
      sql<RoleData>`SELECT ${sql.raw(COLUMNS)} ${from} ORDER BY ${order}
        LIMIT ${limit} OFFSET ${(page - 1) * limit}`.compile(tenantSql),
    ),
    tx.row(sql<{ total: number }>`SELECT count(*) AS total ${from}`.compile(tenantSql)),
  ])
  return { roles: roles.map(presented), pagination: paginationOf(counted?.total ?? 0, page, limit) }
}

export async function readRole(tx: TenantRead, id: string): Promise<RoleData> {
  const role = await findRole(tx, id)
  if (!role) throw new Problem(problems.notFound, { message: 'There is no such role' })
  return role
}

/** undefined: there never was one, or it was deleted. */
export async function findRole(tx: TenantRead, id: string): Promise<RoleData | undefined> {
  const [row] = await tx.prepared(ROLE, [id])
  return row && presented(row)
}

const ROLE = statement<RoleData>(
  'identity-role',
  `SELECT ${COLUMNS} FROM core.role r WHERE r.id = $1 AND r.deleted_at IS NULL`,
)

/** PostgreSQL pads numerics to their scale: 12.5000 → 12.5 */
function presented(role: RoleData): RoleData {
  const plain = (limit: string | null): string | null =>
    limit === null ? null : Decimal.of(limit).toString()
  return {
    ...role,
    discountPercentMaximum: plain(role.discountPercentMaximum),
    discountAmountMaximum: plain(role.discountAmountMaximum),
  }
}

// ---- what a role would be ------------------------------------------------------------------------------

const NEW_ROLE: Values = {
  name: '',
  description: null,
  permissions: [],
  discountPercentMaximum: '0',
  discountAmountMaximum: '0',
  requiresSecondFactor: false,
  isActive: true,
}

const AMOUNT_DIGITS = 16

function valuesOf(given: Given, before: Values, declared: ReadonlySet<string>): Values {
  const wrong: FieldProblem[] = []
  const name = (given.name ?? before.name).trim()
  if (name === '') wrong.push({ field: 'name', code: 'TOO_SHORT', message: 'name must not be empty' })
  for (const pattern of unknownPatterns(given.permissions ?? [], declared)) {
    const field = `permissions[${given.permissions?.indexOf(pattern)}]`
    wrong.push({ field, code: 'UNKNOWN_PERMISSION', message: `There is no permission ${pattern}` })
  }
  const limit = (field: 'discountPercentMaximum' | 'discountAmountMaximum'): string | null => {
    const value = given[field]
    if (value === undefined) return before[field]
    if (value === null) return null
    const decimal = readDecimal(value)
    const isWithin = decimal && (field === 'discountAmountMaximum'
      ? decimal.wholeDigits() <= AMOUNT_DIGITS
      : decimal.compare(Decimal.of(100)) <= 0) // prettier-ignore
    if (!decimal || decimal.isNegative() || decimal.decimalPlaces() > 4 || !isWithin) {
      const range = field === 'discountPercentMaximum' ? 'from 0 to 100' : 'of 0 or more'
      wrong.push({
        field,
        code: 'RANGE',
        message: `${field} is a number ${range} with at most 4 places, or null`,
      })
    }
    return decimal?.toString() ?? null
  }
  const values: Values = {
    name,
    description: given.description === undefined ? before.description : given.description?.trim() || null,
    permissions: [...new Set(given.permissions ?? before.permissions)],
    discountPercentMaximum: limit('discountPercentMaximum'),
    discountAmountMaximum: limit('discountAmountMaximum'),
    requiresSecondFactor: given.requiresSecondFactor ?? before.requiresSecondFactor,
    isActive: given.isActive ?? before.isActive,
  }
  if (wrong.length > 0) throw validationProblem(wrong)
  return values
}

function columnsOf(values: Values) {
  return {
    name: values.name,
    description: values.description,
    permissions: [...values.permissions],
    discount_percent_maximum: values.discountPercentMaximum,
    discount_amount_maximum: values.discountAmountMaximum,
    requires_second_factor: values.requiresSecondFactor,
    is_active: values.isActive,
  }
}
