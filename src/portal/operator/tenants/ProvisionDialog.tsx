import { useState } from 'react'
import { Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { ActionDialog } from '../../shared/ActionDialog.tsx'
import type { CreatedTenant, Tenant } from '../../shared/model.ts'
import { useSubmissionKey } from '../../shared/useSubmissionKey.ts'
import { useProvision } from './queries.ts'
import { TenantProgress } from './TenantProgress.tsx'

/** Another attempt at a tenant that failed, and its way in once it is made. */
export function ProvisionDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { t } = useTranslation()
  const provision = useProvision(tenant.id)
  const submission = useSubmissionKey()
  const [made, setMade] = useState<CreatedTenant | null>(null)
  if (made) {
    return (
      <Modal open title={tenant.companyName} footer={null} onCancel={onClose}>
        <TenantProgress created={made} />
      </Modal>
    )
  }
  return (
    <ActionDialog
      title={t('tenants.provisionTitle', { name: tenant.companyName })}
      okText={t('tenants.provision')}
      consequence={t('tenants.provisionConsequence')}
      isPending={provision.isPending}
      onSubmit={(_, { onError }) =>
        provision.mutate(submission.keyFor(tenant.updatedAt), { onError, onSuccess: setMade })
      }
      onClose={onClose}
    />
  )
}
