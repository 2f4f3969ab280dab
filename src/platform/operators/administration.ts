/**
 * Operators are changed by one at a time, and by nobody beyond what they hold themselves: the last owner stays,
 * also when two remove each other at the same moment. As for a tenant's users (docs/adr/0020, 0024).
 */
import { sql } from 'kysely'
import { Problem } from '../../kernel/problem.ts'
import { platformSql, type PlatformRead, type PlatformTx } from '../../tenancy/handles.ts'
import { isWithin, type OperatorRole } from './rules/permissions.ts'
import { operatorProblems } from './problems.ts'

/** Key of the advisory lock in the platform's database; held until the transaction ends. */
const ADMINISTRATION_LOCK = 7_241_860_024

export class OperatorAdministration {
  readonly #tx: PlatformTx
  /** undefined: the server's command line, whose user may do everything. */
  readonly #callerRole: OperatorRole | undefined
  readonly #owners: number

  private constructor(tx: PlatformTx, callerRole: OperatorRole | undefined, owners: number) {
    this.#tx = tx
    this.#callerRole = callerRole
    this.#owners = owners
  }

  static async begin(tx: PlatformTx, callerId: string | undefined): Promise<OperatorAdministration> {
    await tx.rows(sql`SELECT pg_advisory_xact_lock(${ADMINISTRATION_LOCK})`.compile(platformSql))
    const role = callerId === undefined ? undefined : await roleNow(tx, callerId)
    return new OperatorAdministration(tx, role, await countOwners(tx))
  }

  /** A role that is given or taken must hold nothing that the caller does not. */
  assertWithin(role: string): void {
    if (this.#callerRole === undefined || isWithin(role as OperatorRole, this.#callerRole)) return
    throw new Problem(operatorProblems.beyondYou)
  }

  /** Called after the change. Where there was no owner before, nobody can be blamed for there being none. */
  async assertOwnerLeft(): Promise<void> {
    if (this.#owners > 0 && (await countOwners(this.#tx)) === 0) throw new Problem(operatorProblems.lastOwner)
  }
}

/** What they hold now, not when their session was read; somebody deactivated a moment ago holds nothing. */
async function roleNow(tx: PlatformRead, id: string): Promise<OperatorRole> {
  const row = await tx.row(
    sql<{ role: OperatorRole }>`SELECT role FROM platform.operator
      WHERE id = ${id} AND is_active AND deleted_at IS NULL`.compile(platformSql),
  )
  if (!row) throw new Problem(operatorProblems.beyondYou)
  return row.role
}

/** Who can sign in. Somebody invited who has not set a password cannot, yet. */
async function countOwners(tx: PlatformRead): Promise<number> {
  const row = await tx.row(
    sql<{ count: number }>`SELECT count(*) AS count FROM platform.operator
      WHERE role = 'owner' AND is_active AND deleted_at IS NULL AND password_hash IS NOT NULL`.compile(
      platformSql,
    ),
  )
  return Number(row?.count ?? 0)
}
