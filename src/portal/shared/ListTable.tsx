import type { ReactNode } from 'react'
import { Card, Table, type CardProps, type TableProps } from 'antd'
import { EmptyState } from './states.tsx'

interface Pagination {
  page: number
  limit: number
  total: number
}

export interface ListTableProps<Row> extends Omit<TableProps<Row>, 'locale'> {
  /** What is said where there are no rows, and what could be done about it. */
  empty?: string
  emptyAction?: ReactNode
  /** Which rows of how many these are. Without it they are all there are. */
  pages?: Pagination
  onPage?: (page: number) => void
  /** What stands above the table. */
  card?: Pick<CardProps, 'title' | 'extra' | 'style'>
}

/** A list as every screen shows it: a card filled by a table, which scrolls on narrow screens. */
export function ListTable<Row extends object>(props: ListTableProps<Row>) {
  const { empty, emptyAction, pages, onPage, card, ...table } = props
  return (
    <Card {...card} styles={{ body: { padding: 0 } }}>
      <Table<Row>
        rowKey="id"
        size="middle"
        scroll={{ x: true }}
        locale={empty ? { emptyText: <EmptyState text={empty} action={emptyAction} /> } : {}}
        pagination={
          pages
            ? {
                current: pages.page,
                pageSize: pages.limit,
                total: pages.total,
                showSizeChanger: false,
                hideOnSinglePage: true,
                ...(onPage ? { onChange: onPage } : {}),
              }
            : false
        }
        {...table}
      />
    </Card>
  )
}

/** A column of numbers. */
export const numeric = { className: 'numeric', align: 'right' } as const
