import { useQuery } from '@tanstack/react-query'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { Amount } from '../../shared/Amount.tsx'
import { operatorApi, read } from '../../shared/client.ts'
import { ListTable, numeric } from '../../shared/ListTable.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'

export function PlansPage() {
  const { t } = useTranslation()
  const plans = useQuery({ queryKey: ['plans'], queryFn: () => read(operatorApi.GET('/platform/plans')) })
  const limit = (value: number | null) => (value === null ? t('plans.unlimited') : value.toLocaleString('en'))
  return (
    <>
      <PageHeader title={t('menu.plans')} />
      {plans.isSuccess ? (
        <ListTable
          size="large"
          dataSource={plans.data.plans}
          columns={[
            {
              title: t('fields.name'),
              dataIndex: 'name',
              render: (name, plan) => <PlanName {...plan} name={name} />,
            },
            {
              title: t('plans.monthlyPrice'),
              ...numeric,
              render: (_, plan) => (
                <>
                  <Amount value={plan.monthlyPrice} showZero /> {plan.currency}
                </>
              ),
            },
            { title: t('plans.companies'), ...numeric, render: (_, plan) => limit(plan.companiesLimit) },
            { title: t('plans.users'), ...numeric, render: (_, plan) => limit(plan.usersPerCompanyLimit) },
            {
              title: t('plans.transactions'),
              ...numeric,
              render: (_, plan) => limit(plan.transactionsPerMonthLimit),
            },
            { title: t('plans.storage'), ...numeric, render: (_, plan) => limit(plan.storageGigabytesLimit) },
            { title: t('plans.support'), dataIndex: 'support' },
          ]}
        />
      ) : (
        <QueryState query={plans} />
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
