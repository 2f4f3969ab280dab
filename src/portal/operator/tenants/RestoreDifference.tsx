import { Alert, Table, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { useFormats } from '../../shared/formats.ts'
import { numeric } from '../../shared/ListTable.tsx'
import type { Restore } from '../../shared/model.ts'

type Difference = NonNullable<Restore['difference']>

/** What the restored database says otherwise than the live one: what would be lost, and what comes back. */
export function RestoreDifference({ difference }: { difference: Difference }) {
  const { t } = useTranslation()
  const formats = useFormats()
  if (difference.tables.length === 0) {
    return <Alert type="success" showIcon title={t('restores.noDifference')} />
  }
  const count = (title: string, name: 'onlyLive' | 'onlyRestored' | 'changed') => ({
    title,
    ...numeric,
    width: 120,
    render: (_: unknown, row: Difference['tables'][number]) =>
      name === 'onlyLive' && row.onlyLive > 0 ? (
        <Typography.Text type="danger">{formats.number(row.onlyLive)}</Typography.Text>
      ) : (
        formats.number(row[name])
      ),
  })
  return (
    <>
      <Typography.Paragraph type="secondary">
        {t('restores.comparedAt', { at: formats.instant(difference.comparedAt) })}
      </Typography.Paragraph>
      <Table
        rowKey="table"
        size="small"
        pagination={false}
        scroll={{ x: true }}
        dataSource={difference.tables}
        columns={[
          { title: t('restores.table'), render: (_, { table }) => <span className="ltr">{table}</span> },
          count(t('restores.onlyLive'), 'onlyLive'),
          count(t('restores.onlyRestored'), 'onlyRestored'),
          count(t('restores.changed'), 'changed'),
        ]}
      />
      {difference.balances.length > 0 && (
        <>
          <h3 className="section">{t('restores.balances')}</h3>
          <Table
            rowKey={({ companyCode, accountCode, currency }) => `${companyCode}/${accountCode}/${currency}`}
            size="small"
            pagination={false}
            scroll={{ x: true }}
            dataSource={difference.balances}
            columns={[
              { title: t('restores.company'), dataIndex: 'companyCode' },
              {
                title: t('journals.account'),
                render: (_, { accountCode }) => <span className="ltr">{accountCode}</span>,
              },
              { title: t('fields.currency'), dataIndex: 'currency' },
              {
                title: t('restores.live'),
                ...numeric,
                render: (_, { live }) => <Amount value={live} showZero />,
              },
              {
                title: t('restores.restored'),
                ...numeric,
                render: (_, { restored }) => <Amount value={restored} showZero />,
              },
            ]}
          />
          {difference.balancesAreCut && <Typography.Text>{t('restores.balancesAreCut')}</Typography.Text>}
        </>
      )}
    </>
  )
}
