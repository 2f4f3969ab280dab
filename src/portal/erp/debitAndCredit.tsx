/** The two columns of every table of the books, and the line below them. */
import { Table } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { Amount } from '../shared/Amount.tsx'
import { numeric } from '../shared/ListTable.tsx'

export function debitAndCreditColumns<Row extends { debit: string; credit: string }>(
  t: TFunction,
  width: number,
) {
  const column = (side: 'debit' | 'credit') => ({
    title: t(`journals.${side}`),
    ...numeric,
    width,
    render: (_: unknown, row: Row) => <Amount value={row[side]} />,
  })
  return [column('debit'), column('credit')]
}

export function TotalRow({ span, debit, credit }: { span: number; debit: string; credit: string }) {
  const { t } = useTranslation()
  return (
    <Table.Summary.Row className="table-total">
      <Table.Summary.Cell index={0} colSpan={span}>
        {t('journals.total')}
      </Table.Summary.Cell>
      <Table.Summary.Cell index={1} className="numeric">
        <Amount value={debit} showZero />
      </Table.Summary.Cell>
      <Table.Summary.Cell index={2} className="numeric">
        <Amount value={credit} showZero />
      </Table.Summary.Cell>
    </Table.Summary.Row>
  )
}
