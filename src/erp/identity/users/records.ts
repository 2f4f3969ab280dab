/** Rows of users and of the companies they work in: read, written, and who may touch them. */
import { sql } from 'kysely'
import { Problem, problems, validationProblem } from '../../../kernel/problem.ts'
import { callerOf, type TenantContext } from '../../../http/route.ts'
import { statement, tenantSql, type TenantRead, type TenantTx } from '../../../tenancy/handles.ts'
import { Administration, type Reach } from '../administration.ts'
import { readRole } from '../roles/operations.ts'
import type { UserData } from './contract.ts'

export const USER_COLUMNS = `u.id, u.full_name AS "fullName", u.email, u.phone,
  (SELECT '/api/v1/users/' || u.id || '/photo?v=' || floor(extract(epoch FROM p.updated_at) * 1000)
   FROM core.user_photo p WHERE p.user_id = u.id) AS photo,
  u.role_id AS "roleId", r.name AS role, CASE WHEN u.is_active THEN 'active' ELSE 'inactive' END AS status,
  u.join_date AS "joinDate", u.last_login_at AS "lastLoginAt", u.all_companies AS "allCompanies",
  ARRAY(SELECT m.company_id::text FROM core.user_company m WHERE m.user_id = u.id ORDER BY 1) AS "companyIds",
  u.metadata, u.password_hash IS NULL AS "isInvited",
  EXISTS (SELECT FROM core.second_factor f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS "hasSecondFactor", u.created_at AS "createdAt", u.updated_at AS "updatedAt",
  u.deleted_at AS "deletedAt"`

export async function readUser(tx: TenantRead, id: string): Promise<UserData> {
  const [row] = await tx.prepared(USER, [id])
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such user' })
  return row
}

const USER = statement<UserData>(
  'identity-user',
  `SELECT ${USER_COLUMNS} FROM core.app_user u JOIN core.role r ON r.id = u.role_id
   WHERE u.id = $1 AND u.deleted_at IS NULL`,
)

export async function readDeletedUser(tx: TenantRead, id: string): Promise<UserData> {
  const [row] = await tx.prepared(DELETED_USER, [id])
  if (!row) throw new Problem(problems.notFound, { message: 'There is no such deleted user' })
  return row
}

const DELETED_USER = statement<UserData>(
  'identity-deleted-user',
  `SELECT ${USER_COLUMNS} FROM core.app_user u JOIN core.role r ON r.id = u.role_id
   WHERE u.id = $1 AND u.deleted_at IS NOT NULL`,
)

/**
 * Whoever can change somebody's address can have their password sent to it, and is them from then on. So users
 * who hold more than the caller are out of the caller's hands altogether.
 */
export async function assertMayChange(
  tx: TenantRead,
  administration: Administration,
  user: UserData,
): Promise<void> {
  administration.assertWithin(await readRole(tx, user.roleId))
  administration.assertWithinReach(user)
}

/** Of one's own things everybody disposes; of somebody else's, who may change that user. */
export async function assertOwnOrMayChange(
  tx: TenantTx,
  userId: string,
  context: TenantContext,
): Promise<void> {
  const user = await readUser(tx, userId)
  const caller = callerOf(context)
  if (caller.id !== user.id) await assertMayChange(tx, await Administration.begin(tx, caller.id), user)
}

export interface NewUser extends Reach {
  readonly id: string
  readonly fullName: string
  readonly email: string
  readonly phone: string | null
  readonly roleId: string
  readonly isActive: boolean
  readonly joinDate: string | null
  readonly metadata: Record<string, unknown>
  /** null: invited, and sets one by a link. */
  readonly passwordHash: string | null
}

/** A password that someone else knows is good for one sign-in. */
export async function insertUsers(tx: TenantTx, users: readonly NewUser[]): Promise<void> {
  await tx.run(
    sql`INSERT INTO core.app_user (id, full_name, email, phone, role_id, is_active, join_date, metadata,
        password_hash, password_changed_at, must_change_password, all_companies)
      SELECT id, "fullName", email, phone, "roleId", "isActive", "joinDate", metadata,
        "passwordHash", now(), "passwordHash" IS NOT NULL, "allCompanies"
      FROM jsonb_to_recordset(${JSON.stringify(users)}::jsonb) AS n (id uuid, "fullName" text, email text, phone text,
        "roleId" uuid, "isActive" boolean, "joinDate" date, metadata jsonb, "passwordHash" text, "allCompanies" boolean)`.compile(
      tenantSql,
    ),
  )
  for (const user of users) if (!user.allCompanies) await setCompanies(tx, user.id, user)
}

/** Only what changes is written, so that the audit shows what was given and taken. */
export async function setCompanies(tx: TenantTx, userId: string, reach: Reach): Promise<void> {
  const ids = reach.allCompanies ? [] : [...reach.companyIds]
  await tx.run(
    sql`DELETE FROM core.user_company WHERE user_id = ${userId} AND NOT (company_id = ANY (${ids}::uuid[]))`.compile(
      tenantSql,
    ),
  )
  const unknown = await tx.rows(
    sql<{ id: string }>`SELECT id FROM unnest(${ids}::uuid[]) AS given (id)
      WHERE NOT EXISTS (SELECT FROM core.company c WHERE c.id = given.id AND c.deleted_at IS NULL)`.compile(
      tenantSql,
    ),
  )
  if (unknown.length > 0) {
    throw validationProblem(
      unknown.map(({ id }) => ({
        field: `companyIds[${ids.indexOf(id)}]`,
        code: 'UNKNOWN_COMPANY',
        message: 'There is no such company',
      })),
    )
  }
  await tx.run(
    sql`INSERT INTO core.user_company (user_id, company_id) SELECT ${userId}::uuid, id FROM unnest(${ids}::uuid[]) AS given (id)
      ON CONFLICT (user_id, company_id) DO NOTHING`.compile(tenantSql),
  )
}
