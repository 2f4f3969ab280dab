import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { TenantStatus } from '../../shared/model.ts'

export const tenantStatuses = [
  'provisioning',
  'active',
  'read_only',
  'suspended',
  'cancelled',
  'archived',
  'deleted',
  'failed',
] as const satisfies readonly TenantStatus[]

const colours: Record<TenantStatus, string> = {
  provisioning: 'processing',
  active: 'success',
  read_only: 'warning',
  suspended: 'warning',
  cancelled: 'default',
  archived: 'default',
  deleted: 'default',
  failed: 'error',
}

export function TenantStatusTag({ status }: { status: TenantStatus }) {
  const { t } = useTranslation()
  return <Tag color={colours[status]}>{t(`tenantStatus.${status}`)}</Tag>
}
