import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { GlAccount } from '../../shared/model.ts'

const colours: Record<GlAccount['type'], string> = {
  asset: 'blue',
  liability: 'orange',
  equity: 'purple',
  revenue: 'green',
  expense: 'red',
}

export function AccountTypeTag({ type }: { type: GlAccount['type'] }) {
  const { t } = useTranslation()
  return <Tag color={colours[type]}>{t(`accountTypes.${type}`)}</Tag>
}
