import { newestFirst } from '../../http/contract.ts'
import { pageOfRows } from '../../http/pages.ts'
import { implement, type Route } from '../../http/route.ts'
import { likePattern } from '../../tenancy/sql-text.ts'
import type { Approvals } from './approvals.ts'
import { approve, getApproval, listApprovals, reject } from './contract.ts'
import { COLUMNS, readRow, requests, SEARCHED, SORTED } from './records.ts'

export function approvalRoutes(approvals: Approvals): Route[] {
  return [
    implement(listApprovals, async (tx, { query }) => {
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
      const found = filtered
        .select(COLUMNS)
        .orderBy(SORTED[query.sort ?? 'createdAt'], (by) => by[order]().nullsLast())
        .orderBy('a.id', order)
      const { rows, pagination } = await pageOfRows(tx, found, query)
      return {
        approvals: rows.map((row) => approvals.present(row)),
        pagination,
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
