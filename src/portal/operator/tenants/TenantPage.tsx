import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { Alert, Button, Card, Descriptions, Switch, Tabs, Tag, Tooltip, Typography } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import type { Tenant } from '../../shared/model.ts'
import { PageHeader } from '../../shared/PageHeader.tsx'
import { QueryState } from '../../shared/states.tsx'
import { useTellProblem } from '../../shared/useTellProblem.ts'
import { TenantSupport } from '../support/TenantSupport.tsx'
import { useOperatorCan } from '../useOperator.ts'
import { ActivateDialog } from './ActivateDialog.tsx'
import { ProvisionDialog } from './ProvisionDialog.tsx'
import { tenantQuery, useTenantCanary } from './queries.ts'
import { SuspendDialog } from './SuspendDialog.tsx'
import { TenantBackups } from './TenantBackups.tsx'
import { TenantClosing } from './TenantClosing.tsx'
import { TenantMoves } from './TenantMoves.tsx'
import { TenantRestores } from './TenantRestores.tsx'
import { TenantStatusTag } from './TenantStatusTag.tsx'

const route = getRouteApi('/operator/tenants/$tenantId')

export function TenantPage() {
  const { tenantId } = route.useParams()
  const tenant = useQuery(tenantQuery(tenantId))
  if (!tenant.isSuccess) return <QueryState query={tenant} />
  return <TenantDetail tenant={tenant.data} />
}

function TenantDetail({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const navigate = route.useNavigate()
  const can = useOperatorCan()
  const { tab = 'overview' } = route.useSearch()
  const [dialog, setDialog] = useState<'suspend' | 'activate' | 'provision' | null>(null)
  const isWorking = tenant.status === 'active' || tenant.status === 'read_only'
  return (
    <>
      <PageHeader
        title={tenant.companyName}
        tag={
          <>
            <TenantStatusTag status={tenant.status} />
            {tenant.isNeutralised && <Tag>{t('tenants.neutralised')}</Tag>}
            {tenant.busyWith !== null && (
              <Tag color="processing">{t('tenants.busyWith', { what: tenant.busyWith })}</Tag>
            )}
          </>
        }
        onBack={() => void navigate({ to: '/operator/tenants' })}
        actions={
          <>
            {tenant.status === 'failed' && can('tenants:create') && (
              <Button type="primary" onClick={() => setDialog('provision')}>
                {t('tenants.provision')}
              </Button>
            )}
            {isWorking && can('tenants:suspend') && (
              <Button danger onClick={() => setDialog('suspend')}>
                {t('tenants.suspend')}
              </Button>
            )}
            {tenant.status === 'suspended' && can('tenants:suspend') && (
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
      <Tabs
        activeKey={tab}
        onChange={(chosen) => void navigate({ search: chosen === 'overview' ? {} : { tab: chosen } })}
        items={[
          { key: 'overview', label: t('tenants.overview'), children: <TenantFacts tenant={tenant} /> },
          ...(can('backups:view')
            ? [{ key: 'backups', label: t('menu.backups'), children: <TenantBackups tenant={tenant} /> }]
            : []),
          ...(can('restores:view')
            ? [{ key: 'restores', label: t('restores.list'), children: <TenantRestores tenant={tenant} /> }]
            : []),
          { key: 'moves', label: t('moves.list'), children: <TenantMoves tenant={tenant} /> },
          ...(can('support-sessions:view')
            ? [{ key: 'support', label: t('support.title'), children: <TenantSupport tenant={tenant} /> }]
            : []),
          ...(can('exports:view')
            ? [{ key: 'closing', label: t('tenants.closing'), children: <TenantClosing tenant={tenant} /> }]
            : []),
        ]}
      />
      {dialog === 'suspend' && <SuspendDialog tenant={tenant} onClose={() => setDialog(null)} />}
      {dialog === 'activate' && <ActivateDialog tenant={tenant} onClose={() => setDialog(null)} />}
      {dialog === 'provision' && <ProvisionDialog tenant={tenant} onClose={() => setDialog(null)} />}
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
          {
            key: 'canary',
            label: <Tooltip title={t('tenants.canaryHint')}>{t('tenants.canary')}</Tooltip>,
            children: <CanarySwitch tenant={tenant} />,
          },
          { key: 'created', label: t('fields.createdAt'), children: formats.instant(tenant.createdAt) },
          { key: 'updated', label: t('fields.updatedAt'), children: formats.instant(tenant.updatedAt) },
        ]}
      />
    </Card>
  )
}

function CanarySwitch({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation()
  const tellProblem = useTellProblem()
  const can = useOperatorCan()
  const change = useTenantCanary(tenant.id)
  return (
    <Switch
      size="small"
      aria-label={t('tenants.canary')}
      checked={tenant.isCanary}
      disabled={!can('fleet:migrate')}
      loading={change.isPending}
      onChange={(isCanary) => change.mutate(isCanary, { onError: tellProblem })}
    />
  )
}
