import { useQuery } from '@tanstack/react-query'
import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { ListTable } from '../../shared/ListTable.tsx'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { companiesQuery } from '../users/queries.ts'

export function CompaniesPage() {
  const { t } = useTranslation()
  const companies = useQuery(companiesQuery(true))
  return (
    <>
      <PageHeader title={t('menu.companies')} />
      {companies.isSuccess ? (
        <ListTable
          dataSource={companies.data.companies}
          empty={t('companies.empty')}
          columns={[
            { title: t('fields.code'), render: (_, { code }) => <span className="ltr">{code}</span> },
            { title: t('fields.name'), render: (_, { name }) => <span dir="auto">{name}</span> },
            { title: t('tenants.country'), dataIndex: 'country' },
            { title: t('fields.currency'), dataIndex: 'baseCurrency' },
            {
              title: t('fields.status'),
              render: (_, { isActive }) => (
                <Tag color={isActive ? 'success' : 'warning'}>
                  {t(isActive ? 'states.active' : 'states.inactive')}
                </Tag>
              ),
            },
          ]}
        />
      ) : (
        <QueryState query={companies} />
      )}
    </>
  )
}
