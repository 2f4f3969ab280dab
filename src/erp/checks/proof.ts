/**
 * A tenant's books as a whole, for those who bring databases back or take them away: the checks of every
 * company, and what every account stands at, read from the lines.
 */
import { sql } from 'kysely'
import { tenantSql, type TenantRead, type TenantTx } from '../../tenancy/handles.ts'
import { checkBooks } from './books.ts'

/** Opens a transaction in one company, or in none. */
export type ReadIn = <Result>(
  companyId: string | null,
  work: (tx: TenantRead) => Promise<Result>,
) => Promise<Result>

export interface BooksProof {
  readonly companies: number
  readonly findings: readonly string[]
}

export interface AccountBalance {
  readonly companyCode: string
  readonly accountCode: string
  readonly currency: string
  readonly balance: string
}

const FINDINGS_MAXIMUM = 100

export async function proveBooks(read: ReadIn): Promise<BooksProof> {
  const companies = await companiesOf(read)
  const findings: string[] = []
  for (const { id, code } of companies) {
    const found = await read(id, checkBooks)
    findings.push(...found.map(({ check, detail }) => `${code}: ${check}: ${detail}`))
  }
  return { companies: companies.length, findings: findings.slice(0, FINDINGS_MAXIMUM) }
}

/** In the company's base currency, by the currency of the lines. */
export async function accountBalances(read: ReadIn): Promise<AccountBalance[]> {
  const balances: AccountBalance[] = []
  for (const { id, code } of await companiesOf(read)) {
    const rows = await read(id, (tx) =>
      tx.rows(
        sql<{ accountCode: string; currency: string; balance: string }>`
          SELECT a.code AS "accountCode", l.currency, sum(l.debit - l.credit) AS balance
          FROM finance.journal_line l JOIN masters.gl_account a ON a.id = l.account_id
          GROUP BY a.code, l.currency ORDER BY a.code, l.currency`.compile(tenantSql),
      ),
    )
    balances.push(...rows.map((row) => ({ companyCode: code, ...row })))
  }
  return balances
}

/**
 * For a database that comes back or becomes another's: nobody is signed in any more, no link that was handed out
 * or API key lets anybody in, and no mail that was waiting (and may have been sent since) is sent.
 */
export async function endAccess(tx: TenantTx, reason: string): Promise<void> {
  await tx.run(
    sql`UPDATE core.session SET ended_at = now(), end_reason = ${reason} WHERE ended_at IS NULL`.compile(
      tenantSql,
    ),
  )
  await tx.run(
    sql`UPDATE core.support_session SET ended_at = now(), end_reason = ${reason} WHERE ended_at IS NULL`.compile(
      tenantSql,
    ),
  )
  // What was consented to then, and withdrawn since, would hold again.
  await tx.run(sql`UPDATE core.support_access SET write_until = NULL`.compile(tenantSql))
  await tx.run(sql`DELETE FROM core.password_token WHERE used_at IS NULL`.compile(tenantSql))
  // A key that was taken back since would open again. A backup may be older than API keys are.
  const keys = sql<{ are: boolean }>`SELECT to_regclass('core.api_key') IS NOT NULL AS are`
  if ((await tx.row(keys.compile(tenantSql)))?.are) {
    await tx.run(sql`UPDATE core.api_key SET revoked_at = now() WHERE revoked_at IS NULL`.compile(tenantSql))
  }
  await tx.run(
    sql`UPDATE core.mail SET state = 'dead', sealed_content = NULL, last_error = ${reason}, updated_at = now()
      WHERE state = 'queued'`.compile(tenantSql),
  )
}

function companiesOf(read: ReadIn): Promise<{ id: string; code: string }[]> {
  return read(null, (tx) =>
    tx.rows(
      sql<{ id: string; code: string }>`SELECT id, code FROM core.company ORDER BY code`.compile(tenantSql),
    ),
  )
}
