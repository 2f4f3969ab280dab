/** Rows of operators, as they are read. */
import { sql } from 'kysely'
import { foldedEmail } from '../../kernel/email.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import type { OperatorData } from './contract.ts'

export const OPERATOR_COLUMNS = sql.raw(`o.id, o.full_name AS "fullName", o.email, o.role,
  CASE WHEN o.is_active THEN 'active' ELSE 'inactive' END AS status, o.password_hash IS NULL AS "isInvited",
  EXISTS (SELECT FROM platform.operator_second_factor f
    WHERE f.operator_id = o.id AND f.confirmed_at IS NOT NULL) AS "hasSecondFactor",
  o.last_login_at AS "lastLoginAt", o.created_at AS "createdAt", o.updated_at AS "updatedAt",
  o.deleted_at AS "deletedAt"`)

export async function readOperator(tx: PlatformRead, id: string): Promise<OperatorData> {
  const operator = await tx.row(
    sql<OperatorData>`SELECT ${OPERATOR_COLUMNS} FROM platform.operator o
      WHERE o.id = ${id} AND o.deleted_at IS NULL`.compile(platformSql),
  )
  if (!operator) throw new Problem(problems.notFound, { message: 'There is no such operator' })
  return operator
}

export function operatorByEmail(tx: PlatformRead, email: string) {
  return tx.row(
    platformSql
      .selectFrom('platform.operator')
      .select(['id', 'password_hash', 'is_active'])
      .where((eb) => eb(eb.fn('lower', ['email']), '=', foldedEmail(email)))
      .where('deleted_at', 'is', null),
  )
}
