import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { TenantUser } from '../../shared/model.ts'

export function UserStatusTag({
  user: { status, isInvited, deletedAt },
}: {
  user: Pick<TenantUser, 'status' | 'isInvited' | 'deletedAt'>
}) {
  const { t } = useTranslation()
  if (deletedAt !== null) return <Tag>{t('users.deleted')}</Tag>
  if (status === 'inactive') return <Tag color="warning">{t('states.inactive')}</Tag>
  return isInvited ? (
    <Tag color="processing">{t('users.invited')}</Tag>
  ) : (
    <Tag color="success">{t('states.active')}</Tag>
  )
}
