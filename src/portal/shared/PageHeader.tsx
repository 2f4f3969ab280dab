import type { ReactNode } from 'react'
import { ArrowLeftOutlined, ArrowRightOutlined } from '@ant-design/icons'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { productName } from './Brand.tsx'

interface PageHeaderProps {
  title: string
  tag?: ReactNode
  actions?: ReactNode
  onBack?: () => void
}

export function PageHeader({ title, tag, actions, onBack }: PageHeaderProps) {
  const { t, i18n } = useTranslation()
  const BackIcon = i18n.dir() === 'rtl' ? ArrowRightOutlined : ArrowLeftOutlined
  return (
    <header className="page-header">
      <PageTitle title={title} />
      {onBack && <Button type="text" icon={<BackIcon />} aria-label={t('actions.back')} onClick={onBack} />}
      <h1>{title}</h1>
      {tag}
      {actions && <div className="page-header-actions">{actions}</div>}
    </header>
  )
}

export function PageTitle({ title }: { title: string }) {
  return <title>{`${title} · ${productName}`}</title>
}
