/**
 * Who may do what is changed by one at a time, and by nobody beyond what they hold themselves. Two rules need
 * that turn: the last administrator stays, also when two remove each other at the same moment; and what somebody
 * holds is what they hold now, not when their session was read.
 */
import { sql } from 'kysely'
import { Decimal } from '../../kernel/decimal.ts'
import { Problem } from '../../kernel/problem.ts'
import { statement, tenantSql, type TenantTx } from '../../tenancy/handles.ts'
import { identityProblems } from './problems.ts'
import { beyond } from './rules/permission-patterns.ts'

/** Key of the advisory lock, in each tenant's database; held until the transaction ends. */
const ADMINISTRATION_LOCK = 7_241_860_020

export interface Powers {
  readonly permissions: readonly string[]
  /** null: without a limit. */
  readonly discountPercentMaximum: string | null
  readonly discountAmountMaximum: string | null
}

export interface Reach {
  readonly allCompanies: boolean
  readonly companyIds: readonly string[]
}

interface Holdings extends Powers, Reach {}

export class Administration {
  readonly #tx: TenantTx
  readonly #caller: Holdings
  readonly #administrators: number

  private constructor(tx: TenantTx, caller: Holdings, administrators: number) {
    this.#tx = tx
    this.#caller = caller
    this.#administrators = administrators
  }

  /** `callerId`: of a user or an API key. */
  static async begin(tx: TenantTx, callerId: string): Promise<Administration> {
    await takeTurn(tx)
    const [[caller], administrators] = await Promise.all([
      tx.prepared(HOLDINGS, [callerId]),
      countAdministrators(tx),
    ])
    // Deactivated a moment ago: the session was still known.
    if (!caller) throw new Problem(identityProblems.beyondYou)
    const permissions = tx.actor.scopes ?? caller.permissions
    return new Administration(tx, { ...caller, permissions }, administrators)
  }

  /** A role that is given, taken away or changed must be within what the caller holds. */
  assertWithin(powers: Powers): void {
    const permissions = beyond(this.#caller.permissions, powers.permissions)
    const discounts = (['discountPercentMaximum', 'discountAmountMaximum'] as const).filter((limit) =>
      exceeds(powers[limit], this.#caller[limit]),
    )
    if (permissions.length + discounts.length === 0) return
    const message = `Nobody grants more than they hold: ${[...permissions, ...discounts].join(', ')}`
    throw new Problem(identityProblems.beyondYou, { message, details: { permissions, discounts } })
  }

  /** Likewise the companies somebody works in. */
  assertWithinReach({ allCompanies, companyIds }: Reach): void {
    if (this.#caller.allCompanies) return
    const others = companyIds.filter((id) => !this.#caller.companyIds.includes(id))
    if (!allCompanies && others.length === 0) return
    const message = 'Nobody gives access to companies they do not work in themselves'
    throw new Problem(identityProblems.beyondYou, { message, details: { allCompanies, companyIds: others } })
  }

  /** Called after the change. Where there was no administrator before, nobody can be blamed for there being none. */
  async assertAdministratorLeft(): Promise<void> {
    if (this.#administrators > 0 && (await countAdministrators(this.#tx)) === 0) {
      throw new Problem(identityProblems.lastAdministrator)
    }
  }
}

/** Until the transaction ends nobody else changes who there is. */
export async function takeTurn(tx: TenantTx): Promise<void> {
  await tx.rows(sql`SELECT pg_advisory_xact_lock(${ADMINISTRATION_LOCK})`.compile(tenantSql))
}

function exceeds(asked: string | null, held: string | null): boolean {
  if (held === null) return false
  return asked === null || Decimal.of(asked).compare(Decimal.of(held)) > 0
}

async function countAdministrators(tx: TenantTx): Promise<number> {
  const [row] = await tx.prepared(ADMINISTRATORS, [])
  return row?.count ?? 0
}

/** Of a person by their role; of an API key by its scopes: it grants no discounts. */
const HOLDINGS = statement<Holdings>(
  'identity-holdings',
  `SELECT r.permissions, r.discount_percent_maximum AS "discountPercentMaximum",
     r.discount_amount_maximum AS "discountAmountMaximum", u.all_companies AS "allCompanies",
     ARRAY(SELECT m.company_id::text FROM core.user_company m WHERE m.user_id = u.id) AS "companyIds"
   FROM core.app_user u JOIN core.role r ON r.id = u.role_id AND r.is_active
   WHERE u.id = $1 AND u.is_active AND u.deleted_at IS NULL
   UNION ALL
   SELECT k.scopes, 0, 0, k.all_companies, k.company_ids::text[] FROM core.api_key k
   WHERE k.id = $1 AND k.revoked_at IS NULL`,
)

/** Who can sign in and do everything everywhere. Somebody invited who has not set a password cannot, yet. */
const ADMINISTRATORS = statement<{ count: number }>(
  'identity-administrators',
  `SELECT count(*) AS count FROM core.app_user u JOIN core.role r ON r.id = u.role_id AND r.is_active
   WHERE u.is_active AND u.deleted_at IS NULL AND u.all_companies AND u.password_hash IS NOT NULL
     AND r.permissions @> '{*}'`,
)
