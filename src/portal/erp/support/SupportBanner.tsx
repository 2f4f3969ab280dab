import { CustomerServiceOutlined } from '@ant-design/icons'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormats } from '../../shared/formats.ts'
import { useCompany, useUser } from '../useCompany.ts'

/** On every page, for as long as support is in: for the operator, and for who may send them away. */
export function SupportBanner({ onLeave }: { onLeave: () => void }) {
  const { t } = useTranslation()
  const formats = useFormats()
  const company = useCompany()
  const support = useUser()?.support
  if (!support) return null
  const { operatorName, reason, endsAt, isCaller } = support
  const words = { until: formats.instant(endsAt), access: t(`supportAccesses.${support.access}`) }
  return (
    <div className="support-banner" role="status">
      <CustomerServiceOutlined aria-hidden />
      <span className="support-banner-text">
        <strong>
          {isCaller
            ? t('supportAccess.ownBanner', { ...words, company: company?.name ?? '' })
            : t('supportAccess.banner', { ...words, name: operatorName })}
        </strong>{' '}
        <span dir="auto">{t('supportAccess.bannerReason', { reason })}</span>
      </span>
      {isCaller ? (
        <Button size="small" onClick={onLeave}>
          {t('supportAccess.leave')}
        </Button>
      ) : (
        <Link to="/settings/support-access" className="support-banner-link">
          {t('supportAccess.see')}
        </Link>
      )}
    </div>
  )
}
