import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import type { Tenant } from '../../shared/model.ts'
import { useSuspendTenant } from './queries.ts'

export function SuspendDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation()
  const suspend = useSuspendTenant(tenant.id)
  return (
    <ActionDialog<{ reason: string }>
      title={t('tenants.suspendTitle', { name: tenant.companyName })}
      okText={t('tenants.suspend')}
      consequence={t('tenants.suspendConsequence')}
      isDangerous
      typedCode={tenant.tenantCode}
      isPending={suspend.isPending}
      onSubmit={({ reason }, handlers) => suspend.mutate({ reason }, handlers)}
      doneText={t('tenants.suspended')}
      onClose={onClose}
    >
      <ReasonField />
    </ActionDialog>
  )
}
