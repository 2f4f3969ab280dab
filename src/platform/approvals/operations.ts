import { newestFirst, paginationOf } from '../../http/contract.ts'
import { implement, type Route } from '../../http/route.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import type { Approvals } from './approvals.ts'
import { approve, getApproval, listApprovals, reject } from './contract.ts'
import { COLUMNS, readRow, requests, SEARCHED, SORTED } from './records.ts'

export function approvalRoutes(approvals: Approvals): Route[] {
  return [
    implement(listApprovals, async (tx, { query }) => {
      const [page, limit] = [query.page ?? 1, query.limit ?? 50]
      let filtered = requests()
      if (query.status === 'pending') {
        filtered = filtered
          .where('a.state', '=', 'pending')
          .where('a.expires_at', '>', new Date().toISOString())
      }
      if (query.status === 'decided') filtered = filtered.where('a.state', '<>', 'pending')
      if (query.search) {
        const pattern = likePattern(query.search)
        filtered = filtered.where((eb) => eb.or(SEARCHED.map((column) => eb(column, 'ilike', pattern))))
      }
      const order = newestFirst(query)
      const [rows, [counted]] = await Promise.all([
        tx.rows(
          filtered
            .select(COLUMNS)
            .orderBy(SORTED[query.sort ?? 'createdAt'], (by) => by[order]().nullsLast())
            .orderBy('a.id', order)
            .limit(limit)
            .offset((page - 1) * limit),
        ),
        tx.rows(filtered.select((eb) => eb.fn.countAll<number>().as('total'))),
      ])
      return {
        approvals: rows.map((row) => approvals.present(row)),
        pagination: paginationOf(Number(counted?.total ?? 0), page, limit),
        isRequired: approvals.isRequired,
        operations: approvals.operations,
      }
    }),
    implement(getApproval, async (tx, { params }) => approvals.present(await readRow(tx, params.id))),
    implement(approve, (door, { params, body }, context) =>
      approvals.approve(door, params.id, body.reason, context),
    ),
    implement(reject, (tx, { params, body }, context) =>
      approvals.reject(tx, params.id, body.reason, context),
    ),
  ]
}
