import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { TenantMail } from './model.ts'

const colours: Record<TenantMail['state'], string> = {
  queued: 'processing',
  sent: 'success',
  kept: 'default',
  dead: 'error',
}

export function MailStateTag({ state }: { state: TenantMail['state'] }) {
  const { t } = useTranslation()
  return <Tag color={colours[state]}>{t(`mailStates.${state}`)}</Tag>
}
