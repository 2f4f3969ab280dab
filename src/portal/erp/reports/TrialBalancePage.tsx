import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Button, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { DateInput } from '../../shared/DateInput.tsx'
import { today } from '../../shared/formats.ts'
import { Labelled } from '../../shared/Labelled.tsx'
import { ListTable } from '../../shared/ListTable.tsx'
import type { TrialBalance } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { AccountTypeTag } from '../accounts/AccountTypeTag.tsx'
import { useAccountName } from '../accounts/queries.ts'
import { debitAndCreditColumns, TotalRow } from '../debitAndCredit.tsx'
import { trialBalanceQuery } from './queries.ts'

const route = getRouteApi('/_erp/reports/trial-balance')

export function TrialBalancePage() {
  const { t } = useTranslation()
  const asOf = route.useSearch().asOf ?? today()
  const navigate = route.useNavigate()
  const report = useQuery(trialBalanceQuery(asOf))
  return (
    <>
      <PageHeader
        title={t('menu.trialBalance')}
        tag={report.data && <Tag className="ltr">{report.data.currency}</Tag>}
      />
      <div className="toolbar">
        <Labelled label={t('reports.asOf')}>
          <DateInput
            value={asOf}
            onChange={(day) => void navigate({ search: day ? { asOf: day } : {}, replace: true })}
            style={{ width: 160 }}
          />
        </Labelled>
      </div>
      {report.isSuccess ? <TrialBalanceTable report={report.data} /> : <QueryState query={report} />}
    </>
  )
}

function TrialBalanceTable({ report }: { report: TrialBalance }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const nameOf = useAccountName()
  return (
    <ListTable
      rowKey="accountId"
      dataSource={report.rows}
      empty={t('reports.nothingPosted')}
      emptyAction={
        <Button type="primary" onClick={() => void navigate({ to: '/journal-entries/new' })}>
          {t('journals.create')}
        </Button>
      }
      columns={[
        {
          title: t('fields.code'),
          width: 120,
          render: (_, row) => (
            <LedgerLink accountId={row.accountId} to={report.asOf}>
              <span className="ltr">{row.accountCode}</span>
            </LedgerLink>
          ),
        },
        {
          title: t('fields.name'),
          render: (_, row) => (
            <LedgerLink accountId={row.accountId} to={report.asOf}>
              {nameOf(row.accountId, row.accountName)}
            </LedgerLink>
          ),
        },
        { title: t('fields.type'), width: 120, render: (_, row) => <AccountTypeTag type={row.type} /> },
        ...debitAndCreditColumns<TrialBalance['rows'][number]>(t, 180),
      ]}
      summary={() =>
        report.rows.length > 0 && <TotalRow span={3} debit={report.totalDebit} credit={report.totalCredit} />
      }
    />
  )
}

function LedgerLink({
  accountId,
  to,
  children,
}: {
  accountId: string
  to: string
  children: React.ReactNode
}) {
  return (
    <Link to="/reports/general-ledger" search={{ accountId, to }}>
      {children}
    </Link>
  )
}
