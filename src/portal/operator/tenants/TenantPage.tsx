import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Alert, Button, Card, Descriptions, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import type { Tenant } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { ErrorState, LoadingState } from '../../shared/states.tsx'
import { ActivateDialog } from './ActivateDialog.tsx'
import { tenantQuery } from './queries.ts'
import { SuspendDialog } from './SuspendDialog.tsx'
import { TenantStatusTag } from './TenantStatusTag.tsx'

const route = getRouteApi('/operator/tenants/$tenantId')

export function TenantPage() {
  const { tenantId } = route.useParams()
  const tenant = useQuery(tenantQuery(tenantId))
  if (tenant.isPending) return <LoadingState />
  if (tenant.isError) return <ErrorState error={tenant.error} onRetry={() => void tenant.refetch()} />
  return <TenantDetail tenant={tenant.data} />
}

function TenantDetail({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [dialog, setDialog] = useState<'suspend' | 'activate' | null>(null)
  const isWorking = tenant.status === 'active' || tenant.status === 'read_only'
  return (
    <>
      <PageHeader
        title={tenant.companyName}
        tag={<TenantStatusTag status={tenant.status} />}
        onBack={() => void navigate({ to: '/operator/tenants' })}
        actions={
          <>
            {isWorking && (
              <Button danger onClick={() => setDialog('suspend')}>
                {t('tenants.suspend')}
              </Button>
            )}
            {tenant.status === 'suspended' && (
              <Button type="primary" onClick={() => setDialog('activate')}>
                {t('tenants.activate')}
              </Button>
            )}
          </>
        }
      />
      {tenant.statusReason && !isWorking && (
        <Alert
          type="warning"
          showIcon
          title={t(`tenantStatus.${tenant.status}`)}
          description={tenant.statusReason}
          style={{ marginBlockEnd: 16 }}
        />
      )}
      <TenantFacts tenant={tenant} />
      {dialog === 'suspend' && <SuspendDialog tenant={tenant} onClose={() => setDialog(null)} />}
      {dialog === 'activate' && <ActivateDialog tenant={tenant} onClose={() => setDialog(null)} />}
    </>
  )
}

function TenantFacts({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const code = (text: string | null) => (text ? <span className="ltr">{text}</span> : '–')
  return (
    <Card>
      <Descriptions
        column={{ xs: 1, md: 2 }}
        items={[
          { key: 'code', label: t('tenants.code'), children: code(tenant.tenantCode) },
          {
            key: 'address',
            label: t('tenants.address'),
            children: (
              <Typography.Link href={tenant.address} target="_blank" rel="noopener" className="ltr">
                {tenant.address}
              </Typography.Link>
            ),
          },
          { key: 'plan', label: t('tenants.plan'), children: tenant.planCode },
          { key: 'country', label: t('tenants.country'), children: tenant.country },
          { key: 'currency', label: t('fields.currency'), children: tenant.currency },
          { key: 'chart', label: t('tenants.chartTemplate'), children: tenant.chartTemplate },
          { key: 'admin', label: t('tenants.adminName'), children: tenant.adminName },
          { key: 'email', label: t('tenants.adminEmail'), children: code(tenant.adminEmail) },
          { key: 'database', label: t('tenants.database'), children: code(tenant.databaseName) },
          { key: 'schema', label: t('tenants.schemaVersion'), children: code(tenant.schemaVersion) },
          { key: 'created', label: t('fields.createdAt'), children: formats.instant(tenant.createdAt) },
          { key: 'updated', label: t('fields.updatedAt'), children: formats.instant(tenant.updatedAt) },
        ]}
      />
    </Card>
  )
}
