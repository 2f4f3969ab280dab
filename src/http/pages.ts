/** One page of a list: what its contract calls `page` and `limit`, asked of the platform database. */
import type { SelectQueryBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { PlatformRead } from '../tenancy/handles.ts'
import { paginationOf, type Pagination } from './contract.ts'

/** The rows of that page, in the order of the query, and how many it would find in all. */
export async function pageOfRows<Schema, Tables extends keyof Schema, Row>(
  tx: PlatformRead,
  found: SelectQueryBuilder<Schema, Tables, Row>,
  { page = 1, limit = 50 }: { readonly page?: number; readonly limit?: number },
): Promise<{ rows: Row[]; pagination: Static<typeof Pagination> }> {
  const counting = found
    .clearSelect()
    .clearOrderBy()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .$castTo<{ total: number }>()
  const [rows, counted] = await Promise.all([
    tx.rows<Row>(found.limit(limit).offset((page - 1) * limit)),
    tx.row(counting),
  ])
  return { rows, pagination: paginationOf(Number(counted?.total ?? 0), page, limit) }
}
