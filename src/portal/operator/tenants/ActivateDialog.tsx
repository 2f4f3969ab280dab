import { useTranslation } from 'react-i18next'
import { ActionDialog, ReasonField } from '../../shared/ActionDialog.tsx'
import type { Tenant } from '../../shared/model.ts'
import { useActivateTenant } from './queries.ts'

export function ActivateDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation()
  const activate = useActivateTenant(tenant.id)
  return (
    <ActionDialog<{ reason: string }>
      title={t('tenants.activateTitle', { name: tenant.companyName })}
      okText={t('tenants.activate')}
      isPending={activate.isPending}
      onSubmit={activate.mutate}
      doneText={t('tenants.activated')}
      onClose={onClose}
    >
      <ReasonField />
    </ActionDialog>
  )
}
