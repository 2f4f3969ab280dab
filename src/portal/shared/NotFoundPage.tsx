import { Link } from '@tanstack/react-router'
import { Button, Result } from 'antd'
import { useTranslation } from 'react-i18next'
import { PageTitle } from './PageHeader.tsx'

export function NotFoundPage() {
  const { t } = useTranslation()
  return (
    <>
      <PageTitle title={t('states.notFound')} />
      <Result
        status="404"
        title={t('states.notFound')}
        extra={
          <Link to="/">
            <Button type="primary">{t('actions.home')}</Button>
          </Link>
        }
      />
    </>
  )
}
