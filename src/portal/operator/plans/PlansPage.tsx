import { useQuery } from '@tanstack/react-query'
import { Card, Table, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { operatorApi, read } from '../../shared/client.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ErrorState, LoadingState } from '../../shared/states.tsx'

export function PlansPage() {
  const { t } = useTranslation()
  const plans = useQuery({ queryKey: ['plans'], queryFn: () => read(operatorApi.GET('/platform/plans')) })
  const limit = (value: number | null) => (value === null ? t('plans.unlimited') : value.toLocaleString('en'))
  return (
    <>
      <PageHeader title={t('menu.plans')} />
      {plans.isPending && <LoadingState />}
      {plans.isError && <ErrorState error={plans.error} onRetry={() => void plans.refetch()} />}
      {plans.isSuccess && (
        <Card styles={{ body: { padding: 0 } }}>
          <Table
            rowKey="id"
            pagination={false}
            scroll={{ x: true }}
            dataSource={plans.data.plans}
            columns={[
              {
                title: t('fields.name'),
                dataIndex: 'name',
                render: (name, plan) => <PlanName {...plan} name={name} />,
              },
              {
                title: t('plans.monthlyPrice'),
                className: 'numeric',
                align: 'right',
                render: (_, plan) => (
                  <>
                    <Amount value={plan.monthlyPrice} showZero /> {plan.currency}
                  </>
                ),
              },
              {
                title: t('plans.companies'),
                className: 'numeric',
                align: 'right',
                render: (_, plan) => limit(plan.companiesLimit),
              },
              {
                title: t('plans.users'),
                className: 'numeric',
                align: 'right',
                render: (_, plan) => limit(plan.usersPerCompanyLimit),
              },
              {
                title: t('plans.transactions'),
                className: 'numeric',
                align: 'right',
                render: (_, plan) => limit(plan.transactionsPerMonthLimit),
              },
              {
                title: t('plans.storage'),
                className: 'numeric',
                align: 'right',
                render: (_, plan) => limit(plan.storageGigabytesLimit),
              },
              { title: t('plans.support'), dataIndex: 'support' },
            ]}
          />
        </Card>
      )}
    </>
  )
}

function PlanName({ name, code, isActive }: { name: string; code: string; isActive: boolean }) {
  const { t } = useTranslation()
  return (
    <>
      {name} <Tag className="ltr">{code}</Tag>
      {!isActive && <Tag>{t('states.inactive')}</Tag>}
    </>
  )
}
