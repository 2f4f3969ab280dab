/** The house in whose name people are written to. */
import { statement, type TenantRead } from '../../tenancy/handles.ts'

export interface House {
  readonly companyName: string
  readonly country: string
  readonly inviterName: string
}

/** Who writes, and in the name of which company: the one worked in, or else the first. */
export async function readHouse(tx: TenantRead, inviterId: string | null): Promise<House> {
  const [house] = await tx.prepared(HOUSE, [tx.companyId, inviterId])
  return { companyName: tx.tenantCode, country: '', inviterName: '', ...house }
}

const HOUSE = statement<House>(
  'identity-house',
  `SELECT name AS "companyName", country,
     coalesce((SELECT full_name FROM core.app_user WHERE id = $2),
       (SELECT name FROM core.api_key WHERE id = $2), '') AS "inviterName"
   FROM core.company WHERE deleted_at IS NULL ORDER BY id = $1 DESC NULLS LAST, created_at, id LIMIT 1`,
)
